"""Arrays on disk, with or without the header of the .npy format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["open_items"]


def open_items(path: Path, dtype: DTypeLike, item_shape: tuple[int, ...]) -> NDArray[Any]:
    """Maps a file of equal items into memory, read-only.

    A file in the .npy format says itself what it holds; any other is taken for the bare items, in C order, as
    CompressAI writes them in spite of the extension.

    Args:
        path: The file.
        dtype: Type of the numbers.
        item_shape: Shape of one item.

    Returns:
        Array of shape (N, *item_shape).

    Raises:
        ValueError: The header disagrees with `dtype` or `item_shape`, or the size is no multiple of an
            item's.
        FileNotFoundError: There is no such file.
    """
    with path.open("rb") as file:
        has_header = file.read(6) == b"\x93NUMPY"
    if has_header:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.shape[1:] != item_shape:
            raise ValueError(
                f"{path} holds {array.dtype} {array.shape}; expected items of {np.dtype(dtype)} {item_shape}"
            )
        return array
    size = path.stat().st_size
    item_size = int(np.prod(item_shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if item_size == 0 or size % item_size != 0:
        raise ValueError(f"{path} has {size} bytes; an item {item_shape} takes {item_size}")
    if size == 0:
        return np.empty((0, *item_shape), dtype)
    return np.memmap(path, mode="r", dtype=dtype, shape=(size // item_size, *item_shape))
