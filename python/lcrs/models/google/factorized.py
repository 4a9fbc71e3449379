"""The factorised-prior models.

Balle, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR 2018,
the non-hyperprior baseline of figure 4; the ReLU variant replaces GDN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.layers.lowering import lower
from lcrs.models.base import PictureModel
from lcrs.models.google.transforms import analysis, synthesis
from lcrs.models.packing import PackageParts, Tables
from lcrs.models.pictures import crop_to
from lcrs.models.strings import check_strings
from lcrs.models.utils import conv, deconv
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FactorizedPrior", "FactorizedPriorReLU"]


@register_model("bmshj2018-factorized")
class FactorizedPrior(PictureModel):
    """Analysis and synthesis by GDN networks, latent coded under a learned density for each channel.

    .. code-block:: none

        x ── g_a ── y ── round ── y_hat ── g_s ── x_hat
                          │
                  entropy bottleneck

    Any picture size: sides are padded to a multiple of 16 inside, by replication right and below, and cropped
    again.

    Args:
        N: Channels inside the transforms.
        M: Channels of the latent.
        **kwargs: As `CompressionModel`.
    """

    downsampling_factor: int = 16
    """Picture samples for one latent sample, along a side."""

    def __init__(self, N: int, M: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entropy_bottleneck = EntropyBottleneck(M)
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.N, self.M = int(N), int(M)

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Restores pictures and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).

        Returns:
            `x_hat` (N, 3, H, W), not clamped, and `likelihoods` with `y` (N, M, ceil(H / 16), ceil(W / 16)).
        """
        y = self.g_a(self._padded(x))
        y_hat, y_likelihoods = self.entropy_bottleneck(y)
        x_hat = crop_to(self.g_s(y_hat), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods}}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes read from the weights."""
        net = cls(state_dict["g_a.0.weight"].size(0), state_dict["g_a.6.weight"].size(0))
        net.load_state_dict(state_dict)
        return net

    def _encode_latent(self, y: Tensor) -> dict[str, Any]:
        """One string for each picture; the shape is (H, W) of y."""
        return {"strings": [self.entropy_bottleneck.compress(y)], "shape": y.shape[-2:]}

    def _decode_latent(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> Tensor:
        (y_strings,) = check_strings(strings, 1)
        return self.entropy_bottleneck.decompress(y_strings, shape)

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N, "M": self.M}

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch."""
        tables = Tables()
        codec = {"type": "factorized", "latent": "y", **tables.factorized("y", self.entropy_bottleneck)}
        graphs = {"g_a": lower(self.g_a, "g_a"), "g_s": lower(self.g_s, "g_s", "x_hat")}
        return PackageParts(graphs, codec, tables.tensors, {"y": 16}, pad=self.downsampling_factor)


@register_model("bmshj2018-factorized-relu")
class FactorizedPriorReLU(FactorizedPrior):
    """`FactorizedPrior` with ReLU in place of GDN."""

    def __init__(self, N: int, M: int, **kwargs: Any) -> None:
        super().__init__(N, M, **kwargs)
        self.g_a = nn.Sequential(
            conv(3, N), nn.ReLU(inplace=True),
            conv(N, N), nn.ReLU(inplace=True),
            conv(N, N), nn.ReLU(inplace=True),
            conv(N, M),
        )  # fmt: skip
        self.g_s = nn.Sequential(
            deconv(M, N), nn.ReLU(inplace=True),
            deconv(N, N), nn.ReLU(inplace=True),
            deconv(N, N), nn.ReLU(inplace=True),
            deconv(N, 3),
        )  # fmt: skip
