"""A hyperprior of one network for many rates, with context in space and between channels.

Gains steer the rate, one vector per level, as in Cui et al., "Asymmetric gained deep image compression with
continuous rate adaptation", CVPR 2021. The latent is coded in groups of channels (Minnen and Singh,
"Channel-wise autoregressive entropy models for learned image compression", ICIP 2020), each in two steps of a
checkerboard (He et al., "Checkerboard context model for efficient learned image compression", CVPR 2021): the
space-channel context of He et al., "ELIC: Efficient learned image compression with unevenly grouped
space-channel contextual adaptive coding", CVPR 2022.

Deviations: the transforms are pyramids of pixel-unshuffle and cheap residual blocks (27 kMAC a pixel each);
gains are log-gains, interpolated linearly, and stand after every stage of the transforms too; a gain of y is
the inverse of its step of quantisation, so that the networks of the context see values, not symbols; scales
are logarithms; the prior of `z` is a Gaussian per level and channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value
from lcrs.models.base import get_scale_table
from lcrs.models.codec_tree import CodecTree
from lcrs.models.packing import PackageParts, hyperprior_node
from lcrs.models.strings import check_strings
from lcrs.models.variable_rate.gain_model import GainModel
from lcrs.models.variable_rate.levels import LevelSequential, LevelStage, LevelTable, scaled_at_level
from lcrs.models.variable_rate.plain_keys import rename_plain_keys
from lcrs.models.variable_rate.shuffle_transforms import down, hyper_analysis, hyper_synthesis, up
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GainSpaceChannelHyperprior", "LevelSide"]

_SLOPE = 0.1
# Finer steps than the default table's cost less rate, 0.05 % where that costs 0.13; scales above its last one
# are a few in a million.
_SCALES = (0.11, 64, 96)


class LevelSide(nn.Module):
    """Side information of a group, from that of all and the groups before; a gain and a shift tell the level.

    Args:
        in_channels: Of both together.
        channels: What it gives.
        num_blocks: Depthwise blocks after the 1x1 convolution of the entry.
        num_levels: Number of levels K.
    """

    def __init__(self, in_channels: int, channels: int, num_blocks: int, num_levels: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(in_channels, channels, 1)
        self.blocks = nn.Sequential(*(DepthwiseBlock(channels) for _ in range(num_blocks)))
        self.log_gain = LevelTable(torch.zeros(num_levels, channels))
        self.shift = LevelTable(torch.zeros(num_levels, channels))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Maps `x` (N, C, H, W) at `level` (N,) to (N, C', H, W)."""
        y: Tensor = self.blocks(self.entry(x)) * torch.exp(self.log_gain(level)) + self.shift(level)
        return y

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this network, at the level of a run, to a coding graph."""
        y = graph.call(self.blocks, graph.call(self.entry, x, "entry"), "blocks")
        y = scaled_at_level(graph, y, self.log_gain, "log_gain")
        return graph.op("add", y, self.shift.at_level(graph, "shift"))


class SideFirstChannelGroups(ChannelGroupsLatentCodec):
    """`ChannelGroupsLatentCodec` whose side networks are given side information, then the groups before."""

    def merge_params(self, *args: Tensor) -> Tensor:
        """Side information, then context."""
        return torch.cat(args[::-1], dim=1)


@register_model("gain-space-channel-hyperprior")
class GainSpaceChannelHyperprior(GainModel):
    r"""Hyperprior with space-channel context whose rate is steered by one number.

    .. code-block:: none

        x ── g_a ── y ──┬─────────────── group 0, 1, 2, ... ─────────── y_hat ── * scale ── g_s ── x_hat
                        │                        ▲
                       h_a                       │ side information
                        │                        │
                    * gain_z                    h_s
                        │                        │
                        z ── round ── z_hat ── / gain_z

        groups before ──┐
                     ┌──┴───┐          ┌────────────┐ mean, log scale
        side info ──►│ side ├─────────►│ parameters ├───────────┐
                     └──────┘      ┌──►└────────────┘           ▼
                                   │          round((y - mean) * gain) / gain + mean
                        context ◄──┴── anchors, for the other places

    All gains, those of the stages of the transforms and of the networks of side information included, are
    learned for `num_levels` levels and interpolated between. Shapes, for a picture (N, 3, H, W) padded to
    multiples of 16: y is (N, M, H / 16, W / 16), z (N, Z, ceil(H / 64), ceil(W / 64)), side information
    (N, S, H / 16, W / 16).

    Args:
        C1: Channels at a quarter of the picture's size.
        C2: Channels at an eighth.
        M: Channels of y, at a sixteenth.
        H: Channels inside the hyper transforms.
        Z: Channels of z, at a sixty-fourth.
        S: Channels of side information.
        groups: Channels of each group, M in all; by default [M / 8, M / 4, the rest].
        analysis_blocks: Residual blocks in the three stages of `g_a`.
        synthesis_blocks: The same of `g_s`.
        side_channels: Channels of side information of each group.
        side_blocks: Blocks of the network that gives it.
        context_channels: Channels of what each group's spatial context gives.
        hidden_channels: Channels inside the network that gives each group's parameters.
        num_levels: Number of rate levels K that gains are learned for, at least 2.
        lmbda_min: Lagrangian weight of 255^2 MSE at level 0.
        lmbda_max: The same at level K - 1; levels between are spaced logarithmically.

    Raises:
        ValueError: `groups` do not add up to M, or what is for each group or stage has another length.
    """

    g_a: LevelSequential
    g_s: LevelSequential

    def __init__(
        self,
        C1: int = 64,
        C2: int = 256,
        M: int = 256,
        H: int = 128,
        Z: int = 64,
        S: int = 256,
        groups: Sequence[int] | None = None,
        *,
        analysis_blocks: Sequence[int] = (2, 4, 3),
        synthesis_blocks: Sequence[int] = (3, 4, 2),
        side_channels: Sequence[int] = (128, 192, 256),
        side_blocks: Sequence[int] = (1, 1, 2),
        context_channels: Sequence[int] = (64, 128, 192),
        hidden_channels: Sequence[int] = (128, 192, 320),
        num_levels: int = 8,
        lmbda_min: float = 0.0008,
        lmbda_max: float = 0.13,
    ) -> None:
        super().__init__(
            M,
            Z,
            num_levels=num_levels,
            lmbda_min=lmbda_min,
            lmbda_max=lmbda_max,
            keeps_lmbda=True,
            scale_table=get_scale_table(*_SCALES),
        )
        self.groups = [M // 8, M // 4, M - M // 8 - M // 4] if groups is None else [int(c) for c in groups]
        if sum(self.groups) != M or min(self.groups) < 1:
            raise ValueError(f"groups are {self.groups}, must be positive and add up to M = {M}")
        sizes = {
            "side_channels": side_channels,
            "side_blocks": side_blocks,
            "context_channels": context_channels,
            "hidden_channels": hidden_channels,
        }
        blocks = {"analysis_blocks": analysis_blocks, "synthesis_blocks": synthesis_blocks}
        for name, numbers in (*sizes.items(), *blocks.items()):
            wanted = 3 if name in blocks else len(self.groups)
            if len(numbers) != wanted:
                raise ValueError(f"{name} are {list(numbers)}, must be {wanted}")
        self._sizes: dict[str, Any] = {"C1": C1, "C2": C2, "M": M, "H": H, "Z": Z, "S": S}
        self._sizes |= {"groups": self.groups, **{k: list(v) for k, v in (*blocks.items(), *sizes.items())}}
        self.g_a = _analysis(C1, C2, M, analysis_blocks, num_levels)
        self.g_s = _synthesis(C1, C2, M, synthesis_blocks, num_levels)
        self.h_a = hyper_analysis(M, H, Z)
        self.h_s = hyper_synthesis(Z, H, S)
        self.y_log_gain = LevelTable(self._slope().repeat(1, M) + math.log(4.0))
        self.y_log_scale = LevelTable(torch.zeros(num_levels, M))
        codecs: dict[str, CheckerboardLatentCodec] = {}
        sides: dict[str, LevelSide] = {}
        for k, c in enumerate(self.groups):
            num_side, num_seen = side_channels[k], context_channels[k]
            sides[f"y{k}"] = LevelSide(S + sum(self.groups[:k]), num_side, side_blocks[k], num_levels)
            codecs[f"y{k}"] = self._checkerboard(c, num_side, num_seen, hidden_channels[k])
        known = {name: nn.Identity() for name in list(codecs)[1:]}
        self.latent_codec = SideFirstChannelGroups(codecs, known, side_networks=sides, groups=self.groups)

    def _checkerboard(self, c: int, num_side: int, num_seen: int, hidden: int) -> CheckerboardLatentCodec:
        """The codec of a group of `c` channels."""
        gaussian = GaussianConditionalLatentCodec(
            gaussian_conditional=self.gaussian_conditional,
            quantizer="ste",
            chunks=("means", "scales"),
            domain="log",
            nearest=True,
        )
        parameters = nn.Sequential(
            nn.Conv2d(num_seen + num_side, hidden, 1), nn.LeakyReLU(_SLOPE), nn.Conv2d(hidden, 2 * c, 1)
        )
        context = CheckerboardMaskedConv2d(c, num_seen, 5, padding=2)
        return CheckerboardLatentCodec({"y": gaussian}, parameters, context)

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        lmbda_min, lmbda_max = (float(f"{end:.6g}") for end in self.log_lmbda.double().exp()[[0, -1]])
        return {
            **self._sizes,
            "num_levels": self.num_levels,
            "lmbda_min": lmbda_min,
            "lmbda_max": lmbda_max,
        }

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes and levels read from the weights.

        The keys may be those of the plain network, see `rename_plain_keys`; weights may be binary16.
        """
        state = rename_plain_keys(state_dict)
        ends = state["log_lmbda"].double().exp()
        net = cls(
            **_sizes_of(state),
            num_levels=state["y_log_gain.values"].size(0),
            lmbda_min=ends[0].item(),
            lmbda_max=ends[-1].item(),
        )
        if state.keys() != state_dict.keys():  # the plain network has no tables and masks
            state = {**dict(net.named_buffers(remove_duplicate=False)), **state}
        net.load_state_dict(state)
        return net

    def _analysis(self, x: Tensor, level: Tensor) -> Tensor:
        y: Tensor = self.g_a(x - 0.5, level)
        return y

    def _synthesis(self, y_hat: Tensor, level: Tensor) -> Tensor:
        x_hat: Tensor = self.g_s(y_hat * torch.exp(self.y_log_scale(level)), level) + 0.5
        return x_hat

    def _quantized_y(self, y: Tensor, params: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        log_gain = self.y_log_gain(level)
        out = self.latent_codec(y, params, torch.exp(log_gain), log_gain, level)
        return out["y_hat"], out["likelihoods"]["y"]

    # --- lowering ---

    def _lowerings(self) -> Mapping[str, Callable[[], LoweredGraph]]:
        return {**super()._lowerings(), "y.gain": self._lower_gain}

    def _lower_analysis(self) -> LoweredGraph:
        graph = GraphBuilder()
        x = graph.op("add_scalar", graph.input("x"), value=-0.5)
        return graph.finish({"y": graph.call(self.g_a, x, "g_a")})

    def _lower_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        y_hat = scaled_at_level(graph, graph.input("y_hat"), self.y_log_scale, "y_log_scale")
        return graph.finish({"x_hat": graph.op("add_scalar", graph.call(self.g_s, y_hat, "g_s"), value=0.5)})

    def _lower_hyper_synthesis(self) -> LoweredGraph:
        graph = GraphBuilder()
        z_hat = scaled_at_level(graph, graph.input("z_hat"), self.z_log_gain, "z_log_gain", inverse=True)
        return graph.finish({"side": graph.call(self.h_s, z_hat, "h_s")})

    def _lower_gain(self) -> LoweredGraph:
        graph = GraphBuilder()
        log_gain = self.y_log_gain.at_level(graph, "y_log_gain")
        return graph.finish({"gain": graph.op("exp", log_gain), "log_gain": log_gain})

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch."""
        tree = CodecTree(root="latent_codec")
        prior = tree.gaussian("gaussian", self.gaussian_conditional, means=True, domain="log", nearest=True)
        groups = tree.groups(self.latent_codec, self._sizes["S"])
        codec = hyperprior_node(
            hyper={"type": "gaussian", "params": "h_p", **prior},
            y={"type": "channel_groups", "gain": "y.gain", "groups": groups},
        )
        graphs = {name: lowered() for name, lowered in self._lowerings().items()}
        graphs |= tree.graphs
        strides = {"y": 16, "z": 64}
        return PackageParts(graphs, codec, tree.tables.tensors, strides, pad=16, levels=self.num_levels)

    # --- coding ---

    def _steps(self, level: float) -> dict[str, Any]:
        """What the latent codec is told for coding: gain and logarithm, (M, 1, 1), and the level."""
        return {**self._exact("y.gain", level), "level": level}

    def _encode_y(self, y: Tensor, params: dict[str, Tensor], level: float) -> list[list[bytes]]:
        strings: list[list[bytes]] = self.latent_codec.compress(y, params["side"], **self._steps(level))[
            "strings"
        ]
        return strings

    def _decode_y(
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        params: dict[str, Tensor],
        level: float,
    ) -> Tensor:
        shapes = [(c, *shape) for c in self.groups]
        steps = self._steps(level)
        y_hat: Tensor = self.latent_codec.decompress(strings, shapes, params["side"], **steps)["y_hat"]
        return y_hat

    def _checked_strings(self, strings: Sequence[Sequence[bytes]]) -> Sequence[Sequence[bytes]]:
        return check_strings(strings, 2 if self.entropy_coder == "lcrs" else 1 + 2 * len(self.groups))


def _analysis(C1: int, C2: int, M: int, blocks: Sequence[int], num_levels: int) -> LevelSequential:
    first, second, third = blocks
    return LevelSequential(
        LevelStage(down(3, C1, 4), *_dense(C1, first), channels=C1, num_levels=num_levels),
        LevelStage(down(C1, C2, 2), *_depthwise(C2, second), channels=C2, num_levels=num_levels),
        LevelStage(down(C2, M, 2), *_depthwise(M, third), channels=M, num_levels=num_levels),
    )


def _synthesis(C1: int, C2: int, M: int, blocks: Sequence[int], num_levels: int) -> LevelSequential:
    first, second, third = blocks
    return LevelSequential(
        LevelStage(*_depthwise(M, first), up(M, C2, 2), channels=C2, num_levels=num_levels),
        LevelStage(*_depthwise(C2, second), up(C2, C1, 2), channels=C1, num_levels=num_levels),
        nn.Sequential(*_dense(C1, third), up(C1, 3, 4)),
    )


def _dense(channels: int, count: int) -> list[nn.Module]:
    return [DenseBlock(channels) for _ in range(count)]


def _depthwise(channels: int, count: int) -> list[nn.Module]:
    return [DepthwiseBlock(channels) for _ in range(count)]


def _sizes_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Constructor arguments of the network that has these parameters, levels left out."""
    side = [f"latent_codec.side_networks.y{k}." for k in range(_count(state, "latent_codec.side_networks."))]
    coded = [f"latent_codec.latent_codec.y{k}." for k in range(len(side))]
    contexts = [state[f"{place}context_prediction.weight"] for place in coded]
    return {
        "C1": state["g_a.0.blocks.0.1.weight"].size(0),
        "C2": state["g_a.1.blocks.0.1.weight"].size(0),
        "M": state["y_log_gain.values"].size(1),
        "H": state["h_a.0.weight"].size(0),
        "Z": state["z_mean.values"].size(1),
        "S": state["h_s.6.weight"].size(0),
        "groups": [weight.size(1) for weight in contexts],
        # One of the layers of each stage resamples.
        "analysis_blocks": [_count(state, f"g_a.{i}.blocks.") - 1 for i in range(3)],
        "synthesis_blocks": [_count(state, f"g_s.{stage}.") - 1 for stage in ("0.blocks", "1.blocks", "2")],
        "side_channels": [state[f"{place}entry.weight"].size(0) for place in side],
        "side_blocks": [_count(state, f"{place}blocks.") for place in side],
        "context_channels": [weight.size(0) for weight in contexts],
        "hidden_channels": [state[f"{place}entropy_parameters.0.weight"].size(0) for place in coded],
    }


def _count(state: Mapping[str, Tensor], place: str) -> int:
    """How many children the module at `place` has."""
    return len({key[len(place) :].partition(".")[0] for key in state if key.startswith(place)})
