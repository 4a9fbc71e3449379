"""CompressAI's path for `quantize_ste`."""

from lcrs.ops.quantize import quantize_ste

__all__ = ["quantize_ste"]
