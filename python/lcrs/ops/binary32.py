"""Convolutions on a GPU in full binary32, while somebody needs them so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lcrs.ops.held_setting import HeldSetting

__all__ = ["full_binary32"]


def _is_by_operation() -> bool:
    """Whether torch has a setting per operation, as from 2.9 on; then the older ones must not be mixed in."""
    return hasattr(torch.backends.cudnn, "conv")


def _owner() -> tuple[Any, str]:
    """What has the setting of cuDNN's convolutions, and its name there."""
    backend: Any = torch.backends.cudnn
    return (backend.conv, "fp32_precision") if _is_by_operation() else (backend, "allow_tf32")


def _used() -> str | bool:
    used: str | bool = getattr(*_owner())
    return used


def _use(value: str | bool) -> None:
    setattr(*_owner(), value)


def _allows_tf32() -> bool:
    """Whether somebody asked for TF32: torch's matrix products use it only then, its convolutions always."""
    products = torch.backends.cuda.matmul
    if _is_by_operation():
        return str(products.fp32_precision) == "tf32"
    return bool(products.allow_tf32)


_convolutions: HeldSetting[str | bool] = HeldSetting(_used, _use)


@contextmanager
def full_binary32(device: torch.device) -> Iterator[None]:
    """Keeps torch from computing float32 convolutions on a GPU with fewer bits than float32 has.

    By torch's default cuDNN rounds their factors to the ten bits of TF32. Whoever wants that speed asks with
    `torch.set_float32_matmul_precision("high")`, which holds here as well.

    Args:
        device: Where the computing happens; nothing changes for others than CUDA's.
    """
    if device.type != "cuda" or _allows_tf32():
        yield
        return
    with _convolutions.held("ieee" if _is_by_operation() else False):
        yield
