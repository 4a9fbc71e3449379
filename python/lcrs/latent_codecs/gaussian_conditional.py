"""A latent of Gaussians whose parameters are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.ops import quantize_ste
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

    Args:
        scale_table: As for `GaussianConditional`.
        gaussian_conditional: GC; by default it is made from `scale_table` and `kwargs`.
        entropy_parameters: EP, from `ctx_params` to the parameters of the Gaussians; by default the identity.
        quantizer: What training sees as `y_hat`: "noise" added to `y`, or "ste", `y` rounded around the means
            with the gradient passed straight through.
        chunks: What EP gives along the channels: `("scales", "means")`, the other way round, or only one of
            them. Means that are not given are 0, scales 1.
        **kwargs: Arguments of `GaussianConditional`.

    Raises:
        ValueError: Another quantizer or other chunks.
    """

    def __init__(
        self,
        scale_table: Sequence[float] | None = None,
        gaussian_conditional: GaussianConditional | None = None,
        entropy_parameters: nn.Module | None = None,
        quantizer: str = "noise",
        chunks: Sequence[str] = ("scales", "means"),
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if quantizer not in ("noise", "ste"):
            raise ValueError(f'quantizer is {quantizer!r}; it must be "noise" or "ste"')
        if tuple(chunks) not in _CHUNKS:
            raise ValueError(
                f'chunks is {tuple(chunks)}; it must be "scales" and "means" in any order, or one of them'
            )
        self.quantizer = quantizer
        self.chunks = tuple(chunks)
        self.gaussian_conditional = gaussian_conditional or GaussianConditional(scale_table, **kwargs)
        self.entropy_parameters = entropy_parameters or nn.Identity()

    def forward(self, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """The latent with quantisation modelled, and its likelihoods.

        Args:
            y: (N, C, ...).
            ctx_params: (N, C', ...), as large as `y` or larger; what is beyond it is cut off.

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.
        """
        scales, means = self._chunk(self.entropy_parameters(fit(ctx_params, y.shape[2:])))
        y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        if self.quantizer == "ste":
            y_hat = round_around(y, means)
        return {"likelihoods": {"y": y_likelihoods}, "y_hat": y_hat}

    def means_of(self, ctx_params: Tensor) -> Tensor | None:
        """What EP gives as means for `ctx_params`; None if they are zero."""
        return self._chunk(self.entropy_parameters(ctx_params))[1]

    def encode(self, writer: SymbolWriter, y: Tensor, ctx_params: Tensor) -> dict[str, Any]:
        """Writes `y`; the shape is its spatial size."""
        scales, means = self._chunk(self._network("entropy_parameters", fit(ctx_params, y.shape[2:])))
        table = self.gaussian_conditional.cdf_table()
        indexes = self.gaussian_conditional.build_indexes(scales).numpy()
        centres = None if means is None else means.contiguous().numpy()
        symbols = coding.quantize(single(y).numpy(), centres)
        writer.put(symbols, indexes, table)
        return {"shape": y.shape[2:], "y_hat": torch.from_numpy(coding.dequantize(symbols, centres))}

    def decode(self, reader: SymbolReader, shape: Sequence[int], ctx_params: Tensor) -> dict[str, Any]:
        """Reads a latent of spatial size `shape`."""
        params = self._network("entropy_parameters", fit(ctx_params, shape), reader.exact)
        scales, means = self._chunk(params)
        indexes = self.gaussian_conditional.build_indexes(scales).numpy()
        symbols = reader.take(indexes, self.gaussian_conditional.cdf_table())
        centres = None if means is None else means.contiguous().numpy()
        return {"y_hat": torch.from_numpy(coding.dequantize(symbols, centres))}

    def _chunk(self, params: Tensor) -> tuple[Tensor, Tensor | None]:
        """`params` as scales and means."""
        if self.chunks == ("scales",):
            return params, None
        if self.chunks == ("means",):
            return torch.ones_like(params), params
        first, second = params.chunk(2, 1)
        return (first, second) if self.chunks == ("scales", "means") else (second, first)


def round_around(y: Tensor, means: Tensor | None) -> Tensor:
    """`y` rounded around `means` (None: zero), with the gradient passed straight through."""
    return quantize_ste(y) if means is None else quantize_ste(y - means) + means
