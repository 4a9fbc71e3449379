"""A latent of Gaussians whose parameters are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.steps import in_steps, of_channels, round_around, to_symbols, to_values
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers.foreign import report
from lcrs.layers.provenance import is_exact

# CompressAI's users import these from here.
from lcrs.ops import quantize_ste  # noqa: F401
from lcrs.registry import register_module

__all__ = ["GaussianConditionalLatentCodec"]

_CHUNKS = (("scales",), ("means",), ("scales", "means"), ("means", "scales"))


@register_module("GaussianConditionalLatentCodec")
class GaussianConditionalLatentCodec(LatentCodec):
    """A latent coded as Gaussians, whose scales and means follow from context parameters.

    Of Balle et al., "Variational image compression with a scale hyperprior", ICLR 2018, section 3; with means
    as in Minnen et al., "Joint autoregressive and hierarchical priors for learned image compression", NeurIPS
    2018.

    .. code-block:: none

                      ctx_params
                          │
                       ┌──┴──┐
                       │  EP │
                       └──┬──┘
                          │ scales, means
               ┌───┐      ▼
        y ──►──┤ Q ├──►──····──►── y_hat
               └───┘      GC

    With a gain, steps of quantisation are the inverse of it: the symbol is `round((y - mean) * gain)`, the
    value `symbol / gain + mean`, and its scale counts in steps. A gain broadcasts against `y`, (C, 1, 1) or
    (N, C, 1, 1) in `forward`; for coding it is the same for the whole batch, and must be exact.

    Args:
        scale_table: As for `GaussianConditional`.
        gaussian_conditional: GC; by default it is made from `scale_table` and `kwargs`.
        entropy_parameters: EP, from `ctx_params` to the parameters of the Gaussians; by default the identity.
        quantizer: What training sees as `y_hat`: "noise" added to `y`, or "ste", `y` rounded around the means
            with the gradient passed straight through.
        chunks: What EP gives along the channels: `("scales", "means")`, the other way round, or only one of
            them. Means that are not given are 0, scales 1.
        domain: "linear", or "log" if what EP gives as scales are logarithms. Then no exponential is taken for
            a symbol, and a gain comes with its logarithm.
        nearest: For coding, a scale picks the row of the table whose scale is nearest in ratio, which costs a
            quarter of the excess rate of the smallest row above it, CompressAI's choice.
        **kwargs: Arguments of `GaussianConditional`.

    Raises:
        ValueError: Another quantizer or domain, or other chunks.
    """

    def __init__(
        self,
        scale_table: Sequence[float] | None = None,
        gaussian_conditional: GaussianConditional | None = None,
        entropy_parameters: nn.Module | None = None,
        quantizer: str = "noise",
        chunks: Sequence[str] = ("scales", "means"),
        domain: str = "linear",
        nearest: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if quantizer not in ("noise", "ste"):
            raise ValueError(f'quantizer is {quantizer!r}; it must be "noise" or "ste"')
        if tuple(chunks) not in _CHUNKS:
            raise ValueError(
                f'chunks is {tuple(chunks)}; it must be "scales" and "means" in any order, or one of them'
            )
        if domain not in ("linear", "log") or (domain == "log" and tuple(chunks) == ("means",)):
            raise ValueError(f'domain is {domain!r}; it must be "linear", or "log" for scales that EP gives')
        self.quantizer = quantizer
        self.domain = domain
        self.nearest = nearest
        self.chunks = tuple(chunks)
        self.gaussian_conditional = gaussian_conditional or GaussianConditional(scale_table, **kwargs)
        self.entropy_parameters = entropy_parameters or nn.Identity()

    def forward(
        self, y: Tensor, ctx_params: Tensor, gain: Tensor | None = None, log_gain: Tensor | None = None
    ) -> dict[str, Any]:
        """The latent with quantisation modelled, and its likelihoods.

        Args:
            y: (N, C, ...).
            ctx_params: (N, C', ...), as large as `y` or larger; what is beyond it is cut off.
            gain: Inverse of the step of quantisation; None is 1.
            log_gain: Its logarithm, in the domain "log".

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.

        Raises:
            ValueError: A gain lacks its logarithm, or has one in the domain "linear".
        """
        self.check_gain(gain, log_gain)
        scales, means = self._chunk(self.entropy_parameters(fit(ctx_params, y.shape[2:])))
        if self.domain == "log":
            # exp(-8..8) is wider than the table of scales; the clamp keeps early training finite.
            scales = torch.exp((scales if log_gain is None else scales + log_gain).clamp(-8, 8))
        elif gain is not None:
            scales = scales * gain
        if gain is None:
            y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        else:
            centred = y if means is None else y - means
            noisy, y_likelihoods = self.gaussian_conditional(centred * gain, scales)
            y_hat = noisy / gain if means is None else noisy / gain + means
        if self.quantizer == "ste":
            y_hat = round_around(y, means, gain)
        return {"likelihoods": {"y": y_likelihoods}, "y_hat": y_hat}

    def means_of(self, ctx_params: Tensor) -> Tensor | None:
        """What EP gives as means for `ctx_params`; None if they are zero."""
        return self._chunk(self.entropy_parameters(ctx_params))[1]

    def encode(
        self,
        writer: SymbolWriter,
        y: Tensor,
        ctx_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
    ) -> dict[str, Any]:
        """Writes `y`; the shape is its spatial size."""
        params = self._network("entropy_parameters", fit(ctx_params, y.shape[2:]))
        indexes, means, gain = self._coded(params, gain, log_gain)
        symbols = to_symbols(self.gaussian_conditional, single(y), means, gain)
        writer.put(symbols, indexes, self.gaussian_conditional.cdf_table())
        y_hat = to_values(self.gaussian_conditional, symbols, means, gain)
        writer.note(y_hat.numpy())
        return {"shape": y.shape[2:], "y_hat": y_hat}

    def decode(
        self,
        reader: SymbolReader,
        shape: Sequence[int],
        ctx_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
    ) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        params = self._network("entropy_parameters", fit(ctx_params, shape), reader.exact)
        indexes, means, gain = self._coded(params, gain, log_gain)
        symbols = reader.take(indexes, self.gaussian_conditional.cdf_table())
        y_hat = to_values(self.gaussian_conditional, symbols, means, gain)
        reader.note(y_hat.numpy())
        return {"y_hat": y_hat}

    def thresholds(self) -> NDArray[np.float32]:
        """Between which scales, in the codec's domain, which rows of the table are taken: (rows - 1,)."""
        return self.gaussian_conditional.thresholds(nearest=self.nearest, log=self.domain == "log")

    def _coded(
        self, params: Tensor, gain: Tensor | None, log_gain: Tensor | None
    ) -> tuple[NDArray[np.int32], Tensor | None, Tensor | None]:
        """Rows of the table, means and gain (C,) for coding, from what EP gave."""
        self.check_gain(gain, log_gain)
        scales, means = self._chunk(params)
        if is_overridden(self, "_chunk") and not is_exact(scales, means):
            report(
                self, f"{type(self).__name__} is not portable: its own _chunk makes scales or means in torch"
            )
        num_channels = scales.shape[1]
        gain = None if gain is None else of_channels(gain, num_channels)
        if gain is not None and not gain.min() > 0:
            raise ValueError(f"gain has {gain.min()}, must be positive")
        log_gain = None if log_gain is None else of_channels(log_gain, num_channels)
        scales = in_steps(scales, gain, log_gain, log=self.domain == "log")
        if self.domain == "linear" and is_overridden(self.gaussian_conditional, "build_indexes"):
            indexes = self.gaussian_conditional.build_indexes(scales.contiguous()).cpu().int().numpy()
        else:
            indexes = coding.indexes(scales.contiguous().numpy(), self.thresholds())
        return indexes, None if means is None else means.contiguous(), gain

    def check_gain(self, gain: Tensor | None = None, log_gain: Tensor | None = None) -> None:
        """Refuses a gain without the logarithm that the domain "log" needs, and one that has no use.

        Raises:
            ValueError: It is one of these.
        """
        if (log_gain is not None) != (gain is not None and self.domain == "log"):
            raise ValueError(
                f"domain is {self.domain!r}: log_gain comes with a gain where scales are logarithms"
            )

    def _chunk(self, params: Tensor) -> tuple[Tensor, Tensor | None]:
        """`params` as scales and means."""
        if self.chunks == ("scales",):
            return params, None
        if self.chunks == ("means",):
            return torch.ones_like(params), params
        first, second = params.chunk(2, 1)
        return (first, second) if self.chunks == ("scales", "means") else (second, first)
