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
        return scales * self.gain if self.log_gain is None else scales + self.log_gain


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

    def code(
        self, coder: Coder, outputs: dict[str, np.ndarray], channels: slice, place: tuple[int, int], at=None
    ):
        """Codes one place; its parameters are at ``at`` of the outputs, by default at ``place``."""
        y, x = place if at is None else at
        scales = outputs["scales"][:, y, x]
        means = outputs["means"][:, y, x] if self.has_means else np.zeros_like(scales)
        if self.gain is not None:
            need(len(self.gain.gain) in (1, len(scales)), f"{len(self.gain.gain)} gains")
            scales = self.gain.scale(scales)
        need(np.isfinite(means).all() and np.isfinite(scales).all(), f"parameters at {place}")
        rows = arithmetic.indexes(scales, self.thresholds)
        return coder.code(self.table, rows, means, channels, place, self._lattice(scales))

    def _lattice(self, scales: np.ndarray) -> Whole:
        if self.gain is None:
            return Whole()
        gain = np.broadcast_to(self.gain.gain, scales.shape)
        if not self.shrinkage:
            return Scaled(gain, None)
        bound = F32(self.shrinkage["bound"])
        features = np.stack([np.where(scales < bound, bound, scales), gain])[:, :, None]
        amounts = self.graphs.only(self.shrinkage["network"], features, checked=False)
        return Scaled(gain, amounts[0, :, 0])


def code_all(prior: Prior, coder: Coder, outputs, channels: slice, size, at=None) -> np.ndarray:
    """All places, row by row, with the parameters of place ``at`` or else with their own."""
    values = np.zeros((channels.stop - channels.start, *size), F32)
    for y, x in np.ndindex(*size):
        values[:, y, x] = prior.code(coder, outputs, channels, (y, x), at)
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
        known = values.copy()
        for y, x in step:
            around = known[:, y : y + kernel, x : x + kernel]
            features = context(graphs, conv, around, bias)[:, half : half + 1, half : half + 1]
            if node["type"] == "checkerboard" and number == 0:
                features = np.zeros_like(features)  # places without a context: bias and all
            here = side[:, y : y + 1, x : x + 1]
            outputs = graphs.run(node["parameters"], here, features, checked=False)
            values[:, y + half, x + half] = prior.code(coder, outputs, channels, (y, x), (0, 0))
    return values[:, half : half + size[0], half : half + size[1]]


def context(graphs: Graphs, conv: dict[str, Any], values: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """The convolution of known values, from its own bias or another one."""
    if bias is None and conv.get("bias"):
        bias = graphs.numbers(conv["bias"])
    return layers.conv2d(values, graphs.numbers(conv["weight"]), bias, conv["stride"], conv["padding"], 1)


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
