"""The mean-scale hyperprior with gain units: one network for many rates, steered channel by channel.

Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation", CVPR 2021, without its
asymmetric Gaussian and its context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import (
    GainHyperLatentCodec,
    GainHyperpriorLatentCodec,
    GaussianConditionalLatentCodec,
)
from lcrs.latent_codecs.own import report_own
from lcrs.layers.foreign import coding_scope
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value
from lcrs.models.base import PictureModel
from lcrs.models.codec_tree import CodecTree
from lcrs.models.google.transforms import (
    analysis,
    mean_scale_hyper_analysis,
    mean_scale_hyper_synthesis,
    synthesis,
)
from lcrs.models.packing import PackageParts, hyperprior_node
from lcrs.models.pictures import crop_to, restored_picture
from lcrs.models.variable_rate.levels import LevelTable, checked_levels, chosen_level, level_of, lmbda_at
from lcrs.ops.cache import KeyedCache, fingerprint
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GainedMeanScaleHyperprior"]

_GAINS = ("y_gain", "z_gain", "y_gain_inv", "z_gain_inv")


@register_model("mbt2018-mean-gain")
class GainedMeanScaleHyperprior(PictureModel):
    """`MeanScaleHyperprior` whose rate is steered by gains of the channels of y and z.

    .. code-block:: none

        x ── g_a ── y ──┬── * y_gain ────── round ────── * y_gain_inv ── y_hat ── g_s ── x_hat
                        │                     │
                       h_a                 Gaussian
                        │                     │
                    * z_gain            scales, means
                        │                     │
                        z ── round ── * z_gain_inv ── h_s
                               │
                       entropy bottleneck

    Each of the four gains is learned for every level; between levels it is interpolated geometrically
    (section 3.2, equation 9). So the rate is continuous: levels are numbers from 0 to `num_levels` - 1. Every
    method takes one; it must be the same for `compress` and `decompress`, and no string carries it. These two
    take a quality from 0 to 100 as well, which is what files carry.

    Any picture size: sides are padded to a multiple of 64 inside, by replication right and below, and cropped
    again.

    Args:
        N: Channels inside the transforms, and of z.
        M: Channels of y.
        num_levels: Levels that gains are learned for, at least 2.
        lmbda_min: Lagrangian weight of 255^2 MSE at level 0.
        lmbda_max: The same at the last level; levels between are spaced logarithmically.
        **kwargs: As `CompressionModel`.

    Raises:
        ValueError: there are fewer than 2 levels.
    """

    log_lmbda: Tensor
    downsampling_factor = 64

    def __init__(
        self,
        N: int = 192,
        M: int = 320,
        num_levels: int = 6,
        *,
        lmbda_min: float = 0.0018,
        lmbda_max: float = 0.18,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_levels < 2:
            raise ValueError(f"num_levels is {num_levels}, must be at least 2")
        self.N, self.M, self.num_levels = int(N), int(M), int(num_levels)
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.latent_codec = GainHyperpriorLatentCodec(
            {
                "y": GaussianConditionalLatentCodec(quantizer="ste"),
                "hyper": GainHyperLatentCodec(
                    EntropyBottleneck(N),
                    h_a=mean_scale_hyper_analysis(N, M),
                    h_s=mean_scale_hyper_synthesis(N, M),
                    quantizer="ste",
                ),
            }
        )
        log_lmbda = torch.linspace(math.log(lmbda_min), math.log(lmbda_max), num_levels)
        self.register_buffer("log_lmbda", log_lmbda)
        # The step that suits lambda goes with lambda^-1/2 (high-rate theory); the last level has step 1.
        slope = 0.5 * (log_lmbda - log_lmbda[-1])[:, None]
        self.y_gain, self.y_gain_inv = LevelTable(slope.repeat(1, M)), LevelTable(-slope.repeat(1, M))
        self.z_gain, self.z_gain_inv = (LevelTable(torch.zeros(num_levels, N)) for _ in range(2))
        self._gain_graph: KeyedCache[coding.Graph] = KeyedCache()

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        ends = self.log_lmbda.double().exp()
        lmbdas = {"lmbda_min": round(ends[0].item(), 6), "lmbda_max": round(ends[-1].item(), 6)}
        return {"N": self.N, "M": self.M, "num_levels": self.num_levels, **lmbdas}

    def lmbda(self, level: Tensor) -> Tensor:
        """Lagrangian weight of 255^2 MSE at `level` (N,), each from 0 to `num_levels` - 1."""
        return lmbda_at(level, self.log_lmbda)

    def level_of(self, quality: float) -> float:
        """The level that a file of `quality`, 0 to 100, is at.

        Raises:
            ValueError: the quality is outside 0..100.
        """
        return level_of(quality, self.num_levels)

    def forward(self, x: Tensor, level: Tensor | float = 0.0) -> dict[str, Any]:
        """Restores pictures at given levels and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            level: From 0 to `num_levels` - 1: a number, or one for each picture, (N,).

        Returns:
            `x_hat` (N, 3, H, W), not clamped, and `likelihoods` of the padded picture's `y`, a 16th of its
            sides, and `z`, a 64th.

        Raises:
            ValueError: a level is outside of that.
        """
        levels = checked_levels(level, self.num_levels, x)
        gains = {name: torch.exp(getattr(self, name)(levels)) for name in _GAINS}
        out = self.latent_codec(self.g_a(self._padded(x)), **gains)
        return {"x_hat": crop_to(self.g_s(out["y_hat"]), x.shape[-2:]), "likelihoods": out["likelihoods"]}

    @coding_scope()
    @torch.no_grad()
    def compress(
        self, x: Tensor, level: float | None = None, *, quality: float | None = None
    ) -> dict[str, Any]:
        """Codes pictures.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            level: From 0 to `num_levels` - 1; by default 0.
            quality: Instead of a level, from 0 to 100; as files have it.

        Returns:
            `strings`: [strings of y, strings of z], one each for each picture; `shape`: that of the latents
            by name, "y" and "hyper"; `y_hat`; `size`: (H, W) of the picture.

        Raises:
            ValueError: the level or quality is outside of that, or both are given.
        """
        gains = self._exact_gains(chosen_level(quality, level, self.num_levels) or 0.0, x)
        y = self._transformed("g_a", self._padded(x))
        report_own(self.latent_codec)
        return {**self.latent_codec.compress(y, **gains), "size": x.shape[-2:]}

    @coding_scope()
    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Mapping[str, Any],
        level: float | None = None,
        size: Sequence[int] | None = None,
        *,
        quality: float | None = None,
    ) -> dict[str, Any]:
        """Restores what `compress` wrote.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            level: As given to `compress`.
            size: (H, W) of the picture, to crop to; None leaves the padding on.
            quality: As given to `compress`.

        Returns:
            `x_hat` in [0, 1], (N, 3, H, W).

        Raises:
            LcrsError: a string is damaged, or belongs to another model or level.
            ValueError: the number of strings is wrong, the level or quality is outside of its range, or both
                are given.
        """
        gains = self._exact_gains(chosen_level(quality, level, self.num_levels) or 0.0, self.log_lmbda)
        inverse = (gains["y_gain_inv"], gains["z_gain_inv"])
        report_own(self.latent_codec)
        y_hat = self.latent_codec.decompress(strings, shape, *inverse)["y_hat"]
        return {"x_hat": restored_picture(self._transformed("g_s", y_hat), size, self.g_s)}

    def _exact_gains(self, level: float, like: Tensor) -> dict[str, Tensor]:
        """The four gains, (C, 1, 1) each, the same on every machine; on the device of `like`."""
        checked_levels(level, self.num_levels, like[:1])
        tables = [getattr(self, name).values for name in _GAINS]

        def build() -> coding.Graph:
            graph = GraphBuilder()
            lowered = graph.finish({name: self._lower_gain(graph, name) for name in _GAINS})
            return coding.Graph(lowered.json, lowered.tensors)

        gains = self._gain_graph.get(fingerprint(tables), build).run([], level=float(level))
        return {
            name: torch.from_numpy(gain).reshape(-1, 1, 1).to(like.device) for name, gain in gains.items()
        }

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes read from the weights."""
        N, M = state_dict["g_a.0.weight"].size(0), state_dict["g_a.6.weight"].size(0)
        net = cls(N, M, state_dict["y_gain.values"].size(0))
        net.load_state_dict(state_dict)
        return net

    # --- packages ---

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch; y is the gained latent in all of them."""
        hyper = self.latent_codec.hyper
        assert isinstance(hyper, GainHyperLatentCodec)
        bottleneck = hyper.entropy_bottleneck
        assert bottleneck is not None
        tree = CodecTree()
        codec = hyperprior_node(
            hyper={"type": "factorized", **tree.tables.factorized("z", bottleneck)},
            y=tree.conditional(self.latent_codec.y, _GainedSynthesis(self, hyper.h_s), self.N, self.M),
        )
        graphs = {"g_a": self._lower_analysis(), "g_s": self._lower_synthesis(), **tree.graphs}
        graphs["h_a"] = self._lower_hyper_analysis(hyper.h_a)
        strides = {"y": 16, "z": 64}
        return PackageParts(graphs, codec, tree.tables.tensors, strides, pad=64, levels=self.num_levels)

    def _lower_gain(self, graph: GraphBuilder, name: str, *, inverted: bool = False) -> Value:
        """The gain `name` at the level of the run, or one over it, (C, 1, 1)."""
        exponent = getattr(self, name).at_level(graph, name)
        return graph.op("exp", graph.op("mul_scalar", exponent, value=-1.0) if inverted else exponent)

    def _lower_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y = graph.call(self.g_a, graph.input("x"), "g_a")
        return graph.finish({"y": graph.op("mul", y, self._lower_gain(graph, "y_gain"))})

    def _lower_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y_hat = graph.op("mul", graph.input("y_hat"), self._lower_gain(graph, "y_gain_inv"))
        return graph.finish({"x_hat": graph.call(self.g_s, y_hat, "g_s")})

    def _lower_hyper_analysis(self, h_a: nn.Module) -> LoweredGraph:
        graph = GraphBuilder()
        y = graph.op("mul", graph.input("y"), self._lower_gain(graph, "y_gain", inverted=True))
        z = graph.call(h_a, y, "h_a")
        return graph.finish({"z": graph.op("mul", z, self._lower_gain(graph, "z_gain"))})


class _GainedSynthesis(nn.Module):
    """h_s after the inverse gain of z, for lowering."""

    def __init__(self, net: GainedMeanScaleHyperprior, h_s: nn.Module) -> None:
        super().__init__()
        self.h_s = h_s
        self.gain = net._lower_gain

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds both to a coding graph."""
        return graph.call(self.h_s, graph.op("mul", x, self.gain(graph, "z_gain_inv")), "h_s")
