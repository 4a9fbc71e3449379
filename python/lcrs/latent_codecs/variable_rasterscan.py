"""Serial context at a variable rate: the context sees values of any step, with offsets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.errors import NotPortableError
from lcrs.latent_codecs.base import fit, single
from lcrs.latent_codecs.native import pointwise_layers, scan_arguments, scan_key
from lcrs.latent_codecs.rasterscan import RasterScanLatentCodec
from lcrs.latent_codecs.shrinkage import reconstructed
from lcrs.latent_codecs.stepwise import patches_at, run_steps
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter, pull_places
from lcrs.layers import MaskedConv2d
from lcrs.layers.foreign import in_torch, one_thread, report
from lcrs.layers.module_state import state_key
from lcrs.ops import quantize_ste
from lcrs.registry import register_module

__all__ = ["VariableRasterScanLatentCodec"]


@register_module("VariableRasterScanLatentCodec")
class VariableRasterScanLatentCodec(RasterScanLatentCodec):
    """`RasterScanLatentCodec` whose step of quantisation is the inverse of a gain.

    Of Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization
    and quantization-reconstruction offsets", DCC 2024.

    .. code-block:: none

                      ctx_params          gain
                          │                 │
                          │   ┌────◄────(+)─┴─ scale_to_context
                       ┌──┴───┴┐     ┌──┴──┐
                       │   EP  │     │  CP │
                       └──┬────┘     └──┬──┘
                          │             │
                        ┌───┐    ▼      │
        y ──► * gain ──┤ Q ├──►────► + offsets ──► / gain ──┴──► y_hat
                        └───┘   GC

    The context is what the decoder will have, in training as well: values are quantised step by step.

    Args:
        gaussian_conditional: As for `RasterScanLatentCodec`; EP's scales are multiplied by the gain.
        entropy_parameters: EP, a stack of 1x1 convolutions.
        context_prediction: CP.
        offsets: From (..., 2), multiplied standard deviation and gain, to (..., 1): how much closer to zero
            than their symbols values are. None is for not at all.
        scale_to_context: From (1, 1), the gain, to (1, features of CP): what is added to CP's features.
    """

    def __init__(
        self,
        gaussian_conditional: GaussianConditional | None = None,
        entropy_parameters: nn.Module | None = None,
        context_prediction: MaskedConv2d | None = None,
        offsets: nn.Module | None = None,
        scale_to_context: nn.Module | None = None,
    ) -> None:
        super().__init__(gaussian_conditional, entropy_parameters, context_prediction)
        self.offsets = offsets
        self.scale_to_context = scale_to_context

    def forward(self, y: Tensor, params: Tensor, gain: Tensor) -> dict[str, Any]:  # type: ignore[override]
        """The latent as it will be decoded (straight-through), and its likelihoods.

        Args:
            y: (N, C, H, W).
            params: (N, C', H, W) or larger; what is beyond `y` is cut off.
            gain: (1,).

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.
        """
        params = fit(params, y.shape[2:])
        scan = _TorchScan(self, params, gain)
        gaussians = []

        def step(rows: Tensor, columns: Tensor) -> None:
            scales, means = scan.parameters(rows, columns)
            symbols = quantize_ste((y[..., rows, columns] - means) * gain)
            scan.put(rows, columns, symbols, scales, means)
            gaussians.append((rows * y.shape[3] + columns, torch.cat((scales, means), 1)))

        run_steps(y.shape[2:], self.kernel_size, "lcrs", step)
        places, values = zip(*gaussians, strict=True)
        in_order = torch.cat(values, 2)[..., torch.argsort(torch.cat(places)).to(y.device)]
        scales, means = in_order.reshape(y.shape[0], -1, *y.shape[2:]).chunk(2, 1)
        likelihoods = self._likelihoods(y * gain, scales * gain, means * gain)
        return {"y_hat": scan.y_hat, "likelihoods": {"y": likelihoods}}

    def _likelihoods(self, y: Tensor, scales: Tensor, means: Tensor) -> Tensor:
        if not self.training:
            y = self.gaussian_conditional.quantize(y, "dequantize", means)
            return self.gaussian_conditional.likelihood(y, scales, means)
        # Drawn place by place, as CompressAI does: equal seeds give equal noise.
        n, channels, height, width = y.shape
        noise = torch.empty(height * width, n, channels, dtype=y.dtype, device=y.device).uniform_(-0.5, 0.5)
        noisy = y + noise.permute(1, 2, 0).reshape(y.shape)
        return self.gaussian_conditional.likelihood(noisy, scales, means)

    def encode(  # type: ignore[override]
        self, writer: SymbolWriter, y: Tensor, params: Tensor, gain: Tensor
    ) -> dict[str, Any]:
        """Writes `y`; the shape is its spatial size."""
        try:
            scan = self._variable_scan("wavefront" if writer.kind == "lcrs" else "raster")
        except NotPortableError as error:
            self._report(error)
            restored = self._encode_in_torch(writer, y, params, gain)
            writer.note(restored.numpy())
            return {"shape": y.shape[2:], "y_hat": restored}
        encoders = writer.open_encoders()
        side = single(fit(params, y.shape[2:])).numpy()
        y_hat = scan.encode(encoders, single(y).numpy(), side, **self._rate_settings(gain))
        writer.close_encoders(encoders, y_hat)
        return {"shape": y.shape[2:], "y_hat": torch.from_numpy(y_hat)}

    def decode(  # type: ignore[override]
        self, reader: SymbolReader, shape: Sequence[int], params: Tensor, gain: Tensor
    ) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        decoders, params = reader.open_decoders(), fit(params, shape)
        if not reader.exact:
            y_hat, symbols = self._decode_in_torch(reader, decoders, params, gain)
            reader.close_decoders(decoders, symbols)
            return {"y_hat": y_hat}
        try:
            scan = self._variable_scan("wavefront" if reader.kind == "lcrs" else "raster")
        except NotPortableError as error:
            self._report(error)
            pictures = [
                self._decode_in_torch(reader, [decoder], params[i : i + 1], gain)
                for i, decoder in enumerate(decoders)
            ]
            if not pictures:
                return {"y_hat": torch.empty(0, self.context_prediction.in_channels, *shape)}
            reader.close_decoders(decoders, np.concatenate([symbols for _, symbols in pictures]))
            y_hat = torch.cat([values for values, _ in pictures])
            reader.note(y_hat.numpy())
            return {"y_hat": y_hat}
        values = scan.decode(decoders, single(params).numpy(), **self._rate_settings(gain))
        reader.close_decoders(decoders, values)
        return {"y_hat": torch.from_numpy(values)}

    def _report(self, error: NotPortableError) -> None:
        report(self.context_prediction, str(error), more="Going from place to place in torch may be slow.")

    def _variable_scan(self, order: Any) -> coding.RasterScan:
        """The scan as a native call, remade when a parameter has changed.

        Raises:
            NotPortableError: a network is no stack of 1x1 convolutions.
        """
        parts = (self.gaussian_conditional, self.context_prediction, self.entropy_parameters)
        offsets = self.offsets or nn.Identity()
        key = scan_key(*parts) + state_key(offsets)

        def build() -> coding.RasterScan:
            arguments = scan_arguments(*parts)
            layers = None if self.offsets is None else pointwise_layers(self.offsets, "offsets")
            if arguments is None or (layers is None and self.offsets is not None):
                raise NotPortableError(
                    f"{type(self).__name__} is not portable: its networks are no stacks of 1x1 convolutions"
                )
            bound = self.gaussian_conditional.lower_bound_scale.bound.item()
            shrinkage = None if layers is None else (layers, bound)
            return coding.RasterScan(**arguments, order=order, shrinkage=shrinkage)

        scan = self._scans[order].get(key, build)
        assert isinstance(scan, coding.RasterScan)
        return scan

    def _rate_settings(self, gain: Tensor) -> dict[str, Any]:
        """Arguments of the native scan that depend on `gain`."""
        gain = single(gain).reshape(1)
        settings = {"gain": gain.numpy()}
        if self.scale_to_context is not None:
            as_map = gain.reshape(1, 1, 1, 1)
            bias = self._network("scale_to_context", as_map, features_last=True).flatten()
            if self.context_prediction.bias is not None:
                bias = bias + single(self.context_prediction.bias)
            settings["context_bias"] = bias.numpy()
        return settings

    def _encode_in_torch(self, writer: SymbolWriter, y: Tensor, params: Tensor, gain: Tensor) -> Tensor:
        """Writes `y` picture by picture, with torch's networks; returns what `decode` will."""
        table = self.gaussian_conditional.cdf_table()
        pictures, y_hat = [], []
        with in_torch(self, self.device), one_thread():
            for i in range(y.shape[0]):
                scan = _TorchScan.of(self, fit(params[i : i + 1], y.shape[2:]), gain)
                pushed = []

                def step(rows: Tensor, columns: Tensor, i: int = i, scan: _TorchScan = scan) -> None:
                    scales, means = scan.parameters(rows, columns)
                    values = y[i : i + 1, :, rows, columns].to(means)
                    symbols = coding.quantize(single((values - means) * scan.gain).numpy())
                    scan.put(rows, columns, torch.from_numpy(symbols).to(means), scales, means)
                    indexes = scan.indexes(scales)
                    pushed.append([np.moveaxis(part, 1, -1) for part in (symbols, indexes)])  # noqa: B023

                run_steps(y.shape[2:], self.kernel_size, writer.kind, step)
                pictures.append([np.concatenate(part, axis=1) for part in zip(*pushed, strict=True)])
                y_hat.append(single(scan.y_hat))
        if not pictures:
            nothing = np.empty((0, math.prod(y.shape[2:]), y.shape[1]), np.int32)
            writer.put_in_order(nothing, nothing, table)
            return single(y)
        parts = (np.concatenate(part) for part in zip(*pictures, strict=True))
        symbols, indexes = (np.ascontiguousarray(part) for part in parts)
        writer.put_in_order(symbols, indexes, table)
        return torch.cat(y_hat)

    def _decode_in_torch(
        self, reader: SymbolReader, decoders: list[coding.Decoder], params: Tensor, gain: Tensor
    ) -> tuple[Tensor, NDArray[np.int32]]:
        """The latent, and its symbols in the order of coding, (N, places, C)."""
        with in_torch(self, self.device), one_thread():
            scan = _TorchScan.of(self, params, gain)
            table, pulled = self.gaussian_conditional.cdf_table(), []

            def step(rows: Tensor, columns: Tensor) -> None:
                scales, means = scan.parameters(rows, columns)
                symbols = pull_places(decoders, scan.indexes(scales), table)
                scan.put(
                    rows, columns, torch.from_numpy(coding.dequantize(symbols)).to(scales), scales, means
                )
                pulled.append(np.moveaxis(symbols, 1, -1))

            run_steps(params.shape[2:], self.kernel_size, reader.kind, step)
        return single(scan.y_hat), np.concatenate(pulled, axis=1)


class _TorchScan:
    """One pass with torch's networks: the values so far, and the parameters of what comes next."""

    def __init__(self, codec: VariableRasterScanLatentCodec, params: Tensor, gain: Tensor) -> None:
        self.codec, self.params, self.gain = codec, params, gain
        shape = (params.shape[0], codec.context_prediction.in_channels, *params.shape[2:])
        context, above = codec.context_prediction, codec.padding + 1
        self.padded = F.pad(context.weight.new_zeros(shape), [codec.padding] * 4)
        self.weight = (context.weight * context.mask)[:, :, :above]
        self.shift = None
        if codec.scale_to_context is not None:
            self.shift = codec.scale_to_context(gain.reshape(1, 1)).reshape(1, -1, 1, 1)

    @classmethod
    def of(cls, codec: VariableRasterScanLatentCodec, params: Tensor, gain: Tensor) -> _TorchScan:
        """A pass for coding, in the type and on the device of the networks."""
        gain = gain.to(codec.context_prediction.weight)
        return cls(codec, params.to(gain), gain)

    def indexes(self, scales: Tensor) -> NDArray[np.int32]:
        """Rows of the table for `scales`."""
        rows: NDArray[np.int32] = (
            self.codec.gaussian_conditional.build_indexes(scales * self.gain).cpu().numpy()
        )
        return rows

    @property
    def y_hat(self) -> Tensor:
        """The latent, (N, C, H, W), zero where it is not known yet."""
        (height, width), pad = self.params.shape[2:], self.codec.padding
        return self.padded[..., pad : pad + height, pad : pad + width]

    def parameters(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and means of P places, each (N, C, P)."""
        context, size = self.codec.context_prediction, self.codec.kernel_size
        patches = patches_at(self.padded, size, rows, columns)
        seen = F.conv2d(patches, self.weight, context.bias, stride=(self.codec.padding + 1, size))
        if self.shift is not None:
            seen = seen + self.shift
        params = self.params[..., rows, columns].unsqueeze(2)
        scales, means = self.codec.entropy_parameters(self.codec.merge(params, seen)).squeeze(2).chunk(2, 1)
        return scales, means

    def put(self, rows: Tensor, columns: Tensor, symbols: Tensor, scales: Tensor, means: Tensor) -> None:
        """Enters the values of `symbols`, (N, C, P), of P places."""
        bound = self.codec.gaussian_conditional.lower_bound_scale
        values = reconstructed(symbols, scales, means, self.gain, bound, self.codec.offsets)
        values = values.to(self.padded.dtype)
        if self.padded.requires_grad or values.requires_grad:
            self.padded = self.padded.clone()  # autograd keeps what it was
        self.padded[..., rows + self.codec.padding, columns + self.codec.padding] = values
