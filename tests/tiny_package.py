"""A tiny model made by hand, without torch or training: enough to code real pictures through real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lcrs import coding

BLOCK = 4
CHANNELS = 3 * BLOCK * BLOCK
HYPER_CHANNELS = 6


def graph(inputs: list[str], nodes: list[dict[str, Any]], **outputs: int) -> dict[str, Any]:
    """A graph whose nodes name their places by number."""
    placed = [{"place": f"n{i}"} | node for i, node in enumerate(nodes)]
    return {
        "version": 1,
        "inputs": inputs,
        "outputs": [list(pair) for pair in outputs.items()],
        "nodes": placed,
    }


def conv(weight: str, value: int, *, stride: int = 1, transposed: bool = False) -> dict[str, Any]:
    """A 2 x 2 convolution of stride 2, or the transposed one; or a 1 x 1 convolution of stride 1."""
    node = {"op": "conv2d", "in": [value], "weight": f"{weight}.weight", "bias": f"{weight}.bias"}
    node |= {"stride": [stride] * 2, "padding": [0, 0], "groups": 1}
    return node | {"op": "conv_transpose2d", "output_padding": [0, 0]} if transposed else node


def gain(node: int, *, inverse: bool = False) -> list[dict[str, Any]]:
    """Three nodes from number ``node`` on: the gain of the level, or its inverse, is the last one's value."""
    return [
        {"op": "interpolate", "in": [], "tensor": "log_gain"},
        {"op": "mul_scalar", "in": [node], "value": -1.0 if inverse else 1.0},
        {"op": "exp", "in": [node + 1]},
    ]


def graphs() -> dict[str, dict[str, Any]]:
    """Blocks of 4 x 4 pixels are rotated, scaled by a gain that grows with the level, and turned back."""
    g_a = [
        *gain(1),
        {"op": "add_scalar", "in": [0], "value": -0.5},
        {"op": "pixel_unshuffle", "in": [4], "factor": BLOCK},
        conv("g_a", 5),
        {"op": "mul", "in": [6, 3]},
    ]
    g_s = [
        *gain(1, inverse=True),
        {"op": "mul", "in": [0, 3]},
        conv("g_s", 4),
        {"op": "pixel_shuffle", "in": [5], "factor": BLOCK},
        {"op": "add_scalar", "in": [6], "value": 0.5},
    ]
    h_a = [
        *gain(1, inverse=True),
        {"op": "mul", "in": [0, 3]},
        {"op": "abs", "in": [4]},
        conv("h_a", 5, stride=2),
        {"op": "leaky_relu", "in": [6], "slope": 0.1},
    ]
    h_s = [
        *gain(1),
        conv("h_s", 0, stride=2, transposed=True),
        {"op": "slice", "in": [4], "start": 0, "length": CHANNELS},
        {"op": "exp", "in": [5]},
        {"op": "mul", "in": [6, 3]},
        {"op": "slice", "in": [4], "start": CHANNELS, "length": CHANNELS},
        {"op": "mul", "in": [8, 3]},
    ]
    return {
        "g_a": graph(["x"], g_a, y=7),
        "g_s": graph(["y"], g_s, x=7),
        "h_a": graph(["y"], h_a, z=7),
        "h_s": graph(["z"], h_s, scales=7, means=9),
    }


def rotation(rng: np.random.Generator) -> np.ndarray:
    """The cosine transform of 4 x 4 blocks of each component: most of a photo ends up in few channels."""
    k = np.arange(BLOCK)
    basis = np.cos(np.pi * (2 * k[None] + 1) * k[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    components = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0]
    return np.kron(components, np.kron(basis, basis))


def tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights, tables and thresholds."""
    rng = np.random.default_rng(seed)
    turn = rotation(rng)
    frequency = np.tile(np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel(), 3)
    h_s_weight = rng.normal(0, 0.02, (HYPER_CHANNELS, 2 * CHANNELS, 2, 2))
    floats = {
        "g_a.weight": turn[..., None, None],
        "g_a.bias": np.zeros(CHANNELS),
        "g_s.weight": turn.T[..., None, None],
        "g_s.bias": np.zeros(CHANNELS),
        "h_a.weight": rng.normal(0, 0.3, (HYPER_CHANNELS, CHANNELS, 2, 2)),
        "h_a.bias": rng.normal(0, 0.5, HYPER_CHANNELS),
        "h_s.weight": h_s_weight,
        "h_s.bias": np.concatenate([-0.5 - 0.8 * frequency, np.zeros(CHANNELS)]),
        "log_gain": np.linspace(0.5, 4.0, 3)[:, None] * np.ones(CHANNELS),
        "medians": rng.normal(0, 0.3, HYPER_CHANNELS),
    }
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in floats.items()}
    scales = coding.scale_table(0.11, 64, 20)
    y_table = coding.gaussian_table(scales)
    z_table = coding.gaussian_table(np.linspace(1, 4, HYPER_CHANNELS).astype(np.float32))
    arrays["thresholds"] = scales[:-1].copy()
    return arrays | table_arrays("y", y_table) | table_arrays("z", z_table)


def table_arrays(name: str, table: coding.CdfTable) -> dict[str, np.ndarray]:
    """The tensors that `table` names."""
    return {f"{name}.cdf": table.cdfs, f"{name}.lengths": table.lengths, f"{name}.offsets": table.offsets}


def table(name: str, precision: int = 16) -> dict[str, Any]:
    tensors = {"cdf": f"{name}.cdf", "lengths": f"{name}.lengths", "offsets": f"{name}.offsets"}
    return {**tensors, "precision": precision}


def description(name: str = "tiny") -> dict[str, Any]:
    """What the package's JSON says."""
    y = {
        "type": "gaussian",
        "table": table("y"),
        "thresholds": "thresholds",
        "domain": "linear",
        "means": True,
    }
    hyper = {"type": "factorized", "table": table("z"), "medians": "medians"}
    return {
        "format": "lcrm",
        "version": 1,
        "name": name,
        "architecture": "blocks",
        "config": {},
        "numerics": "f32-fma/1",
        "graphs": graphs(),
        "codec": {"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper, "y": y},
        "strides": {"y": BLOCK, "z": 2 * BLOCK},
        "pad": 2 * BLOCK,
        "levels": 3,
        "card": {"licence": "none needed"},
    }


def write(path: Path, name: str = "tiny", seed: int = 0) -> Path:
    """Writes the package and returns its path."""
    coding.write_package(path, description(name), tensors(seed))
    return path


def graph_json(name: str) -> str:
    return json.dumps(graphs()[name])
