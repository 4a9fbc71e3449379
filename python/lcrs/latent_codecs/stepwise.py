"""A raster scan whose networks are run from Python, for what `coding.RasterScan` does not do by itself.

That is parameter networks other than stacks of 1x1 convolutions, strings that were written with torch's sums,
and training. The native module goes through the steps and calls back for the networks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.entropy_models.base import StreamKind
from lcrs.latent_codecs.base import fit, single
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.layers.lowering import GraphBuilder

__all__ = ["StepwiseParts", "StepwiseScan", "checked_kernel_size", "patches_at", "run_steps", "step_graph"]


def run_steps(
    size: Sequence[int], kernel_size: int, kind: StreamKind, step: Callable[[Tensor, Tensor], None]
) -> None:
    """Has `step(rows, columns)`, int64 (P,), called for the places of a raster scan, in a stream's order.

    Places of one call do not depend on each other: the steps of a wavefront in a native stream. CompressAI's
    strings ("ans") go place by place.

    Args:
        size: (H, W) of the latent.
        kernel_size: k of the k x k context.
        kind: Kind of stream.
        step: Does what is to be done at these places.
    """
    # A compiler would look into each step anew. To tell it not to loads it, which takes as long as torch: so
    # only where it is there.
    run = _run_steps
    if "torch._dynamo" in sys.modules:
        run = torch.compiler.disable(run)  # type: ignore[no-untyped-call]
    run(size, kernel_size, kind, step)


def _run_steps(
    size: Sequence[int], kernel_size: int, kind: StreamKind, step: Callable[[Tensor, Tensor], None]
) -> None:
    """Does so, without a look at compilers."""
    height, width = size
    order: Literal["wavefront", "raster"] = "wavefront" if kind == "lcrs" else "raster"
    coding.each_step(
        height,
        width,
        kernel_size,
        order,
        lambda rows, columns: step(torch.from_numpy(rows), torch.from_numpy(columns)),
    )


def patches_at(padded: Tensor, kernel_size: int, rows: Tensor, columns: Tensor) -> Tensor:
    """What a masked k x k convolution sees at P places, side by side.

    Args:
        padded: Values, (N, C, H + 2 (k // 2), W + 2 (k // 2)).
        kernel_size: k.
        rows: (P,).
        columns: (P,).

    Returns:
        (N, C, k // 2 + 1, P k): the rows of the kernel below its centre are hidden and left out.
    """
    taps = (columns.unsqueeze(1) + torch.arange(kernel_size)).reshape(-1)
    lines = torch.arange(kernel_size // 2 + 1).unsqueeze(1) + rows.repeat_interleave(kernel_size)
    return padded[..., lines, taps]


class StepwiseParts(Protocol):
    """What a scan step by step is made of: what a `RasterScanLatentCodec` has, among others."""

    @property
    def gaussian_conditional(self) -> GaussianConditional:
        """Distributions of the symbols."""

    @property
    def entropy_parameters(self) -> nn.Module:
        """From side information and context to scales and means."""

    @property
    def context_prediction(self) -> MaskedConv2d:
        """The masked convolution."""

    @property
    def kernel_size(self) -> int:
        """Of the masked convolution."""

    @property
    def padding(self) -> int:
        """Of the masked convolution."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""

    def merge(self, *args: Tensor) -> Tensor:
        """Side information and context along the channels."""


def checked_kernel_size(context_prediction: Any) -> int:
    """The side of the kernel of a raster scan's context.

    Raises:
        ValueError: `context_prediction` is no masked convolution that a raster scan can step through.
    """
    if isinstance(context_prediction, CheckerboardMaskedConv2d):
        raise ValueError("context_prediction is a checkerboard's; it must see earlier places only")
    if not (hasattr(context_prediction, "kernel_size") and hasattr(context_prediction, "padding")):
        raise ValueError(
            f"context_prediction is a {type(context_prediction).__name__}, must be a MaskedConv2d; what "
            "follows it belongs to entropy_parameters"
        )
    kernel_size, padding = context_prediction.kernel_size, context_prediction.padding
    size: int = kernel_size[0]
    if kernel_size != (size, size) or size % 2 == 0 or padding != (size // 2, size // 2):
        raise ValueError(
            f"context_prediction has kernel {kernel_size} and padding {padding}; "
            "it must have an odd square kernel k and padding k // 2"
        )
    return size


class StepwiseScan:
    """One pass over a batch of latents: what is decoded so far, and the parameters of what comes next."""

    def __init__(self, codec: StepwiseParts, shape: Sequence[int], params: Tensor, exact: bool) -> None:
        self.codec = codec
        self.params = single(fit(params, shape[2:]))
        self.table = codec.gaussian_conditional.cdf_table()
        self.padding = codec.padding
        self.padded = F.pad(torch.zeros(*shape), [codec.padding] * 4)
        self.size = tuple(shape[2:])
        self.graph = step_graph(codec) if exact else None

    @property
    def y_hat(self) -> Tensor:
        """The latent, (N, C, H, W), zero where it is not known yet."""
        height, width = self.size
        pad = self.padding
        return self.padded[..., pad : pad + height, pad : pad + width].contiguous()

    def parameters(self, rows: Tensor, columns: Tensor) -> tuple[Any, Any]:
        """Table rows and means of P places, each (N, C, P)."""
        patches = patches_at(self.padded, self.codec.kernel_size, rows, columns).contiguous()
        params = self.params[..., rows, columns].unsqueeze(2).contiguous()
        if self.graph is not None:
            gaussian = torch.from_numpy(self.graph.run([patches.numpy(), params.numpy()])["y"])
        else:
            gaussian = _step_in_torch(self.codec, patches, params)
        scales, means = gaussian.squeeze(2).chunk(2, 1)
        indexes = self.codec.gaussian_conditional.build_indexes(scales.contiguous())
        return indexes.numpy(), means.contiguous().numpy()

    def put(self, rows: Tensor, columns: Tensor, symbols: Any, means: Any) -> None:
        """Enters the decoded symbols, (N, C, P), of P places."""
        model = self.codec.gaussian_conditional
        values = model.values_of(symbols, torch.from_numpy(means))
        self.padded[..., rows + self.padding, columns + self.padding] = values


def step_graph(codec: StepwiseParts) -> coding.Graph:
    """CP and EP at places side by side, as `StepwiseScan.parameters` gives them, on the exact engine.

    The rows of the kernel below its centre are hidden by the mask and left out.
    """
    context, above = codec.context_prediction, codec.padding + 1
    graph = GraphBuilder()
    patches, params = graph.input("patches"), graph.input("params")
    with graph.at("context_prediction"):
        seen = graph.op(
            "conv2d",
            patches,
            weight=graph.tensor("weight", (context.weight * context.mask)[:, :, :above]),
            bias=None if context.bias is None else graph.tensor("bias", context.bias),
            stride=(above, codec.kernel_size),
            padding=(0, 0),
            groups=context.groups,
        )
    merged = graph.op("concat", params, seen)
    lowered = graph.finish({"y": graph.call(codec.entropy_parameters, merged, "entropy_parameters")})
    return coding.Graph(lowered.json, lowered.tensors)


def _step_in_torch(codec: StepwiseParts, patches: Tensor, params: Tensor) -> Tensor:
    """The same with torch's sums, place by place as CompressAI does."""
    context, device = codec.context_prediction, codec.device
    kernel_size = codec.kernel_size
    crop = F.pad(patches, (0, 0, 0, kernel_size - codec.padding - 1)).to(device)
    seen = F.conv2d(
        crop, context.weight * context.mask, context.bias, stride=kernel_size, groups=context.groups
    )
    return single(codec.entropy_parameters(codec.merge(params.to(device), seen)))
