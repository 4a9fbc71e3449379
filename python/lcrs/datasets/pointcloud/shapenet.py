"""ShapeNet-Part: points on things of 16 categories, each point labelled with its part."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lcrs.clouds.text import parse_table
from lcrs.datasets.pointcloud.published import PublishedDataset
from lcrs.registry import register_dataset

__all__ = ["ShapeNetCorePartDataset"]

_PLAIN = "shapenetcore_partanno_segmentation_benchmark_v0"
_WITH_NORMALS = f"{_PLAIN}_normal"
_CATEGORIES = (
    ("02691156", "Airplane", 4),
    ("02773838", "Bag", 2),
    ("02954340", "Cap", 2),
    ("02958343", "Car", 4),
    ("03001627", "Chair", 4),
    ("03261776", "Earphone", 3),
    ("03467517", "Guitar", 3),
    ("03624134", "Knife", 2),
    ("03636649", "Lamp", 4),
    ("03642806", "Laptop", 2),
    ("03790512", "Motorbike", 6),
    ("03797390", "Mug", 2),
    ("03948459", "Pistol", 3),
    ("04099429", "Rocket", 3),
    ("04225987", "Skateboard", 3),
    ("04379243", "Table", 3),
)
_ITEM = re.compile(r"(?:.*/)?(?P<category>[0-9]{8})/(?P<name>[-0-9a-zA-Z]+)")


@register_dataset("ShapeNetCorePartDataset")
class ShapeNetCorePartDataset(PublishedDataset):
    """Clouds of Yi et al., `A scalable active framework for region annotation in 3D shape collections`, 2016.

    .. code-block:: none

        - root/
            - train_test_split/
                - shuffled_train_file_list.json
            - 02691156/
                - 1021a0914a7207aff927ed529ad90a11.txt             (name ends in _normal)
                - points/1021a0914a7207aff927ed529ad90a11.pts      (name does not)
                - points_label/1021a0914a7207aff927ed529ad90a11.seg

    An item has `category_index` (1,), `part_index` (N,) from 0 within its category, `semantic_index` (N,)
    from 0 to 49, all uint8, `pos` (N, 3) float32, and `normal` (N, 3) float32 where the files have it.

    Args:
        root: As of `PublishedDataset`, like the others.
        cache_root: See there.
        split: "train", "val" or "test".
        split_name: See there.
        pre_transform: See there.
        transform: See there.
        name: Which of the two publications, with normals by default.
        download: See there.

    Raises:
        ValueError: There is no such `name`.
    """

    CATEGORY_ID_TO_CATEGORY_STR: ClassVar[dict[str, str]] = {id: label for id, label, _ in _CATEGORIES}
    NUM_PARTS: ClassVar[dict[str, int]] = {id: parts for id, _, parts in _CATEGORIES}
    URLS: ClassVar[dict[str, str]] = {
        name: f"https://shapenet.cs.stanford.edu/media/{name}.zip" for name in (_PLAIN, _WITH_NORMALS)
    }
    HASHES: ClassVar[dict[str, str]] = {
        _PLAIN: "f1dc7bad73237060946f13e1fa767b40d9adba52a79d42d64de31552b8c0b65e",
        _WITH_NORMALS: "0e26411700bae2da38ee8ecc719ba4db2e6e0133486e258665952ad5dfced0fe",
    }

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        cache_root: str | os.PathLike[str] | None = None,
        split: str = "train",
        split_name: str | None = None,
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        name: str = _WITH_NORMALS,
        download: bool = True,
    ) -> None:
        if name not in self.URLS:
            raise ValueError(f"name is {name!r}: there are {', '.join(self.URLS)}")
        self.name = name
        self.ARCHIVE_ROOT = name  # type: ignore[misc]
        super().__init__(root, cache_root, split, split_name, pre_transform, transform, download)

    def _archives(self) -> list[tuple[str, str]]:
        return [(self.URLS[self.name], self.HASHES[self.name])]

    def _get_items(self) -> Sequence[str]:
        path = self._folder / "train_test_split" / f"shuffled_{self.split}_file_list.json"
        items: Sequence[str] = json.loads(path.read_text())
        return items

    def _load_item(self, item: str) -> Mapping[str, Any]:
        found = _ITEM.fullmatch(item)
        categories = list(self.NUM_PARTS)
        if found is None or found["category"] not in categories:
            raise ValueError(f"{item!r} in the list of files names no cloud: it has to end in CATEGORY/NAME")
        index = categories.index(found["category"])
        offset = sum(list(self.NUM_PARTS.values())[:index])
        folder, name = self._folder / found["category"], found["name"]
        if self.name == _WITH_NORMALS:
            table = _table(folder / f"{name}.txt", 7)
            parts = table[:, 6] - offset
        else:
            table = _table(folder / "points" / f"{name}.pts", 3)
            parts = _table(folder / "points_label" / f"{name}.seg", 1)[:, 0] - 1
        count = self.NUM_PARTS[found["category"]]
        if len(parts) != len(table) or not np.isin(parts, np.arange(count)).all():
            raise ValueError(f"{folder / name}: every point needs a part, of {count}")
        data = {
            "category_index": np.array([index], np.uint8),
            "part_index": parts.astype(np.uint8),
            "semantic_index": (parts + offset).astype(np.uint8),
            "pos": table[:, :3].astype(np.float32),
        }
        if self.name == _WITH_NORMALS:
            data["normal"] = table[:, 3:6].astype(np.float32)
        return data


def _table(path: Path, width: int) -> NDArray[np.float64]:
    with path.open("rb") as file:
        return parse_table(file, width, None, f"{path}: line")
