"""Packages made by hand of the operations that version 1 grew by, and of groups with residuals.

`windows`: attention within windows, normalisation, margins and poolings everywhere. `residuals`: plain
networks around groups of three kinds, all but one of which have a residual.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from functions_package import graph, op

from lcrs import coding
from lcrs.models.packing import PACKAGE_VERSION
from tiny_package import table, table_arrays

Y, Z, SIDE, WIDTH, FEATURES = 6, 4, 5, 8, 3
SCALES = coding.scale_table(0.11, 8, 9)
PACKAGES = ("windows", "residuals")


def operations_package(name: str, path: Path) -> coding.Package:
    maker = Maker(seed=PACKAGES.index(name) + 40)
    coding.write_package(path, maker.description(name), maker.arrays)
    return coding.Package.from_file(path)


class Network:
    """Nodes one after another; each takes the last value unless others are named."""

    def __init__(self, maker: Maker, name: str, *inputs: str):
        self.maker, self.name, self.inputs = maker, name, inputs
        self.nodes: list[dict[str, Any]] = []

    @property
    def last(self) -> int:
        return len(self.inputs) + len(self.nodes) - 1

    def add(self, name: str, *values: int, **attributes: Any) -> int:
        self.nodes.append(op(name, *(values or (self.last,)), **attributes))
        return self.last

    def constant(self, name: str, scale: float, count: int) -> int:
        tensor = self.maker.normal(f"{self.name}.{name}", scale, count)
        self.nodes.append(op("constant", tensor=tensor))
        return self.last

    def conv(self, outputs: int, inputs: int, kernel: int = 1, value: int | None = None, **more: Any) -> int:
        """A convolution with a bias; ``padding`` is that which keeps the size unless it is given."""
        reach = [(kernel - 1) * d for d in more.get("dilation", (1, 1))]
        geometry = {"stride": [1, 1], "padding": [side // 2 for side in reach], "groups": 1} | more
        name = f"{self.name}.{len(self.nodes)}"
        shape = (outputs, inputs // geometry["groups"], kernel, kernel)
        weight = self.maker.normal(name, 1.2 / np.sqrt(np.prod(shape[1:])), *shape)
        bias = self.maker.normal(f"{name}.bias", 0.2, outputs)
        return self.add("conv2d", self.last if value is None else value, weight=weight, bias=bias, **geometry)

    def attention(self, window: list[int], shift: list[int], heads: int, biased: bool) -> int:
        """With a layer for each of query, key and value, and the sum with what it is given."""
        x = self.last
        parts = [self.conv(WIDTH, WIDTH, value=x) for _ in range(3)]
        bias = None
        if biased:
            shape = (heads, 2 * window[0] - 1, 2 * window[1] - 1)
            bias = self.maker.normal(f"{self.name}.{len(self.nodes)}.bias", 0.7, *shape)
        geometry = {"window": window, "shift": shift, "heads": heads, "scale": 0.6, "bias": bias}
        return self.add("add", x, self.add("window_attention", *parts, **geometry))

    def finish(self, **outputs: int) -> str:
        self.maker.graphs[self.name] = graph(list(self.inputs), self.nodes, **outputs)
        return self.name


class Maker:
    """Graphs and tensors of one package."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)
        self.arrays: dict[str, np.ndarray] = {"y.thresholds": SCALES[:-1].copy()}
        self.graphs: dict[str, Any] = {}
        z = coding.gaussian_table(np.array([1, 2, 3, 4], np.float32))
        self.arrays |= table_arrays("y", coding.gaussian_table(SCALES)) | table_arrays("z", z)
        self.normal("z.medians", 0.3, Z)

    def normal(self, name: str, scale: float, *shape: int) -> str:
        self.arrays[name] = self.rng.normal(0, scale, shape).astype(np.float32)
        return name

    def analysis(self) -> None:
        net = Network(self, "g_a", "x")
        net.add("pixel_unshuffle", factor=2)
        net.add("pad", mode="reflect", before=[1, 2], after=[1, 0])
        net.conv(WIDTH, 12, 3, padding=[0, 0])
        net.add("gelu")
        net.conv(WIDTH, WIDTH, 3, dilation=[2, 1], groups=WIDTH)
        net.add("normalise", groups=2, spatial=True, epsilon=1e-5)
        pooled = net.add(
            "avg_pool2d", kernel=[3, 2], stride=[2, 2], padding=[1, 0], ceil=False, count_padding=True
        )
        net.add("prelu", pooled, net.constant("slope", 0.4, WIDTH))
        net.add("normalise", groups=1, spatial=False, epsilon=1e-4)
        net.attention([3, 2], [1, 1], 2, biased=True)
        net.add("silu")
        net.conv(Y, WIDTH)
        net.finish(y=net.add("mul_scalar", value=3.0))

    def synthesis(self) -> None:
        net = Network(self, "g_s", "y")
        net.add("mul_scalar", value=0.3)
        net.conv(WIDTH, Y)
        net.add("mish")
        net.attention([2, 4], [1, 0], 4, biased=False)
        net.add("upsample", mode="bilinear", factor=[2, 2], align_corners=False)
        net.add("pad", mode="circular", before=[1, 1], after=[1, 1])
        net.conv(WIDTH, WIDTH, 3, padding=[0, 0])
        x = net.add("elu", alpha=0.7)
        net.add("adaptive_avg_pool2d", x, size=[1, 1])
        average = net.conv(WIDTH, WIDTH)
        net.add("adaptive_max_pool2d", x, size=[1, 1])
        net.add("add", average, net.conv(WIDTH, WIDTH))
        net.add("mul", x, net.add("hard_sigmoid"))
        net.add("upsample", mode="nearest", factor=[2, 2])
        net.conv(WIDTH, WIDTH, 3, groups=4)
        net.add("normalise", groups=WIDTH, spatial=True, epsilon=1e-5)
        net.add("hard_swish")
        net.add("pad", mode="replicate", before=[1, 1], after=[1, 1])
        net.add("max_pool2d", kernel=[3, 3], stride=[1, 1], padding=[0, 0], ceil=False)
        net.add("gelu_tanh")
        net.add("softmax", groups=2)
        net.conv(3, WIDTH, 3)
        net.add("mul_scalar", value=12.0)
        net.finish(x=net.add("sigmoid"))

    def plain(self) -> None:
        """Networks of convolutions alone."""
        net = Network(self, "g_a", "x")
        net.conv(Y, 3, 5, stride=[4, 4])
        net.finish(y=net.add("mul_scalar", value=6.0))
        net = Network(self, "g_s", "y")
        net.add("mul_scalar", value=0.1)
        net.conv(48, Y, 3)
        net.add("pixel_shuffle", factor=4)
        net.finish(x=net.add("sigmoid"))

    def hyper(self, windows: bool) -> dict[str, Any]:
        net = Network(self, "h_a", "y")
        pool = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0], "ceil": True}
        net.add("max_pool2d", **pool) if windows else net.add("avg_pool2d", count_padding=False, **pool)
        net.finish(z=net.conv(Z, Y))
        net = Network(self, "h_s", "z")
        net.add("upsample", mode="bilinear", factor=[2, 2], align_corners=True)
        net.add("pad", mode="zeros", before=[1, 1], after=[2, 0])
        net.finish(side=net.conv(SIDE, Z, 3, padding=[1, 1]))
        medians = {"table": table("z"), "medians": "z.medians"}
        return {
            "type": "hyperprior",
            "analysis": "h_a",
            "synthesis": "h_s",
            "hyper": {"type": "factorized"} | medians,
        }

    def leaf(self, kind: str, name: str, channels: int) -> dict[str, Any]:
        node = {
            "type": kind,
            "table": table("y"),
            "thresholds": "y.thresholds",
            "domain": "linear",
            "means": True,
        }
        if kind == "gaussian":
            return node
        kernel = 3 if kind == "raster" else 5
        net = Network(self, f"{name}.context", "y")
        net.conv(FEATURES, channels, kernel)
        net.finish(features=1)
        for ky, kx in np.ndindex(kernel, kernel):
            half = kernel // 2
            seen = (ky, kx) < (half, half) if kind == "raster" else (ky + kx) % 2
            self.arrays[f"{name}.context.0"][:, :, ky, kx] *= seen
        net = Network(self, f"{name}.parameters", "side", "context")
        net.add("concat", 0, 1)
        net.conv(WIDTH, SIDE + FEATURES)
        net.add("mish")
        both = net.conv(2 * channels, WIDTH)
        halves = [net.add("slice", both, start=start, length=channels) for start in (0, channels)]
        net.finish(scales=halves[1], means=halves[0])
        node |= {"context": f"{name}.context", "parameters": f"{name}.parameters"}
        return node | ({"first": "odd"} if kind == "checkerboard" else {})

    def group(self, kind: str, number: int, channels: int, known: int) -> dict[str, Any]:
        """A group whose values get half of a hyperbolic tangent added."""
        name = f"y{number}"
        net = Network(self, f"{name}.side", *(["side", "known"] if known else ["side"]))
        if known:
            net.add("concat", 0, 1)
        net.conv(WIDTH, SIDE + known, 3)
        support = net.add("gelu")
        if kind == "gaussian":
            means = net.conv(channels, WIDTH)
            scales = net.add("softplus", net.conv(channels, WIDTH, value=support))
            net.finish(support=support, means=means, scales=scales)
        else:
            net.finish(side=net.conv(SIDE, WIDTH))
        net = Network(self, f"{name}.residual", "support", "values")
        net.add("concat", 0, 1)
        net.conv(channels, (WIDTH if kind == "gaussian" else SIDE) + channels, 3)
        net.add("tanh")
        net.finish(residual=net.add("mul_scalar", value=0.5))
        leaf = self.leaf(kind, name, channels)
        return leaf | {"channels": channels, "side": f"{name}.side", "residual": f"{name}.residual"}

    def description(self, name: str) -> dict[str, Any]:
        tree = self.hyper(windows=name == "windows")
        if name == "windows":
            self.analysis()
            self.synthesis()
            tree["y"] = {"type": "channel_groups", "groups": [self.group("gaussian", 0, Y, 0)]}
        else:
            self.plain()
            kinds = [("gaussian", 1), ("checkerboard", 2), ("gaussian", 2), ("raster", 1)]
            firsts = [sum(count for _, count in kinds[:k]) for k in range(len(kinds))]
            groups = [
                self.group(kind, k, count, first)
                for k, ((kind, count), first) in enumerate(zip(kinds, firsts, strict=True))
            ]
            del groups[2]["residual"]
            self.graphs.pop("y2.residual")
            tree["y"] = {"type": "channel_groups", "groups": groups}
        return {
            "format": "lcrm",
            "version": PACKAGE_VERSION,
            "name": name,
            "architecture": "by hand",
            "config": {},
            "numerics": "f32-fma/1",
            "graphs": self.graphs,
            "codec": tree,
            "strides": {"y": 4, "z": 8},
            "pad": 8,
            "card": {"licence": "Apache-2.0"},
        }
