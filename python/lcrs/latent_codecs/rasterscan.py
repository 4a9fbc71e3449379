"""Serial context: every place is coded knowing those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.stepwise import StepwiseScan, one_by_one, wavefront
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers import MaskedConv2d
from lcrs.layers.lowering import GraphBuilder, LoweredGraph
from lcrs.ops.cache import KeyedCache, fingerprint
from lcrs.registry import register_module

__all__ = ["RasterScanLatentCodec"]

_Order = Literal["wavefront", "raster"]
_Layer = tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, float] | None]
_FUNCTIONS = ("relu", "leaky_relu", "abs", "sigmoid", "softplus", "exp", "tanh")


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

    A native stream goes by the steps of a wavefront, whose places do not see each other, each step by rows
    and channels; an "ans" string goes by places and channels. Where EP is a stack of 1x1 convolutions, a
    picture is one native call.

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
        self._scans: dict[_Order, KeyedCache[coding.RasterScan | None]] = {
            "wavefront": KeyedCache(),
            "raster": KeyedCache(),
        }

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
        scan = self._native_scan("wavefront" if writer.kind == "lcrs" else "raster")
        if scan is None:
            return {"shape": y.shape[2:], "y_hat": self._encode_stepwise(writer, y, params)}
        encoders = writer.open_encoders()
        y_hat = scan.encode(encoders, single(y).numpy(), single(fit(params, y.shape[2:])).numpy())
        writer.close_encoders(encoders)
        return {"shape": y.shape[2:], "y_hat": torch.from_numpy(y_hat)}

    def decode(self, reader: SymbolReader, shape: Sequence[int], params: Tensor) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        order: _Order = "wavefront" if reader.kind == "lcrs" else "raster"
        scan = self._native_scan(order) if reader.exact else None
        decoders = reader.open_decoders()
        if scan is None:
            y_hat = self._decode_stepwise(reader, decoders, shape, params)
        else:
            y_hat = torch.from_numpy(scan.decode(decoders, single(fit(params, shape)).numpy()))
        reader.close_decoders(decoders)
        return {"y_hat": y_hat}

    def _native_scan(self, order: _Order) -> coding.RasterScan | None:
        """The scan as a native call, remade when a parameter has changed; None if it has no such form."""
        networks = (self.context_prediction, self.entropy_parameters)
        tensors = [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]
        gaussian = self.gaussian_conditional
        key = fingerprint(
            [*tensors, gaussian.effective_scale_table(), gaussian.scale_bound, *_filled(gaussian)]
        )
        return self._scans[order].get(
            key + repr(networks).encode(), lambda: native_scan(gaussian, *networks, order=order)
        )

    def _encode_stepwise(self, writer: SymbolWriter, y: Tensor, params: Tensor) -> Tensor:
        scan = StepwiseScan(self, y.shape, params, exact=True)
        values, width = single(y), y.shape[3]
        symbols = np.empty((y.shape[0], y.shape[2] * width, y.shape[1]), np.int32)
        indexes = np.empty_like(symbols)
        done = 0
        for rows, columns in wavefront(y.shape[2], width, self.kernel_size):
            step_indexes, means = scan.parameters(rows, columns)
            step_symbols = coding.quantize(values[..., rows, columns].contiguous().numpy(), means)
            scan.put(rows, columns, step_symbols, means)
            places = (
                np.arange(done, done + len(rows))
                if writer.kind == "lcrs"
                else (rows * width + columns).numpy()
            )
            symbols[:, places] = np.moveaxis(step_symbols, 1, -1)
            indexes[:, places] = np.moveaxis(step_indexes, 1, -1)
            done += len(rows)
        writer.put_in_order(symbols, indexes, scan.table)
        return scan.y_hat

    def _decode_stepwise(
        self, reader: SymbolReader, decoders: list[coding.Decoder], shape: Sequence[int], params: Tensor
    ) -> Tensor:
        latent_shape = (reader.batch_size, self.context_prediction.in_channels, *shape)
        scan = StepwiseScan(self, latent_shape, params, reader.exact)
        height, width = shape
        is_native = reader.kind == "lcrs"
        steps = wavefront(height, width, self.kernel_size) if is_native else one_by_one(height, width)
        for rows, columns in steps:
            indexes, means = scan.parameters(rows, columns)
            by_place = np.ascontiguousarray(np.moveaxis(indexes, 1, -1))
            decoded = [
                decoder.pull(item, scan.table) for decoder, item in zip(decoders, by_place, strict=True)
            ]
            scan.put(rows, columns, np.ascontiguousarray(np.moveaxis(np.stack(decoded), -1, 1)), means)
        return scan.y_hat


def native_scan(
    gaussian: GaussianConditional, context: MaskedConv2d, network: nn.Module, *, order: _Order
) -> coding.RasterScan | None:
    """The scan as a native call; None unless `network` is a stack of 1x1 convolutions with functions between.

    Raises:
        NotPortableError: The network has no form on the exact engine at all.
    """
    graph = GraphBuilder()
    lowered = graph.finish({"y": graph.call(network, graph.input("x"), "entropy_parameters")})
    layers = _pointwise_layers(lowered)
    if layers is None or context.groups != 1 or context.kernel_size[0] < 3:
        return None
    bound = gaussian.scale_bound.item()
    thresholds = gaussian.effective_scale_table()[:-1]
    # A scale below the bound counts as the bound: thresholds below it are passed by every scale.
    thresholds = torch.where(thresholds < bound, -torch.inf, thresholds)
    weight = single(context.weight * context.mask).numpy()
    bias = None if context.bias is None else single(context.bias).numpy()
    return coding.RasterScan(weight, bias, layers, gaussian.cdf_table(), thresholds.numpy(), order)


def _pointwise_layers(lowered: LoweredGraph) -> list[_Layer] | None:
    """Weights, biases and functions of a graph that is a chain of 1x1 convolutions; None if it is another."""
    layers: list[_Layer] = []
    for i, node in enumerate(lowered.description["nodes"]):
        if node["in"] != [i]:
            return None
        if node["op"] == "conv2d":
            weight = lowered.tensors[node["weight"]]
            geometry = (node["stride"], node["padding"], node["groups"], list(weight.shape[2:]))
            if geometry != ([1, 1], [0, 0], 1, [1, 1]):
                return None
            bias = lowered.tensors[node["bias"]] if "bias" in node else None
            layers.append((np.ascontiguousarray(weight[:, :, 0, 0]), bias, None))
        elif node["op"] in _FUNCTIONS and layers and layers[-1][2] is None:
            layers[-1] = (*layers[-1][:2], (node["op"], node.get("slope", 0.0)))
        else:
            return None
    return layers or None


def _filled(gaussian: GaussianConditional) -> tuple[Tensor, ...]:
    """What else decides the table."""
    return (gaussian.quantized_cdf, gaussian.cdf_length, gaussian.offset)
