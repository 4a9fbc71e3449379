"""Tiny packages of arrays, and one of pictures, made by hand: no torch, no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lcrs import coding

BLOCK = 4

SAMPLES: dict[str, dict[str, Any] | None] = {
    "pictures": None,
    "five-floats": {"type": "float32", "channels": 5, "minimum": -0.3, "maximum": 0.7},
    "one-int16": {"type": "int16", "channels": 1, "minimum": -1000, "maximum": 3000},
    "two-bytes": {"type": "uint8", "channels": 2, "minimum": 0, "maximum": 255},
}


def graph(inputs: list[str], nodes: list[dict[str, Any]], **outputs: int) -> dict[str, Any]:
    """A graph whose nodes name their places by number."""
    placed = [{"place": f"n{i}"} | node for i, node in enumerate(nodes)]
    return {
        "version": 1,
        "inputs": inputs,
        "outputs": [list(pair) for pair in outputs.items()],
        "nodes": placed,
    }


def conv(weight: str, value: int) -> dict[str, Any]:
    """A 1 x 1 convolution."""
    tensors = {"weight": f"{weight}.weight", "bias": f"{weight}.bias"}
    return {"op": "conv2d", "in": [value], **tensors, "stride": [1, 1], "padding": [0, 0], "groups": 1}


def samples_package(name: str, path: Path) -> coding.Package:
    """Blocks of 4 x 4 are turned, scaled, coded with one table a channel, and turned back.

    The turn is nearly orthogonal, so that what comes back is like what was given. Pictures have a variable
    rate, arrays a fixed one.
    """
    samples = SAMPLES[name]
    planes = 3 if samples is None else samples["channels"]
    channels = planes * BLOCK * BLOCK
    rng = np.random.default_rng(len(name))
    turn = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
    floats = {
        "g_a.weight": turn[..., None, None],
        "g_a.bias": rng.normal(0, 0.01, channels),
        "g_s.weight": turn.T[..., None, None],
        "g_s.bias": rng.normal(0, 0.01, channels),
        "medians": rng.normal(0, 0.3, channels),
        "log_gain": np.log([8.0, 40.0])[:, None] + np.linspace(-0.2, 0.2, channels),
    }
    if samples is not None:
        floats["log_gain"] = floats["log_gain"][1]
    tensors = {key: np.ascontiguousarray(array, np.float32) for key, array in floats.items()}
    table = coding.gaussian_table(np.linspace(4, 20, channels).astype(np.float32))
    tensors |= {"cdf": table.cdfs, "lengths": table.lengths, "offsets": table.offsets}
    gain = {"op": "interpolate" if samples is None else "constant", "in": [], "tensor": "log_gain"}
    g_a = [
        {"op": "add_scalar", "in": [0], "value": -0.5},
        {"op": "pixel_unshuffle", "in": [1], "factor": BLOCK},
        conv("g_a", 2),
        gain,
        {"op": "exp", "in": [4]},
        {"op": "mul", "in": [3, 5]},
    ]
    g_s = [
        gain,
        {"op": "mul_scalar", "in": [1], "value": -1.0},
        {"op": "exp", "in": [2]},
        {"op": "mul", "in": [0, 3]},
        conv("g_s", 4),
        {"op": "pixel_shuffle", "in": [5], "factor": BLOCK},
        {"op": "add_scalar", "in": [6], "value": 0.5},
    ]
    names = {"cdf": "cdf", "lengths": "lengths", "offsets": "offsets", "precision": 16}
    description = {
        "format": "lcrm",
        "version": 1,
        "name": name,
        "architecture": "blocks",
        "config": {},
        "numerics": "f32-fma/1",
        "graphs": {"g_a": graph(["x"], g_a, y=6), "g_s": graph(["y"], g_s, x=7)},
        "codec": {"type": "factorized", "latent": "y", "table": names, "medians": "medians"},
        "strides": {"y": BLOCK},
        "pad": 2 * BLOCK,
        "levels": 2 if samples is None else None,
        "card": {"licence": "Apache-2.0"},
    }
    coding.write_package(path, description | ({"samples": samples} if samples else {}), tensors)
    return coding.Package.from_file(path)
