"""Values derived from parameters, kept until the parameters change."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

__all__ = ["KeyedCache", "fingerprint"]

T = TypeVar("T")


def fingerprint(tensors: Iterable[Tensor]) -> bytes:
    """SHA-256 over shapes and bytes of `tensors` in order: floats as float32, integers as int32.

    Equal numbers have equal fingerprints whatever device they are on.
    """
    digest = hashlib.sha256()
    for tensor in tensors:
        if tensor.is_complex():
            tensor = torch.view_as_real(tensor)
        dtype = torch.float32 if tensor.is_floating_point() else torch.int32
        plain = tensor.detach().to(device="cpu", dtype=dtype).contiguous()
        digest.update(f"{dtype}{tuple(plain.shape)}".encode())
        if plain.numel():
            # Not by `numpy()`: a storage that NumPy has seen can be resized no more.
            size = plain.numel() * plain.element_size()
            digest.update((ctypes.c_char * size).from_address(plain.data_ptr()))
    return digest.digest()


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
