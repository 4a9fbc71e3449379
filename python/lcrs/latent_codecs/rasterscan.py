"""Serial context: every place is coded knowing those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers import MaskedConv2d
from lcrs.layers.lowering import GraphBuilder
from lcrs.registry import register_module

__all__ = ["RasterScanLatentCodec", "wavefront"]

_Step = tuple[Tensor, Tensor]


def wavefront(height: int, width: int, kernel_size: int) -> Iterator[_Step]:
    """The places of a raster scan, as steps whose places do not depend on each other.

    A masked k x k convolution sees k // 2 columns to the right in the rows above, so (row, column) can be
    done at step (k // 2 + 1) * row + column.

    Args:
        height: Number of rows.
        width: Number of columns.
        kernel_size: k.

    Yields:
        Rows, ascending, and columns of the places of a step, int64.
    """
    stride = kernel_size // 2 + 1
    for step in range(stride * (height - 1) + width):
        first = max(0, -(-(step - width + 1) // stride))
        rows = torch.arange(first, min(height - 1, step // stride) + 1)
        if rows.numel():
            yield rows, step - stride * rows


def one_by_one(height: int, width: int) -> Iterator[_Step]:
    """The places of a raster scan, each a step: the order of CompressAI's strings."""
    for place in range(height * width):
        yield torch.tensor([place // width]), torch.tensor([place % width])


@register_module("RasterScanLatentCodec")
class RasterScanLatentCodec(LatentCodec):
    """A latent coded as Gaussians, whose parameters follow from side information and from what is decoded.

    Of Minnen et al., "Joint autoregressive and hierarchical priors for learned image compression", NeurIPS
    2018.

    .. code-block:: none

                      ctx_params
                          │
                          │   ┌────◄────┐
                       ┌──┴───┴┐     ┌──┴──┐
                       │   EP  │     │  CP │
                       └──┬────┘     └──┬──┘
                          │             │
               ┌───┐      ▼             │
        y ──►──┤ Q ├──►──····─────►─────┴──►── y_hat
               └───┘      GC

    A native stream goes by the steps of `wavefront`, each step by rows and channels, and is coded in as many
    calls, for the whole batch. An "ans" string goes by places and channels, and so is decoded place by place:
    slowly.

    Args:
        gaussian_conditional: GC; by default `GaussianConditional(None)`.
        entropy_parameters: EP, pointwise: from the concatenation of `ctx_params` and context to scales and
            means; by default the identity.
        context_prediction: CP, with stride 1, an odd square kernel, and padding that keeps the size.

    Raises:
        ValueError: There is no `context_prediction`, or its geometry is another.
    """

    def __init__(
        self,
        gaussian_conditional: GaussianConditional | None = None,
        entropy_parameters: nn.Module | None = None,
        context_prediction: MaskedConv2d | None = None,
    ) -> None:
        super().__init__()
        if context_prediction is None:
            raise ValueError("RasterScanLatentCodec needs a context_prediction")
        kernel_size = context_prediction.kernel_size
        size = kernel_size[0]
        if (
            kernel_size != (size, size)
            or size % 2 == 0
            or context_prediction.padding != (size // 2, size // 2)
        ):
            raise ValueError(
                f"context_prediction has kernel {kernel_size} and padding {context_prediction.padding}; "
                "it must have an odd square kernel k and padding k // 2"
            )
        self.gaussian_conditional = gaussian_conditional or GaussianConditional(None)
        self.entropy_parameters = entropy_parameters or nn.Identity()
        self.context_prediction = context_prediction
        self.kernel_size = size
        self.padding = size // 2

    def forward(self, y: Tensor, params: Tensor) -> dict[str, Any]:
        """The latent with quantisation modelled, and its likelihoods.

        The context is `y` with noise in training, and rounded without its means otherwise: the means would
        have to be known first. Coding does round around the means.

        Args:
            y: (N, C, H, W).
            params: (N, C', H, W) or larger; what is beyond `y` is cut off.

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.
        """
        y_hat = self.gaussian_conditional.quantize(y, "noise" if self.training else "dequantize")
        merged = self.merge(fit(params, y.shape[2:]), self.context_prediction(y_hat))
        scales, means = self.entropy_parameters(merged).chunk(2, 1)
        _, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        return {"likelihoods": {"y": y_likelihoods}, "y_hat": y_hat}

    @staticmethod
    def merge(*args: Tensor) -> Tensor:
        """Parameters and context along the channels."""
        return torch.cat(args, dim=1)

    def encode(self, writer: SymbolWriter, y: Tensor, params: Tensor) -> dict[str, Any]:
        """Writes `y`; the shape is its spatial size."""
        scan = _Scan(self, y.shape, params, exact=True)
        values, num_places = single(y), y.shape[2] * y.shape[3]
        symbols = np.empty((y.shape[0], num_places, y.shape[1]), np.int32)
        indexes = np.empty_like(symbols)
        done = 0
        for rows, columns in wavefront(y.shape[2], y.shape[3], self.kernel_size):
            step_indexes, means = scan.parameters(rows, columns)
            step_symbols = coding.quantize(values[..., rows, columns].contiguous().numpy(), means)
            scan.put(rows, columns, step_symbols, means)
            places = (
                slice(done, done + len(rows))
                if writer.kind == "lcrs"
                else (rows * y.shape[3] + columns).numpy()
            )
            symbols[:, places] = np.moveaxis(step_symbols, 1, -1)
            indexes[:, places] = np.moveaxis(step_indexes, 1, -1)
            done += len(rows)
        writer.put_in_order(symbols, indexes, scan.table)
        return {"shape": y.shape[2:], "y_hat": scan.y_hat}

    def decode(self, reader: SymbolReader, shape: Sequence[int], params: Tensor) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        height, width = shape
        latent_shape = (reader.batch_size, self.context_prediction.in_channels, height, width)
        scan = _Scan(self, latent_shape, params, reader.exact)
        decoders = reader.open_decoders()
        is_native = reader.kind == "lcrs"
        for rows, columns in (
            wavefront(height, width, self.kernel_size) if is_native else one_by_one(height, width)
        ):
            indexes, means = scan.parameters(rows, columns)
            by_place = np.ascontiguousarray(np.moveaxis(indexes, 1, -1))
            decoded = [
                decoder.pull(item, scan.table) for decoder, item in zip(decoders, by_place, strict=True)
            ]
            scan.put(rows, columns, np.ascontiguousarray(np.moveaxis(np.stack(decoded), -1, 1)), means)
        if not is_native:
            for decoder in decoders:
                decoder.finish()
        return {"y_hat": scan.y_hat}


class _Scan:
    """One pass over a batch of latents: what is decoded so far, and the parameters of what comes next."""

    def __init__(
        self, codec: RasterScanLatentCodec, shape: Sequence[int], params: Tensor, exact: bool
    ) -> None:
        self.codec = codec
        self.params = single(fit(params, shape[2:]))
        self.table = codec.gaussian_conditional.cdf_table()
        self.padding = codec.padding
        self.padded = F.pad(torch.zeros(*shape), [codec.padding] * 4)
        self.size = tuple(shape[2:])
        self.graph = _step_graph(codec) if exact else None

    @property
    def y_hat(self) -> Tensor:
        """The latent, (N, C, H, W), zero where it is not known yet."""
        height, width = self.size
        pad = self.padding
        return self.padded[..., pad : pad + height, pad : pad + width].contiguous()

    def parameters(self, rows: Tensor, columns: Tensor) -> tuple[Any, Any]:
        """Table rows and means of P places, each (N, C, P)."""
        patches = self._patches(rows, columns)
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
        values = torch.from_numpy(coding.dequantize(symbols, means))
        self.padded[..., rows + self.padding, columns + self.padding] = values

    def _patches(self, rows: Tensor, columns: Tensor) -> Tensor:
        """What CP sees at each place, side by side: (N, C, k // 2 + 1, P * k)."""
        kernel_size, above = self.codec.kernel_size, self.padding + 1
        taps = (columns.unsqueeze(1) + torch.arange(kernel_size)).reshape(-1)
        lines = torch.arange(above).unsqueeze(1) + rows.repeat_interleave(kernel_size)
        return self.padded[..., lines, taps].contiguous()


def _step_graph(codec: RasterScanLatentCodec) -> coding.Graph:
    """CP and EP at places side by side, as `_Scan.parameters` gives them, on the exact engine.

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


def _step_in_torch(codec: RasterScanLatentCodec, patches: Tensor, params: Tensor) -> Tensor:
    """The same with torch's sums, place by place as CompressAI does."""
    context, device = codec.context_prediction, codec.device
    kernel_size = codec.kernel_size
    crop = F.pad(patches, (0, 0, 0, kernel_size - codec.padding - 1)).to(device)
    seen = F.conv2d(
        crop, context.weight * context.mask, context.bias, stride=kernel_size, groups=context.groups
    )
    return single(codec.entropy_parameters(codec.merge(params.to(device), seen)))
