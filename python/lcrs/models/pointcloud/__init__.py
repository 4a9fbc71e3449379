"""Models of point clouds, under CompressAI's names; they run on any device."""

from lcrs.models.pointcloud.hrtzxf2022 import DensityPreservingReconstructionPccModel
from lcrs.models.pointcloud.sfu_pointnet import PointNetReconstructionPccModel
from lcrs.models.pointcloud.sfu_pointnet2 import PointNet2SsgReconstructionPccModel

__all__ = [
    "DensityPreservingReconstructionPccModel",
    "PointNet2SsgReconstructionPccModel",
    "PointNetReconstructionPccModel",
]
