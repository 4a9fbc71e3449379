"""Colour spaces and chroma resolutions of tensors; transforms of point clouds."""

from lcrs import needs_torch  # noqa: F401
from lcrs.transforms.point import (
    GeneratePositionNormals,
    NormalizeScaleV2,
    RandomPermutation,
    RandomRotateFull,
    RandomSample,
    SamplePointsV2,
    ToDict,
)
from lcrs.transforms.transforms import RGB2YCbCr, YCbCr2RGB, YUV420To444, YUV444To420

__all__ = [
    "GeneratePositionNormals",
    "NormalizeScaleV2",
    "RGB2YCbCr",
    "RandomPermutation",
    "RandomRotateFull",
    "RandomSample",
    "SamplePointsV2",
    "ToDict",
    "YCbCr2RGB",
    "YUV420To444",
    "YUV444To420",
]
