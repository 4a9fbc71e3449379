"""Resizing registered buffers to what a state dict has, for models that keep tables in buffers of their own.

lcrs' entropy models do this by themselves when they load, inside any wrapper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

__all__ = ["find_named_buffer", "find_named_module", "update_registered_buffer", "update_registered_buffers"]


def find_named_module(module: nn.Module, query: str) -> nn.Module | None:
    """The sub-module of `module` at the dotted path `query`; None if there is none."""
    return next((found for name, found in module.named_modules() if name == query), None)


def find_named_buffer(module: nn.Module, query: str) -> Tensor | None:
    """The buffer of `module` at the dotted path `query`; None if there is none."""
    return next((found for name, found in module.named_buffers() if name == query), None)


def update_registered_buffer(
    module: nn.Module,
    buffer_name: str,
    state_dict_key: str,
    state_dict: Mapping[str, Tensor],
    policy: str = "resize_if_empty",
    dtype: torch.dtype = torch.int,
) -> None:
    """Give a buffer the size of an entry of `state_dict`.

    Args:
        module: Has the buffer.
        buffer_name: Its name there.
        state_dict_key: The entry.
        state_dict: The state dict.
        policy: "resize" an existing buffer, "resize_if_empty", or "register" a new one.
        dtype: Of a new buffer.

    Raises:
        RuntimeError: the buffer does not exist and is to be resized, or exists and is to be registered.
        ValueError: another policy.
    """
    size = state_dict[state_dict_key].size()
    buffer = find_named_buffer(module, buffer_name)
    if policy in ("resize", "resize_if_empty"):
        if buffer is None:
            raise RuntimeError(f"{buffer_name!r} is not a buffer of {type(module).__name__}")
        if policy == "resize" or buffer.numel() == 0:
            buffer.resize_(size)
    elif policy == "register":
        if buffer is not None:
            raise RuntimeError(f"{buffer_name!r} is a buffer of {type(module).__name__} already")
        module.register_buffer(buffer_name, torch.zeros(size, dtype=dtype))
    else:
        raise ValueError(f"policy is {policy!r}, must be 'resize', 'resize_if_empty' or 'register'")


def update_registered_buffers(
    module: nn.Module,
    module_name: str,
    buffer_names: Iterable[str],
    state_dict: Mapping[str, Tensor],
    policy: str = "resize_if_empty",
    dtype: torch.dtype = torch.int,
) -> None:
    """Give buffers of `module`, which `state_dict` knows as `module_name`, the sizes that they have there.

    Raises:
        RuntimeError: as `update_registered_buffer`.
        ValueError: there is no such buffer, or another policy.
    """
    if not module_name:
        raise ValueError("module_name is empty")
    names = {name for name, _ in module.named_buffers()}
    for buffer_name in buffer_names:
        if policy != "register" and buffer_name not in names:
            raise ValueError(f"{buffer_name!r} is not a buffer of {module_name!r}; there are {sorted(names)}")
        key = f"{module_name}.{buffer_name}"
        update_registered_buffer(module, buffer_name, key, state_dict, policy, dtype)
