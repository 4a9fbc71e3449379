"""Clouds of known data sets, from the layouts in which these are published."""

from lcrs.datasets.pointcloud.modelnet import ModelNetDataset
from lcrs.datasets.pointcloud.s3dis import S3disDataset
from lcrs.datasets.pointcloud.semantic_kitti import SemanticKittiDataset
from lcrs.datasets.pointcloud.shapenet import ShapeNetCorePartDataset

__all__ = ["ModelNetDataset", "S3disDataset", "SemanticKittiDataset", "ShapeNetCorePartDataset"]
