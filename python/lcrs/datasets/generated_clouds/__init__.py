"""Clouds made up for training: sampled shapes and solids, scans of streets and rooms. Nothing is downloaded.

Everything follows from a seed. `generated_shape` and `generated_scan` return positions as floats,
`generated_voxels` a mixture of all kinds as whole numbers. `GeneratedClouds` is a data set of any of them.
"""

from lcrs.datasets.generated_clouds.clouds import KINDS, generated_scan, generated_shape, generated_voxels
from lcrs.datasets.generated_clouds.dataset import GeneratedClouds

__all__ = ["KINDS", "GeneratedClouds", "generated_scan", "generated_shape", "generated_voxels"]
