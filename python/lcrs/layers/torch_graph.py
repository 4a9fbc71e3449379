"""Coding graphs in torch, on any device: the opposite of lowering.

The same networks as the exact engine runs, in torch's own arithmetic: fast on an accelerator, and equal to
the exact engine's results only up to rounding. So nothing that decides a symbol may depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lcrs.errors import UnsupportedVersionError
from lcrs.layers.torch_spatial import SPATIAL
from lcrs.layers.windows import window_attention

__all__ = ["TorchGraph"]

_Node = Mapping[str, Any]

_PLAIN: dict[str, Callable[..., Tensor]] = {
    "relu": torch.relu,
    "abs": torch.abs,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "prelu": lambda x, slope: torch.where(x < 0, x * slope, x),
}


class TorchGraph:
    """One coding graph with its tensors on a device.

    Args:
        graph: The description; `lcrs.layers.lowering` shows one.
        parameter: Gives the float32 tensor of a name.
        device: Where it runs.
    """

    def __init__(self, graph: _Node, parameter: Callable[[str], Tensor], device: torch.device | str) -> None:
        self.graph = graph
        names = {
            node[key]
            for node in graph["nodes"]
            for key in ("weight", "bias", "beta", "gamma", "tensor")
            if node.get(key) is not None
        }
        self.tensors = {name: parameter(name).to(device) for name in sorted(names)}
        self._at_level = _level_dependent(graph)

    def __call__(self, *inputs: Tensor, level: float | None = None) -> list[Tensor]:
        """Runs the graph.

        Args:
            inputs: (N, C, H, W) each, on the graph's device.
            level: Of a variable-rate model.

        Returns:
            The outputs, in order.

        Raises:
            UnsupportedVersionError: an operation is unknown here.
        """
        return self.at_level(self.before_level(*inputs), level)

    def before_level(self, *inputs: Tensor) -> dict[int, Tensor]:
        """Runs what does not depend on the level.

        Returns:
            Values by number that the rest needs, as `at_level` takes them.
        """
        return self._run(dict(enumerate(inputs)), None, at_level=False)

    def at_level(self, values: Mapping[int, Tensor], level: float | None) -> list[Tensor]:
        """Runs the rest, as often as there are levels; the outputs are those of a call."""
        values = self._run(dict(values), level, at_level=True)
        return [values[i] for _, i in self.graph["outputs"]]

    def _run(self, values: dict[int, Tensor], level: float | None, *, at_level: bool) -> dict[int, Tensor]:
        """Adds the values of the nodes of one part; what neither part needs any more is freed."""
        first, nodes = len(self.graph["inputs"]), self.graph["nodes"]
        part = [k for k in range(len(nodes)) if (k in self._at_level) == at_level]
        later = () if at_level else self._at_level
        kept = {i for _, i in self.graph["outputs"]} | {i for k in later for i in nodes[k]["in"]}
        last_use = {i: k for k in part for i in nodes[k]["in"]}
        for k in part:
            values[first + k] = self._apply(nodes[k], [values[i] for i in nodes[k]["in"]], level)
            for i in set(nodes[k]["in"]):
                if last_use[i] == k and i not in kept:
                    del values[i]
        return values

    def _apply(self, node: _Node, x: list[Tensor], level: float | None) -> Tensor:
        op = node["op"]
        if op in _PLAIN:
            return _PLAIN[op](*x)
        match op:
            case "conv2d" | "conv_transpose2d":
                return self._convolution(node, x[0])
            case "gdn" | "gdn1":
                return self._gdn(node, x[0])
            case "leaky_relu":
                return F.leaky_relu(x[0], node["slope"])
            case "clamp" if node.get("min") is None and node.get("max") is None:
                return x[0]
            case "clamp":
                return x[0].clamp(node.get("min"), node.get("max"))
            case "add_scalar":
                return torch.add(x[0], node["value"])
            case "mul_scalar":
                return torch.mul(x[0], node["value"])
            case "concat":
                return torch.cat(x, dim=1)
            case "slice":
                return x[0].narrow(1, node["start"], node["length"])
            case "pixel_shuffle":
                return torch.pixel_shuffle(x[0], node["factor"])
            case "pixel_unshuffle":
                return torch.pixel_unshuffle(x[0], node["factor"])
            case "constant":
                return self.tensors[node["tensor"]].reshape(1, -1, 1, 1)
            case "interpolate":
                return self._interpolate(self.tensors[node["tensor"]], level)
            case "window_attention":
                return self._attention(node, *x)
        if op in SPATIAL:
            return SPATIAL[op](node, x[0])
        msg = f"operation '{op}' at {node['place']} is unknown to the torch runtime"
        raise UnsupportedVersionError(msg)

    def _convolution(self, node: _Node, x: Tensor) -> Tensor:
        weight = self.tensors[node["weight"]]
        bias = None if node.get("bias") is None else self.tensors[node["bias"]]
        if node["op"] == "conv2d":
            dilation = node.get("dilation") or 1
            return F.conv2d(x, weight, bias, node["stride"], node["padding"], dilation, node["groups"])
        geometry = node["stride"], node["padding"], node["output_padding"]
        return F.conv_transpose2d(x, weight, bias, *geometry, groups=node["groups"])

    def _attention(self, node: _Node, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return window_attention(
            query,
            key,
            value,
            window=tuple(node["window"]),
            shift=tuple(node["shift"]),
            heads=node["heads"],
            scale=node["scale"],
            bias=None if node.get("bias") is None else self.tensors[node["bias"]],
        )

    def _gdn(self, node: _Node, x: Tensor) -> Tensor:
        beta, gamma = self.tensors[node["beta"]], self.tensors[node["gamma"]]
        powers = x.abs() if node["op"] == "gdn1" else x * x
        norm = F.conv2d(powers, gamma.reshape(len(beta), len(beta), 1, 1), beta)
        norm = norm if node["op"] == "gdn1" else norm.sqrt()
        return x * norm if node["inverse"] else x / norm

    @staticmethod
    def _interpolate(rows: Tensor, level: float | None) -> Tensor:
        if level is None:
            msg = "a variable-rate graph needs a level, none is given"
            raise ValueError(msg)
        first = min(int(level), len(rows) - 2)
        return torch.lerp(rows[first], rows[first + 1], level - first).reshape(1, -1, 1, 1)


def _level_dependent(graph: _Node) -> frozenset[int]:
    """The numbers of the nodes whose value depends on the level."""
    first, found = len(graph["inputs"]), set()
    for k, node in enumerate(graph["nodes"]):
        if node["op"] == "interpolate" or any(i - first in found for i in node["in"]):
            found.add(k)
    return frozenset(found)
