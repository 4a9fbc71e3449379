"""Colour spaces and chroma resolutions of tensors."""

from lcrs import needs_torch  # noqa: F401
from lcrs.transforms.transforms import RGB2YCbCr, YCbCr2RGB, YUV420To444, YUV444To420

__all__ = ["RGB2YCbCr", "YCbCr2RGB", "YUV420To444", "YUV444To420"]
