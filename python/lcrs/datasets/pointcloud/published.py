"""What data sets of clouds have in common: a folder as it was published, and a cache of prepared items."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from lcrs.datasets.cache import CacheDataset
from lcrs.datasets.utils import download_url, hash_file

__all__ = ["PublishedDataset"]


class PublishedDataset(CacheDataset):
    """Items prepared once from the files of a data set; `CacheDataset` says how.

    Args:
        root: The folder of the data set. It may be missing where the cache is there.
        cache_root: Folder of the caches; by default `root` with `_cache` behind it.
        split: Which part of the data set.
        split_name: Name of the cache's folder, by default `split`: another one for other settings.
        pre_transform: Called with each item before it is cached. Since all items of a cache are alike, and
            clouds differ in size, it has to take a fixed number of points.
        transform: Called with each item that is read.
        download: Fetches the data set if `root` does not exist.

    Raises:
        FileNotFoundError: There is neither `root` nor the cache.
        RuntimeError: A file that was fetched is not the one that is known.
        ValueError: Neither `root` nor `cache_root`.
    """

    ARCHIVE_ROOT: ClassVar[str] = ""
    """The folder in the archives that becomes `root`."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        cache_root: str | os.PathLike[str] | None = None,
        split: str = "train",
        split_name: str | None = None,
        pre_transform: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        download: bool = True,
    ) -> None:
        if root is None and cache_root is None:
            raise ValueError("root and cache_root are missing: one of them is needed")
        self.root = None if root is None else Path(root)
        if cache_root is None:
            assert self.root is not None
            cache_root = self.root.with_name(f"{self.root.name}_cache")
        self.split = split
        self.split_name = split if split_name is None else split_name
        super().__init__(Path(cache_root) / self.split_name, pre_transform, transform)
        if not (self.cache_root / "info.json").exists():
            if download and self.root is not None:
                self.download()
            if self.root is None or not self.root.is_dir():
                raise FileNotFoundError(
                    f"there is neither the folder {root} nor a cache in {self.cache_root}"
                )

    def _archives(self) -> list[tuple[str, str]]:
        """Addresses of the archives, each with its SHA-256."""
        raise NotImplementedError

    def download(self, force: bool = False) -> None:
        """Fetches the data set into `root`, which appears when it is complete.

        Args:
            force: Also if `root` exists: it is replaced.
        """
        if self.root is None:
            raise ValueError("root is missing: it says where the data set goes")
        if self.root.exists() and not force:
            return
        self.root.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=f".{self.root.name}-", dir=self.root.parent))
        try:
            (working / "unpacked").mkdir()
            for url, expected in self._archives():
                path = download_url(url, working)
                if (found := hash_file(path)) != expected:
                    raise RuntimeError(f"{url} has the digest {found}, not {expected}: it is another file")
                shutil.unpack_archive(path, working / "unpacked")
                path.unlink()
            if self.root.exists():
                shutil.rmtree(self.root)
            (working / "unpacked" / self.ARCHIVE_ROOT).rename(self.root)
        finally:
            shutil.rmtree(working, ignore_errors=True)

    def _nothing_there(self) -> Exception:
        return FileNotFoundError(f"there is nothing of split {self.split!r} in the folder {self.root}")

    @property
    def _folder(self) -> Path:
        """The folder of the data set."""
        if self.root is None:
            raise FileNotFoundError(f"there is no cache in {self.cache_root}, and root is not given")
        return self.root
