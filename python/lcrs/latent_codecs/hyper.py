"""Side information, which tells how a latent is distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs.base import LatentCodec
from lcrs.latent_codecs.entropy_bottleneck import decode_bottleneck, encode_bottleneck
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.ops import quantize_ste
from lcrs.registry import register_module

__all__ = ["HyperLatentCodec"]


@register_module("HyperLatentCodec")
class HyperLatentCodec(LatentCodec):
    """The side-information branch of a hyperprior; a part of `HyperpriorLatentCodec`.

    Of Balle et al., "Variational image compression with a scale hyperprior", ICLR 2018, section 3.

    .. code-block:: none

               ┌───┐  z  ┌───┐ z_hat      z_hat ┌───┐
        y ──►──┤h_a├──►──┤ Q ├───►───····───►───┤h_s├──►── params
               └───┘     └───┘        EB        └───┘

    Args:
        entropy_bottleneck: EB; by default it is made from `kwargs`, and if there are none it must be set
            before use.
        h_a: Analysis, from `y` to `z`; by default the identity.
        h_s: Synthesis, from `z_hat` to parameters; by default the identity.
        quantizer: What `h_s` sees in training: `z` with "noise" added, or "ste", `z` rounded around the
            medians with the gradient passed straight through.
        **kwargs: Arguments of `EntropyBottleneck`, such as `channels`.

    Raises:
        ValueError: Another quantizer.
    """

    def __init__(
        self,
        entropy_bottleneck: EntropyBottleneck | None = None,
        h_a: nn.Module | None = None,
        h_s: nn.Module | None = None,
        quantizer: str = "noise",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if quantizer not in ("noise", "ste"):
            raise ValueError(f'quantizer is {quantizer!r}; it must be "noise" or "ste"')
        self.quantizer = quantizer
        self.entropy_bottleneck = (
            EntropyBottleneck(**kwargs) if entropy_bottleneck is None and kwargs else entropy_bottleneck
        )
        self.h_a = h_a or nn.Identity()
        self.h_s = h_s or nn.Identity()

    def forward(self, y: Tensor) -> dict[str, Any]:
        """Parameters from `y`, (N, C, H, W).

        Returns:
            "params", which may be larger than `y`, "likelihoods" with "z", and "y_hat", which is `z_hat`.
        """
        z_hat, z_likelihoods = self._quantized(self.h_a(y))
        return {"likelihoods": {"z": z_likelihoods}, "params": self.h_s(z_hat), "y_hat": z_hat}

    def encode(self, writer: SymbolWriter, y: Tensor) -> dict[str, Any]:
        """Writes `z`; returns its spatial size as "shape", exact "params", and `z_hat` as "y_hat"."""
        z = self._fast_network("h_a", y)
        z_hat = encode_bottleneck(writer, self._bottleneck, z)
        return {"shape": z.shape[2:], "params": self._network("h_s", z_hat), "y_hat": z_hat}

    def decode(self, reader: SymbolReader, shape: Sequence[int]) -> dict[str, Any]:
        """Reads `z`; returns "params" and `z_hat` as "y_hat"."""
        z_hat = decode_bottleneck(reader, self._bottleneck, shape)
        return {"params": self._network("h_s", z_hat, reader.exact), "y_hat": z_hat}

    @property
    def _bottleneck(self) -> EntropyBottleneck:
        if self.entropy_bottleneck is None:
            raise ValueError(f"{type(self).__name__} has no entropy_bottleneck: give one, or channels=C")
        return self.entropy_bottleneck

    def _quantized(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`z` with quantisation modelled, and its likelihoods."""
        z_hat, z_likelihoods = self._bottleneck(z)
        if self.quantizer == "ste":
            medians = self._bottleneck.quantiles[:, 0, 1].detach().reshape(1, -1, *[1] * (z.dim() - 2))
            z_hat = quantize_ste(z - medians) + medians
        return z_hat, z_likelihoods
