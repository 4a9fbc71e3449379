"""How symbols of a latent become known, step by step. Latents are (C, H, W)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reader import arithmetic, layers
from reader.arithmetic import F32
from reader.graph import Graphs
from reader.lattices import Scaled, Whole
from reader.streams import Ans, Native, Table
from reader.wrong import WrongFile, need

Places = list[tuple[int, int]]


class Coder:
    """One section: numbers its symbols, pulls them from a stream or, without one, takes those of ``y``."""

    def __init__(self, stream: Ans | Native | None, y: np.ndarray | None = None):
        self.stream, self.y = stream, y
        self.symbols: list[int] = []

    def code(self, table: Table, rows, means, channels: slice, place: tuple[int, int], lattice: Whole):
        """The values of some channels at one place, whose table rows and means are known."""
        if self.stream is not None:
            symbols = np.array([self.stream.pull(int(row), table) for row in rows], np.int64)
        else:
            symbols = lattice.quantize(self.y[channels, place[0], place[1]], means)
        need((np.abs(symbols) < 1 << 24).all(), "a symbol of 2^24 or more")
        self.symbols += symbols.tolist()
        values = lattice.dequantize(symbols, means)
        need(np.isfinite(values).all(), f"values at {place}")
        return values


@dataclass
class Gain:
    """Inverses of steps, one a channel or one for all, and what is added to logarithms of scales."""

    gain: np.ndarray
    log_gain: np.ndarray | None

    @classmethod
    def read(cls, name: str, domain: str, graphs: Graphs) -> Gain:
        outputs = {output: value[:, 0, 0] for output, value in graphs.run(name).items()}
        if domain == "log":
            need(set(outputs) == {"gain", "log_gain"}, f"outputs {set(outputs)} of graph {name}")
            gain = cls(outputs["gain"], outputs["log_gain"])
            need(len(gain.gain) == len(gain.log_gain), f"{len(gain.log_gain)} logarithms")
            need(np.isfinite(gain.log_gain).all(), f"logarithms {gain.log_gain}")
        else:
            need(domain == "linear", f"domain {domain}")
            (only,) = outputs.values()
            gain = cls(only, None)
        need(((gain.gain > 0) & np.isfinite(gain.gain)).all(), f"gain {gain.gain}")
        return gain

    def of(self, channels: slice) -> Gain:
        """That of some channels."""
        one = len(self.gain) == 1
        log_gain = self.log_gain if one or self.log_gain is None else self.log_gain[channels]
        return Gain(self.gain if one else self.gain[channels], log_gain)

    def scale(self, scales: np.ndarray) -> np.ndarray:
        """Scales of (C, H, W)."""
        if self.log_gain is None:
            return scales * self.gain[:, None, None]
        return scales + self.log_gain[:, None, None]


class Prior:
    """Table rows by scales, and means; ``gain`` and ``shrinkage`` may be those of all groups."""

    def __init__(self, node: dict[str, Any], graphs: Graphs, gain: Gain | None = None, shrinkage: Any = None):
        self.graphs = graphs
        self.table = Table.read(node["table"], graphs.tensors)
        self.thresholds = graphs.numbers(node["thresholds"])
        self.has_means = node["means"]
        need(gain is None or not node.get("gain"), "a gain in two places")
        own = Gain.read(node["gain"], node["domain"], graphs) if node.get("gain") else None
        self.gain, self.shrinkage = gain or own, node.get("shrinkage") or shrinkage
        linear = self.gain is not None and self.gain.log_gain is None
        need(not self.shrinkage or linear, "a shrinkage without a gain of scales")
        need(len(self.thresholds) + 1 == len(self.table.rows), "thresholds do not fit the table")

    def of(self, outputs: dict[str, np.ndarray]) -> Parameters:
        """What is known of the symbols at all places of the outputs of a graph."""
        scales = outputs["scales"]
        means = outputs["means"] if self.has_means else np.zeros_like(scales)
        if self.gain is not None:
            need(len(self.gain.gain) in (1, len(scales)), f"{len(self.gain.gain)} gains")
            scales = self.gain.scale(scales)
        need(np.isfinite(means).all() and np.isfinite(scales).all(), "parameters are not finite")
        rows = arithmetic.indexes(scales, self.thresholds)
        if self.gain is None:
            return Parameters(self.table, rows, means, None, None)
        gain = np.broadcast_to(self.gain.gain[:, None, None], scales.shape)
        return Parameters(self.table, rows, means, gain, self._shrinkage(scales, gain))

    def _shrinkage(self, scales: np.ndarray, gain: np.ndarray) -> np.ndarray | None:
        if not self.shrinkage:
            return None
        bound = F32(self.shrinkage["bound"])
        features = np.stack([np.where(scales < bound, bound, scales), gain]).reshape(2, len(scales), -1)
        return self.graphs.only(self.shrinkage["network"], features, checked=False)[0].reshape(scales.shape)


@dataclass
class Parameters:
    """Table rows, means, gains and shrinkages of symbols, each (C, H, W)."""

    table: Table
    rows: np.ndarray
    means: np.ndarray
    gain: np.ndarray | None
    shrinkage: np.ndarray | None

    def code(self, coder: Coder, channels: slice, place: tuple[int, int], at: tuple[int, int]) -> np.ndarray:
        """Codes the symbols at a place, whose parameters are at another one."""
        here = (slice(None), *at)
        lattice = Whole()
        if self.gain is not None:
            lattice = Scaled(self.gain[here], None if self.shrinkage is None else self.shrinkage[here])
        return coder.code(self.table, self.rows[here], self.means[here], channels, place, lattice)


def code_all(prior: Prior, coder: Coder, outputs, channels: slice, size, at=None) -> np.ndarray:
    """All places, row by row, with the parameters of place ``at`` or else with their own."""
    values, parameters = np.zeros((channels.stop - channels.start, *size), F32), prior.of(outputs)
    for y, x in np.ndindex(*size):
        values[:, y, x] = parameters.code(coder, channels, (y, x), at or (y, x))
    return values


def steps(node: dict[str, Any], kernel: int, size: tuple[int, int]) -> dict[int, Places]:
    """The places of each step that has any, in the order of their symbols."""
    places = list(np.ndindex(*size))
    if node["type"] == "raster":
        slope = kernel // 2 + 1
        number = {place: slope * place[0] + place[1] for place in places}
    elif node["type"] == "checkerboard":
        first = {"even": 0, "odd": 1}[node["first"]]
        number = {place: (place[0] + place[1] + first) % 2 for place in places}
    else:
        raise WrongFile(f"scan {node['type']}")
    return {s: [p for p in places if number[p] == s] for s in sorted(set(number.values()))}


def code_scan(
    node, graphs: Graphs, coder: Coder, side: np.ndarray, channels: slice, prior: Prior | None = None
) -> np.ndarray:
    """One group of channels with a context."""
    prior = prior or Prior(node, graphs)
    (conv,) = graphs.graphs[node["context"]]["nodes"]
    bias = graphs.only(node["context_bias"])[:, 0, 0] if node.get("context_bias") else None
    weight = graphs.numbers(conv["weight"])
    kernel, half = weight.shape[-1], weight.shape[-1] // 2
    check_hidden(node["type"], weight)
    size = side.shape[1:]
    values = np.zeros((channels.stop - channels.start, size[0] + 2 * half, size[1] + 2 * half), F32)
    for number, step in steps(node, kernel, size).items():
        # The places of a step side by side: to `parameters`, all of kernels 1, they are a picture.
        around = np.concatenate([values[:, y : y + kernel, x : x + kernel] for y, x in step], axis=2)
        features = context(graphs, conv, around, bias)
        if node["type"] == "checkerboard" and number == 0:
            features = np.zeros_like(features)  # places without a context: bias and all
        here = np.stack([side[:, y, x] for y, x in step], axis=1)[:, None]
        parameters = prior.of(graphs.run(node["parameters"], here, features, checked=False))
        for at, (y, x) in enumerate(step):
            values[:, y + half, x + half] = parameters.code(coder, channels, (y, x), (0, at))
    return values[:, half : half + size[0], half : half + size[1]]


def context(graphs: Graphs, conv: dict[str, Any], around: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """The convolution of known values from its own bias or another one, at the middle of each square."""
    weight = graphs.numbers(conv["weight"])
    kernel = weight.shape[-1]
    need(
        conv["stride"] == [1, 1] and conv["padding"] == [kernel // 2] * 2 and conv["groups"] == 1,
        f"a context of stride {conv['stride']} and padding {conv['padding']}",
    )
    if bias is None and conv.get("bias"):
        bias = graphs.numbers(conv["bias"])
    return layers.conv2d(around, weight, bias, (kernel, kernel), (0, 0), 1)


def check_hidden(kind: str, weight: np.ndarray) -> None:
    """Taps that are not seen must be zero."""
    half = weight.shape[-1] // 2
    for ky, kx in np.ndindex(*weight.shape[-2:]):
        is_seen = (ky, kx) < (half, half) if kind == "raster" else (ky + kx) % 2 == 1
        need(is_seen or not weight[..., ky, kx].any(), f"hidden tap ({ky}, {kx}) is not zero")


def code_groups(node, graphs: Graphs, coder: Coder, side: np.ndarray, channels: int) -> np.ndarray:
    """Groups of channels one after another, each given the values of those before."""
    known: list[np.ndarray] = []
    first = 0
    domains = {group["domain"] for group in node["groups"]}
    need(not node.get("gain") or len(domains) == 1, f"one gain for {domains}")
    gain = Gain.read(node["gain"], *domains, graphs) if node.get("gain") else None
    for group in node["groups"]:
        own = slice(first, first + group["channels"])
        inputs = [side, np.concatenate(known)] if known else [side]
        outputs = graphs.run(group["side"], *inputs)
        prior = Prior(group, graphs, gain and gain.of(own), node.get("shrinkage"))
        if group["type"] == "gaussian":
            values, support = code_all(prior, coder, outputs, own, side.shape[1:]), outputs.get("support")
        else:
            (support,) = outputs.values()
            values = code_scan(group, graphs, coder, support, own, prior)
        if group.get("residual"):
            values = values + graphs.only(group["residual"], support, values)
            need(np.isfinite(values).all(), "values with their residuals")
        known.append(values)
        first = own.stop
    need(first == channels, f"groups have {first} channels, the latent {channels}")
    return np.concatenate(known)
