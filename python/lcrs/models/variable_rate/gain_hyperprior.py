"""Continuously variable-rate mean-scale hyperprior with gain units.

The entropy model is the mean-scale hyperprior of Minnen et al. 2018 ("Joint Autoregressive and
Hierarchical Priors for Learned Image Compression", section 3, without the context model); the rate is
steered by gain units, one vector per level and interpolated between levels, as in Cui et al. 2021
("Asymmetric Gained Deep Image Compression with Continuous Rate Adaptation", section 3.2).

Deviations: the transforms are pyramids of pixel-unshuffle and cheap residual blocks (14 kMAC a pixel each),
so that a photo decodes in a fraction of a second on one CPU core; gains are log-gains, interpolated
linearly; means and scales have gains of their own; the prior of `z` is a Gaussian per level and channel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.lowering import GraphBuilder, LoweredGraph
from lcrs.models.packing import PackageParts, Tables, hyperprior_node
from lcrs.models.strings import check_strings
from lcrs.models.variable_rate.gain_model import GainModel
from lcrs.models.variable_rate.levels import LevelTable, scaled_at_level
from lcrs.models.variable_rate.shuffle_transforms import down, hyper_analysis, hyper_synthesis, up
from lcrs.ops import quantize_ste
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GainHyperprior"]


@register_model("gain-hyperprior")
class GainHyperprior(GainModel):
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

    Raises:
        ValueError: there are fewer than 2 levels.
    """

    g_a: nn.Sequential
    g_s: nn.Sequential
    h_s: nn.Sequential

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
        super().__init__(
            M, Z, num_levels=num_levels, lmbda_min=lmbda_min, lmbda_max=lmbda_max, keeps_lmbda=False
        )
        self.config: dict[str, Any] = {"C1": C1, "C2": C2, "M": M, "H": H, "Z": Z, "num_levels": num_levels}
        self.config |= {"lmbda_min": lmbda_min, "lmbda_max": lmbda_max}
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
        self.h_a = hyper_analysis(M, H, Z)
        self.h_s = hyper_synthesis(Z, H, 2 * M)
        slope = self._slope()
        self.y_log_gain = LevelTable(slope.repeat(1, M) + math.log(4.0))
        self.y_log_gain_inv = LevelTable(-slope.repeat(1, M) - math.log(4.0))
        self.means_log_gain = LevelTable(slope.repeat(1, M))
        self.scales_log_gain = LevelTable(slope.repeat(1, M))

    def _analysis(self, x: Tensor, level: Tensor) -> Tensor:
        y: Tensor = self.g_a(x - 0.5) * torch.exp(self.y_log_gain(level))
        return y

    def _hyper_analysis(self, y: Tensor, level: Tensor) -> Tensor:
        return super()._hyper_analysis(y * torch.exp(-self.means_log_gain(level)), level)

    def _synthesis(self, y_hat: Tensor, level: Tensor) -> Tensor:
        x_hat: Tensor = self.g_s(y_hat * torch.exp(self.y_log_gain_inv(level))) + 0.5
        return x_hat

    def _quantized_y(self, y: Tensor, params: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        means, log_scales = params.chunk(2, 1)
        # exp(-8..8) is wider than the table of scales; the clamp keeps early training finite.
        scales = torch.exp((log_scales + self.scales_log_gain(level)).clamp(-8, 8))
        means = means * torch.exp(self.means_log_gain(level))
        _, likelihoods = self.gaussian_conditional(y, scales, means=means)
        return quantize_ste(y - means) + means, likelihoods

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

    def _lower_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y = graph.call(self.g_a, graph.op("add_scalar", graph.input("x"), value=-0.5), "g_a")
        return graph.finish({"y": scaled_at_level(graph, y, self.y_log_gain, "y_log_gain")})

    def _lower_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y_hat = scaled_at_level(graph, graph.input("y_hat"), self.y_log_gain_inv, "y_log_gain_inv")
        return graph.finish({"x_hat": graph.op("add_scalar", graph.call(self.g_s, y_hat, "g_s"), value=0.5)})

    def _lower_hyper_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y = scaled_at_level(graph, graph.input("y"), self.means_log_gain, "means_log_gain", inverse=True)
        z = graph.call(self.h_a, y, "h_a")
        return graph.finish({"z": scaled_at_level(graph, z, self.z_log_gain, "z_log_gain")})

    def _lower_hyper_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        z_hat = scaled_at_level(graph, graph.input("z_hat"), self.z_log_gain, "z_log_gain", inverse=True)
        params = graph.call(self.h_s, z_hat, "h_s")
        means = graph.op("slice", params, start=0, length=self.M)
        log_scales = graph.op("slice", params, start=self.M, length=self.M)
        more = self.scales_log_gain.at_level(graph, "scales_log_gain")
        return graph.finish(
            {
                "scales": graph.op("add", log_scales, more),
                "means": scaled_at_level(graph, means, self.means_log_gain, "means_log_gain"),
            }
        )

    def _hyper_synthesis_in_torch(self, z_hat: Tensor, level: float) -> dict[str, Tensor]:
        means, log_scales = super()._hyper_synthesis_in_torch(z_hat, level)["side"].chunk(2, 1)
        levels = torch.full((1,), level, device=self.z_mean.values.device)
        more, gain = self.scales_log_gain(levels).cpu(), torch.exp(self.means_log_gain(levels)).cpu()
        return {"scales": log_scales + more, "means": means * gain}

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch.

        Scales stay logarithms up to the choice of a row, so no exponential is taken for a symbol.
        """
        tables = Tables()
        graphs = {name: lowered() for name, lowered in self._lowerings().items()}
        conditional = tables.gaussian(
            "gaussian", self.gaussian_conditional, means=True, domain="log", nearest=True
        )
        codec = hyperprior_node(
            hyper={"type": "gaussian", "params": "h_p", **conditional},
            y={"type": "gaussian", **conditional},
        )
        strides = {"y": 16, "z": 64}
        return PackageParts(graphs, codec, tables.tensors, strides, pad=16, levels=self.num_levels)

    # --- coding ---

    def _encode_y(self, y: Tensor, params: dict[str, Tensor], level: float) -> list[list[bytes]]:
        rows = self._indexes(params["scales"])
        return [self.gaussian_conditional.compress(y, rows, params["means"])]

    def _decode_y(
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        params: dict[str, Tensor],
        level: float,
    ) -> Tensor:
        rows = self._indexes(params["scales"])
        return self.gaussian_conditional.decompress(strings[0], rows, means=params["means"])

    def _checked_strings(self, strings: Sequence[Sequence[bytes]]) -> Sequence[Sequence[bytes]]:
        return check_strings(strings, 2)
