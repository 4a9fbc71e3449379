"""The hyperprior models.

Balle, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR 2018;
and Minnen, Balle and Toderici, "Joint autoregressive and hierarchical priors for learned image compression",
NeurIPS 2018, the model without context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs import GaussianConditionalLatentCodec
from lcrs.latent_codecs.base import LatentCodec
from lcrs.latent_codecs.hyperprior import decode_any
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.foreign import report
from lcrs.layers.lowering import GraphBuilder, Value, lower
from lcrs.layers.provenance import is_exact
from lcrs.models.base import PictureModel
from lcrs.models.codec_tree import CodecTree
from lcrs.models.google.transforms import (
    analysis,
    mean_scale_hyper_analysis,
    mean_scale_hyper_synthesis,
    synthesis,
)
from lcrs.models.packing import PackageParts, hyperprior_node
from lcrs.models.pictures import crop_to
from lcrs.models.strings import check_strings
from lcrs.models.utils import conv, deconv
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MeanScaleHyperprior", "ScaleHyperprior"]


@register_model("bmshj2018-hyperprior")
class ScaleHyperprior(PictureModel):
    """Latent coded as zero-mean Gaussians, whose scales are side information.

    .. code-block:: none

        x ── g_a ── y ──┬────────── round ── y_hat ── g_s ── x_hat
                        │             │
                     abs, h_a      Gaussian
                        │             │
                        │           scales
                        │             │
                        z ── round ── h_s
                               │
                       entropy bottleneck

    Any picture size: sides are padded to a multiple of 64 inside, by replication right and below, and cropped
    again. `compress` and `decompress` compute the scales on the exact engine, so that they agree everywhere.

    Args:
        N: Channels inside the transforms, and of z.
        M: Channels of y.
        **kwargs: As `CompressionModel`.
    """

    downsampling_factor: int = 64
    """Picture samples for one sample of z, along a side."""

    def __init__(self, N: int, M: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entropy_bottleneck = EntropyBottleneck(N)
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.h_a = nn.Sequential(
            conv(M, N, stride=1, kernel_size=3), nn.ReLU(inplace=True),
            conv(N, N), nn.ReLU(inplace=True),
            conv(N, N),
        )  # fmt: skip
        self.h_s = nn.Sequential(
            deconv(N, N), nn.ReLU(inplace=True),
            deconv(N, N), nn.ReLU(inplace=True),
            conv(N, M, stride=1, kernel_size=3), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.gaussian_conditional = GaussianConditional(None)
        self.N, self.M = int(N), int(M)
        self._exact_h_s = ExactNetwork()

    def _hyper_input(self, y: Tensor) -> Tensor:
        """What `h_a` is given."""
        return torch.abs(y)

    def _hyper_analysis(self, y: Tensor) -> Tensor:
        z: Tensor = self.h_a(self._hyper_input(y))
        return z

    def _scales_and_means(self, params: Tensor) -> tuple[Tensor, Tensor | None]:
        """What `h_s` gave, as scales and means (None: zero)."""
        return params, None

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Restores pictures and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).

        Returns:
            `x_hat` (N, 3, H, W), not clamped, and `likelihoods` of the padded picture's `y`, a 16th of its
            sides, and `z`, a 64th.
        """
        y = self.g_a(self._padded(x))
        z_hat, z_likelihoods = self.entropy_bottleneck(self._hyper_analysis(y))
        scales, means = self._scales_and_means(self.h_s(z_hat))
        y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        x_hat = crop_to(self.g_s(y_hat), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes read from the weights."""
        net = cls(state_dict["g_a.0.weight"].size(0), state_dict["g_a.6.weight"].size(0))
        net.load_state_dict(state_dict)
        return net

    def _encode_latent(self, y: Tensor) -> dict[str, Any]:
        """Strings of y and strings of z; the shape is (H, W) of z."""
        z = self._transformed("h_a", self._hyper_input(y))
        z_strings = self.entropy_bottleneck.compress(z)
        z_hat = self.entropy_bottleneck.restore(z)
        y_strings = self._code_y(y, self._exact_h_s.run(self.h_s, z_hat, "h_s"))
        return {"strings": [y_strings, z_strings], "shape": z.shape[-2:]}

    def _decode_latent(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> Tensor:
        check_strings(strings, 2)

        def decode(part: Sequence[Sequence[bytes]], exact: bool) -> dict[str, Tensor]:
            z_hat = self.entropy_bottleneck.decompress(part[1], shape)
            params = self._side(z_hat, exact)
            return {"y_hat": self._decode_y(part[0], params, exact)}

        y_hat: Tensor = decode_any(self.entropy_coder, strings, decode)["y_hat"]
        return y_hat

    def _side(self, z_hat: Tensor, exact: bool) -> Tensor:
        """What `h_s` makes of the decoded z, on the exact engine or in torch."""
        if exact:
            return self._exact_h_s.run(self.h_s, z_hat, "h_s")
        params: Tensor = self.h_s(z_hat.to(self.entropy_bottleneck.quantiles))
        return params

    def _reported_scales_and_means(self, params: Tensor) -> tuple[Tensor, Tensor | None]:
        """`_scales_and_means` for coding; what a derived class does there in torch is said."""
        scales, means = self._scales_and_means(params)
        if is_overridden(self, "_scales_and_means") and not is_exact(scales, means):
            name = type(self).__name__
            report(self, f"{name} is not portable: its own _scales_and_means makes scales or means in torch")
        return scales, means

    def _code_y(self, y: Tensor, params: Tensor) -> list[bytes]:
        """Strings of y under the exact `params` that `h_s` gave."""
        scales, means = self._reported_scales_and_means(params)
        indexes = self.gaussian_conditional.build_indexes(scales)
        return self.gaussian_conditional.compress(y, indexes, means)

    def _decode_y(self, strings: Sequence[bytes], params: Tensor, exact: bool) -> Tensor:
        """The latent that `_code_y` coded; `exact` says where `params` and all that follows comes from."""
        scales, means = self._reported_scales_and_means(params)
        indexes = self.gaussian_conditional.build_indexes(scales)
        return self.gaussian_conditional.decompress(strings, indexes, means=means)

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N, "M": self.M}

    def _lower_hyper_analysis(self, graph: GraphBuilder, y: Value) -> Value:
        """What `h_a` makes of y, in a coding graph."""
        return graph.call(self.h_a, graph.op("abs", y), "h_a")

    def _y_codec(self) -> LatentCodec:
        """The codec of y, made of this model's parts."""
        return GaussianConditionalLatentCodec(
            gaussian_conditional=self.gaussian_conditional, chunks=("scales",)
        )

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch."""
        tree, h_a = CodecTree(), GraphBuilder()
        codec = hyperprior_node(
            hyper={"type": "factorized", **tree.tables.factorized("z", self.entropy_bottleneck)},
            y=tree.conditional(self._y_codec(), self.h_s, self.N, self.M),
        )
        graphs = {
            "g_a": lower(self.g_a, "g_a"),
            "g_s": lower(self.g_s, "g_s", "x_hat"),
            "h_a": h_a.finish({"z": self._lower_hyper_analysis(h_a, h_a.input("y"))}),
            **tree.graphs,
        }
        strides = {"y": 16, "z": 64}
        return PackageParts(graphs, codec, tree.tables.tensors, strides, pad=self.downsampling_factor)


@register_model("mbt2018-mean")
class MeanScaleHyperprior(ScaleHyperprior):
    """Latent coded as Gaussians, whose means and scales are side information.

    .. code-block:: none

        x ── g_a ── y ──┬────────── round ── y_hat ── g_s ── x_hat
                        │             │
                       h_a         Gaussian
                        │             │
                        │        scales, means
                        │             │
                        z ── round ── h_s
                               │
                       entropy bottleneck

    Arguments, returned values and treatment of sizes are those of `ScaleHyperprior`.
    """

    def __init__(self, N: int, M: int, **kwargs: Any) -> None:
        super().__init__(N, M, **kwargs)
        self.h_a, self.h_s = mean_scale_hyper_analysis(N, M), mean_scale_hyper_synthesis(N, M)

    def _hyper_input(self, y: Tensor) -> Tensor:
        return y

    def _scales_and_means(self, params: Tensor) -> tuple[Tensor, Tensor | None]:
        scales, means = params.chunk(2, 1)
        return scales, means

    def _lower_hyper_analysis(self, graph: GraphBuilder, y: Value) -> Value:
        return graph.call(self.h_a, y, "h_a")

    def _y_codec(self) -> LatentCodec:
        return GaussianConditionalLatentCodec(gaussian_conditional=self.gaussian_conditional)
