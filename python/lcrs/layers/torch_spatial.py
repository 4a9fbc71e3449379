"""Operations of coding graphs that take attributes and look at neighbours, in torch's own arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

__all__ = ["SPATIAL"]

_Node = Mapping[str, Any]


def _softmax(node: _Node, x: Tensor) -> Tensor:
    return _grouped(node, x).softmax(dim=2).flatten(1, 2)


def _normalise(node: _Node, x: Tensor) -> Tensor:
    groups = _grouped(node, x)
    dims = (2, 3, 4) if node["spatial"] else (2,)
    distances = groups - groups.mean(dims, keepdim=True)
    variance = (distances * distances).mean(dims, keepdim=True)
    y: Tensor = distances * (variance + node["epsilon"]).rsqrt()
    return y.flatten(1, 2)


def _grouped(node: _Node, x: Tensor) -> Tensor:
    """(N, groups, C / groups, H, W)."""
    return x.reshape(len(x), node["groups"], -1, *x.shape[2:])


def _max_pool(node: _Node, x: Tensor) -> Tensor:
    return F.max_pool2d(x, node["kernel"], node["stride"], node["padding"], ceil_mode=node["ceil"])


def _avg_pool(node: _Node, x: Tensor) -> Tensor:
    geometry = node["kernel"], node["stride"], node["padding"]
    return F.avg_pool2d(x, *geometry, ceil_mode=node["ceil"], count_include_pad=node["count_padding"])


def _size(node: _Node, x: Tensor) -> tuple[int, int]:
    height, width = node["size"]
    return height or x.shape[2], width or x.shape[3]


def _upsample(node: _Node, x: Tensor) -> Tensor:
    factor = [float(side) for side in node["factor"]]
    return F.interpolate(x, scale_factor=factor, mode=node["mode"], align_corners=node.get("align_corners"))


def _pad(node: _Node, x: Tensor) -> Tensor:
    (top, left), (bottom, right) = node["before"], node["after"]
    mode = "constant" if node["mode"] == "zeros" else node["mode"]
    return F.pad(x, (left, right, top, bottom), mode=mode)


SPATIAL: dict[str, Callable[[_Node, Tensor], Tensor]] = {
    "gelu_tanh": lambda node, x: F.gelu(x, approximate="tanh"),
    "elu": lambda node, x: F.elu(x, node["alpha"]),
    "softmax": _softmax,
    "normalise": _normalise,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_max_pool2d": lambda node, x: F.adaptive_max_pool2d(x, _size(node, x)),
    "adaptive_avg_pool2d": lambda node, x: F.adaptive_avg_pool2d(x, _size(node, x)),
    "upsample": _upsample,
    "pad": _pad,
}
"""Each takes the node and (N, C, H, W)."""
