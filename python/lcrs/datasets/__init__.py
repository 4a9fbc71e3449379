"""Datasets of pictures, video and point clouds, and datasets that wrap arrays or other datasets."""

from lcrs import needs_torch  # noqa: F401
from lcrs.datasets.cache import CacheDataset
from lcrs.datasets.generated_clouds import GeneratedClouds
from lcrs.datasets.image import ImageFolder
from lcrs.datasets.ndarray import NdArrayDataset
from lcrs.datasets.pointcloud import (
    ModelNetDataset,
    S3disDataset,
    SemanticKittiDataset,
    ShapeNetCorePartDataset,
)
from lcrs.datasets.pregenerated import PreGeneratedMemmapDataset
from lcrs.datasets.rawvideo import RawVideoSequence, VideoFormat
from lcrs.datasets.stack import StackDataset
from lcrs.datasets.video import VideoFolder
from lcrs.datasets.vimeo90k import Vimeo90kDataset

__all__ = [
    "CacheDataset",
    "GeneratedClouds",
    "ImageFolder",
    "ModelNetDataset",
    "NdArrayDataset",
    "PreGeneratedMemmapDataset",
    "RawVideoSequence",
    "S3disDataset",
    "SemanticKittiDataset",
    "ShapeNetCorePartDataset",
    "StackDataset",
    "VideoFolder",
    "VideoFormat",
    "Vimeo90kDataset",
]
