"""Convolutions on a GPU in full binary32, while somebody needs them so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["full_binary32"]


class _Setting:
    """Torch's setting for cuDNN's convolutions: held at binary32 while at least one thread computes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: str | bool = False

    def acquire(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = _exchange("ieee" if _is_by_operation() else False)
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _exchange(self._before)


def _is_by_operation() -> bool:
    """Whether torch has a setting per operation, as from 2.9 on; then the older ones must not be mixed in."""
    return hasattr(torch.backends.cudnn, "conv")


def _exchange(value: str | bool) -> str | bool:
    """Sets what convolutions use; returns what they used."""
    backend: Any = torch.backends.cudnn
    owner, name = (backend.conv, "fp32_precision") if _is_by_operation() else (backend, "allow_tf32")
    before: str | bool = getattr(owner, name)
    setattr(owner, name, value)
    return before


def _allows_tf32() -> bool:
    """Whether somebody asked for TF32: torch's matrix products use it only then, its convolutions always."""
    products = torch.backends.cuda.matmul
    if _is_by_operation():
        return str(products.fp32_precision) == "tf32"
    return bool(products.allow_tf32)


_setting = _Setting()


@contextmanager
def full_binary32(device: torch.device) -> Iterator[None]:
    """Keeps torch from computing float32 convolutions on a GPU with fewer bits than float32 has.

    By torch's default cuDNN rounds their factors to the ten bits of TF32. Whoever wants that speed asks with
    ``torch.set_float32_matmul_precision("high")``, which holds here as well.

    Args:
        device: Where the computing happens; nothing changes for others than CUDA's.
    """
    if device.type != "cuda" or _allows_tf32():
        yield
        return
    _setting.acquire()
    try:
        yield
    finally:
        _setting.release()
