"""Differentiable operations with the gradients that compression training needs, and padding arithmetic."""

from lcrs import needs_torch  # noqa: F401
from lcrs.ops.bound_ops import LowerBound
from lcrs.ops.padding import compute_padding
from lcrs.ops.parametrizers import NonNegativeParametrizer
from lcrs.ops.quantize import quantize_ste

__all__ = ["LowerBound", "NonNegativeParametrizer", "compute_padding", "quantize_ste"]
