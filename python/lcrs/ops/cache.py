"""Values derived from parameters, kept until the parameters change."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from lcrs import coding

__all__ = ["KeyedCache", "fingerprint"]

T = TypeVar("T")


def fingerprint(tensors: Iterable[Tensor]) -> bytes:
    """A hash of shapes and contents of `tensors`, in order: floats as float32, integers as int32.

    Equal numbers have equal fingerprints whatever device they are on. All contents are read, at the speed of
    memory: versions that torch counts would miss what is written through `.data`. Lasts for the process.
    """
    shapes: list[Any] = []
    plains: list[Tensor] = []  # converted tensors must outlive their bytes
    for tensor in tensors:
        if tensor.is_complex():
            tensor = torch.view_as_real(tensor)
        dtype = torch.float32 if tensor.is_floating_point() else torch.int32
        plain = tensor
        if tensor.dtype != dtype or tensor.device.type != "cpu" or not tensor.is_contiguous():
            plain = tensor.detach().to(device="cpu", dtype=dtype).contiguous()
        shapes.append((dtype, plain.shape))
        plains.append(plain)
    layout = np.frombuffer(repr(shapes).encode(), np.uint8)
    return coding.fingerprint([layout, *map(_bytes_of, plains)])


def _bytes_of(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The memory of a contiguous CPU tensor. Not by `numpy()`: it would forbid to resize the storage."""
    size = tensor.numel() * tensor.element_size()
    if not size:
        return np.empty(0, np.uint8)
    return np.frombuffer(memoryview((ctypes.c_char * size).from_address(tensor.data_ptr())), np.uint8)


class KeyedCache(Generic[T]):
    """Holds the last value that was built, under the key that it was built for.

    Copies and pickles are empty: native handles stay in their process and are rebuilt elsewhere.
    """

    def __init__(self) -> None:
        self._entry: tuple[bytes, T] | None = None

    def get(self, key: bytes, build: Callable[[], T]) -> T:
        """The value for `key`: the one at hand, or else a new one from `build`."""
        if self._entry is None or self._entry[0] != key:
            self._entry = (key, build())
        return self._entry[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"_entry": None}
