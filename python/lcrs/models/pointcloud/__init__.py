"""Models of point clouds: CompressAI's, under its names, and the network of the geometry codec."""

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
