"""A dataset whose prepared items lie on disk, ready to be mapped."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lcrs.datasets.memmap import open_items

__all__ = ["CacheDataset"]

_INFO = "info.json"


class CacheDataset(Dataset[Any]):
    """Prepares each item once, keeps all on disk, and maps them into memory from then on.

    Items are mappings from names to arrays or tensors; under each name all items have the same shape and
    type. The cache is one `.npy` file a name and `info.json` beside them. It is written in a folder of its
    own that is renamed when complete, so an interrupted or a simultaneous run leaves no half of one behind.
    It is filled at first use. Delete the folder when the source or `pre_transform` changes.

    A derived class may override `_get_items` and `_load_item` instead of giving a `source`.

    Args:
        cache_root: Folder of the cache.
        pre_transform: Called with each item before it is cached.
        transform: Called with each item after it is read.
        source: Items to cache: a dataset or a sequence.

    Example:
        >>> import numpy as np, tempfile
        >>> source = [{"pos": np.full(2, i)} for i in range(3)]
        >>> data = CacheDataset(tempfile.mkdtemp() + "/cache", source=source)
        >>> len(data), data[1]["pos"].tolist()
        (3, [1, 1])
    """

    def __init__(
        self,
        cache_root: str | os.PathLike[str],
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        *,
        source: Any = None,
    ) -> None:
        self.cache_root = Path(cache_root)
        self.pre_transform = pre_transform
        self.transform = transform
        self.source = source
        self._arrays: dict[str, NDArray[Any]] | None = None

    def __len__(self) -> int:
        """Number of items."""
        return len(next(iter(self._store.values())))

    def __getitem__(self, index: int) -> Any:
        """Copies of the arrays at `index`, transformed."""
        data = {name: np.array(array[index]) for name, array in self._store.items()}
        return data if self.transform is None else self.transform(data)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the mappings, which would be copied whole into a worker."""
        return {**self.__dict__, "_arrays": None}

    @property
    def _store(self) -> dict[str, NDArray[Any]]:
        if self._arrays is None:
            self._ensure_cache()
        assert self._arrays is not None
        return self._arrays

    def _get_items(self) -> Sequence[Any]:
        """What `_load_item` is called with, one by one."""
        if self.source is None:
            raise TypeError(f"{type(self).__name__} has no source and does not override _get_items")
        return range(len(self.source))

    def _load_item(self, item: Any) -> Mapping[str, Any]:
        """The item to cache, before `pre_transform`."""
        data: Mapping[str, Any] = self.source[item]
        return data

    def _ensure_cache(self) -> None:
        """Writes the cache if there is none, then maps it."""
        if not (self.cache_root / _INFO).exists():
            self._generate_cache()
        info = json.loads((self.cache_root / _INFO).read_text())
        self._arrays = {
            name: open_items(self.cache_root / f"{name}.npy", entry["dtype"], tuple(entry["shape"][1:]))
            for name, entry in info.items()
        }

    def _generate_cache(self) -> None:
        self.cache_root.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=f".{self.cache_root.name}-", dir=self.cache_root.parent))
        try:
            self._write_cache(working)
            if self.cache_root.is_dir() and not any(self.cache_root.iterdir()):
                self.cache_root.rmdir()
            working.rename(self.cache_root)
        except OSError:
            if not (self.cache_root / _INFO).exists():  # else another process was first: its cache is as good
                raise
        finally:
            shutil.rmtree(working, ignore_errors=True)

    def _nothing_there(self) -> Exception:
        """What is wrong where there are no items."""
        return ValueError(f"there is nothing to cache in {self.cache_root}: no items")

    def _write_cache(self, folder: Path) -> None:
        items = self._get_items()
        if not len(items):
            raise self._nothing_there()
        store: dict[str, NDArray[Any]] = {}
        for index, item in enumerate(items):
            data = self._load_item(item)
            if self.pre_transform is not None:
                data = self.pre_transform(data)
            arrays = {name: np.asarray(value) for name, value in data.items()}
            if index == 0:
                store = {name: _create(folder, name, len(items), array) for name, array in arrays.items()}
            _put(store, index, arrays)
        if not store:
            raise ValueError(f"there is nothing to cache in {self.cache_root}: no arrays in the items")
        info = {name: {"dtype": str(array.dtype), "shape": array.shape} for name, array in store.items()}
        for array in store.values():
            array.flush()  # type: ignore[attr-defined]
        (folder / _INFO).write_text(json.dumps(info, indent=2))


def _create(folder: Path, name: str, num_items: int, example: NDArray[Any]) -> NDArray[Any]:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{name!r} cannot name a cached array: it must be letters, digits and _ . -")
    path, shape = folder / f"{name}.npy", (num_items, *example.shape)
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, "w+", dtype=example.dtype, shape=shape)
    return array


def _put(store: dict[str, NDArray[Any]], index: int, arrays: dict[str, NDArray[Any]]) -> None:
    if store.keys() != arrays.keys():
        raise ValueError(f"item {index} has {sorted(arrays)}, item 0 has {sorted(store)}")
    for name, array in arrays.items():
        expected = store[name]
        if (array.shape, array.dtype) != (expected.shape[1:], expected.dtype):
            raise ValueError(
                f"{name!r} of item {index} is {array.dtype} {array.shape}, "
                f"of item 0 {expected.dtype} {expected.shape[1:]}; all must be alike"
            )
        expected[index] = array
