"""Pictures to the bit, without a model; the stream is specified in the README of the crate `lcrs-codec`."""

from __future__ import annotations

from lcrs._lcrs import compress_lossless, decompress_lossless, decompress_lossless_bytes

__all__ = ["LOSSLESS_NAME", "compress_lossless", "decompress_lossless", "decompress_lossless_bytes"]

LOSSLESS_NAME = "lossless"
"""What files without a model say in place of its name."""
