"""Steps that are not finite: which tensor was the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["INNOCENT", "first_guilty"]

INNOCENT = "none, when the step was taken again: an operation is not deterministic"


def first_guilty(net: nn.Module, x: Any, loss_of: Callable[[], Tensor]) -> str:
    """Names the first tensor of a step that is not finite, by taking the step again.

    Looked at are, in this order: the batch, the weights, what modules take and give in the order in which
    they are done, the loss, gradients of what modules gave in the order of the backward pass, gradients of
    weights.

    Args:
        net: The network.
        x: The batch.
        loss_of: The forward pass, with the same random numbers as before.
    """
    if not all(map(_is_finite, _tensors(x))):
        return "the batch itself"
    for name, parameter in net.named_parameters():
        if not _is_finite(parameter):
            return f"weight {name}"
    forward: list[str] = []
    backward: list[str] = []
    handles = [
        module.register_forward_hook(_watching(name, module, forward, backward))
        for name, module in net.named_modules()
    ]
    before = [(parameter, parameter.grad) for parameter in net.parameters()]
    try:
        for parameter, _ in before:
            parameter.grad = None
        loss = loss_of()
        if forward:
            return forward[0]
        if not _is_finite(loss):
            return "the loss, of finite outputs: a likelihood that is 0, or a distortion beyond all bounds"
        loss.backward()  # type: ignore[no-untyped-call]
        if backward:
            return f"gradient of the {backward[0]}"
        for name, parameter in reversed(list(net.named_parameters())):
            if parameter.grad is not None and not _is_finite(parameter.grad):
                return f"gradient of {name}"
        return INNOCENT
    finally:
        for handle in handles:
            handle.remove()
        for parameter, gradient in before:
            parameter.grad = gradient


def _watching(name: str, module: nn.Module, forward: list[str], backward: list[str]) -> Callable[..., None]:
    label = f"{name} ({type(module).__name__})" if name else f"{type(module).__name__} as a whole"

    def look(_module: nn.Module, inputs: Any, out: Any) -> None:
        if not forward and not all(map(_is_finite, _tensors(inputs))):
            forward.append(f"input of {label}, which no module gave")
        for tensor in _tensors(out):
            if not _is_finite(tensor):
                forward.append(f"output of {label}")
            elif tensor.requires_grad:
                tensor.register_hook(note)  # type: ignore[no-untyped-call]

    def note(gradient: Tensor) -> None:
        if not _is_finite(gradient):
            backward.append(f"output of {label}")

    return look


def _tensors(out: Any) -> Iterator[Tensor]:
    if isinstance(out, Tensor):
        yield out
    elif isinstance(out, Mapping):
        for value in out.values():
            yield from _tensors(value)
    elif isinstance(out, list | tuple):
        for value in out:
            yield from _tensors(value)


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.detach()).all())
