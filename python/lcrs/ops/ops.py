"""CompressAI's path for `quantize_ste` and `compute_padding`."""

from lcrs.ops.padding import compute_padding
from lcrs.ops.quantize import quantize_ste

__all__ = ["compute_padding", "quantize_ste"]
