"""Continuously variable-rate mean-scale hyperprior with gain units.

The entropy model is the mean-scale hyperprior of Minnen et al. 2018 ("Joint Autoregressive and
Hierarchical Priors for Learned Image Compression", section 3, without the context model); the rate is
steered by gain units, one vector per level and interpolated between levels, as in Cui et al. 2021
("Asymmetric Gained Deep Image Compression with Continuous Rate Adaptation", section 3.2).

Deviations: the transforms are pyramids of pixel-unshuffle and cheap residual blocks (16 kMAC a pixel),
so that a photo decodes in a fraction of a second on one CPU core; gains are log-gains, interpolated
linearly; means and scales have gains of their own; the prior of `z` is a Gaussian per level and channel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.errors import NotPortableError
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.exact import suits_exact_engine
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value
from lcrs.models.base import PictureModel, get_scale_table
from lcrs.models.packing import PackageParts, Tables
from lcrs.models.pictures import crop_to, restored_picture
from lcrs.models.strings import check_strings
from lcrs.ops import quantize_ste
from lcrs.ops.cache import KeyedCache, fingerprint
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GainHyperprior", "LevelTable", "level_of"]


def down(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """Pixel-unshuffle by `factor`, then a 1x1 convolution: (N, C, H, W) to (N, C', H / f, W / f)."""
    return nn.Sequential(nn.PixelUnshuffle(factor), nn.Conv2d(in_channels * factor**2, out_channels, 1))


def up(in_channels: int, out_channels: int, factor: int) -> nn.Sequential:
    """1x1 convolution, then pixel-shuffle by `factor`: (N, C, H, W) to (N, C', f * H, f * W)."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels * factor**2, 1), nn.PixelShuffle(factor))


def level_of(quality: float, num_levels: int) -> float:
    """The level, 0 to `num_levels` - 1, that a file of `quality` (0 to 100) is at, to the bit.

    Files keep the quality as binary32, and levels are binary32.

    Raises:
        ValueError: the quality is outside 0..100.
    """
    if not 0 <= quality <= 100:
        raise ValueError(f"quality {quality} is outside 0..100")
    return float(np.float32(float(np.float32(quality)) / 100 * (num_levels - 1)))


class LevelTable(nn.Module):
    """A learned vector per rate level, linear in between.

    Args:
        initial: values at the levels, (K, C).
    """

    def __init__(self, initial: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(initial.clone())

    def forward(self, level: Tensor) -> Tensor:
        """Values at `level` (N,), each from 0 to K - 1, as (N, C, 1, 1)."""
        last = self.values.shape[0] - 2
        lower = level.floor().clamp(0, last).long()
        weight = (level - lower)[:, None]
        a, b = self.values[lower], self.values[lower + 1]
        return (a + weight * (b - a))[:, :, None, None]

    def at_level(self, graph: GraphBuilder, place: str) -> Value:
        """The same at the level of the run, as a (C, 1, 1) value of the coding graph."""
        with graph.at(place):
            return graph.op("interpolate", tensor=graph.tensor("values", self.values))


@register_model("gain-hyperprior")
class GainHyperprior(PictureModel):
    r"""Mean-scale hyperprior whose rate is steered by one number.

    .. code-block:: none

        x ── g_a ── * gain_y ── y ──────────────┬── round(y - mean) + mean ── * inverse gain ── g_s ── x_hat
                                 │              │
                          / gain_mean     (mean, scale)
                                 │              │
                                h_a        * gain_mean, * gain_scale
                                 │              │
                              * gain_z         h_s
                                 │              │
                                 └── z ── round ── / gain_z

    Args:
        C1: channels at a quarter of the picture's size.
        C2: channels at an eighth.
        M: channels of `y`, at a sixteenth.
        H: channels inside the hyper transforms.
        Z: channels of `z`, at a sixty-fourth.
        num_levels: number of rate levels K that gains are learned for.
        lmbda_min: Lagrangian weight of 255^2 MSE at level 0.
        lmbda_max: the same at level K - 1; levels between are spaced logarithmically.
    """

    log_lmbda: Tensor
    downsampling_factor = 16
    g_a: nn.Sequential
    g_s: nn.Sequential

    def __init__(
        self,
        C1: int = 64,
        C2: int = 128,
        M: int = 256,
        H: int = 96,
        Z: int = 48,
        *,
        num_levels: int = 8,
        lmbda_min: float = 0.001,
        lmbda_max: float = 0.065,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"C1": C1, "C2": C2, "M": M, "H": H, "Z": Z, "num_levels": num_levels}
        self.config |= {"lmbda_min": lmbda_min, "lmbda_max": lmbda_max}
        self.M = M
        self._graphs: dict[str, KeyedCache[coding.Graph]] = {}
        self.num_levels = num_levels
        self.g_a = nn.Sequential(
            down(3, C1, 4), DenseBlock(C1), DenseBlock(C1),
            down(C1, C2, 2), DenseBlock(C2), DenseBlock(C2),
            down(C2, M, 2), DepthwiseBlock(M), DepthwiseBlock(M),
        )  # fmt: skip
        self.g_s = nn.Sequential(
            DepthwiseBlock(M), DepthwiseBlock(M), up(M, C2, 2),
            DenseBlock(C2), DenseBlock(C2), up(C2, C1, 2),
            DenseBlock(C1), DenseBlock(C1), up(C1, 3, 4),
        )  # fmt: skip
        self.h_a = nn.Sequential(
            nn.Conv2d(M, H, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(H, H, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, Z, 5, stride=2, padding=2),
        )  # fmt: skip
        self.h_s = nn.Sequential(
            up(Z, H, 2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, H, 3, padding=1), nn.LeakyReLU(0.1),
            up(H, H, 2), nn.LeakyReLU(0.1),
            nn.Conv2d(H, 2 * M, 1),
        )  # fmt: skip
        # The step of quantisation that suits lambda goes with lambda^-1/2 (high-rate theory), hence the
        # slope 1/2 of the log-gains of y; z carries side information, whose step changes half as fast.
        log_lmbda = torch.linspace(math.log(lmbda_min), math.log(lmbda_max), num_levels)
        self.register_buffer("log_lmbda", log_lmbda, persistent=False)
        slope = 0.5 * (log_lmbda - log_lmbda.mean())[:, None]
        self.y_log_gain = LevelTable(slope.repeat(1, M) + math.log(4.0))
        self.y_log_gain_inv = LevelTable(-slope.repeat(1, M) - math.log(4.0))
        self.means_log_gain = LevelTable(slope.repeat(1, M))
        self.scales_log_gain = LevelTable(slope.repeat(1, M))
        self.z_log_gain = LevelTable(0.5 * slope.repeat(1, Z))
        self.z_log_scale = LevelTable(torch.full((num_levels, Z), math.log(2.0)))
        self.z_mean = LevelTable(torch.zeros(num_levels, Z))
        self.gaussian_conditional = GaussianConditional(get_scale_table())

    def level_of(self, quality: float) -> float:
        """As the function `level_of`, for this model."""
        return level_of(quality, self.num_levels)

    def lmbda(self, level: Tensor) -> Tensor:
        """Lagrangian weight of 255^2 MSE at `level` (N,), each from 0 to K - 1."""
        first, last = self.log_lmbda[0], self.log_lmbda[-1]
        return torch.exp(first + level / (self.num_levels - 1) * (last - first))

    def _likelihoods(self, values: Tensor, scales: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """Values rounded around the means (straight-through), and likelihoods (of noise in training)."""
        _, likelihoods = self.gaussian_conditional(values, scales, means=means)
        return quantize_ste(values - means) + means, likelihoods

    def _analysis(self, x: Tensor, level: Tensor) -> Tensor:
        """The gained latent y of pictures whose sides are multiples of 16."""
        y: Tensor = self.g_a(x - 0.5) * torch.exp(self.y_log_gain(level))
        return y

    def _hyper_analysis(self, y: Tensor, level: Tensor) -> Tensor:
        """The gained latent z of a gained y."""
        z: Tensor = self.h_a(y * torch.exp(-self.means_log_gain(level))) * torch.exp(self.z_log_gain(level))
        return z

    def _synthesis(self, y_hat: Tensor, level: Tensor) -> Tensor:
        """Pictures of a gained y."""
        x_hat: Tensor = self.g_s(y_hat * torch.exp(self.y_log_gain_inv(level))) + 0.5
        return x_hat

    def forward(self, x: Tensor, level: Tensor) -> dict[str, Any]:
        """Restores pictures at given rate levels and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            level: Rate levels, (N,), each from 0 to `num_levels` - 1.

        Returns:
            `x_hat` (N, 3, H, W), not clamped, and `likelihoods` of the padded picture's `y`, a 16th of its
            sides, and `z`, a 64th.
        """
        y = self._analysis(self._padded(x), level)
        z = self._hyper_analysis(y, level)
        z_means = self.z_mean(level).expand_as(z)
        z_hat, z_likelihoods = self._likelihoods(z, torch.exp(self.z_log_scale(level)).expand_as(z), z_means)
        params = crop_to(self.h_s(z_hat * torch.exp(-self.z_log_gain(level))), y.shape[-2:])
        means, log_scales = params.chunk(2, 1)
        # exp(-8..8) is wider than the table of scales; the clamp keeps early training finite.
        scales = torch.exp((log_scales + self.scales_log_gain(level)).clamp(-8, 8))
        means = means * torch.exp(self.means_log_gain(level))
        y_hat, y_likelihoods = self._likelihoods(y, scales, means)
        x_hat = crop_to(self._synthesis(y_hat, level), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes read from the weights.

        A state dict does not say what `lmbda` levels were trained for: that is the default's.
        """
        sizes = {
            "C1": state_dict["g_a.0.1.weight"].size(0),
            "C2": state_dict["g_a.3.1.weight"].size(0),
            "M": state_dict["y_log_gain.values"].size(1),
            "H": state_dict["h_a.0.weight"].size(0),
            "Z": state_dict["z_mean.values"].size(1),
        }
        net = cls(**sizes, num_levels=state_dict["z_mean.values"].size(0))
        net.load_state_dict(state_dict)
        return net

    # --- lowering ---

    def _lower_scaled(
        self, graph: GraphBuilder, x: Value, table: LevelTable, place: str, *, inverse: bool = False
    ) -> Value:
        """`x` times the exponential of a log-gain, or of its negative."""
        log_gain = table.at_level(graph, place)
        if inverse:
            log_gain = graph.op("mul_scalar", log_gain, value=-1.0)
        return graph.op("mul", x, graph.op("exp", log_gain))

    def _lower_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y = graph.call(self.g_a, graph.op("add_scalar", graph.input("x"), value=-0.5), "g_a")
        return graph.finish({"y": self._lower_scaled(graph, y, self.y_log_gain, "y_log_gain")})

    def _lower_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y_hat = self._lower_scaled(graph, graph.input("y_hat"), self.y_log_gain_inv, "y_log_gain_inv")
        return graph.finish({"x_hat": graph.op("add_scalar", graph.call(self.g_s, y_hat, "g_s"), value=0.5)})

    def _lower_hyper_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y = self._lower_scaled(graph, graph.input("y"), self.means_log_gain, "means_log_gain", inverse=True)
        z = graph.call(self.h_a, y, "h_a")
        return graph.finish({"z": self._lower_scaled(graph, z, self.z_log_gain, "z_log_gain")})

    def _lower_hyper_prior(self) -> LoweredGraph:
        graph = GraphBuilder()
        scales = self.z_log_scale.at_level(graph, "z_log_scale")
        return graph.finish({"scales": scales, "means": self.z_mean.at_level(graph, "z_mean")})

    def _lower_hyper_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        z_hat = self._lower_scaled(graph, graph.input("z_hat"), self.z_log_gain, "z_log_gain", inverse=True)
        params = graph.call(self.h_s, z_hat, "h_s")
        means = graph.op("slice", params, start=0, length=self.M)
        log_scales = graph.op("slice", params, start=self.M, length=self.M)
        return graph.finish(
            {
                "scales": graph.op(
                    "add", log_scales, self.scales_log_gain.at_level(graph, "scales_log_gain")
                ),
                "means": self._lower_scaled(graph, means, self.means_log_gain, "means_log_gain"),
            }
        )

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch.

        Scales stay logarithms up to the choice of a row, so no exponential is taken for a symbol.
        """
        tables = Tables()
        graphs = {name: self._lowered(name) for name in ("g_a", "g_s", "h_a", "h_p", "h_s")}
        conditional = tables.gaussian(
            "gaussian", self.gaussian_conditional, means=True, domain="log", nearest=True
        )
        codec = {
            "type": "hyperprior",
            "analysis": "h_a",
            "synthesis": "h_s",
            "hyper": {"type": "gaussian", "params": "h_p", **conditional},
            "y": {"type": "gaussian", **conditional},
        }
        strides = {"y": 16, "z": 64}
        return PackageParts(graphs, codec, tables.tensors, strides, pad=16, levels=self.num_levels)

    # --- coding ---

    def _lowered(self, name: str) -> LoweredGraph:
        """A part of the model with its gains, as a coding graph."""
        parts = {
            "g_a": self._lower_analysis,
            "g_s": self._lower_synthesis,
            "h_a": self._lower_hyper_analysis,
            "h_p": self._lower_hyper_prior,
            "h_s": self._lower_hyper_synthesis,
        }
        return parts[name]()

    def _exact(self, name: str, level: float, *inputs: Tensor) -> dict[str, Tensor]:
        """Runs a part of the model on the exact engine; it is lowered anew when parameters change."""

        def build() -> coding.Graph:
            lowered = self._lowered(name)
            return coding.Graph(lowered.json, lowered.tensors)

        cache = self._graphs.setdefault(name, KeyedCache())
        graph = cache.get(fingerprint(self.parameters()) + repr(self).encode(), build)
        arrays = [x.detach().float().cpu().contiguous().numpy() for x in inputs]
        return {key: torch.from_numpy(out) for key, out in graph.run(arrays, level=level).items()}

    def _transformed_at(self, name: str, x: Tensor, level: float) -> Tensor:
        """The transform `name` of `x` at a level, for coding; where it runs is as in `PictureModel`."""
        if suits_exact_engine(x):
            try:
                (out,) = self._exact(name, level, x).values()
                return out
            except NotPortableError:
                pass
        in_torch = {"g_a": self._analysis, "h_a": self._hyper_analysis, "g_s": self._synthesis}
        x = x.to(self.z_mean.values)
        return in_torch[name](x, x.new_full((x.shape[0],), level))

    def _indexes(self, log_scales: Tensor) -> Tensor:
        """Row of the table whose scale is nearest in ratio, int32, same shape."""
        scales = self.gaussian_conditional.effective_scale_table().numpy()
        thresholds = coding.thresholds(scales, nearest=True, log=True)
        return torch.from_numpy(coding.indexes(log_scales.contiguous().numpy(), thresholds))

    def _prior(self, shape: Sequence[int], level: float) -> tuple[Tensor, Tensor]:
        """Table rows and means of `z` (N, Z, H, W)."""
        params = self._exact("h_p", level)
        rows, means = self._indexes(params["scales"]), params["means"]
        return rows.expand(*shape).contiguous(), means.expand(*shape).contiguous()

    def _conditional(self, z_hat: Tensor, size: Sequence[int], level: float) -> tuple[Tensor, Tensor]:
        """Table rows and means of `y`, whose size is (H, W)."""
        params = self._exact("h_s", level, z_hat)
        log_scales, means = (crop_to(params[name], size) for name in ("scales", "means"))
        return self._indexes(log_scales), means.contiguous()

    @torch.no_grad()
    def compress(self, x: Tensor, quality: float) -> dict[str, Any]:  # type: ignore[override]
        """Codes pictures.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).
            quality: From 0 to 100; rate and quality rise with it.

        Returns:
            `strings`: [strings of y, strings of z], one each for each picture; `shape`: (H, W) of y; `size`:
            (H, W) of the picture.

        Raises:
            ValueError: the quality is outside 0..100.
        """
        level = self.level_of(quality)
        y = self._transformed_at("g_a", self._padded(x), level)
        z = self._transformed_at("h_a", y, level)
        rows, means = self._prior(z.shape, level)
        z_strings = self.gaussian_conditional.compress(z, rows, means)
        z_hat = self.gaussian_conditional.decompress(z_strings, rows, means=means)
        y_strings = self.gaussian_conditional.compress(y, *self._conditional(z_hat, y.shape[-2:], level))
        return {"strings": [y_strings, z_strings], "shape": y.shape[-2:], "size": x.shape[-2:]}

    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        quality: float,
        size: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """Restores what `compress` wrote.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            quality: As given to `compress`.
            size: (H, W) of the picture, to crop to; None leaves the padding on.

        Returns:
            `x_hat` in [0, 1], (N, 3, H, W).

        Raises:
            LcrsError: a string is damaged or belongs to another model or quality.
            ValueError: the quality is outside 0..100.
        """
        level = self.level_of(quality)
        y_strings, z_strings = check_strings(strings, 2)
        height, width = shape
        z_shape = (len(z_strings), self.z_mean.values.shape[1], -(-height // 4), -(-width // 4))
        rows, means = self._prior(z_shape, level)
        z_hat = self.gaussian_conditional.decompress(z_strings, rows, means=means)
        rows, means = self._conditional(z_hat, shape, level)
        y_hat = self.gaussian_conditional.decompress(y_strings, rows, means=means)
        x_hat = self._transformed_at("g_s", y_hat.to(self.z_mean.values.device), level)
        return {"x_hat": restored_picture(x_hat, size)}
