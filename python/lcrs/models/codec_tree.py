"""Codec trees of latent codecs: what a package says of how latents are coded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import GaussianConditional
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.errors import NotPortableError
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    EntropyBottleneckLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.latent_codecs.base import LatentCodec
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, Value, lower
from lcrs.models.packing import Tables, hyperprior_node

__all__ = ["CodecTree", "gaussian_outputs"]


@dataclass
class CodecTree:
    """Writes the tree of a latent codec, and collects the graphs and tables that it names.

    Attributes:
        graphs: Graphs so far, by name.
        tables: Tensors so far.
        root: Where the codec of y is in the model: tensors of networks then have the keys of its state dict,
            so that a network can be had back from a package. By default they have short names.
    """

    graphs: dict[str, LoweredGraph] = field(default_factory=dict)
    tables: Tables = field(default_factory=Tables)
    root: str | None = None
    _places: dict[tuple[int, str, bool], str] = field(default_factory=dict)

    def latent(self, codec: LatentCodec, num_channels: int) -> dict[str, Any]:
        """The tree of `codec` for y, of `num_channels` channels.

        Raises:
            NotPortableError: a package cannot say this codec, or a network does not lower.
        """
        _check_plain(codec, "y")
        if isinstance(codec, EntropyBottleneckLatentCodec):
            return {
                "type": "factorized",
                "latent": "y",
                **self.tables.factorized("y", codec.entropy_bottleneck),
            }
        if type(codec) is HyperpriorLatentCodec and type(codec.hyper) is HyperLatentCodec:
            return self._hyperprior(codec.y, codec.hyper, num_channels)
        if type(codec) is HyperpriorLatentCodec:
            raise _refusal(codec.hyper, "hyper")
        raise _refusal(codec, "y")

    def _hyperprior(self, y: LatentCodec, hyper: HyperLatentCodec, num_channels: int) -> dict[str, Any]:
        bottleneck = hyper.entropy_bottleneck
        if bottleneck is None:
            raise ValueError("the hyper codec has no entropy_bottleneck")
        self.graphs["h_a"] = lower(hyper.h_a, "h_a", "z")
        return hyperprior_node(
            hyper={"type": "factorized", **self.tables.factorized("z", bottleneck)},
            y=self.conditional(y, hyper.h_s, bottleneck.channels, num_channels),
        )

    def conditional(
        self, codec: LatentCodec, h_s: nn.Module, num_z_channels: int, num_channels: int
    ) -> dict[str, Any]:
        """The tree of the codec of y, given what `h_s` makes of z; graph "h_s" goes with it.

        Raises:
            NotPortableError: a package cannot say this codec, or a network does not lower.
        """
        _check_plain(codec, "y")
        graph = GraphBuilder()
        params = graph.call(h_s, graph.input("z_hat"), "h_s")
        if isinstance(codec, GaussianConditionalLatentCodec):
            outputs = gaussian_outputs(graph, codec, params, num_channels)
            self.graphs["h_s"] = graph.finish(outputs)
            return {"type": "gaussian", **self._gaussian("y", codec, outputs)}
        self.graphs["h_s"] = graph.finish({"side": params})
        if isinstance(codec, ChannelGroupsLatentCodec):
            num_side_channels = _num_out_channels(h_s, num_z_channels)
            return {"type": "channel_groups", "groups": self.groups(codec, num_side_channels)}
        return self._scan("y", codec)

    def gaussian(
        self, place: str, model: GaussianConditional, *, means: bool, domain: str, nearest: bool
    ) -> dict[str, Any]:
        """Members of a node that codes with `model`, as `Tables.gaussian`; equal ones share their tensors."""
        place = self._places.setdefault((id(model), domain, nearest), place)
        return self.tables.gaussian(place, model, means=means, domain=domain, nearest=nearest)

    def groups(self, codec: ChannelGroupsLatentCodec, num_side_channels: int) -> list[dict[str, Any]]:
        """The nodes of the groups of `codec`, which is given side information of so many channels.

        Raises:
            NotPortableError: a package cannot say a group, or a network does not lower.
        """
        groups = []
        for k, size in enumerate(codec.groups):
            place, inner = f"y{k}", codec[f"y{k}"]
            _check_plain(inner, place)
            graph = GraphBuilder()
            params = graph.input("side")
            if k:
                with graph.at(self.root or ""):
                    params = _channel_context(graph, codec, k, (params, num_side_channels))
            if codec.side_networks:
                where = self._inside(f"side_networks.{place}", f"{place}.side_network")
                params = graph.call(codec.side_networks[place], params, where)
            if isinstance(inner, GaussianConditionalLatentCodec):
                outputs = gaussian_outputs(graph, inner, params, size)
                node = {"type": "gaussian", **self._gaussian(place, inner, outputs)}
            else:
                outputs = {"side": params}
                node = self._scan(place, inner)
            self.graphs[f"{place}.side"] = graph.finish(outputs)
            groups.append({"channels": size, "side": f"{place}.side", **node})
        return groups

    def _scan(self, place: str, codec: nn.Module) -> dict[str, Any]:
        """The node of a codec that scans, without groups."""
        if is_overridden(codec, "merge") or "merge" in vars(codec):
            raise _refusal(codec, place)
        if isinstance(codec, RasterScanLatentCodec):
            kind: dict[str, Any] = {"type": "raster"}
            inner = GaussianConditionalLatentCodec(gaussian_conditional=codec.gaussian_conditional)
            num_channels = codec.context_prediction.in_channels
        elif isinstance(codec, CheckerboardLatentCodec):
            kind = {"type": "checkerboard", "first": codec.anchor_parity}
            _check_plain(codec.y, f"{place}.y")
            if not isinstance(codec.y, GaussianConditionalLatentCodec):
                raise _refusal(codec.y, f"{place}.y")
            inner = codec.y
            if not isinstance(codec.context_prediction, nn.Conv2d):
                raise _refusal(codec, place)
            num_channels = codec.context_prediction.in_channels
        else:
            raise _refusal(codec, place)
        context = codec.context_prediction
        where = self._inside(f"latent_codec.{place}", place)
        self.graphs[f"{place}.context"] = lower(context, f"{where}.context_prediction", "context")
        graph = GraphBuilder()
        side, seen = graph.input("side"), graph.input("context")
        order = (side, seen) if isinstance(codec, RasterScanLatentCodec) else (seen, side)
        merged = graph.op("concat", *order)
        params = graph.call(codec.entropy_parameters, merged, f"{where}.entropy_parameters")
        outputs = gaussian_outputs(graph, inner, params, num_channels)
        self.graphs[f"{place}.parameters"] = graph.finish(outputs)
        names = {"context": f"{place}.context", "parameters": f"{place}.parameters"}
        return {**kind, **names, **self._gaussian(place, inner, outputs)}

    def _gaussian(
        self, place: str, codec: GaussianConditionalLatentCodec, outputs: dict[str, Value]
    ) -> dict[str, Any]:
        means, domain, nearest = "means" in outputs, codec.domain, codec.nearest
        return self.gaussian(place, codec.gaussian_conditional, means=means, domain=domain, nearest=nearest)

    def _inside(self, place: str, short: str) -> str:
        """Where a network of the codec of y is, in the names of tensors."""
        return short if self.root is None else f"{self.root}.{place}"


def gaussian_outputs(
    graph: GraphBuilder, codec: GaussianConditionalLatentCodec, params: Value, num_channels: int
) -> dict[str, Value]:
    """Scales and means of a latent of `num_channels` channels, as outputs of `graph`."""
    params = graph.call(codec.entropy_parameters, params, "entropy_parameters")
    if codec.chunks == ("scales",):
        return {"scales": params}
    if codec.chunks == ("means",):
        ones = graph.tensor("scales", torch.ones(num_channels))
        return {"scales": graph.op("constant", tensor=ones), "means": params}
    return {
        name: graph.op("slice", params, start=k * num_channels, length=num_channels)
        for k, name in enumerate(codec.chunks)
    }


def _channel_context(
    graph: GraphBuilder, codec: ChannelGroupsLatentCodec, k: int, side: tuple[Value, int]
) -> Value:
    """What the codec of group `k` is given, from the values of the groups before and side information."""
    sizes = codec.groups[:k]
    known = _rearranged(graph, graph.input("known"), sum(sizes), codec.merge_y, sizes)
    network = codec.channel_context[f"y{k}"]
    context = graph.call(network, known, f"channel_context.y{k}")
    num_context = _num_out_channels(network, codec.merge_y(*_numbered(sizes)).shape[1])
    counts = [num_context, side[1]]
    side_first = codec.merge_params(*_numbered(counts)).flatten().tolist() == [
        *range(num_context, sum(counts)),
        *range(num_context),
    ]
    if side_first:
        return graph.op("concat", side[0], context)
    both = graph.op("concat", context, side[0])
    return _rearranged(graph, both, sum(counts), codec.merge_params, counts)


def _rearranged(
    graph: GraphBuilder,
    value: Value,
    num_channels: int,
    merge: Callable[..., Tensor],
    sizes: Sequence[int],
) -> Value:
    """What `merge` makes of the parts of `value`, of `sizes` channels: found by letting it merge numbers."""
    numbers = merge(*_numbered(sizes)).flatten().tolist()
    if numbers == list(range(num_channels)):
        return value
    breaks = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    runs = itertools.pairwise([0, *breaks, len(numbers)])
    parts = [graph.op("slice", value, start=int(numbers[a]), length=b - a) for a, b in runs]
    return parts[0] if len(parts) == 1 else graph.op("concat", *parts)


def _numbered(sizes: Sequence[int]) -> Sequence[Tensor]:
    """Tensors (1, C, 1, 1) of these numbers of channels, each of which has its number overall."""
    numbers = torch.arange(float(sum(sizes))).reshape(1, -1, 1, 1)
    return torch.split(numbers, list(sizes), dim=1)


def _num_out_channels(network: nn.Module, num_in_channels: int) -> int:
    device = next((p.device for p in network.parameters()), None)
    with torch.no_grad():
        out: Tensor = network(torch.zeros(1, num_in_channels, 1, 1, device=device))
    return out.shape[1]


def _check_plain(codec: nn.Module, place: str) -> None:
    """Refuses a codec of a derived class that codes in another way than the class here."""
    if is_overridden(codec, "encode", "decode", "compress", "decompress"):
        raise _refusal(codec, place)


def _refusal(codec: nn.Module, place: str) -> NotPortableError:
    return NotPortableError(f"{type(codec).__name__} at {place!r} has no form in a package")
