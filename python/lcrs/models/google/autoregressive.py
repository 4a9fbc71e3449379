"""The hyperprior model with a serial context.

Minnen, Balle and Toderici, "Joint autoregressive and hierarchical priors for learned image compression",
NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs import LatentCodec, RasterScanLatentCodec
from lcrs.latent_codecs.hyperprior import decode_any
from lcrs.layers import MaskedConv2d
from lcrs.layers.foreign import coding_scope
from lcrs.layers.provenance import report_handed
from lcrs.models.google.hyperprior import MeanScaleHyperprior
from lcrs.models.google.transforms import (
    analysis,
    mean_scale_hyper_analysis,
    mean_scale_hyper_synthesis,
    synthesis,
)
from lcrs.models.pictures import crop_to
from lcrs.registry import register_model

__all__ = ["JointAutoregressiveHierarchicalPriors"]


@register_model("mbt2018")
class JointAutoregressiveHierarchicalPriors(MeanScaleHyperprior):
    """Latent coded as Gaussians, whose means and scales follow from side information and what is decoded.

    .. code-block:: none

        x ── g_a ── y ──┬─────────── round ── y_hat ──┬── g_s ── x_hat
                        │              │              │
                       h_a         Gaussian    masked convolution
                        │              │              │
                        │        scales, means     context
                        │              │              │
                        │      entropy parameters ◄───┤
                        │                             │
                        z ── round ── h_s ────────────┘
                               │
                       entropy bottleneck

    Arguments, returned values and treatment of sizes are those of `ScaleHyperprior`.
    """

    def __init__(self, N: int = 192, M: int = 192, **kwargs: Any) -> None:
        super().__init__(N, M, **kwargs)
        # Made a second time, as CompressAI does: equal seeds give equal weights.
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.h_a, self.h_s = mean_scale_hyper_analysis(N, M), mean_scale_hyper_synthesis(N, M)
        self.entropy_parameters = nn.Sequential(
            nn.Conv2d(M * 12 // 3, M * 10 // 3, 1), nn.LeakyReLU(inplace=True),
            nn.Conv2d(M * 10 // 3, M * 8 // 3, 1), nn.LeakyReLU(inplace=True),
            nn.Conv2d(M * 8 // 3, M * 6 // 3, 1),
        )  # fmt: skip
        self.context_prediction = MaskedConv2d(M, 2 * M, kernel_size=5, padding=2, stride=1)
        self._scans = RasterScanLatentCodec(context_prediction=self.context_prediction)._scans

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Restores pictures and measures their rate; as in `ScaleHyperprior`.

        As in CompressAI, y is rounded without its means here, which the context would have to know first;
        coding does round around the means.
        """
        y = self.g_a(self._padded(x))
        z_hat, z_likelihoods = self.entropy_bottleneck(self._hyper_analysis(y))
        y_hat = self.gaussian_conditional.quantize(y, "noise" if self.training else "dequantize")
        params = torch.cat((self.h_s(z_hat), self.context_prediction(y_hat)), dim=1)
        scales, means = self.entropy_parameters(params).chunk(2, 1)
        _, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        x_hat = crop_to(self.g_s(y_hat), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    def _y_codec(self) -> RasterScanLatentCodec:
        codec = RasterScanLatentCodec(
            self.gaussian_conditional, self.entropy_parameters, self.context_prediction
        )
        # The codec is made anew, so that it has the parts that the model has now; what it derived is kept.
        codec._scans = self._scans
        return codec

    # --- one picture at a time, as CompressAI's `compress` does it: called by, or of, derived classes ---

    @coding_scope()
    def _compress_ar(
        self,
        y_hat: Tensor,
        params: Tensor,
        height: int,
        width: int,
        kernel_size: int,
        padding: int,
        *rate: Any,
    ) -> bytes:
        """Codes y of one picture.

        Args:
            y_hat: y, padded by `padding` on all sides, (1, M, H + 2 padding, W + 2 padding); becomes what is
                decoded, in place.
            params: What `h_s` gave, (1, 2 M, H, W).
            height: H.
            width: W.
            kernel_size: k of `context_prediction`.
            padding: k // 2.
            *rate: Of a model of variable rate, what CompressAI's takes.

        Returns:
            The string, of the model's kind.

        Raises:
            ValueError: sizes do not fit.
        """
        codec, settings = self._codec_of_one(kernel_size, padding, *rate)
        inner = _inner(y_hat, height, width, padding)
        is_handed = report_handed(self.gaussian_conditional, params)
        out = codec.compress_handed(is_handed, inner, params, *settings)
        inner.copy_(out["y_hat"])
        string: bytes = out["strings"][0][0]
        return string

    @coding_scope()
    def _decompress_ar(
        self,
        y_string: bytes,
        y_hat: Tensor,
        params: Tensor,
        height: int,
        width: int,
        kernel_size: int,
        padding: int,
        *rate: Any,
    ) -> None:
        """Decodes what `_compress_ar` wrote into `y_hat`, in place; the other arguments are as there.

        Raises:
            LcrsError: the string is damaged, or `params` are others.
            ValueError: sizes do not fit.
        """
        codec, settings = self._codec_of_one(kernel_size, padding, *rate)
        inner = _inner(y_hat, height, width, padding)
        is_handed = report_handed(self.gaussian_conditional, params)

        def decode(strings: Sequence[Sequence[bytes]], exact: bool) -> dict[str, Any]:
            return codec.decompress_handed(
                is_handed, strings, (height, width), params, *settings, exact=exact
            )

        inner.copy_(decode_any(self.entropy_coder, [[y_string]], decode)["y_hat"])

    def _codec_of_one(
        self, kernel_size: int, padding: int, *rate: Any
    ) -> tuple[LatentCodec, tuple[Any, ...]]:
        """The codec of y and what it is told beside `params`."""
        codec = self._y_codec()
        if (kernel_size, padding) != (codec.kernel_size, codec.padding):
            raise ValueError(
                f"kernel_size and padding are {kernel_size} and {padding}; context_prediction has "
                f"{codec.kernel_size} and {codec.padding}"
            )
        return codec, ()

    def _code_one_by_one(self, y: Tensor, params: Tensor, *rate: Any) -> list[bytes]:
        """Strings of y, each made by the `_compress_ar` of a derived class."""
        kernel_size, padding, weight = self._window_of_context()
        y_hat, params = F.pad(y.to(weight), (padding,) * 4), params.to(weight)
        return [
            self._compress_ar(y_hat[i : i + 1], params[i : i + 1], *y.shape[2:], kernel_size, padding, *rate)
            for i in range(len(y))
        ]

    def _decode_one_by_one(self, strings: Sequence[bytes], params: Tensor, *rate: Any) -> Tensor:
        """The latent of `strings`, each decoded by the `_decompress_ar` of a derived class."""
        kernel_size, padding, weight = self._window_of_context()
        params = params.to(weight)
        height, width = params.shape[2:]
        y_hat = params.new_zeros(len(strings), self.M, height + 2 * padding, width + 2 * padding)
        for i, string in enumerate(strings):
            one, side = y_hat[i : i + 1], params[i : i + 1]
            self._decompress_ar(string, one, side, height, width, kernel_size, padding, *rate)
        return y_hat[..., padding : padding + height, padding : padding + width]

    def _window_of_context(self) -> tuple[int, int, Tensor]:
        """Side of the context's kernel, half of it, and the kernel."""
        side = self.context_prediction.kernel_size[0]
        return side, side // 2, self.context_prediction.weight

    def _code_y(self, y: Tensor, params: Tensor) -> list[bytes]:
        if is_overridden(self, "_compress_ar"):
            return self._code_one_by_one(y, params)
        strings: list[bytes] = self._y_codec().compress(y, params)["strings"][0]
        return strings

    def _decode_y(self, strings: Sequence[bytes], params: Tensor, exact: bool) -> Tensor:
        if is_overridden(self, "_decompress_ar"):
            return self._decode_one_by_one(strings, params)
        out = self._y_codec().decompress([strings], params.shape[-2:], params, exact=exact)
        y_hat: Tensor = out["y_hat"]
        return y_hat


def _inner(y_hat: Tensor, height: int, width: int, padding: int) -> Tensor:
    """The view of `y_hat` (1, M, ...) without its padding."""
    expected = (height + 2 * padding, width + 2 * padding)
    if y_hat.shape[0] != 1 or tuple(y_hat.shape[2:]) != expected:
        raise ValueError(
            f"y_hat has shape {tuple(y_hat.shape)}, must be (1, M, {expected[0]}, {expected[1]})"
        )
    return y_hat[..., padding : padding + height, padding : padding + width]
