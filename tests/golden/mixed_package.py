"""A package made by hand whose latent has three groups of channels, coded in three ways.

At once without means; as a raster scan with the context in front; and as a checkerboard that begins with the
odd places and has the means in front.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from functions_package import conv, graph, op

from lcrs import coding
from lcrs.models.packing import PACKAGE_VERSION
from tiny_package import table, table_arrays

Y, Z, SIDE = 6, 3, 5


def mixed_package(path: Path) -> coding.Package:
    coding.write_package(path, description(), tensors())
    return coding.Package.from_file(path)


def one(weight: str, value: int, kernel: int = 1) -> dict[str, Any]:
    """A convolution of stride 1 with a bias."""
    return conv(weight, value, (1, 1), (kernel // 2, kernel // 2)) | {"bias": f"{weight}.bias"}


def graphs() -> dict[str, Any]:
    raster = [op("concat", 1, 0), one("r1", 2), op("leaky_relu", 3, slope=0.2), one("r2", 4)]
    raster += [op("slice", 5, start=0, length=2), op("slice", 5, start=2, length=2)]
    board = [op("concat", 0, 1), one("c1", 2), op("tanh", 3), one("c2", 4), op("abs", 5)]
    board += [op("slice", 6, start=2, length=2), op("slice", 6, start=0, length=2)]
    return {
        "g_a": graph(["x"], [conv("g_a", 0, (4, 4), (0, 0))], y=1),
        "g_s": graph(["y"], [conv("g_s", 0, (4, 4), (0, 0), output_padding=[0, 0])], x=1),
        "h_a": graph(["y"], [conv("h_a", 0, (2, 2), (1, 1))], z=1),
        "h_s": graph(["z"], [conv("h_s", 0, (2, 2), (0, 0), output_padding=[0, 0])], side=1),
        "side0": graph(["side"], [one("s0", 0, 3), op("exp", 1)], scales=2),
        "side1": graph(["side", "known"], [op("concat", 0, 1), one("s1", 2, 3)], side=3),
        "side2": graph(["side", "known"], [op("concat", 1, 0), one("s2", 2)], side=3),
        "context1": graph(["y"], [one("k1", 0, 3)], features=1),
        "context2": graph(["y"], [one("k2", 0, 5)], features=1),
        "parameters1": graph(["side", "context"], raster, scales=6, means=7),
        "parameters2": graph(["side", "context"], board, scales=7, means=8),
    }


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    shapes = {
        "g_a": (Y, 3, 4, 4),
        "g_s": (Y, 3, 4, 4),
        "h_a": (Z, Y, 3, 3),
        "h_s": (Z, SIDE, 2, 2),
        "s0": (2, SIDE, 3, 3),
        "s1": (4, SIDE + 2, 3, 3),
        "s2": (4, SIDE + 4, 1, 1),
        "k1": (3, 2, 3, 3),
        "k2": (3, 2, 5, 5),
        "r1": (5, 7, 1, 1),
        "r2": (4, 5, 1, 1),
        "c1": (5, 7, 1, 1),
        "c2": (4, 5, 1, 1),
    }
    large = {"g_a": 1.2, "g_s": 0.15}
    arrays = {name: rng.normal(0, large.get(name, 0.4), shape) for name, shape in shapes.items()}
    arrays |= {f"{name}.bias": rng.normal(0, 0.5, shape[0]) for name, shape in shapes.items()}
    arrays["r2.bias"][:2] += 1.5
    arrays["z.medians"] = rng.normal(0, 1, Z)
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    for ky, kx in np.ndindex(3, 3):
        arrays["k1"][:, :, ky, kx] *= (ky, kx) < (1, 1)
    for ky, kx in np.ndindex(5, 5):
        arrays["k2"][:, :, ky, kx] *= (ky + kx) % 2
    scales = coding.scale_table(0.11, 6, 8)
    y, z = coding.gaussian_table(scales), coding.gaussian_table(np.array([1, 2, 3], np.float32))
    arrays["y.thresholds"] = scales[:-1].copy()
    arrays |= table_arrays("y", y) | table_arrays("z", z)
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def description() -> dict[str, Any]:
    def group(kind: str, number: int, means: bool, **more: Any) -> dict[str, Any]:
        node = {"type": kind, "channels": 2, "side": f"side{number}", "table": table("y")}
        return node | {"thresholds": "y.thresholds", "domain": "linear", "means": means} | more

    groups = [
        group("gaussian", 0, False),
        group("raster", 1, True, context="context1", parameters="parameters1"),
        group("checkerboard", 2, True, context="context2", parameters="parameters2", first="odd"),
    ]
    hyper = {"type": "factorized", "table": table("z"), "medians": "z.medians"}
    tree = {"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper}
    return {
        "format": "lcrm",
        "version": PACKAGE_VERSION,
        "name": "mixed",
        "architecture": "by hand",
        "config": {},
        "numerics": "f32-fma/1",
        "graphs": graphs(),
        "codec": tree | {"y": {"type": "channel_groups", "groups": groups}},
        "strides": {"y": 4, "z": 8},
        "pad": 4,
        "levels": None,
        "card": {"licence": "Apache-2.0"},
    }
