"""The package of a model that says nothing of packages: its parts are told by their usual names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.errors import NotPortableError
from lcrs.latent_codecs import (
    EntropyBottleneckLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    LatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.layers.lowering import GraphBuilder, Value, lower
from lcrs.models.codec_tree import CodecTree
from lcrs.models.constructor import Unsayable, config_of
from lcrs.models.packing import PackageParts
from lcrs.models.twins import twin_of

__all__ = ["derived_parts"]

_ANALYSIS = ("g_a", "encode", "encoder", "analysis")
_SYNTHESIS = ("g_s", "decode", "decoder", "synthesis")
_SIDES = (64, 128, 256, 512)
"""Sides of pictures on which strides are found: the first that all networks divide."""


class _Magnitude(nn.Module):
    """|y|, which some hyperpriors are given."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.abs(x)

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        return graph.op("abs", x)


def derived_parts(model: nn.Module) -> PackageParts:
    """What a model of the usual kind consists of, for coding without torch.

    Its networks are `g_a` and `g_s` (or `encode` and `decode`). How it codes is its `latent_codec`, or, in a
    model with an `entropy_bottleneck` of its own, and perhaps `h_a`, `h_s`, `gaussian_conditional`,
    `context_prediction` and `entropy_parameters`, that of the usual models whose `forward` does what this
    one's does.

    Args:
        model: In evaluation mode or not; it is not changed.

    Raises:
        NotPortableError: a piece is missing, all of them named with the line to add; or `forward` does
            something else with the pieces; or one has no form in a package.
    """
    g_a, g_s = (_first(model, names) for names in (_ANALYSIS, _SYNTHESIS))
    missing = [*_missing_networks(model, g_a, g_s), *_missing_codec(model), *_missing_config(model)]
    if missing:
        raise NotPortableError(f"{type(model).__name__} lacks for a package: " + "; ".join(missing))
    assert g_a is not None
    assert g_s is not None
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            codec, strides = _checked_codec(model, g_a, g_s)
    finally:
        model.train(was_training)
    tree = CodecTree()
    node = tree.latent(codec, num_channels=strides.pop("channels"))
    graphs = {"g_a": lower(g_a, "g_a"), "g_s": lower(g_s, "g_s", "x_hat"), **tree.graphs}
    pad = getattr(model, "downsampling_factor", None) or math.lcm(*strides.values())
    return PackageParts(graphs, node, tree.tables.tensors, strides, pad=pad)


def _first(model: nn.Module, names: tuple[str, ...]) -> nn.Module | None:
    """The network that the model has under the first of these names."""
    found = (getattr(model, name, None) for name in names)
    return next((network for network in found if isinstance(network, nn.Module)), None)


def _missing_networks(model: nn.Module, g_a: nn.Module | None, g_s: nn.Module | None) -> Iterator[str]:
    if g_a is None:
        yield "the analysis, from pictures to the latent y (self.g_a = nn.Sequential(...))"
    if g_s is None:
        yield "the synthesis, from y_hat to pictures (self.g_s = nn.Sequential(...))"


def _missing_codec(model: nn.Module) -> Iterator[str]:
    if isinstance(getattr(model, "latent_codec", None), LatentCodec):
        return
    if not isinstance(getattr(model, "entropy_bottleneck", None), EntropyBottleneck):
        yield "how y is coded (self.latent_codec = EntropyBottleneckLatentCodec(channels=M), or another)"
        return
    kinds: dict[str, type] = {"h_a": nn.Module, "h_s": nn.Module, "gaussian_conditional": GaussianConditional}
    if "context_prediction" in model._modules or "entropy_parameters" in model._modules:
        kinds |= {"context_prediction": MaskedConv2d, "entropy_parameters": nn.Module}
    lines = {
        "h_a": "the analysis of the hyperprior, from y to z (self.h_a = nn.Sequential(...))",
        "h_s": "what gives scales and means, from z_hat (self.h_s = nn.Sequential(...))",
        "gaussian_conditional": "the model of y (self.gaussian_conditional = GaussianConditional(None))",
        "context_prediction": "the context (self.context_prediction = MaskedConv2d(M, 2 * M, 5, padding=2))",
        "entropy_parameters": "what joins context and h_s (self.entropy_parameters = nn.Sequential(...))",
    }
    has = {name: isinstance(getattr(model, name, None), kind) for name, kind in kinds.items()}
    if any(has.values()):
        yield from (lines[name] for name, there in has.items() if not there)


def _missing_config(model: nn.Module) -> Iterator[str]:
    unsayable = {name: v.type_name for name, v in config_of(model).items() if isinstance(v, Unsayable)}
    if unsayable:
        what = ", ".join(f"{name} is a {kind}" for name, kind in unsayable.items())
        yield (
            f"a configuration of JSON values, for {what} ('config' as a property that returns the "
            'constructor\'s arguments: return {"N": self.N})'
        )


def _checked_codec(model: nn.Module, g_a: nn.Module, g_s: nn.Module) -> tuple[LatentCodec, dict[str, int]]:
    """The latent codec with which the model does what its `forward` does, and the strides."""
    parameter = next(model.parameters(), None)
    device = None if parameter is None else parameter.device
    generator = torch.Generator().manual_seed(0)
    in_channels = getattr(model, "in_channels", 3)
    candidates = list(_codecs(model))
    reasons: list[str] = []
    for side in _sides(model):
        x = torch.rand(1, in_channels, side, side, generator=generator).to(device)
        try:
            y = g_a(x)
            expected = _results(model(x))
        except (RuntimeError, ValueError) as error:
            reasons.append(f"pictures of {side}x{side} fail in forward: {_line(error)}")
            continue
        for codec in candidates:
            codec.eval()
            try:
                out = twin_of(codec)(y)
                strides = _strides(codec, side, y)
                agrees = _agree(expected, {"x_hat": g_s(out["y_hat"]), **out["likelihoods"]})
            except (RuntimeError, ValueError, KeyError) as error:
                reasons.append(_line(error))
                continue
            if strides is None:
                reasons.append(f"the sides of y or z do not divide those of pictures of {side}x{side}")
            elif agrees:
                return codec, strides
            else:
                reasons.append("forward gives other pictures or likelihoods than its parts do")
    detail = "; ".join(dict.fromkeys(reasons))
    raise NotPortableError(
        f"{type(model).__name__} does in forward what no package says: {detail} (define package_parts; or "
        "set downsampling_factor, if only some sizes are legal)"
    )


def _sides(model: nn.Module) -> tuple[int, ...]:
    factor = getattr(model, "downsampling_factor", None)
    return _SIDES if factor is None else (int(factor), 2 * int(factor))


def _codecs(model: nn.Module) -> Iterator[LatentCodec]:
    """The model's own latent codec, or all that its parts could mean."""
    own: Any = getattr(model, "latent_codec", None)
    if isinstance(own, LatentCodec):
        yield own
        return
    parts: Any = model
    bottleneck = parts.entropy_bottleneck
    if not hasattr(model, "h_a"):
        yield EntropyBottleneckLatentCodec(bottleneck)
        return
    for h_a in (parts.h_a, nn.Sequential(_Magnitude(), parts.h_a)):
        for y in _codecs_of_y(parts):
            hyper = HyperLatentCodec(bottleneck, h_a, parts.h_s)
            yield HyperpriorLatentCodec(latent_codec={"y": y, "hyper": hyper})


def _codecs_of_y(parts: Any) -> Iterator[LatentCodec]:
    gaussian, context = parts.gaussian_conditional, getattr(parts, "context_prediction", None)
    if isinstance(context, MaskedConv2d) and not isinstance(context, CheckerboardMaskedConv2d):
        yield RasterScanLatentCodec(gaussian, parts.entropy_parameters, context)
        return
    for chunks in (("scales", "means"), ("means", "scales"), ("scales",)):
        yield GaussianConditionalLatentCodec(gaussian_conditional=gaussian, chunks=chunks)


def _results(out: Any) -> dict[str, Tensor]:
    """What a `forward` returned, by name: CompressAI's mapping, or a tutorial's pair."""
    if isinstance(out, tuple | list) and len(out) >= 2:
        out = {"x_hat": out[0], "likelihoods": out[1]}
    if not isinstance(out, Mapping) or not isinstance(out.get("x_hat"), Tensor):
        raise ValueError("forward returns no 'x_hat' and 'likelihoods'")
    likelihoods = out.get("likelihoods", {})
    if isinstance(likelihoods, Tensor):
        likelihoods = {"y": likelihoods}
    if isinstance(likelihoods, tuple | list):
        likelihoods = dict(zip(("y", "z"), likelihoods, strict=False))
    return {"x_hat": out["x_hat"], **likelihoods}


def _agree(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> bool:
    """Whether `forward` gave what the codec gives, up to rounding; likelihoods where they are named alike."""
    return all(
        value.shape == found[name].shape and torch.allclose(value, found[name], rtol=1e-3, atol=1e-4)
        for name, value in expected.items()
        if name in found
    )


def _strides(codec: LatentCodec, side: int, y: Tensor) -> dict[str, int] | None:
    """Picture samples for one of y and of z, and the channels of y; None if `side` is no multiple of them."""
    latents = {"y": y}
    if isinstance(codec, HyperpriorLatentCodec) and isinstance(codec.hyper, HyperLatentCodec):
        latents["z"] = codec.hyper.h_a(y)
    strides = {name: side // latent.shape[2] for name, latent in latents.items()}
    fits = all(side == size * strides[name] for name, latent in latents.items() for size in latent.shape[2:])
    return {"channels": y.shape[1], **strides} if fits else None


def _line(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message if len(message) < 150 else message[:150] + "..."
