"""Variable-rate models: one network for many rates, by a gain of the latent before it is quantised.

Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization and
quantization-reconstruction offsets", DCC 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import EntropyBottleneckVbr
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs import LatentCodec, RasterScanLatentCodec, VariableRasterScanLatentCodec
from lcrs.latent_codecs.hyperprior import decode_any
from lcrs.latent_codecs.shrinkage import ExactShrinkage, reconstructed
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.foreign import coding_scope, note_coded
from lcrs.layers.lowering import GraphBuilder, Value, lower
from lcrs.models.google import (
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from lcrs.models.packing import PackageParts, Tables
from lcrs.models.pictures import crop_to, restored_picture
from lcrs.models.strings import check_strings
from lcrs.ops import LowerBound, quantize_ste
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "JointAutoregressiveHierarchicalPriorsVbr",
    "MeanScaleHyperpriorVbr",
    "ScaleHyperpriorVbr",
]

GAINS = (0.1, 0.13944, 0.19293, 0.26874, 0.37268, 0.51801, 0.71957, 1.0)
"""Scales of the latent at the levels that are trained."""

LMBDAS = (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.1800)
"""Lagrangian weights of 255^2 MSE at those levels."""


class ChannelFactors(nn.Module):
    """Multiplies each channel by a number of its own: `factors` (C,), which are no part of the state dict."""

    factors: Tensor

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        return x * self.factors.to(x).reshape(-1, 1, 1)

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds this layer to a coding graph."""
        return graph.op("mul", x, graph.op("constant", tensor=graph.tensor("factors", self.factors)))


@register_model("bmshj2018-hyperprior-vbr")
class ScaleHyperpriorVbr(ScaleHyperprior):
    """`ScaleHyperprior` at a variable rate.

    .. code-block:: none

        x ── g_a ── y ── * gain ── round ── + offsets ── / gain ── y_hat ── g_s ── x_hat

    A larger gain means finer quantisation: more bits and more quality. Values are reconstructed closer to
    zero than their integers say, by an offset that a small network (`QuantABCD`) gives for a standard
    deviation and a gain.

    Every method takes `stage`, `s` and `inputscale`. At stage 1 the model is `ScaleHyperprior`: no gain, no
    offsets. At stage 2 the gain is `inputscale` if that is not zero, and else `Gain[s]` with `s` brought
    into 0..7; it must be the same for `compress` and `decompress`, and no string carries it. These two take
    `quality` instead, from 0 to 100: what files carry (see `package_parts`), a place between the gains.

    Args:
        N: Channels inside the transforms, and of z.
        M: Channels of y.
        vr_entbttlnck: Quantises z too with a step that depends on the gain.
        **kwargs: As `CompressionModel`.
    """

    def __init__(self, N: int, M: int, vr_entbttlnck: bool = False, **kwargs: Any) -> None:
        super().__init__(N, M, **kwargs)
        self.lmbda = list(LMBDAS)
        self.Gain = nn.Parameter(torch.tensor(GAINS))
        self.levels = len(LMBDAS)
        self.QuantABCD = nn.Sequential(
            nn.Linear(2, 12), nn.ReLU(),
            nn.Linear(12, 12), nn.ReLU(),
            nn.Linear(12, 1),
        )  # fmt: skip
        self.no_quantoffset = False
        self.vr_entbttlnck = bool(vr_entbttlnck)
        if self.vr_entbttlnck:
            self.entropy_bottleneck = EntropyBottleneckVbr(N)
            self.gayn2zqstep = nn.Sequential(
                nn.Linear(1, 10), nn.ReLU(),
                nn.Linear(10, 10), nn.ReLU(),
                nn.Linear(10, 1), nn.Softplus(),
            )  # fmt: skip
            self.lower_bound_zqstep = LowerBound(0.5)
        self._exact_z_network, self._exact_shrinkage = ExactNetwork(), ExactNetwork()

    def scale_of(self, stage: int, s: int, inputscale: float | Tensor = 0) -> Tensor:
        """The gain of the latent, (1,), float32 or wider; see the class.

        Raises:
            ValueError: `stage` is neither 1 nor 2, or `inputscale` is negative or not finite.
        """
        if stage not in (1, 2):
            raise ValueError(f"stage is {stage}, must be 1 or 2")
        if stage == 1:
            return torch.ones_like(self.Gain[:1])
        gains = self.Gain.detach()
        gains = gains if gains.dtype == torch.float64 else gains.float()
        gain = torch.as_tensor(inputscale).detach().to(gains).reshape(1)
        # A number is looked at as it is: torch 2.2 cannot trace a tensor's.
        value = gain.item() if isinstance(inputscale, Tensor) else inputscale
        if not 0 <= value < float("inf"):
            raise ValueError(f"inputscale is {value}, must be positive and finite, or 0")
        return gain if value else gains[min(max(s, 0), self.levels - 1)].abs().reshape(1)

    def scale_of_quality(self, quality: float) -> float:
        """The gain of a file of `quality`, 0 to 100, whose package has the entries of `Gain` as its scales.

        Raises:
            ValueError: the quality is outside 0..100.
        """
        level = coding.level_of(quality, self.levels)
        graph = GraphBuilder()
        lowered = graph.finish({"gain": _lower_gain(graph, self._ladder(2, None))})
        return float(coding.Graph(lowered.json, lowered.tensors).run([], level=level)["gain"].reshape(()))

    def _chosen_scale(
        self, quality: float | None, stage: int, s: int, inputscale: float | Tensor
    ) -> float | Tensor:
        """What `inputscale` is to be, by a quality or by CompressAI's arguments."""
        if quality is None:
            return inputscale
        if (stage, s) != (2, 1) or isinstance(inputscale, Tensor) or inputscale:
            raise ValueError(f"quality {quality} and one of stage, s and inputscale are given, one is enough")
        return self.scale_of_quality(quality)

    def _reconstruct(self, y: Tensor, scales: Tensor, means: Tensor | None, gain: Tensor) -> Tensor:
        """Quantise y (straight-through) at `gain` and reconstruct it with offsets."""
        symbols = quantize_ste((y if means is None else y - means) * gain)
        return self._shrunk(symbols, scales, means, gain)

    def _shrunk(self, symbols: Tensor, scales: Tensor, means: Tensor | None, gain: Tensor) -> Tensor:
        """Values of quantised `symbols`, brought closer to zero by offsets."""
        offsets = None if self.no_quantoffset else self.QuantABCD
        bound = self.gaussian_conditional.lower_bound_scale
        return reconstructed(symbols, scales, means, gain, bound, offsets)

    def _z_step(self, gain: Tensor) -> Tensor:
        """Step of quantisation of z, (1,)."""
        step: Tensor = self.lower_bound_zqstep(self.gayn2zqstep(1.0 / gain))
        return step

    def _quantize_z(self, z: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """z, rounded (straight-through) around its medians, and its likelihoods."""
        if isinstance(self.entropy_bottleneck, EntropyBottleneckVbr):
            z_hat, likelihoods = self.entropy_bottleneck(z, qs=self._z_step(gain)[0])
            return z_hat, likelihoods
        _, likelihoods = self.entropy_bottleneck(z)
        medians = self.entropy_bottleneck._get_medians().reshape(1, -1, 1, 1)
        return quantize_ste(z - medians) + medians, likelihoods

    def _quantize_y(self, y: Tensor, params: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        """y, rounded and reconstructed, and its likelihoods, under what `h_s` gave."""
        scales, means = self._scales_and_means(params)
        scaled_means = None if means is None else means * gain
        _, likelihoods = self.gaussian_conditional(y * gain, scales * gain, means=scaled_means)
        return self._reconstruct(y, scales, means, gain), likelihoods

    def forward(
        self, x: Tensor, stage: int = 2, s: int = 1, inputscale: float | Tensor = 0
    ) -> dict[str, Any]:
        """Restores pictures and measures their rate; as `ScaleHyperprior`, at a gain as the class says."""
        gain = self.scale_of(stage, s, inputscale).to(self.Gain.dtype)
        if stage == 1:
            return super().forward(x)
        y = self.g_a(self._padded(x))
        z_hat, z_likelihoods = self._quantize_z(self._hyper_analysis(y), gain)
        y_hat, y_likelihoods = self._quantize_y(y, self.h_s(z_hat), gain)
        x_hat = crop_to(self.g_s(y_hat), x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    @coding_scope()
    @torch.no_grad()
    def compress(
        self,
        x: Tensor,
        stage: int = 2,
        s: int = 1,
        inputscale: float | Tensor = 0,
        *,
        quality: float | None = None,
    ) -> dict[str, Any]:
        """Codes pictures at a gain as the class says; arguments and result as in `ScaleHyperprior`."""
        inputscale = self._chosen_scale(quality, stage, s, inputscale)
        gain = self.scale_of(stage, s, inputscale)
        y = self._transformed("g_a", self._padded(x))
        z = self._transformed("h_a", self._hyper_input(y))
        step = self._step_arguments(stage, gain)
        z_strings = self.entropy_bottleneck.compress(z, *step)
        z_hat = self.entropy_bottleneck.restore(z, *step)
        params = self._exact_h_s.run(self.h_s, z_hat, "h_s")
        if stage == 1:
            y_strings = self._code_unscaled_y(y, params, self.scale_of(2, s, inputscale))
        else:
            y_strings = self._code_scaled_y(y, params, gain)
        return {"strings": [y_strings, z_strings], "shape": z.shape[-2:], "size": x.shape[-2:]}

    @coding_scope()
    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: Sequence[Sequence[bytes]],
        shape: Sequence[int],
        stage: int = 2,
        s: int = 1,
        inputscale: float | Tensor = 0,
        size: Sequence[int] | None = None,
        *,
        quality: float | None = None,
    ) -> dict[str, Any]:
        """Restores what `compress` wrote at the same gain; arguments and result as in `ScaleHyperprior`."""
        inputscale = self._chosen_scale(quality, stage, s, inputscale)
        gain = self.scale_of(stage, s, inputscale)
        check_strings(strings, 2)

        def decode(part: Sequence[Sequence[bytes]], exact: bool) -> dict[str, Tensor]:
            z_hat = self.entropy_bottleneck.decompress(part[1], shape, *self._step_arguments(stage, gain))
            params = self._side(z_hat, exact)
            if stage == 1:
                ignored = self.scale_of(2, s, inputscale)
                return {"y_hat": self._decode_unscaled_y(part[0], params, ignored, exact)}
            return {"y_hat": self._decode_scaled_y(part[0], params, gain, exact)}

        y_hat = decode_any(self.entropy_coder, strings, decode)["y_hat"]
        x_hat = self._transformed("g_s", y_hat.to(self.Gain.device))
        return {"x_hat": restored_picture(x_hat, size, self.g_s)}

    def step_of_z(self, s: int = 1, inputscale: float | Tensor = 0) -> tuple[float, ...]:
        """The step of z at a gain, or nothing where that does not depend on it: what comes last in the
        arguments of its entropy bottleneck.
        """
        return self._step_arguments(2, self.scale_of(2, s, inputscale))

    def _step_arguments(self, stage: int, gain: Tensor) -> tuple[float, ...]:
        """What the entropy bottleneck is to be told for coding: the step of z, the same on every machine."""
        if not self.vr_entbttlnck or stage == 1:
            return ()
        inverse = (1.0 / gain.detach().cpu().float()).reshape(1, 1, 1, 1)
        step = self._exact_z_network.run(self.gayn2zqstep, inverse, "gayn2zqstep", features_last=True)
        return (max(step.item(), self.lower_bound_zqstep.bound.item()),)

    def _code_unscaled_y(self, y: Tensor, params: Tensor, ignored_scale: Tensor) -> list[bytes]:
        """Strings of y at stage 1."""
        return self._code_y(y, params)

    def _decode_unscaled_y(
        self, strings: Sequence[bytes], params: Tensor, ignored_scale: Tensor, exact: bool
    ) -> Tensor:
        """The latent that `_code_unscaled_y` coded."""
        return self._decode_y(strings, params, exact)

    def _code_scaled_y(self, y: Tensor, params: Tensor, gain: Tensor) -> list[bytes]:
        """Strings of y at `gain`, under the exact `params` that `h_s` gave."""
        scales, means = self._scales_and_means(params)
        factor = gain.cpu()
        centred = y.cpu() if means is None else y.cpu() - means
        indexes = self.gaussian_conditional.build_indexes(scales * factor)
        note_coded(params.cpu().numpy, is_encoding=True)  # decoding adds means and offsets of scales
        return self.gaussian_conditional.compress(centred * factor, indexes)

    def _decode_scaled_y(self, strings: Sequence[bytes], params: Tensor, gain: Tensor, exact: bool) -> Tensor:
        """The latent that `_code_scaled_y` coded, with offsets."""
        scales, means = self._scales_and_means(params)
        indexes = self.gaussian_conditional.build_indexes(scales * gain.to(scales.device))
        note_coded(params.cpu().numpy, is_encoding=False)
        symbols = self.gaussian_conditional.decompress(strings, indexes)
        if not exact:
            return self._shrunk(symbols.to(scales), scales, means, gain.to(scales))
        offsets = None if self.no_quantoffset else ExactShrinkage(self._exact_shrinkage, self.QuantABCD)
        least = self._least_scale
        return reconstructed(symbols, scales, means, gain.cpu(), lambda s: s.clamp(min=least), offsets)

    @property
    def _least_scale(self) -> float:
        """Scales below it count as this."""
        return self.gaussian_conditional.lower_bound_scale.bound.item()

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N, "M": self.M, "vr_entbttlnck": self.vr_entbttlnck}

    def package_parts(self, stage: int = 2, scales: Sequence[float] | None = None) -> PackageParts:
        """Graphs and tables for coding without torch, at one stage.

        At stage 2 a file carries its gain as a quality: from 0 to 100, a place in `scales`, whose entries
        are interpolated linearly. So with the entries of `Gain` a file of quality `100 * s / 7` has the
        symbols of `s`, and other scales have a quality too (`lcrs.coding.quality_of_scale`), if they lie
        between the first and the last.

        Args:
            stage: 1 for files without gain or quality, as those of `ScaleHyperprior`; or 2.
            scales: At least two, positive and ascending; by default those of `Gain`. With others, files can
                have any `inputscale`.

        Raises:
            NotPortableError: a network does not lower.
            ValueError: `stage` or `scales` are not as above.
        """
        ladder = self._ladder(stage, scales)
        parts = super().package_parts()
        if stage == 1:
            return parts
        tables = Tables(dict(parts.tensors))
        graphs = dict(parts.graphs)
        codec = {**parts.codec, "y": {**parts.codec["y"], "gain": "y.gain"}}
        graph = GraphBuilder()
        graphs["y.gain"] = graph.finish({"gain": _lower_gain(graph, ladder)})
        if not self.no_quantoffset:
            graphs["y.shrinkage"] = lower(self.QuantABCD, "QuantABCD")
            codec["y"]["shrinkage"] = {"network": "y.shrinkage", "bound": self._least_scale}
        if isinstance(self.entropy_bottleneck, EntropyBottleneckVbr):
            graph = GraphBuilder()
            graphs["z.step"] = graph.finish({"step": self._lower_z_step(graph, _lower_gain(graph, ladder))})
            tables = Tables({k: v for k, v in parts.tensors.items() if not k.startswith("z.")})
            codec["hyper"] = tables.density("z", self.entropy_bottleneck, "z.step")
        return replace(parts, graphs=graphs, codec=codec, tensors=tables.tensors, levels=len(ladder))

    def _ladder(self, stage: int, scales: Sequence[float] | None) -> Tensor:
        """The checked scales of a package, (levels,)."""
        self.scale_of(stage, 0)  # checks the stage
        if scales is None:
            return self.Gain.abs()
        if stage == 1:
            raise ValueError("stage 1 has no scale")
        ladder = torch.tensor(scales, dtype=torch.float32)
        rises = ladder.dim() == 1 and len(ladder) >= 2 and bool((ladder[1:] > ladder[:-1]).all())
        if not (rises and ladder[0] > 0 and torch.isfinite(ladder[-1])):
            raise ValueError(f"scales are {list(scales)}, must be at least 2, positive, finite, ascending")
        return ladder

    def _lower_z_step(self, graph: GraphBuilder, gain: Value) -> Value:
        """The step of z at `gain`, as `_step_arguments` has it."""
        one = graph.op("constant", tensor=graph.tensor("one", torch.ones(1)))
        step = graph.call(self.gayn2zqstep, graph.op("div", one, gain), "gayn2zqstep")
        return graph.op("clamp", step, min=self.lower_bound_zqstep.bound.item())

    def update(  # type: ignore[override]
        self,
        scale_table: Sequence[float] | Tensor | None = None,
        force: bool = False,
        scale: Tensor | float | None = None,
        update_quantiles: bool = False,
    ) -> bool:
        """Fill the table buffers; as `CompressionModel.update`. Never needed.

        Args:
            scale_table: As there.
            force: As there.
            scale: Where z has a step of its own: for which scale of y; None is for a step of 1.
            update_quantiles: As there.
        """
        updated = super().update(scale_table, force, update_quantiles)
        if isinstance(self.entropy_bottleneck, EntropyBottleneckVbr) and scale is not None:
            (step,) = self._step_arguments(2, self.scale_of(2, 0, scale))
            updated |= self.entropy_bottleneck.update_variable(force, step)
        return updated

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor], vr_entbttlnck: bool | None = None) -> Self:
        """The model that `state_dict` belongs to; `vr_entbttlnck`, when None, is read from its keys."""
        N, M = state_dict["g_a.0.weight"].size(0), state_dict["g_a.6.weight"].size(0)
        has_step = "gayn2zqstep.0.weight" in state_dict if vr_entbttlnck is None else vr_entbttlnck
        net = cls(N, M, vr_entbttlnck=True) if has_step else cls(N, M)
        net.load_state_dict(state_dict)
        return net


def _lower_gain(graph: GraphBuilder, ladder: Tensor) -> Value:
    """The gain at the level of a run, (1, 1, 1), between those of `ladder` (levels,)."""
    return graph.op("interpolate", tensor=graph.tensor("Gain", ladder[:, None]))


@register_model("mbt2018-mean-vbr")
class MeanScaleHyperpriorVbr(ScaleHyperpriorVbr, MeanScaleHyperprior):
    """`MeanScaleHyperprior` at a variable rate; as `ScaleHyperpriorVbr`."""

    def __init__(self, N: int = 192, M: int = 320, vr_entbttlnck: bool = False, **kwargs: Any) -> None:
        super().__init__(N, M, vr_entbttlnck=vr_entbttlnck, **kwargs)


@register_model("mbt2018-vbr")
class JointAutoregressiveHierarchicalPriorsVbr(ScaleHyperpriorVbr, JointAutoregressiveHierarchicalPriors):
    """`JointAutoregressiveHierarchicalPriors` at a variable rate; as `ScaleHyperpriorVbr`.

    The context is what the decoder will have, in training as well: values are quantised one after the other,
    those that do not depend on each other at once. `scale_to_context` tells the context of the gain.
    """

    def __init__(self, N: int = 192, M: int = 320, vr_entbttlnck: bool = False, **kwargs: Any) -> None:
        super().__init__(N, M, vr_entbttlnck=vr_entbttlnck, **kwargs)
        self.ste_recursive = True
        self.scl2ctx = True
        self.scale_to_context = nn.Linear(1, 2 * M)
        self._variable_scans = RasterScanLatentCodec(context_prediction=self.context_prediction)._scans

    def package_parts(self, stage: int = 2, scales: Sequence[float] | None = None) -> PackageParts:
        """As in `ScaleHyperpriorVbr`; the context depends on the gain, too."""
        parts = super().package_parts(stage, scales)
        if not self.scl2ctx or stage == 1:
            return parts
        graph = GraphBuilder()
        gain = _lower_gain(graph, self._ladder(stage, scales))
        bias = graph.call(self.scale_to_context, gain, "scale_to_context")
        if self.context_prediction.bias is not None:
            own = graph.tensor("context_prediction.bias", self.context_prediction.bias)
            bias = graph.op("add", bias, graph.op("constant", tensor=own))
        graphs = {**parts.graphs, "y.context_bias": graph.finish({"bias": bias})}
        codec = {**parts.codec, "y": {**parts.codec["y"], "context_bias": "y.context_bias"}}
        return replace(parts, graphs=graphs, codec=codec)

    def _quantize_y(self, y: Tensor, params: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        out = self._variable_y_codec()(y, params, gain)
        return out["y_hat"], out["likelihoods"]["y"]

    def _code_unscaled_y(self, y: Tensor, params: Tensor, ignored_scale: Tensor) -> list[bytes]:
        if is_overridden(self, "_compress_ar"):
            return self._code_one_by_one(y, params, ignored_scale, 1 / ignored_scale, 1)
        strings: list[bytes] = self._unscaled_scan(ignored_scale).compress(y, params)["strings"][0]
        return strings

    def _decode_unscaled_y(
        self, strings: Sequence[bytes], params: Tensor, ignored_scale: Tensor, exact: bool
    ) -> Tensor:
        if is_overridden(self, "_decompress_ar"):
            return self._decode_one_by_one(strings, params, ignored_scale, 1 / ignored_scale, 1)
        scan = self._unscaled_scan(ignored_scale)
        y_hat: Tensor = scan.decompress([strings], params.shape[-2:], params, exact=exact)["y_hat"]
        return y_hat

    def _unscaled_scan(self, ignored_scale: Tensor) -> RasterScanLatentCodec:
        """The codec of y at stage 1.

        CompressAI picks the table's rows by scales that are multiplied as at stage 2, though values are not;
        its strings ("ans") are longer for it, and so are ours of that kind.
        """
        scan = self._y_codec()
        if self.entropy_coder == "ans":
            factors = torch.cat((ignored_scale.cpu().expand(self.M), torch.ones(self.M)))
            scan.entropy_parameters = nn.Sequential(self.entropy_parameters, ChannelFactors(factors))
        return scan

    def _code_scaled_y(self, y: Tensor, params: Tensor, gain: Tensor) -> list[bytes]:
        if is_overridden(self, "_compress_ar"):
            return self._code_one_by_one(y, params, gain, 1 / gain, 2)
        strings: list[bytes] = self._variable_y_codec().compress(y, params, gain)["strings"][0]
        return strings

    def _decode_scaled_y(self, strings: Sequence[bytes], params: Tensor, gain: Tensor, exact: bool) -> Tensor:
        if is_overridden(self, "_decompress_ar"):
            return self._decode_one_by_one(strings, params, gain, 1 / gain, 2)
        codec = self._variable_y_codec()
        y_hat: Tensor = codec.decompress([strings], params.shape[-2:], params, gain, exact=exact)["y_hat"]
        return y_hat

    def _codec_of_one(
        self, kernel_size: int, padding: int, *rate: Any
    ) -> tuple[LatentCodec, tuple[Any, ...]]:
        super()._codec_of_one(kernel_size, padding)
        if len(rate) != 3:
            raise ValueError(f"scale, rescale and stage are needed; {len(rate)} arguments are given")
        gain, _, stage = rate
        gain = gain.detach().reshape(1)
        return (self._unscaled_scan(gain), ()) if stage == 1 else (self._variable_y_codec(), (gain,))

    def _variable_y_codec(self) -> VariableRasterScanLatentCodec:
        """The codec of y at stage 2, made of this model's parts.

        Raises:
            ValueError: `ste_recursive` is false, which CompressAI's forward refuses, too.
        """
        if not self.ste_recursive:
            raise ValueError(
                f"ste_recursive is {self.ste_recursive}: True alone is supported, a context of values "
                "that are quantised one after the other"
            )
        codec = VariableRasterScanLatentCodec(
            self.gaussian_conditional,
            self.entropy_parameters,
            self.context_prediction,
            offsets=None if self.no_quantoffset else self.QuantABCD,
            scale_to_context=self.scale_to_context if self.scl2ctx else None,
        )
        codec._scans = self._variable_scans
        return codec.train(self.training)
