"""CompressAI's path for `quantize_ste`, by its older name too, and `compute_padding`."""

from lcrs.ops.padding import compute_padding
from lcrs.ops.quantize import quantize_ste
from lcrs.ops.quantize import quantize_ste as ste_round

__all__ = ["compute_padding", "quantize_ste", "ste_round"]
