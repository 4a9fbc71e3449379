"""A package made by hand that uses what no model of the zoo uses.

Every function, groups, half precision, a table of 12 bits, and a hyperlatent whose normal distributions
follow the level.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lcrs import coding
from lcrs.layers.lowering import GRAPH_VERSION
from lcrs.models.packing import PACKAGE_VERSION
from tiny_package import table, table_arrays

Y, Z = 6, 4


def functions_package(path: Path) -> coding.Package:
    coding.write_package(path, description(), tensors())
    return coding.Package.from_file(path)


def graph(inputs: list[str], nodes: list[dict[str, Any]], **outputs: int) -> dict[str, Any]:
    placed = [{"place": f"n{i}"} | node for i, node in enumerate(nodes)]
    listed = [list(pair) for pair in outputs.items()]
    return {"version": GRAPH_VERSION, "inputs": inputs, "outputs": listed, "nodes": placed}


def op(name: str, *inputs: int, **attributes: Any) -> dict[str, Any]:
    return {"op": name, "in": list(inputs)} | attributes


def conv(
    weight: str, value: int, stride: tuple[int, int], padding: tuple[int, int], groups: int = 1, **more: Any
):
    name = "conv_transpose2d" if "output_padding" in more else "conv2d"
    geometry = {"stride": list(stride), "padding": list(padding), "groups": groups}
    return op(name, value, weight=weight, bias=None, **geometry, **more)


def graphs() -> dict[str, Any]:
    g_a = [
        op("add_scalar", 0, value=-0.4),
        op("pixel_unshuffle", 1, factor=2),
        op("gdn1", 2, beta="a.beta", gamma="a.gamma", inverse=False),
        conv("a.depthwise", 3, (1, 1), (1, 2), 12),
        op("clamp", 4, min=-2.5, max=2.75),
        conv("a.groups", 5, (2, 2), (1, 0), 3),
        op("interpolate", tensor="log_gain"),
        op("exp", 7),
        op("mul", 6, 8),
    ]
    g_s = [
        op("interpolate", tensor="log_gain"),
        op("mul_scalar", 1, value=-1.0),
        op("exp", 2),
        op("mul", 3, 0),
        conv("s.groups", 4, (2, 2), (2, 1), 3, output_padding=[1, 0]),
        op("gdn1", 5, beta="a.beta", gamma="a.gamma", inverse=True),
        op("pixel_shuffle", 6, factor=2),
        op("sigmoid", 7),
    ]
    h_a = [
        op("abs", 0),
        conv("h.in", 1, (2, 2), (1, 2)),
        op("tanh", 2),
        op("interpolate", tensor="z_gain"),
        op("mul", 3, 4),
    ]
    h_p = [op("interpolate", tensor="z_scales"), op("constant", tensor="z_means")]
    h_s = [
        conv("h.out", 0, (2, 2), (0, 0), output_padding=[1, 1]),
        op("leaky_relu", 1, slope=0.1),
        op("slice", 2, start=0, length=Y),
        op("softplus", 3),
        op("slice", 2, start=Y, length=Y),
        op("relu", 5),
        op("sub", 5, 6),
        op("add", 6, 7),
        op("clamp", 4, min=0.05),
        op("concat", 8, 9),
        op("slice", 10, start=0, length=Y),
        op("slice", 10, start=Y, length=Y),
        op("gdn", 11, beta="h.beta", gamma="h.gamma", inverse=False),
    ]
    return {
        "g_a": graph(["x"], g_a, y=9),
        "g_s": graph(["y"], g_s, x=8),
        "h_a": graph(["y"], h_a, z=5),
        "h_p": graph([], h_p, scales=0, means=1),
        "h_s": graph(["z"], h_s, scales=12, means=13, unused=1),
    }


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)

    def normal(scale: float, *shape: int) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    arrays = {
        "a.beta": (0.5 + rng.random(12)).astype(np.float32),
        "a.gamma": (0.1 * rng.random((12, 12))).astype(np.float16),
        "a.depthwise": normal(0.4, 12, 1, 3, 5),
        "a.groups": normal(1.5, Y, 4, 4, 2),
        "log_gain": np.linspace(-0.5, 1.5, 4)[:, None].astype(np.float32) + normal(0.05, 4, Y),
        "s.groups": normal(0.3, Y, 4, 5, 4),
        "h.in": normal(0.3, Z, Y, 3, 5).astype(np.float16),
        "z_gain": (1 + np.arange(5)[1:, None] + rng.random((4, Z))).astype(np.float32),
        "z_scales": normal(1, 4, Z),
        "z_means": normal(1, Z),
        "h.out": normal(0.5, Z, 2 * Y, 3, 4),
        "h.beta": np.ones(Y, np.float32),
        "h.gamma": (0.05 * rng.random((Y, Y))).astype(np.float32),
    }
    scales = coding.scale_table(0.11, 2.5, 9)  # too small for some symbols: they escape
    y, z = coarse(coding.gaussian_table(scales)), coding.gaussian_table(scales)
    arrays |= {"y.thresholds": scales[:-1].copy(), "z.thresholds": np.log(scales[:-1]).astype(np.float32)}
    arrays |= {"y.cdf": y[0], "y.lengths": y[1], "y.offsets": y[2]}
    arrays |= table_arrays("z", z)
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def coarse(table: coding.CdfTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of a table with 12 bits, cut to eight values at most."""
    cdf, lengths, offsets = np.zeros((len(table.lengths), 10), np.int32), [], []
    for r, (row, length, offset) in enumerate(zip(table.cdfs, table.lengths, table.offsets, strict=True)):
        cut = max(0, (length - 2 - 7) // 2)
        pmf = np.diff(row[:length])[cut : length - 2 - cut]
        counts = coding.pmf_to_quantized_cdf((np.append(pmf, 200) / (pmf.sum() + 200)).astype(np.float32), 12)
        cdf[r, : len(counts)] = counts
        lengths.append(len(counts))
        offsets.append(offset + cut)
    return cdf, np.array(lengths, np.int32), np.array(offsets, np.int32)


def description() -> dict[str, Any]:
    def gaussian(name: str, domain: str, precision: int) -> dict[str, Any]:
        node = {"type": "gaussian", "table": table(name, precision), "thresholds": f"{name}.thresholds"}
        return node | {"domain": domain, "means": True}

    tree = {"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "y": gaussian("y", "linear", 12)}
    return {
        "format": "lcrm",
        "version": PACKAGE_VERSION,
        "name": "functions",
        "architecture": "by hand",
        "config": {},
        "numerics": "f32-fma/1",
        "graphs": graphs(),
        "codec": tree | {"hyper": gaussian("z", "log", 16) | {"params": "h_p"}},
        "strides": {"y": 4, "z": 8},
        "pad": 8,
        "levels": 4,
        "card": {"licence": "Apache-2.0"},
    }
