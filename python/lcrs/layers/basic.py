"""Small layers that shape, scale or label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["Gain", "Interleave", "Lambda", "NamedLayer", "Reshape", "Transpose"]

# Functions of one tensor that the exact engine has under another name.
_PORTABLE_FUNCTIONS: dict[Callable[..., Any], str] = {
    torch.abs: "abs",
    torch.exp: "exp",
    torch.relu: "relu",
    torch.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    F.hardsigmoid: "hard_sigmoid",
    F.hardswish: "hard_swish",
    F.gelu: "gelu",
    F.mish: "mish",
    F.relu: "relu",
    F.sigmoid: "sigmoid",
    F.silu: "silu",
    F.softplus: "softplus",
    F.tanh: "tanh",
}


class Lambda(nn.Module):
    """Calls a function.

    It is portable for `torch.abs, exp, relu, sigmoid, tanh`, their likes in `torch.nn.functional`, and there
    `gelu, silu, mish, hardswish, hardsigmoid`. It
    pickles if the function does (a lambda expression does not).

    Args:
        func: Called with the layer's input.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        super().__init__()
        self.func = func

    def forward(self, x: Tensor) -> Any:
        """Returns `func(x)`."""
        return self.func(x)

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the function to a coding graph; raises `NotPortableError` if the exact engine has no such."""
        op = _PORTABLE_FUNCTIONS.get(self.func)
        if op is None:
            raise graph.refusal(self, f"the exact engine has no operation for {self.func}")
        return graph.op(op, x)

    def extra_repr(self) -> str:
        """The function, for printing."""
        return f"func={self.func}"


class NamedLayer(nn.Module):
    """Returns its input; carries a label, to mark a place in a `Sequential`.

    Args:
        name: The label.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x`."""
        return x

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds nothing to a coding graph."""
        return x

    def extra_repr(self) -> str:
        """The label, for printing."""
        return f"name={self.name}"


class Reshape(nn.Module):
    """Reshapes everything but the batch.

    Args:
        shape: Shape of one item; one size may be -1.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, ...) to `(N, *shape)`.

        Raises:
            RuntimeError: The number of elements differs; the message has both shapes.
        """
        try:
            return x.reshape(x.shape[0], *self.shape)
        except RuntimeError as error:
            raise RuntimeError(f"cannot reshape {tuple(x.shape)} to {(x.shape[0], *self.shape)}") from error

    def extra_repr(self) -> str:
        """The shape, for printing."""
        return f"shape={self.shape}"


class Transpose(nn.Module):
    """Swaps two dimensions; the result is contiguous.

    Args:
        dim0: One dimension, the batch counted.
        dim1: The other.
    """

    def __init__(self, dim0: int, dim1: int) -> None:
        super().__init__()
        self.dim0 = dim0
        self.dim1 = dim1

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x` with the two dimensions swapped."""
        return x.transpose(self.dim0, self.dim1).contiguous()

    def extra_repr(self) -> str:
        """The dimensions, for printing."""
        return f"dim0={self.dim0}, dim1={self.dim1}"


class Interleave(nn.Module):
    """Deals channels out like cards: channel `i` of group `g` becomes channel `g` of group `i`.

    After a grouped convolution this lets the next one mix groups (Zhang et al., "ShuffleNet", CVPR 2018).

    It has no form in a coding graph.

    Args:
        groups: Number of groups, which must divide the number of channels.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Reorders the channels of `x`, shape (N, C, ...)."""
        if x.shape[1] % self.groups != 0:
            raise ValueError(f"{x.shape[1]} channels are not divisible into {self.groups} groups")
        split = x.reshape(x.shape[0], self.groups, x.shape[1] // self.groups, -1)
        return split.transpose(1, 2).reshape(x.shape)

    def extra_repr(self) -> str:
        """The number of groups, for printing."""
        return f"groups={self.groups}"


class Gain(nn.Module):
    """Multiplies by a trained gain and by a constant.

    Args:
        shape: Shape of the parameter `gain`, which broadcasts against the input; by default it is a scalar.
        factor: The constant. With a large one, the same step of the optimizer changes the gain more.
    """

    def __init__(self, shape: Sequence[int] | int | None = None, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.gain = nn.Parameter(torch.ones(() if shape is None else shape))

    def forward(self, x: Tensor) -> Tensor:
        """Returns `factor * gain * x`."""
        return self.factor * self.gain * x

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the product to a coding graph.

        Raises:
            NotPortableError: The gain is neither a scalar nor of shape (C, 1, 1) or (1, C, 1, 1).
        """
        gain = self.factor * self.gain.detach()
        if gain.numel() == 1:
            return graph.op("mul_scalar", x, value=float(gain))
        if gain.dim() not in (3, 4) or gain.numel() != gain.shape[-3]:
            raise graph.refusal(self, f"its gain has shape {tuple(gain.shape)}, not (C, 1, 1)")
        return graph.op("mul", x, graph.op("constant", tensor=graph.tensor("gain", gain.flatten())))

    def extra_repr(self) -> str:
        """Shape and constant, for printing."""
        return f"shape={tuple(self.gain.shape)}, factor={self.factor:g}"
