"""Transforms of clouds, for `torch_geometric.data.Data`, dictionaries and objects with attributes alike."""

from lcrs.transforms.point.generate_position_normals import GeneratePositionNormals
from lcrs.transforms.point.normalize_scale_v2 import NormalizeScaleV2
from lcrs.transforms.point.random_permutation import RandomPermutation
from lcrs.transforms.point.random_rotate_full import RandomRotateFull
from lcrs.transforms.point.random_sample import RandomSample
from lcrs.transforms.point.sample_points_v2 import SamplePointsV2
from lcrs.transforms.point.to_dict import ToDict

__all__ = [
    "GeneratePositionNormals",
    "NormalizeScaleV2",
    "RandomPermutation",
    "RandomRotateFull",
    "RandomSample",
    "SamplePointsV2",
    "ToDict",
]
