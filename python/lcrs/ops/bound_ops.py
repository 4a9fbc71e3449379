"""A lower bound whose gradient lets values return into the allowed range."""

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["LowerBound", "LowerBoundFunction", "lower_bound_bwd", "lower_bound_fwd"]


def lower_bound_fwd(x: Tensor, bound: Tensor) -> Tensor:
    """`max(x, bound)`; `bound` broadcasts against `x`."""
    return torch.max(x, bound)


def lower_bound_bwd(x: Tensor, bound: Tensor, grad_output: Tensor) -> tuple[Tensor, None]:
    """Gradient of `lower_bound_fwd`: kept where `x >= bound`, or where a descent step would raise `x`."""
    passes = (x >= bound) | (grad_output < 0)
    return passes.to(grad_output.dtype) * grad_output, None


class LowerBoundFunction(torch.autograd.Function):
    """`lower_bound_fwd` and `lower_bound_bwd` joined for autograd."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: Tensor) -> Tensor:
        """Returns `max(x, bound)`."""
        ctx.save_for_backward(x, bound)
        return lower_bound_fwd(x, bound)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        """Returns the gradient to `x`; the bound has none."""
        x, bound = ctx.saved_tensors
        return lower_bound_bwd(x, bound, grad_output)


class LowerBound(nn.Module):
    """`max(x, bound)`, with a gradient that can leave the bound again.

    The plain gradient of `max` is zero below the bound, so a value that fell below it would stay there. Here
    the gradient also passes below the bound when a descent step would raise the value: when it is negative
    (Balle, "Efficient nonlinear transforms for lossy image compression", PCS 2018).

    Under TorchScript the gradient is that of `max`.

    Attributes:
        bound: Buffer of shape `(1,)`.

    Args:
        bound: The smallest value that is let through.
    """

    bound: Tensor

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.register_buffer("bound", torch.tensor([float(bound)]))

    def forward(self, x: Tensor) -> Tensor:
        """Bounds `x` from below; any shape."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return torch.max(x, self.bound)
        bounded: Tensor = LowerBoundFunction.apply(x, self.bound)
        return bounded

    def extra_repr(self) -> str:
        """The bound, for printing; tensors without numbers, as while torch traces, have none."""
        has_numbers = type(self.bound) is Tensor and self.bound.device.type != "meta"
        return f"bound={self.bound.item():g}" if has_numbers else ""
