"""Models of point clouds."""

from lcrs.models.pointcloud.occupancy import OctreeOccupancy

__all__ = ["OctreeOccupancy"]
