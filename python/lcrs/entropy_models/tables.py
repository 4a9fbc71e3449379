"""The buffers that hold a filled table, named as in CompressAI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

__all__ = ["TABLE_BUFFERS", "resize_buffers"]

TABLE_BUFFERS = ("_offset", "_quantized_cdf", "_cdf_length")


def resize_buffers(module: nn.Module, names: Iterable[str], state_dict: dict[str, Any], prefix: str) -> None:
    """Give the buffers of `module` the sizes that `state_dict` has for them, so that they load.

    Buffers that have the size already, or that the state dict lacks, are left alone.
    """
    for name in names:
        buffer, loaded = getattr(module, name), state_dict.get(prefix + name)
        if loaded is not None and loaded.shape != buffer.shape:
            setattr(module, name, torch.zeros(loaded.shape, dtype=buffer.dtype, device=buffer.device))
