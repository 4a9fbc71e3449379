"""Packages made by hand whose steps of quantisation follow the level, wherever a gain may stand.

`board-linear`: a checkerboard with gains, shrinkage and another bias of the context. `board-log` and
`gaussian-log`: scales are logarithms. `groups-own`: three groups of three kinds, each with its own gain, in
both domains. `groups-log` and `groups-linear`: the same kinds under one gain.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from functions_package import conv, graph, op

from lcrs import coding
from lcrs.models.packing import PACKAGE_VERSION
from tiny_package import table, table_arrays

Y, Z, SIDE, FEATURES, HIDDEN, LEVELS = 6, 3, 5, 3, 5, 4
SCALES = coding.scale_table(0.11, 6, 8)
PACKAGES = ("board-linear", "board-log", "gaussian-log", "groups-own", "groups-log", "groups-linear")


def gains_package(name: str, path: Path) -> coding.Package:
    maker = Maker(seed=PACKAGES.index(name) + 20)
    coding.write_package(path, maker.description(name), maker.arrays)
    return coding.Package.from_file(path)


class Maker:
    """Graphs and tensors of one package."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.arrays: dict[str, np.ndarray] = {}
        self.graphs: dict[str, Any] = {}
        z = coding.gaussian_table(np.array([1, 2, 3], np.float32))
        self.arrays |= table_arrays("y", coding.gaussian_table(SCALES)) | table_arrays("z", z)
        self.arrays["linear"] = SCALES[:-1].copy()
        self.arrays["log"] = np.log(SCALES[:-1]).astype(np.float32)

    def normal(self, name: str, scale: float, *shape: int) -> str:
        self.arrays[name] = self.rng.normal(0, scale, shape).astype(np.float32)
        return name

    def one(self, name: str, value: int, outputs: int, inputs: int, kernel: int = 1) -> dict[str, Any]:
        """A convolution of stride 1 with a bias."""
        self.normal(name, 0.4, outputs, inputs, kernel, kernel)
        bias = self.normal(f"{name}.bias", 0.5, outputs)
        return conv(name, value, (1, 1), (kernel // 2, kernel // 2)) | {"bias": bias}

    def gain(self, name: str, count: int, domain: str) -> str:
        """A graph of ``count`` gains that rise with the level."""
        values = np.linspace(-1.5, 1.2, LEVELS)[:, None] + self.rng.normal(0, 0.4, count)
        self.arrays[f"{name}.log"] = values.astype(np.float32)
        nodes = [op("interpolate", tensor=f"{name}.log"), op("exp", 0)]
        outputs = {"gain": 1, "log_gain": 0} if domain == "log" else {"gain": 1}
        self.graphs[name] = graph([], nodes, **outputs)
        return name

    def shrinkage(self, name: str) -> dict[str, Any]:
        nodes = [self.one(f"{name}.1", 0, HIDDEN, 2), op("relu", 1), self.one(f"{name}.2", 2, 1, HIDDEN)]
        self.arrays[f"{name}.2"] *= np.float32(0.2)
        self.graphs[name] = graph(["features"], nodes, amount=3)
        return {"network": name, "bound": 0.3}

    def context_bias(self, name: str) -> str:
        self.normal(f"{name}.values", 1, LEVELS, FEATURES)
        self.graphs[name] = graph([], [op("interpolate", tensor=f"{name}.values")], bias=0)
        return name

    def bent(self) -> dict[str, Any]:
        """What may stand beside a gain."""
        return {"shrinkage": self.shrinkage("shrink"), "context_bias": self.context_bias("bias")}

    def leaf(self, kind: str, name: str, channels: int, domain: str, means: bool = True) -> dict[str, Any]:
        """A scan of ``channels``, which takes side information of SIDE channels, or a gaussian."""
        node = {"type": kind, "table": table("y"), "thresholds": domain, "domain": domain, "means": means}
        if kind == "gaussian":
            return node
        kernel = 3 if kind == "raster" else 5
        context = self.one(f"{name}.k", 0, FEATURES, channels, kernel)
        for ky, kx in np.ndindex(kernel, kernel):
            half = kernel // 2
            seen = (ky, kx) < (half, half) if kind == "raster" else (ky + kx) % 2
            self.arrays[f"{name}.k"][:, :, ky, kx] *= seen
        self.graphs[f"{name}.context"] = graph(["y"], [context], features=1)
        order = (0, 1) if kind == "raster" else (1, 0)
        nodes = [op("concat", *order), self.one(f"{name}.1", 2, HIDDEN, SIDE + FEATURES)]
        nodes += [op("leaky_relu", 3, slope=0.1), self.one(f"{name}.2", 4, 2 * channels, HIDDEN)]
        nodes += [op("slice", 5, start=start, length=channels) for start in (0, channels)]
        scales, mean = (6, 7) if kind == "raster" else (7, 6)
        self.graphs[f"{name}.parameters"] = graph(["side", "context"], nodes, scales=scales, means=mean)
        node |= {"context": f"{name}.context", "parameters": f"{name}.parameters"}
        return node | ({"first": "odd"} if kind == "checkerboard" else {})

    def group(
        self, kind: str, number: int, channels: int, known: int, domain: str, means: bool = True
    ) -> dict[str, Any]:
        """A group with the graph of its side information."""
        name = f"g{number}"
        outputs = channels * (1 + means) if kind == "gaussian" else SIDE
        nodes = [op("concat", 1, 0)] if known else []
        nodes.append(self.one(f"{name}.s", len(nodes) * 2, outputs, SIDE + known, 3))
        last = len(nodes) + bool(known)
        if kind != "gaussian":
            named = {"side": last}
        elif means:
            nodes += [op("slice", last, start=start, length=channels) for start in (0, channels)]
            named = {"means": last + 1, "scales": last + 2}
        else:
            named = {"scales": last}
        self.graphs[f"{name}.side"] = graph(["side", "known"] if known else ["side"], nodes, **named)
        leaf = self.leaf(kind, name, channels, domain, means)
        return leaf | {"channels": channels, "side": f"{name}.side"}

    def y(self, name: str) -> dict[str, Any]:
        match name:
            case "board-linear":
                node = self.leaf("checkerboard", "y", Y, "linear") | {"gain": self.gain("gain", Y, "linear")}
                return node | {
                    "shrinkage": self.shrinkage("shrink"),
                    "context_bias": self.context_bias("bias"),
                }
            case "board-log":
                node = self.leaf("checkerboard", "y", Y, "log") | {"first": "even"}
                return node | {"gain": self.gain("gain", Y, "log")}
            case "gaussian-log":
                return self.leaf("gaussian", "y", Y, "log") | {"gain": self.gain("gain", 1, "log")}
            case "groups-own":
                groups = [
                    self.group("gaussian", 0, 1, 0, "log", means=False) | {"gain": self.gain("g0", 1, "log")},
                    self.group("raster", 1, 2, 1, "linear") | {"gain": self.gain("g1", 1, "linear")},
                    self.group("checkerboard", 2, 3, 3, "log") | {"gain": self.gain("g2", 3, "log")},
                ]
                groups[1] |= {
                    "shrinkage": self.shrinkage("shrink"),
                    "context_bias": self.context_bias("bias"),
                }
                return {"type": "channel_groups", "groups": groups}
            case _:
                domain = name.removeprefix("groups-")
                groups = [
                    self.group("checkerboard", 0, 1, 0, domain),
                    self.group("gaussian", 1, 2, 1, domain),
                    self.group("raster", 2, 3, 3, domain),
                ]
                node = {"type": "channel_groups", "groups": groups, "gain": self.gain("gain", Y, domain)}
                return node | ({"shrinkage": self.shrinkage("shrink")} if domain == "linear" else {})

    def description(self, name: str) -> dict[str, Any]:
        self.normal("g_a", 1.2, Y, 3, 4, 4), self.normal("h_a", 0.4, Z, Y, 3, 3)
        self.graphs["g_a"] = graph(["x"], [conv("g_a", 0, (4, 4), (0, 0))], y=1)
        self.normal("g_s", 0.15, Y, 3, 4, 4)
        restored = conv("g_s", 0, (4, 4), (0, 0), output_padding=[0, 0])
        self.graphs["g_s"] = graph(["y"], [restored], x=1)
        self.graphs["h_a"] = graph(["y"], [conv("h_a", 0, (2, 2), (1, 1))], z=1)
        sides = 2 * Y if name.startswith("gaussian") else SIDE
        self.normal("h_s", 0.4, Z, sides, 2, 2), self.normal("z.medians", 1, Z)
        nodes = [conv("h_s", 0, (2, 2), (0, 0), output_padding=[0, 0])]
        named = {"side": 1}
        if name.startswith("gaussian"):
            nodes += [op("slice", 1, start=start, length=Y) for start in (0, Y)]
            named = {"scales": 2, "means": 3}
        self.graphs["h_s"] = graph(["z"], nodes, **named)
        hyper = {"type": "factorized", "table": table("z"), "medians": "z.medians"}
        tree = {"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper}
        return {
            "format": "lcrm",
            "version": PACKAGE_VERSION,
            "name": name,
            "architecture": "by hand",
            "config": {},
            "numerics": "f32-fma/1",
            "codec": tree | {"y": self.y(name)},
            "graphs": self.graphs,
            "strides": {"y": 4, "z": 8},
            "pad": 4,
            "levels": LEVELS,
            "card": {"licence": "Apache-2.0"},
        }
