"""Models of point clouds: three under CompressAI's names, which run on any device, and that of octrees."""

from lcrs.models.pointcloud.hrtzxf2022 import DensityPreservingReconstructionPccModel
from lcrs.models.pointcloud.occupancy import OctreeOccupancy
from lcrs.models.pointcloud.sfu_pointnet import PointNetReconstructionPccModel
from lcrs.models.pointcloud.sfu_pointnet2 import PointNet2SsgReconstructionPccModel

__all__ = [
    "DensityPreservingReconstructionPccModel",
    "OctreeOccupancy",
    "PointNet2SsgReconstructionPccModel",
    "PointNetReconstructionPccModel",
]
