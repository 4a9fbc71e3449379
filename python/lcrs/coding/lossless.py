"""Pictures to the bit, without a model; the stream is specified in the README of the crate `lcrs-codec`."""

from __future__ import annotations

from lcrs._lcrs import compress_lossless, decompress_lossless, decompress_lossless_bytes

__all__ = ["compress_lossless", "decompress_lossless", "decompress_lossless_bytes"]
