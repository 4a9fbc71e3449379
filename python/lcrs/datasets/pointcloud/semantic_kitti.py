"""SemanticKITTI: scans of a lidar on a car, each point with what it hit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lcrs.clouds import read
from lcrs.datasets.pointcloud.published import PublishedDataset
from lcrs.registry import register_dataset

__all__ = ["SemanticKittiDataset"]

_LABELS = {
    0: "unlabeled", 1: "outlier", 10: "car", 11: "bicycle", 13: "bus", 15: "motorcycle", 16: "on-rails",
    18: "truck", 20: "other-vehicle", 30: "person", 31: "bicyclist", 32: "motorcyclist", 40: "road",
    44: "parking", 48: "sidewalk", 49: "other-ground", 50: "building", 51: "fence", 52: "other-structure",
    60: "lane-marking", 70: "vegetation", 71: "trunk", 72: "terrain", 80: "pole", 81: "traffic-sign",
    99: "other-object", 252: "moving-car", 253: "moving-bicyclist", 254: "moving-person",
    255: "moving-motorcyclist", 256: "moving-on-rails", 257: "moving-bus", 258: "moving-truck",
    259: "moving-other-vehicle",
}  # fmt: skip
_SCAN = re.compile(r"[0-9]{6}")


@register_dataset("SemanticKittiDataset")
class SemanticKittiDataset(PublishedDataset):
    """Scans of Geiger et al., CVPR 2012, with the labels of Behley et al., `SemanticKITTI`, ICCV 2019.

    .. code-block:: none

        - root/
            - sequences/
                - 00/
                    - velodyne/
                        - 000000.bin
                    - labels/
                        - 000000.label

    An item has `file_index`, `sequence_index` (1,) int32, `pos` (N, 3) and `remission` (N, 1) float32, and
    where the sequence has labels `raw_semantic_index`, `semantic_index` and `instance_index` (N,) int32.
    The raw index is the one of the files, the other one counts from 0 to 33.

    Args:
        root: As of `PublishedDataset`, like the others.
        cache_root: See there.
        split: "train", "valid", "infer" or "test"; sequences of the last have no labels.
        split_name: See there.
        sequences: Numbers of sequences; by default those of `SEQUENCES` for the split.
        pre_transform: See there.
        transform: See there.
        download: See there; some 80 GB.

    Raises:
        ValueError: No sequences are known for the split, and none are given.
    """

    ARCHIVE_ROOT: ClassVar[str] = "dataset"
    URLS: ClassVar[list[str]] = [
        "https://s3.eu-central-1.amazonaws.com/avg-kitti/data_odometry_velodyne.zip",
        "http://www.semantic-kitti.org/assets/data_odometry_labels.zip",
    ]
    HASHES: ClassVar[list[str]] = [
        "062a45667bec6874ac27f733bd6809919f077265e7ac0bb25ac885798fa85ab5",
        "408ec524636a393bae0288a0b2f48bf5418a1af988e82dee8496f89ddb7e6dda",
    ]
    SEQUENCES: ClassVar[dict[str, tuple[int, ...]]] = {
        "train": (0, 1, 2, 3, 4, 5, 6, 7, 9, 10),
        "valid": (8,),
        "infer": (8,),
        "test": tuple(range(11, 22)),
    }
    RAW_SEMANTIC_INDEX_TO_LABEL: ClassVar[dict[int, str]] = _LABELS
    RAW_SEMANTIC_INDEX_TO_SEMANTIC_INDEX: ClassVar[dict[int, int]] = {raw: i for i, raw in enumerate(_LABELS)}

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        cache_root: str | os.PathLike[str] | None = None,
        split: str = "train",
        split_name: str | None = None,
        sequences: Iterable[int] | None = None,
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        download: bool = True,
    ) -> None:
        if sequences is None and split not in self.SEQUENCES:
            raise ValueError(
                f"split is {split!r}: sequences are known for {', '.join(self.SEQUENCES)}, or are given"
            )
        self.sequences = tuple(self.SEQUENCES[split] if sequences is None else sequences)
        super().__init__(root, cache_root, split, split_name, pre_transform, transform, download)

    def _archives(self) -> list[tuple[str, str]]:
        return list(zip(self.URLS, self.HASHES, strict=True))

    def _get_items(self) -> Sequence[Path]:
        return sorted(path for i in self.sequences for path in self._folder.glob(f"**/{i:02}/velodyne/*.bin"))

    def _load_item(self, path: Path) -> Mapping[str, Any]:
        sequence = path.parent.parent
        if _SCAN.fullmatch(path.stem) is None or not sequence.name.isdecimal():
            raise ValueError(f"{path}: SEQUENCE/velodyne/NUMBER.bin is needed")
        cloud = read(path, format="bin")
        data = {
            "file_index": np.array([int(path.stem)], np.int32),
            "sequence_index": np.array([int(sequence.name)], np.int32),
            "pos": cloud.positions,
            "remission": cloud.properties["intensity"][:, None],
        }
        if (sequence / "labels").is_dir():
            labels = np.fromfile(sequence / "labels" / f"{path.stem}.label", "<u4")
            if len(labels) != len(cloud):
                raise ValueError(f"{path} has {len(cloud)} points, its labels are {len(labels)}")
            raw = (labels & 0xFFFF).astype(np.int32)
            data |= {
                "raw_semantic_index": raw,
                "semantic_index": self._semantic(raw, path),
                "instance_index": (labels >> 16).astype(np.int32),
            }
        return data

    def _semantic(self, raw: Any, path: Path) -> Any:
        known = self.RAW_SEMANTIC_INDEX_TO_SEMANTIC_INDEX
        values, inverse = np.unique(raw, return_inverse=True)
        if unknown := [int(value) for value in values if value not in known]:
            raise ValueError(f"{path} has the label {unknown[0]}, which is none of SemanticKITTI")
        return np.array([known[value] for value in values], np.int32)[inverse].reshape(raw.shape)
