"""What coding runs on: an instruction set and threads. Neither changes a result.

`LCRS_SIMD` (scalar, avx2, avx512 or neon) and `LCRS_NUM_THREADS` are read on first use in each process.
The pool of threads is lcrs's own, is made anew in a forked child, and has one thread inside a DataLoader
worker.
"""

from lcrs._lcrs import build_profile, num_threads, simd_path, simd_paths

__all__ = ["build_profile", "num_threads", "simd_path", "simd_paths"]
