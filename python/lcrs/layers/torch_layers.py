"""How torch's own activations, normalisations, poolings and enlargements lower.

Each takes the graph, the module and its input, and returns the result. All are those of eval mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["TORCH_LAYERS", "affine", "pair", "spread"]

Value: TypeAlias = Any
"""A value of the graph, which none of these looks into."""


class Graph(Protocol):
    """What they take of a `lcrs.layers.lowering.GraphBuilder`."""

    def op(self, op: str, *values: Any, **attributes: Any) -> Any:
        """An operation, and its value."""

    def tensor(self, name: str, tensor: Tensor) -> str:
        """A tensor of the module that is being lowered, by a name."""

    def refusal(self, module: nn.Module, reason: str) -> Exception:
        """The error of a module that has no form."""


_V = TypeVar("_V")

_Lower = Callable[[Graph, Any, Value], Value]


def pair(value: Any) -> tuple[int, int]:
    """`value` for height and width."""
    height, width = value if isinstance(value, tuple | list) else (value, value)
    return int(height), int(width)


def affine(graph: Graph, x: _V, weight: Tensor | None, bias: Tensor | None) -> _V:
    """`x * weight + bias` with a number for each channel of each, rounded once: a depthwise 1x1 convolution.

    Without a weight nothing is multiplied; without a bias nothing is added.
    """
    if weight is None:
        if bias is None:
            return x
        with_bias: _V = graph.op("add", x, graph.op("constant", tensor=graph.tensor("bias", bias)))
        return with_bias
    scaled: _V = graph.op(
        "conv2d",
        x,
        weight=graph.tensor("weight", weight.reshape(-1, 1, 1, 1)),
        bias=None if bias is None else graph.tensor("bias", bias),
        stride=(1, 1),
        padding=(0, 0),
        groups=weight.numel(),
    )
    return scaled


def _plain(op: str) -> _Lower:
    return lambda graph, module, x: graph.op(op, x)


def _gelu(graph: Graph, module: nn.GELU, x: Value) -> Value:
    return graph.op("gelu_tanh" if module.approximate == "tanh" else "gelu", x)


def _celu(graph: Graph, module: nn.CELU, x: Value) -> Value:
    inner = graph.op("mul_scalar", x, value=1 / module.alpha)
    return graph.op("mul_scalar", graph.op("elu", inner, alpha=1.0), value=float(module.alpha))


def _selu(graph: Graph, module: nn.SELU, x: Value) -> Value:
    # Klambauer et al., "Self-normalizing neural networks", 2017
    return graph.op("mul_scalar", graph.op("elu", x, alpha=1.6732632423543772), value=1.0507009873554805)


def _prelu(graph: Graph, module: nn.PReLU, x: Value) -> Value:
    if module.weight.numel() == 1:
        return graph.op("leaky_relu", x, slope=float(module.weight.detach()))
    return graph.op("prelu", x, graph.op("constant", tensor=graph.tensor("weight", module.weight)))


def _softplus(graph: Graph, module: nn.Softplus, x: Value) -> Value:
    if module.beta == 1:
        return graph.op("softplus", x)
    inner = graph.op("mul_scalar", x, value=float(module.beta))
    return graph.op("mul_scalar", graph.op("softplus", inner), value=1 / module.beta)


def _log_sigmoid(graph: Graph, module: nn.LogSigmoid, x: Value) -> Value:
    inner = graph.op("softplus", graph.op("mul_scalar", x, value=-1.0))
    return graph.op("mul_scalar", inner, value=-1.0)


def _softsign(graph: Graph, module: nn.Softsign, x: Value) -> Value:
    return graph.op("div", x, graph.op("add_scalar", graph.op("abs", x), value=1.0))


def _softmax(graph: Graph, module: nn.Softmax, x: Value) -> Value:
    if module.dim not in (1, -3):
        raise graph.refusal(module, f"dim is {module.dim}, must be 1, the channels")
    return graph.op("softmax", x, groups=1)


def _batch_norm(graph: Graph, module: nn.BatchNorm2d | nn.InstanceNorm2d, x: Value) -> Value:
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None:
        raise graph.refusal(module, "without running statistics it depends on the batch")
    scale = (variance.double() + module.eps).rsqrt()
    if module.weight is not None:
        scale = scale * module.weight.double()
    shift = -mean.double() * scale
    if module.bias is not None:
        shift = shift + module.bias.double()
    return affine(graph, x, scale, shift)


def _group_norm(graph: Graph, module: nn.GroupNorm, x: Value) -> Value:
    x = graph.op("normalise", x, groups=module.num_groups, spatial=True, epsilon=float(module.eps))
    return affine(graph, x, module.weight, module.bias)


def _layer_norm(graph: Graph, module: nn.LayerNorm, x: Value) -> Value:
    if len(module.normalized_shape) != 1:
        raise graph.refusal(
            module, f"normalized_shape is {tuple(module.normalized_shape)}, must be the channels"
        )
    x = graph.op("normalise", x, groups=1, spatial=False, epsilon=float(module.eps))
    return affine(graph, x, module.weight, module.bias)


def _instance_norm(graph: Graph, module: nn.InstanceNorm2d, x: Value) -> Value:
    if module.track_running_stats:
        return _batch_norm(graph, module, x)
    x = graph.op("normalise", x, groups=module.num_features, spatial=True, epsilon=float(module.eps))
    return affine(graph, x, module.weight, module.bias)


def _max_pool(graph: Graph, module: nn.MaxPool2d, x: Value) -> Value:
    if pair(module.dilation) != (1, 1) or module.return_indices:
        raise graph.refusal(module, "only without dilation and return_indices")
    return graph.op("max_pool2d", x, **_windows(module))


def _avg_pool(graph: Graph, module: nn.AvgPool2d, x: Value) -> Value:
    if module.divisor_override:
        raise graph.refusal(module, f"divisor_override is {module.divisor_override}, must be None")
    return graph.op("avg_pool2d", x, count_padding=bool(module.count_include_pad), **_windows(module))


def _windows(module: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    kernel = pair(module.kernel_size)
    stride = kernel if module.stride is None else pair(module.stride)
    padding = pair(module.padding)
    return {"kernel": kernel, "stride": stride, "padding": padding, "ceil": bool(module.ceil_mode)}


def _adaptive(op: str) -> _Lower:
    def lower(graph: Graph, module: Any, x: Value) -> Value:
        if getattr(module, "return_indices", False):
            raise graph.refusal(module, "only without return_indices")
        size = module.output_size
        height, width = size if isinstance(size, tuple | list) else (size, size)
        return graph.op(op, x, size=(height or 0, width or 0))

    return lower


def _upsample(graph: Graph, module: nn.Upsample, x: Value) -> Value:
    factor = module.scale_factor
    if module.size is not None or factor is None:
        raise graph.refusal(module, "it enlarges to a size, must be by a factor")
    height, width = factor if isinstance(factor, tuple | list) else (factor, factor)
    if height != int(height) or width != int(width) or min(height, width) < 1:
        raise graph.refusal(module, f"scale_factor is {factor}, must be a whole number")
    factors = (int(height), int(width))
    if module.mode in ("nearest", "nearest-exact"):
        return graph.op("upsample", x, mode="nearest", factor=factors)
    if module.mode == "bilinear":
        corners = bool(module.align_corners)
        return graph.op("upsample", x, mode="bilinear", factor=factors, align_corners=corners)
    raise graph.refusal(module, f"mode is {module.mode!r}, must be 'nearest' or 'bilinear'")


def _pad(mode: str) -> _Lower:
    def lower(graph: Graph, module: Any, x: Value) -> Value:
        if getattr(module, "value", 0) != 0:
            raise graph.refusal(module, f"it pads with {module.value}, must be 0")
        left, right, top, bottom = (int(side) for side in module.padding)
        before, after = (top, left), (bottom, right)
        if min(before + after) < 0:  # negative margins are left out
            x = graph.op(
                "crop", x, before=[max(-side, 0) for side in before], after=[max(-side, 0) for side in after]
            )
        if max(before + after) <= 0:
            return x
        return graph.op(
            "pad",
            x,
            mode=mode,
            before=[max(side, 0) for side in before],
            after=[max(side, 0) for side in after],
        )

    return lower


def _identity(graph: Graph, module: nn.Module, x: Value) -> Value:
    return x


TORCH_LAYERS: dict[type, _Lower] = {
    nn.GELU: _gelu,
    nn.SiLU: _plain("silu"),
    nn.Mish: _plain("mish"),
    nn.ELU: lambda graph, module, x: graph.op("elu", x, alpha=float(module.alpha)),
    nn.CELU: _celu,
    nn.SELU: _selu,
    nn.PReLU: _prelu,
    nn.Hardswish: _plain("hard_swish"),
    nn.Hardsigmoid: _plain("hard_sigmoid"),
    nn.Softplus: _softplus,
    nn.LogSigmoid: _log_sigmoid,
    nn.Softsign: _softsign,
    nn.Softmax: _softmax,
    nn.Softmax2d: lambda graph, module, x: graph.op("softmax", x, groups=1),
    nn.BatchNorm2d: _batch_norm,
    nn.SyncBatchNorm: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.InstanceNorm2d: _instance_norm,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _avg_pool,
    nn.AdaptiveAvgPool2d: _adaptive("adaptive_avg_pool2d"),
    nn.AdaptiveMaxPool2d: _adaptive("adaptive_max_pool2d"),
    nn.Upsample: _upsample,
    nn.UpsamplingNearest2d: _upsample,
    nn.UpsamplingBilinear2d: _upsample,
    nn.ZeroPad2d: _pad("zeros"),
    nn.ConstantPad2d: _pad("zeros"),
    nn.ReflectionPad2d: _pad("reflect"),
    nn.ReplicationPad2d: _pad("replicate"),
    nn.CircularPad2d: _pad("circular"),
    nn.AlphaDropout: _identity,
    nn.FeatureAlphaDropout: _identity,
}
"""By class, beside those of `lcrs.layers.lowering`."""


def spread(weight: Tensor, dilation: tuple[int, int]) -> Tensor:
    """`weight` (.., kH, kW) with zeros between its taps, which so are `dilation` apart."""
    (height, width), (dy, dx) = weight.shape[-2:], dilation
    spread = torch.zeros(*weight.shape[:-2], (height - 1) * dy + 1, (width - 1) * dx + 1, dtype=weight.dtype)
    spread[..., ::dy, ::dx] = weight.detach()
    return spread
