"""ModelNet: triangle meshes of things of 10 or 40 classes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lcrs.clouds import MAX_POINTS, CloudError
from lcrs.clouds.meshes import faces_of_off
from lcrs.datasets.pointcloud.published import PublishedDataset
from lcrs.registry import register_dataset

__all__ = ["ModelNetDataset"]

_NAMES = {
    "10": "bathtub bed chair desk dresser monitor night_stand sofa table toilet",
    "40": (
        "airplane bathtub bed bench bookshelf bottle bowl car chair cone cup curtain desk door dresser "
        "flower_pot glass_box guitar keyboard lamp laptop mantel monitor night_stand person piano plant "
        "radio range_hood sink sofa stairs stool table tent toilet tv_stand vase wardrobe xbox"
    ),
}
_FILE = re.compile(r"(?P<label>[A-Za-z_]+)_(?P<number>[0-9]{1,9})\.off")


@register_dataset("ModelNetDataset")
class ModelNetDataset(PublishedDataset):
    """Meshes of Wu et al., `3D ShapeNets: A deep representation for volumetric shapes`, CVPR 2015.

    .. code-block:: none

        - root/
            - airplane/
                - train/
                    - airplane_0001.off
                - test/
                    - airplane_0627.off
            - bathtub/

    An item has `file_index` (1,) int32, `label` (1,) uint8, `pos` (N, 3) float32 and `face` (3, F) int64;
    `SamplePointsV2` makes points of them. Files are read by trimesh (the extra `points`).

    Args:
        root: As of `PublishedDataset`, like the others.
        cache_root: See there.
        split: "train" or "test".
        split_name: See there.
        name: "40" or "10", the number of classes.
        pre_transform: See there.
        transform: See there.
        download: See there.

    Raises:
        ValueError: There is no such `name`.
    """

    LABEL_LIST: ClassVar[dict[str, list[str]]] = {name: labels.split() for name, labels in _NAMES.items()}
    LABEL_STR_TO_LABEL_INDEX: ClassVar[dict[str, dict[str, int]]] = {
        name: {label: index for index, label in enumerate(labels.split())} for name, labels in _NAMES.items()
    }
    URLS: ClassVar[dict[str, str]] = {
        "10": "http://3dvision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip",
        "40": "http://modelnet.cs.princeton.edu/ModelNet40.zip",
    }
    HASHES: ClassVar[dict[str, str]] = {
        "10": "9d8679435fc07d1d26f13009878db164a7aa8ea5e7ea3c8880e42794b7307d51",
        "40": "42dc3e656932e387f554e25a4eb2cc0e1a1bd3ab54606e2a9eae444c60e536ac",
    }

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        cache_root: str | os.PathLike[str] | None = None,
        split: str = "train",
        split_name: str | None = None,
        name: str = "40",
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        download: bool = True,
    ) -> None:
        if name not in self.LABEL_LIST:
            raise ValueError(f"name is {name!r}: there are {', '.join(self.LABEL_LIST)}")
        self.name = name
        self.ARCHIVE_ROOT = f"ModelNet{name}"  # type: ignore[misc]
        super().__init__(root, cache_root, split, split_name, pre_transform, transform, download)

    def _archives(self) -> list[tuple[str, str]]:
        return [(self.URLS[self.name], self.HASHES[self.name])]

    def _get_items(self) -> Sequence[Path]:
        return sorted(self._folder.glob(f"**/{self.split}/*.off"))

    def _load_item(self, path: Path) -> Mapping[str, Any]:
        found = _FILE.fullmatch(path.name)
        labels = self.LABEL_STR_TO_LABEL_INDEX[self.name]
        label = path.parent.parent.name
        if found is None or found["label"] != label or label not in labels:
            raise ValueError(f"{path}: CLASS/{self.split}/CLASS_NUMBER.off of a class of ModelNet is needed")
        try:
            vertices, faces = faces_of_off(path.read_bytes(), MAX_POINTS)
        except CloudError as error:
            raise CloudError(f"{path}: {error}") from None
        return {
            "file_index": np.array([int(found["number"])], np.int32),
            "label": np.array([labels[label]], np.uint8),
            "pos": vertices.astype(np.float32),
            "face": np.ascontiguousarray(faces.T),
        }
