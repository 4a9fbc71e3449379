"""The zoo's functions for models of point clouds, which have one quality each and no published weights."""

from __future__ import annotations

from typing import Any

from torch import nn

from lcrs.models.pointcloud import (  # noqa: F401
    DensityPreservingReconstructionPccModel,
    PointNet2SsgReconstructionPccModel,
    PointNetReconstructionPccModel,
)
from lcrs.registry import MODELS
from lcrs.zoo.building import build
from lcrs.zoo.checkpoints import POINTCLOUD_ARCHITECTURES

__all__ = [
    "hrtzxf2022_pcc_rec",
    "model_architectures",
    "pointcloud_models",
    "sfu2023_pcc_rec_pointnet",
    "sfu2024_pcc_rec_pointnet2_ssg",
]


def hrtzxf2022_pcc_rec(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.DensityPreservingReconstructionPccModel`; arguments and errors as `building.build`."""
    entry = POINTCLOUD_ARCHITECTURES["hrtzxf2022-pcc-rec"]
    return build(entry, metric, quality, pretrained, progress, **kwargs)


def sfu2023_pcc_rec_pointnet(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.PointNetReconstructionPccModel`; arguments and errors as `building.build`."""
    entry = POINTCLOUD_ARCHITECTURES["sfu2023-pcc-rec-pointnet"]
    return build(entry, metric, quality, pretrained, progress, **kwargs)


def sfu2024_pcc_rec_pointnet2_ssg(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.PointNet2SsgReconstructionPccModel`; arguments and errors as `building.build`."""
    entry = POINTCLOUD_ARCHITECTURES["sfu2024-pcc-rec-pointnet2-ssg"]
    return build(entry, metric, quality, pretrained, progress, **kwargs)


pointcloud_models = {
    "hrtzxf2022-pcc-rec": hrtzxf2022_pcc_rec,
    "sfu2023-pcc-rec-pointnet": sfu2023_pcc_rec_pointnet,
    "sfu2024-pcc-rec-pointnet2-ssg": sfu2024_pcc_rec_pointnet2_ssg,
}
"""The functions above by registered name."""

model_architectures = {name: MODELS.builtin(name) for name in POINTCLOUD_ARCHITECTURES}
"""Model classes by registered name."""
