"""S3DIS: rooms of six areas of buildings, each point with a colour and what it is part of."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lcrs.clouds.errors import library
from lcrs.clouds.text import parse_table
from lcrs.datasets.pointcloud.published import PublishedDataset
from lcrs.registry import register_dataset

__all__ = ["S3disDataset"]

_ROOM = re.compile(r"Area_(?P<area>[0-9])_(?P<room>[A-Za-z]+)_(?P<number>[0-9]+)(?:_.*)?")


@register_dataset("S3disDataset")
class S3disDataset(PublishedDataset):
    """Rooms of Armeni et al., `3D Semantic Parsing of Large-Scale Indoor Spaces`, CVPR 2016.

    In blocks of 4096 points, as most work on them takes them (read by h5py):

    .. code-block:: none

        - root/
            - all_files.txt
            - room_filelist.txt
            - ply_data_all_0.h5

    or the rooms themselves, as their authors publish them:

    .. code-block:: none

        - root/
            - Area_1/
                - office_1/
                    - Annotations/
                        - chair_1.txt

    An item has `file_index`, `area_index`, `room_index` (1,) int32, `semantic_index` (N,) uint8, from 0 to
    12, `pos` (N, 3), `color` (N, 3) from 0 to 1, and `pos_normalized` (N, 3), from 0 to 1 over the room, all
    float32. Blocks belong to the lines of `room_filelist.txt` in the order of `all_files.txt`, which is not
    that of the names.

    Args:
        root: As of `PublishedDataset`, like the others.
        cache_root: See there.
        split: "train", "valid" or "test".
        split_name: See there.
        areas: Numbers of areas; by default those of `AREAS` for the split.
        pre_transform: See there.
        transform: See there.
        download: See there; what is fetched is the blocks.

    Raises:
        ValueError: No areas are known for the split, and none are given.
    """

    ARCHIVE_ROOT: ClassVar[str] = "indoor3d_sem_seg_hdf5_data"
    URLS: ClassVar[list[str]] = ["https://shapenet.cs.stanford.edu/media/indoor3d_sem_seg_hdf5_data.zip"]
    HASHES: ClassVar[list[str]] = ["587bb63b296d542c24910c384c41028f2caa1d749042ae891d0d64968c773185"]
    AREAS: ClassVar[dict[str, tuple[int, ...]]] = {"train": (1, 2, 3, 4, 6), "valid": (5,), "test": (5,)}
    LABELS: ClassVar[list[str]] = (
        "ceiling floor wall beam column window door table chair sofa bookcase board clutter".split()  # noqa: SIM905
    )
    ROOMS: ClassVar[list[str]] = (
        "auditorium conferenceRoom copyRoom hallway lobby lounge office openspace pantry storage WC".split()  # noqa: SIM905
    )

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        cache_root: str | os.PathLike[str] | None = None,
        split: str = "train",
        split_name: str | None = None,
        areas: Iterable[int] | None = None,
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        download: bool = True,
    ) -> None:
        if areas is None and split not in self.AREAS:
            raise ValueError(f"split is {split!r}: areas are known for {', '.join(self.AREAS)}, or are given")
        self.areas = tuple(self.AREAS[split] if areas is None else areas)
        self._blocks: list[tuple[Any, int]] | None = None
        super().__init__(root, cache_root, split, split_name, pre_transform, transform, download)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is mapped or open."""
        return {**super().__getstate__(), "_blocks": None}

    def _archives(self) -> list[tuple[str, str]]:
        return list(zip(self.URLS, self.HASHES, strict=True))

    def _get_items(self) -> Sequence[tuple[int, str]]:
        listed = self._folder / "room_filelist.txt"
        if listed.exists():
            names = listed.read_text().split()
        else:
            rooms = sorted(self._folder.glob("Area_[0-9]/*/Annotations"))
            names = [f"{room.parent.parent.name}_{room.parent.name}" for room in rooms]
        return [(i, name) for i, name in enumerate(names) if self._room(name)[0] in self.areas]

    def _room(self, name: str) -> tuple[int, int]:
        """Area and kind of a room."""
        found = _ROOM.fullmatch(name)
        if found is None or found["room"] not in self.ROOMS:
            raise ValueError(f"{name!r} is no room of the data set: Area_NUMBER_KIND_NUMBER is needed")
        return int(found["area"]), self.ROOMS.index(found["room"])

    def _load_item(self, item: tuple[int, str]) -> Mapping[str, Any]:
        index, name = item
        area, room = self._room(name)
        if (self._folder / "room_filelist.txt").exists():
            points, labels = self._block(index)
        else:
            points, labels = self._whole_room(self._folder / name[:6] / name[7:])
        return {
            "file_index": np.array([index], np.int32),
            "area_index": np.array([area], np.int32),
            "room_index": np.array([room], np.int32),
            "semantic_index": labels.astype(np.uint8),
            "pos": points[:, 0:3].astype(np.float32),
            "color": points[:, 3:6].astype(np.float32),
            "pos_normalized": points[:, 6:9].astype(np.float32),
        }

    def _block(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Points (N, 9) and labels (N,) of a line of the list of rooms."""
        if self._blocks is None:
            h5py = library("h5py", "S3DIS")
            listed = (self._folder / "all_files.txt").read_text().split()
            files = [h5py.File(self._folder / Path(name).name, "r") for name in listed]
            self._blocks = [(file, i) for file in files for i in range(len(file["data"]))]
        if index >= len(self._blocks):
            raise ValueError(
                f"{self._folder}: {index + 1} blocks are listed, the files have {len(self._blocks)}"
            )
        file, i = self._blocks[index]
        return np.asarray(file["data"][i]), np.asarray(file["label"][i]).reshape(-1)

    def _whole_room(self, folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
        """The same of the files of a room, whose names say what is in them."""
        tables, labels = [], []
        for path in sorted((folder / "Annotations").glob("*_*.txt")):
            label = path.name.split("_")[0]
            with path.open("rb") as file:
                tables.append(parse_table(file, 6, None, f"{path}: line"))
            # Stairs and the like are clutter, as in the blocks.
            number = self.LABELS.index(label if label in self.LABELS else "clutter")
            labels.append(np.full(len(tables[-1]), number))
        if not tables:
            raise ValueError(f"{folder / 'Annotations'} has no points")
        table = np.concatenate(tables)
        positions = table[:, :3] - table[:, :3].min(axis=0)
        extent = positions.max(axis=0)
        normalized = positions / np.where(extent > 0, extent, 1)
        return np.concatenate([positions, table[:, 3:] / 255, normalized], axis=1), np.concatenate(labels)
