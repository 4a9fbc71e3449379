"""Coding graphs: operations on numbered values."""

from __future__ import annotations

from typing import Any

import numpy as np

from reader import activations, arithmetic, layers, spatial
from reader.arithmetic import F32, F64
from reader.wrong import WrongFile, need

FUNCTIONS = {
    "sigmoid": arithmetic.sigmoid,
    "softplus": arithmetic.softplus,
    "exp": arithmetic.exp,
    "tanh": arithmetic.tanh,
    "gelu": activations.gelu,
    "gelu_tanh": activations.gelu_tanh,
    "silu": activations.silu,
    "mish": activations.mish,
}


class Graphs:
    """The graphs of a package, at one level."""

    def __init__(self, graphs: dict[str, Any], tensors: dict[str, np.ndarray], level: np.float32 | None):
        self.graphs, self.tensors, self.level = graphs, tensors, level

    def run(self, name: str, *inputs: np.ndarray, checked: bool = True) -> dict[str, np.ndarray]:
        """The outputs of a graph, by name; its convolutions want finite inputs if they are ``checked``."""
        graph = self.graphs[name]
        need(len(inputs) == len(graph["inputs"]), f"graph {name} takes {len(graph['inputs'])} inputs")
        values = list(inputs)
        for node in graph["nodes"]:
            need(all(0 <= i < len(values) for i in node["in"]), f"{node} takes a value that is not there yet")
            values.append(self._apply(node, [values[i] for i in node["in"]], checked=checked))
        return {output: values[i] for output, i in graph["outputs"]}

    def only(self, name: str, *inputs: np.ndarray, checked: bool = True) -> np.ndarray:
        """The output of a graph that has one."""
        (output,) = self.run(name, *inputs, checked=checked).values()
        return output

    def numbers(self, name: str) -> np.ndarray:
        """A tensor as binary32."""
        return self.tensors[name].astype(F32)

    def _apply(self, node: dict[str, Any], x: list[np.ndarray], *, checked: bool) -> np.ndarray:
        match node["op"]:
            case "conv2d" | "conv_transpose2d" as op:
                bias = self.numbers(node["bias"]) if node.get("bias") else None
                weight, geometry = self.numbers(node["weight"]), [node["stride"], node["padding"]]
                if op == "conv2d":
                    dilation = node.get("dilation") or (1, 1)
                    return layers.conv2d(
                        x[0], weight, bias, *geometry, node["groups"], dilation=dilation, checked=checked
                    )
                geometry.append(node["output_padding"])
                return layers.conv_transpose2d(x[0], weight, bias, *geometry, node["groups"])
            case "gdn" | "gdn1" as op:
                beta, gamma = self.numbers(node["beta"]), self.numbers(node["gamma"])
                return layers.gdn(x[0], beta, gamma, node["inverse"], op == "gdn")
            case "constant":
                return self.numbers(node["tensor"])[:, None, None]
            case "interpolate":
                return self._interpolate(self.numbers(node["tensor"]))[:, None, None]
            case "concat":
                return np.concatenate(x)
            case "slice":
                need(node["start"] + node["length"] <= len(x[0]), f"{node} of {len(x[0])} channels")
                return x[0][node["start"] : node["start"] + node["length"]]
            case "add":
                return x[0] + x[1]
            case "sub":
                return x[0] - x[1]
            case "mul":
                return x[0] * x[1]
            case "div":
                return x[0] / x[1]
            case "prelu":
                return np.where(x[0] < 0, x[0] * x[1], x[0])
            case "window_attention":
                bias = self.numbers(node["bias"]) if node.get("bias") else None
                return spatial.window_attention(*x, bias, node)
            case op if op in spatial.OPERATIONS:
                return spatial.OPERATIONS[op](x[0], node)
            case op:
                return elementwise(op, node, x[0])

    def _interpolate(self, rows: np.ndarray) -> np.ndarray:
        i = min(int(np.floor(self.level)), len(rows) - 2)
        fraction = F32(self.level - F32(i))
        a, b = rows[i], rows[i + 1]
        need(np.isfinite(b - a).all(), "levels are too far from each other")
        return arithmetic.fma(np.full_like(a, fraction), b - a, a) + F32(0)


def elementwise(op: str, node: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """Functions of each element, and those that only move elements."""
    if op in FUNCTIONS:
        return FUNCTIONS[op](x.astype(F64)).astype(F32)
    match op:
        case "relu":
            return np.where(x > 0, x, F32(0))
        case "leaky_relu":
            return np.where(x < 0, x * F32(node["slope"]), x)
        case "elu":
            return activations.elu(x.astype(F64), F64(F32(node["alpha"]))).astype(F32)
        case "hard_sigmoid":
            return np.clip(x + F32(3), F32(0), F32(6)) / F32(6)
        case "hard_swish":
            return x * np.clip(x + F32(3), F32(0), F32(6)) / F32(6)
        case "abs":
            return np.abs(x)
        case "clamp":
            low, high = node.get("min"), node.get("max")
            x = x if low is None else np.where(x < F32(low), F32(low), x)
            return x if high is None else np.where(x > F32(high), F32(high), x)
        case "add_scalar":
            return x + F32(node["value"])
        case "mul_scalar":
            return x * F32(node["value"])
        case "pixel_shuffle":
            r, (c, h, w) = node["factor"], x.shape
            return x.reshape(c // r**2, r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c // r**2, h * r, w * r)
        case "pixel_unshuffle":
            r, (c, h, w) = node["factor"], x.shape
            return (
                x.reshape(c, h // r, r, w // r, r).transpose(0, 2, 4, 1, 3).reshape(c * r**2, h // r, w // r)
            )
    raise WrongFile(f"operation {op}")
