"""What the native scans are made of, from the networks of a codec.

A native scan takes a masked convolution for the context, and a stack of 1x1 convolutions with functions
between for the parameters. Codecs with other networks are scanned step by step in Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs.base import single
from lcrs.layers import MaskedConv2d
from lcrs.layers.agreement import check_network
from lcrs.layers.lowering import LoweredGraph, lower
from lcrs.layers.module_state import state_key
from lcrs.ops.cache import fingerprint

__all__ = ["pointwise_layers", "scan_arguments", "scan_key"]

_Layer = tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, float] | None]
# What may follow such a layer, and the attribute of it that goes along.
_FUNCTIONS: dict[str, str | None] = {
    **dict.fromkeys(("relu", "abs", "sigmoid", "softplus", "exp", "tanh")),
    **dict.fromkeys(("gelu", "gelu_tanh", "silu", "mish", "hard_sigmoid", "hard_swish")),
    "leaky_relu": "slope",
    "elu": "alpha",
}


def scan_key(gaussian: GaussianConditional, context: nn.Module, network: nn.Module) -> bytes:
    """A key that differs when a scan made of these parts would."""
    gaussian.report_density()
    table = (gaussian.effective_scale_table(), torch.tensor(gaussian.least_scale))
    filled = (gaussian.quantized_cdf, gaussian.cdf_length, gaussian.offset)
    own = gaussian._parameters_key() if gaussian.has_own_density else b""
    return own + fingerprint([*table, *filled]) + state_key(context) + state_key(network)


def scan_arguments(
    gaussian: GaussianConditional,
    context: nn.Module,
    network: nn.Module,
    thresholds: NDArray[np.float32] | None = None,
) -> dict[str, Any] | None:
    """Arguments of a native scan; None if there is no such form.

    Args:
        gaussian: Has the table.
        context: The masked convolution.
        network: Gives the parameters.
        thresholds: How scales pick rows of the table; by default as in `gaussian`.

    Raises:
        NotPortableError: The network or the context has no form on the exact engine at all, or not one that
            computes the same.
    """
    lowered = _checked(network, "entropy_parameters")
    _checked(context, "context_prediction")
    layers = _pointwise_layers(lowered)
    has_own_rows = gaussian.has_own_quantizer or is_overridden(gaussian, "build_indexes")
    if layers is None or not _is_plain(context) or has_own_rows:
        return None
    assert isinstance(context, MaskedConv2d)
    return {
        "weight": single(context.weight * context.mask).numpy(),
        "bias": None if context.bias is None else single(context.bias).numpy(),
        "layers": layers,
        "table": gaussian.cdf_table(),
        "thresholds": gaussian.thresholds() if thresholds is None else thresholds,
    }


def _is_plain(context: nn.Module) -> bool:
    """Whether `context` is a masked convolution, ungrouped, of stride 1, its kernel odd, square, centred."""
    if not isinstance(context, MaskedConv2d):
        return False
    size = context.kernel_size[0]
    return (
        size >= 3
        and size % 2 == 1
        and context.kernel_size == (size, size)
        and context.padding == (size // 2, size // 2)
        and (context.stride, context.dilation, context.groups) == ((1, 1), (1, 1), 1)
        and context.padding_mode == "zeros"
        and not bool(context.mask[:, :, size // 2, size // 2].any())
    )


def pointwise_layers(network: nn.Module, place: str) -> list[_Layer] | None:
    """Weights, biases and functions of a chain of 1x1 convolutions; None if `network` is something else."""
    return _pointwise_layers(lower(network, place))


def _checked(network: nn.Module, place: str) -> LoweredGraph:
    """The form of `network`, once it is found to compute the same; it begins with a convolution."""
    lowered = lower(network, place)
    nodes = lowered.description["nodes"]
    if nodes and nodes[0]["op"] == "conv2d":
        channels = lowered.tensors[nodes[0]["weight"]].shape[1] * nodes[0]["groups"]
        graph = coding.Graph(lowered.json, lowered.tensors)
        check_network(network, graph, torch.zeros(1, channels, 8, 12), place)
    return lowered


def _pointwise_layers(lowered: LoweredGraph) -> list[_Layer] | None:
    layers: list[_Layer] = []
    for i, node in enumerate(lowered.description["nodes"]):
        if node["in"] != [i]:
            return None
        if node["op"] == "conv2d":
            layer = _pointwise(lowered, node)
            if layer is None:
                return None
            layers.append(layer)
        elif node["op"] in _FUNCTIONS and layers and layers[-1][2] is None:
            attribute = _FUNCTIONS[node["op"]]
            layers[-1] = (*layers[-1][:2], (node["op"], node[attribute] if attribute else 0.0))
        else:
            return None
    return layers or None


def _pointwise(lowered: LoweredGraph, node: dict[str, Any]) -> _Layer | None:
    weight = lowered.tensors[node["weight"]]
    geometry = (list(node["stride"]), list(node["padding"]), node["groups"], list(weight.shape[2:]))
    if geometry != ([1, 1], [0, 0], 1, [1, 1]):
        return None
    bias = lowered.tensors[node["bias"]] if "bias" in node else None
    return np.ascontiguousarray(weight[:, :, 0, 0]), bias, None
