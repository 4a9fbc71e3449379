"""Pictures of one size in one file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from lcrs.datasets.memmap import open_items
from lcrs.registry import register_dataset

__all__ = ["PreGeneratedMemmapDataset"]

_FILES = {"train": "training.npy", "valid": "validation.npy"}


@register_dataset("PreGeneratedMemmapDataset")
class PreGeneratedMemmapDataset(Dataset[Any]):
    """Patches prepared beforehand, mapped from `root/training.npy` or `root/validation.npy`.

    The file holds uint8, (N, H, W, 3), with or without the header of the .npy format. It is opened when first
    read, in each worker for itself.

    Args:
        root: The folder.
        transform: Called with a patch (PIL, RGB); returns the item. By default the item is the patch.
        split: "train" or "valid".
        image_size: (H, W) of a patch.

    Raises:
        ValueError: Another split, or the file does not hold such patches.
        RuntimeError: There is no folder `root`.
        FileNotFoundError: There is no such file in it.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Image.Image], Any] | None = None,
        split: str = "train",
        image_size: tuple[int, int] = (256, 256),
    ) -> None:
        if split not in _FILES:
            raise ValueError(f'split is {split!r}; it must be "train" or "valid"')
        if not Path(root).is_dir():
            raise RuntimeError(f"missing directory {os.fspath(root)}")
        self.path = Path(root) / _FILES[split]
        self.transform = transform
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self._data: NDArray[Any] | None = None
        self._num_items = len(self.data)

    @property
    def data(self) -> NDArray[Any]:
        """All patches, (N, H, W, 3), uint8, read-only."""
        if self._data is None:
            self._data = open_items(self.path, np.uint8, (*self.image_size, 3))
        return self._data

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the mapping, which would be copied whole into a worker."""
        return {**self.__dict__, "_data": None}

    def __getitem__(self, index: int) -> Any:
        """The patch at `index`, transformed."""
        image = Image.fromarray(np.array(self.data[index]))
        return image if self.transform is None else self.transform(image)

    def __len__(self) -> int:
        """Number of patches."""
        return self._num_items
