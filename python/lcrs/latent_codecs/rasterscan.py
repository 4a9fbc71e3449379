"""Serial context: every place is coded knowing those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.coding.list_coders import BufferedRansEncoder, RansDecoder  # noqa: F401
from lcrs.entropy_models import GaussianConditional
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.errors import NotPortableError
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.foreign_scan import ForeignScan
from lcrs.latent_codecs.native import scan_arguments, scan_key
from lcrs.latent_codecs.stepwise import StepwiseScan, checked_kernel_size, run_steps
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter, pull_places
from lcrs.layers import MaskedConv2d
from lcrs.layers.agreement import DisagreementError
from lcrs.layers.foreign import in_torch, one_thread, report
from lcrs.ops.cache import KeyedCache
from lcrs.registry import register_module

__all__ = ["RasterScanLatentCodec"]

_SINGLE_STREAM = (
    "default_collate",
    "raster_scan_compress_single_stream",
    "raster_scan_decompress_single_stream",
)


def __getattr__(name: str) -> Any:
    """CompressAI's place for the helpers of `lcrs.latent_codecs.single_stream` (PEP 562)."""
    if name not in _SINGLE_STREAM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lcrs.latent_codecs import single_stream

    return getattr(single_stream, name)


_Order = Literal["wavefront", "raster"]


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
    picture is one native call. Where EP, CP or `merge` has no exact form, networks run in torch for every
    step, as `lcrs.portability` has it.

    Args:
        gaussian_conditional: GC; by default `GaussianConditional(None)`.
        entropy_parameters: EP, pointwise: from the concatenation of `ctx_params` and context to scales and
            means; by default the identity.
        context_prediction: CP, with stride 1, an odd square kernel, and padding that keeps the size.

    Raises:
        ValueError: There is no `context_prediction`, or it is no such convolution.
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
        size = checked_kernel_size(context_prediction)
        self.gaussian_conditional = gaussian_conditional or GaussianConditional(None)
        self.entropy_parameters = entropy_parameters or nn.Identity()
        self.context_prediction = context_prediction
        self.kernel_size = size
        self.padding = size // 2
        self._scans: dict[_Order, KeyedCache[coding.RasterScan | str | None]] = {
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
        if scan is None or isinstance(scan, str):
            with self._steps(scan, y.shape, params) as steps:
                self._encode_stepwise(writer, steps, y)
            writer.note(steps.y_hat.numpy())
            return {"shape": y.shape[2:], "y_hat": steps.y_hat}
        encoders = writer.open_encoders()
        y_hat = scan.encode(encoders, single(y).numpy(), single(fit(params, y.shape[2:])).numpy())
        writer.close_encoders(encoders, y_hat)
        return {"shape": y.shape[2:], "y_hat": torch.from_numpy(y_hat)}

    def decode(self, reader: SymbolReader, shape: Sequence[int], params: Tensor) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        order: _Order = "wavefront" if reader.kind == "lcrs" else "raster"
        scan = self._native_scan(order) if reader.exact else None
        decoders = reader.open_decoders()
        if scan is None or isinstance(scan, str):
            latent_shape = (reader.batch_size, self.context_prediction.in_channels, *shape)
            with self._steps(scan, latent_shape, params, reader.exact) as steps:
                coded = self._decode_stepwise(reader, decoders, steps)
            reader.close_decoders(decoders, coded)
            reader.note(steps.y_hat.numpy())
            return {"y_hat": steps.y_hat}
        y_hat = scan.decode(decoders, single(fit(params, shape)).numpy())
        reader.close_decoders(decoders, y_hat)
        return {"y_hat": torch.from_numpy(y_hat)}

    def _native_scan(self, order: _Order) -> coding.RasterScan | str | None:
        """The scan as a native call, remade when a parameter has changed; None if it has no such form.

        Where a part has no exact form at all, that is what is wrong.

        Raises:
            NotPortableError: the `lower()` of a part does not compute what its `forward` does.
            ValueError: the context has no mask.
        """
        if not hasattr(self.context_prediction, "mask"):
            raise ValueError(
                f"context_prediction is a {type(self.context_prediction).__name__} without a mask, must be a "
                "MaskedConv2d: coding knows the places before its own only"
            )
        if is_overridden(self, "merge"):
            return f"{type(self).__name__} is not portable: merge is overridden, a scan concatenates"
        parts = (self.gaussian_conditional, self.context_prediction, self.entropy_parameters)

        def build() -> coding.RasterScan | str | None:
            try:
                arguments = scan_arguments(*parts)
            except DisagreementError as error:
                if not error.is_inherited:
                    raise
                return str(error)
            except NotPortableError as error:
                return str(error)
            return None if arguments is None else coding.RasterScan(**arguments, order=order)

        return self._scans[order].get(scan_key(*parts), build)

    @contextmanager
    def _steps(
        self, foreign: str | None, shape: Sequence[int], params: Tensor, exact: bool = True
    ) -> Iterator[StepwiseScan]:
        """A scan from Python: in torch if there is something foreign, which is reported."""
        if foreign is None:
            yield StepwiseScan(self, shape, params, exact)
            return
        report(self.context_prediction, foreign, more="Going from place to place in torch may be slow.")
        with in_torch(self, self.device), one_thread():
            yield ForeignScan(self, shape, params)

    def _encode_stepwise(self, writer: SymbolWriter, scan: StepwiseScan, y: Tensor) -> None:
        values, pushed = single(y), []

        def step(rows: Tensor, columns: Tensor) -> None:
            indexes, means = scan.parameters(rows, columns)
            symbols = self.gaussian_conditional.symbols_of(
                values[..., rows, columns].contiguous(), torch.from_numpy(means)
            )
            scan.put(rows, columns, symbols, means)
            pushed.append((np.moveaxis(symbols, 1, -1), np.moveaxis(indexes, 1, -1)))

        run_steps(y.shape[2:], self.kernel_size, writer.kind, step)
        parts = zip(*pushed, strict=True)
        symbols, indexes = (np.ascontiguousarray(np.concatenate(part, axis=1)) for part in parts)
        writer.put_in_order(symbols, indexes, scan.table)

    def _decode_stepwise(
        self, reader: SymbolReader, decoders: list[coding.Decoder], scan: StepwiseScan
    ) -> NDArray[np.int32]:
        """Has `scan` decode all places; returns the symbols in their order, (N, places, C)."""
        pulled = []

        def step(rows: Tensor, columns: Tensor) -> None:
            indexes, means = scan.parameters(rows, columns)
            symbols = pull_places(decoders, indexes, scan.table)
            scan.put(rows, columns, symbols, means)
            pulled.append(np.moveaxis(symbols, 1, -1))

        run_steps(scan.size, self.kernel_size, reader.kind, step)
        return np.concatenate(pulled, axis=1)
