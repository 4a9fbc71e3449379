"""Scans: latents whose symbols become known step by step, coded in one native call.

The order of the steps, and with it that of a stream, is specified in `lcrs_core::scan`.
"""

from lcrs._lcrs import CheckerboardScan, RasterScan, each_step

__all__ = ["CheckerboardScan", "RasterScan", "each_step"]
