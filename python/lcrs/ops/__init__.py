"""Differentiable operations with the gradients that compression training needs, and padding arithmetic."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.ops import ops  # noqa: F401
from lcrs.ops.bound_ops import LowerBound
from lcrs.ops.padding import compute_padding
from lcrs.ops.parametrizers import NonNegativeParametrizer
from lcrs.ops.quantize import quantize_ste
from lcrs.ops.quantize import quantize_ste as ste_round

__all__ = ["LowerBound", "NonNegativeParametrizer", "compute_padding", "quantize_ste", "ste_round"]
