"""Pictures of a run: which there are, which are left out and why, and how one is read."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lcrs.datasets.image import load_rgb
from lcrs.train.config import ConfigError
from lcrs.train.run_folder import is_of_a_run

__all__ = [
    "SUFFIXES",
    "FolderPictures",
    "LeftOut",
    "MemoryPictures",
    "Pictures",
    "find_pictures",
    "in_memory",
    "only_our_limit",
    "read_picture",
    "split_off",
]

log = logging.getLogger("lcrs.train")

Pixels = NDArray[np.uint8]

SUFFIXES = frozenset(
    [
        ".png",
        ".webp",
        ".avif",
        ".jpg",
        ".jpeg",
        ".jp2",
        ".ppm",
        ".pgm",
        ".pnm",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".heic",
        ".heif",
        ".tga",
        ".jxl",
    ]
)
"""Names that pictures have; files of other names are passed over."""

_NAMED = 5
"""So many of a kind are named; all are counted."""


class LeftOut:
    """Counts what is not used, by reason, and names the first of each in the log."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def note(self, path: str | os.PathLike[str], reason: str, detail: str = "") -> None:
        """Notes one file, once."""
        with self._lock:
            name = os.fspath(path)
            if name in self._seen:
                return
            self._seen.add(name)
            self.counts[reason] += 1
            if self.counts[reason] <= _NAMED:
                shown = name if name.isprintable() else repr(name)  # a name may hold line ends
                log.warning("left out, %s: %s%s", reason, shown, f" ({detail})" if detail else "")
            elif self.counts[reason] == _NAMED + 1:
                log.warning("left out, %s: more are counted, but not named", reason)

    def __str__(self) -> str:
        return ", ".join(f"{count} {reason}" for reason, count in sorted(self.counts.items())) or "none"


class Pictures(Protocol):
    """Numbered pictures of one number of channels.

    Attributes:
        sizes: (height, width) of each, (K, 2).
        identity: Tells one collection from another.
    """

    sizes: NDArray[np.int64]
    identity: str

    def __len__(self) -> int: ...

    def read(self, index: int) -> Pixels | None:
        """The picture at `index`, (H, W, C); None if it cannot be had, which is noted."""
        ...


@dataclass
class FolderPictures:
    """Pictures in files, decoded each time that they are read."""

    paths: list[Path]
    sizes: NDArray[np.int64]
    left_out: LeftOut
    max_pixels: int = 1 << 28
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        names = "\n".join(f"{path}:{h}x{w}" for path, (h, w) in zip(self.paths, self.sizes, strict=True))
        self.identity = hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Pixels | None:
        """As in `Pictures`."""
        try:
            return read_picture(self.paths[index], self.max_pixels)
        except Exception as error:  # decoders fail in their own ways
            self.left_out.note(self.paths[index], "not readable", _line(error))
            return None

    def part(self, chosen: Iterable[int]) -> FolderPictures:
        """Some of these."""
        places = list(chosen)
        paths = [self.paths[k] for k in places]
        return FolderPictures(paths, self.sizes[places], self.left_out, self.max_pixels)


@dataclass
class MemoryPictures:
    """Pictures as arrays; None stands for one that cannot be read."""

    arrays: Sequence[Pixels | None]
    sizes: NDArray[np.int64]
    identity: str

    def __len__(self) -> int:
        return len(self.arrays)

    def read(self, index: int) -> Pixels | None:
        """As in `Pictures`."""
        return self.arrays[index]


def read_picture(path: str | os.PathLike[str] | Any, max_pixels: int = 1 << 28) -> Pixels:
    """A picture as uint8 RGB, (H, W, 3).

    Grey is repeated, transparency flattened on white, deeper components rounded to 8 bits, colours converted
    to sRGB by their profile, and of several frames the first is taken: networks learn from samples, and files
    lose nothing by it.

    Raises:
        PictureError: it is damaged, or larger than `max_pixels`.
    """
    choices: dict[str, Any] = {"background": "white", "to_8bit": True, "to_srgb": True, "frame": 0}
    return np.asarray(load_rgb(path, **choices, max_pixels=max_pixels))


def find_pictures(
    folders: Sequence[str | Path], least: int, max_pixels: int, left_out: LeftOut, threads: int = 8
) -> FolderPictures:
    """All pictures of some folders and their sub-folders, in the order of their paths; headers are read.

    Args:
        folders: Where to look; a file counts as itself.
        least: Sides below it are left out.
        max_pixels: So are larger pictures.
        left_out: Told what is left out.
        threads: That read headers.

    Raises:
        FileNotFoundError: there is no such folder.
        ConfigError: one is a file that is no picture.
    """
    paths: list[Path] = []
    for folder in map(Path, folders):
        if not folder.exists():
            raise FileNotFoundError(f"there is no folder {folder}")
        if folder.is_file() and folder.suffix.lower() not in SUFFIXES:
            raise ConfigError(
                f"{folder} is neither a folder nor a picture; of archives tar files (.tar) can be read, "
                "others are to be unpacked"
            )
        found = _files_below(folder, left_out) if folder.is_dir() else iter((folder,))
        paths += [path for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]
    paths = sorted(dict.fromkeys(paths))
    with only_our_limit(), ThreadPoolExecutor(threads) as pool:
        sizes = list(pool.map(lambda path: _size_of(path, left_out), paths))
    kept: list[tuple[Path, tuple[int, int]]] = []
    for path, size in zip(paths, sizes, strict=True):
        if size is None:
            continue
        if min(size) < least:
            left_out.note(path, "smaller than the crop", f"{size[1]} x {size[0]}, crop {least}")
        elif size[0] * size[1] > max_pixels:
            left_out.note(path, "above data.max_pixels", f"{size[1]} x {size[0]}")
        else:
            kept.append((path, size))
    table = np.array([size for _, size in kept], np.int64).reshape(-1, 2)
    return FolderPictures([path for path, _ in kept], table, left_out, max_pixels)


@contextlib.contextmanager
def only_our_limit() -> Iterator[None]:
    """Within, Pillow neither warns of large pictures nor refuses them: `data.max_pixels` is what counts."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _files_below(folder: Path, left_out: LeftOut) -> Iterator[Path]:
    """Files of a folder and of those below, through links too; each folder once, since links may go round."""
    seen: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        left_out.note(str(error.filename), "not readable", _line(error))

    for place, folders, names in os.walk(folder, onerror=note, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Runs may lie among the pictures: what they have validated is none of these. And of a folder that is
        # reached in two ways always the same counts.
        folders[:] = sorted(name for name in folders if not is_of_a_run(Path(place, name)))
        yield from (Path(place, name) for name in names)


def _size_of(path: Path, left_out: LeftOut) -> tuple[int, int] | None:
    """(height, width) by a file's header, as it is before any orientation; None if it has none."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception as error:
        left_out.note(path, "not readable", _line(error))
        return None


def split_off(pictures: FolderPictures, count: int, seed: int) -> tuple[FolderPictures, FolderPictures]:
    """What remains, and at most `count` pictures, a twentieth and at least one, for validation.

    Names decide which: a folder that grows keeps most of them. They are read, and those that cannot
    be are not taken.

    Raises:
        ValueError: there is only one picture, or none can be read.
    """
    total = len(pictures)
    if total < 2:
        raise ValueError(
            "there is one picture to train on, and two are needed: one is split off for validation, unless "
            "data.tune names others"
        )
    number = max(1, min(count, total // 20))

    def rank(k: int) -> bytes:
        return hashlib.sha256(f"{seed}:{pictures.paths[k].name}".encode(errors="surrogateescape")).digest()

    readable = (k for k in sorted(range(total), key=rank) if pictures.read(k) is not None)
    chosen = set(itertools.islice(readable, number))
    if not chosen:
        raise ValueError(f"none of the pictures can be read: {pictures.left_out} left out")
    rest = [k for k in range(total) if k not in chosen]
    return pictures.part(rest), pictures.part(sorted(chosen))


def in_memory(pictures: Pictures, threads: int) -> MemoryPictures:
    """All of them, read now, each in its place.

    Raises:
        ValueError: none is left.
    """
    with ThreadPoolExecutor(max(1, threads)) as pool:
        arrays = list(pool.map(pictures.read, range(len(pictures))))
    if all(array is None for array in arrays):
        raise ValueError("none of the pictures can be read")
    return MemoryPictures(arrays, pictures.sizes, pictures.identity)


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
