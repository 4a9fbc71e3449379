"""Lowering: from torch modules to coding graphs.

A coding graph is what the exact engine runs instead of torch: a list of operations in static single
assignment form whose arithmetic has a fixed order, so that encoder and decoder agree to the last bit on
every machine. A graph is JSON beside a dictionary of named float32 tensors::

    {"version": 1, "inputs": ["x"], "outputs": [["y", 1]],
     "nodes": [{"op": "conv2d", "in": [0], "place": "g_a.0", "weight": "g_a.0.weight", ...}]}

Values are numbered: inputs first, then one value for each node. `GraphBuilder` writes such graphs. A module
says how it lowers by a method `lower(graph, x) -> Value`, which counts unless a class below the one that
defines it overrides `forward`; torch's own layers are in a table here, and their subclasses that override
nothing go with them; any other module is refused by its class and its place. A graph is what a module
computes in eval mode. What is lowered are *effective* parameters (masks applied,
reparametrisations resolved) in float32 on the CPU, whatever dtype and device the module has.

Example:
    >>> from torch import nn
    >>> graph = GraphBuilder()
    >>> y = graph.call(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()), graph.input("x"), place="g_a")
    >>> lowered = graph.finish({"y": y})
    >>> sorted(lowered.tensors)
    ['g_a.0.bias', 'g_a.0.weight']
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lcrs.errors import NotPortableError
from lcrs.layers.module_state import (
    evaluating,
    overrides_below,
    plain_class,
    set_effective_weights,
    why_changed,
)
from lcrs.layers.torch_layers import TORCH_LAYERS, pair, spread

__all__ = [
    "GRAPH_VERSION",
    "GraphBuilder",
    "Lowerable",
    "LoweredGraph",
    "Value",
    "lower",
    "register_lowering",
]

GRAPH_VERSION = 1
"""Version of the graph format; a reader refuses one that it does not know."""


@dataclass(frozen=True)
class _Op:
    """What an operation takes: `arity` inputs (None: one or more), attributes that must and may be there."""

    arity: int | None
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def _op(arity: int | None, required: str = "", optional: str = "") -> _Op:
    return _Op(arity, frozenset(required.split()), frozenset(optional.split()))


OPS: dict[str, _Op] = {
    "conv2d": _op(1, "weight stride padding groups", "bias dilation"),
    "conv_transpose2d": _op(1, "weight stride padding output_padding groups", "bias"),
    "relu": _op(1),
    "leaky_relu": _op(1, "slope"),
    "abs": _op(1),
    "sigmoid": _op(1),
    "softplus": _op(1),
    "exp": _op(1),
    "tanh": _op(1),
    "gelu": _op(1),
    "gelu_tanh": _op(1),
    "silu": _op(1),
    "mish": _op(1),
    "elu": _op(1, "alpha"),
    "hard_sigmoid": _op(1),
    "hard_swish": _op(1),
    "clamp": _op(1, "", "min max"),
    "gdn": _op(1, "beta gamma inverse"),
    "gdn1": _op(1, "beta gamma inverse"),
    "pixel_shuffle": _op(1, "factor"),
    "pixel_unshuffle": _op(1, "factor"),
    "add": _op(2),
    "sub": _op(2),
    "mul": _op(2),
    "div": _op(2),
    "prelu": _op(2),
    "add_scalar": _op(1, "value"),
    "mul_scalar": _op(1, "value"),
    "concat": _op(None),
    "slice": _op(1, "start length"),
    "constant": _op(0, "tensor"),
    "interpolate": _op(0, "tensor"),
    "softmax": _op(1, "groups"),
    "normalise": _op(1, "groups spatial epsilon"),
    "max_pool2d": _op(1, "kernel stride padding ceil"),
    "avg_pool2d": _op(1, "kernel stride padding ceil count_padding"),
    "adaptive_max_pool2d": _op(1, "size"),
    "adaptive_avg_pool2d": _op(1, "size"),
    "upsample": _op(1, "factor mode", "align_corners"),
    "pad": _op(1, "mode before after"),
    "crop": _op(1, "before after"),
    "window_attention": _op(3, "window shift heads scale", "bias"),
}
"""The operations of graph version 1; the specification of each is the exact engine's."""


@dataclass(frozen=True)
class Value:
    """A value of the graph under construction: made by `GraphBuilder`, of use with the same builder only."""

    graph: GraphBuilder
    number: int


def lower(module: nn.Module, place: str, output: str = "y") -> LoweredGraph:
    """The graph of `module` alone: input `x`, and what it makes of it as `output`."""
    graph = GraphBuilder()
    return graph.finish({output: graph.call(module, graph.input("x"), place)})


_Lower = Callable[["GraphBuilder", Any, "Value"], "Value"]
_REGISTERED: dict[type, _Lower] = {}


def register_lowering(module_class: type[nn.Module]) -> Callable[[_Lower], _Lower]:
    """Says how modules of a class lower that is not yours to change, as a decorator.

    For instances of exactly this class, whether it inherits a `lower` or not::

        @register_lowering(published.Block)
        def lower_block(graph, block, x):
            return graph.op("add", x, graph.call(block.layers, x, "layers"))

    Args:
        module_class: The class.

    Returns:
        What takes the function (graph, module, x) -> result, and returns it. A later one replaces it.
    """

    def register(lower: _Lower) -> _Lower:
        _REGISTERED[module_class] = lower
        return lower

    return register


@runtime_checkable
class Lowerable(Protocol):
    """A module that says how it lowers."""

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Append this module's operations to `graph`, applied to `x`; return the result."""
        ...


@dataclass(frozen=True)
class LoweredGraph:
    """A finished coding graph: its JSON and the float32 tensors that it names."""

    json: str
    tensors: dict[str, NDArray[np.float32]]

    @property
    def description(self) -> dict[str, Any]:
        """The graph as a dictionary, for a package description."""
        description: dict[str, Any] = json.loads(self.json)
        return description


class GraphBuilder:
    """Builds one coding graph, operation by operation.

    Places are dotted paths as in a state dict (`g_a.0`); `call` opens one for each module, and tensors and
    operations registered meanwhile carry it in their names.
    """

    def __init__(self) -> None:
        self._inputs: dict[str, int] = {}
        self._nodes: list[dict[str, Any]] = []
        self._node_numbers: list[int] = []
        self._tensors: dict[str, NDArray[np.float32]] = {}
        self._path: list[str] = []
        self._depth = 0
        self._count = 0
        self._plain_modules: dict[int, nn.Module] = {}  # kept, so that no other comes to have their ids

    @property
    def place(self) -> str:
        """Dotted path of the module that is being lowered; empty at the top."""
        return ".".join(self._path)

    def input(self, name: str) -> Value:
        """Declare the input called `name`, a (C, H, W) tensor.

        Raises:
            ValueError: there is such an input already.
        """
        if name in self._inputs:
            raise ValueError(f"the graph has an input {name!r} already")
        value = self._new_value()
        self._inputs[name] = value.number
        return value

    def op(self, op: str, *values: Value, **attributes: Any) -> Value:
        """Append the operation `op` on `values`.

        Floats are rounded to float32. A keyword that is None counts as absent (`bias=None`).

        Raises:
            NotPortableError: the engine has no such operation.
            ValueError: wrong number of inputs, wrong attributes, or a value of another graph.
        """
        spec = OPS.get(op)
        if spec is None:
            raise NotPortableError(f"operation {op!r} at {self._where()} is not one of {', '.join(OPS)}")
        if len(values) != spec.arity and (spec.arity is not None or not values):
            wanted = "at least 1" if spec.arity is None else spec.arity
            raise ValueError(f"{op} at {self._where()} takes {wanted} inputs, got {len(values)}")
        given = {key: _plain(value) for key, value in attributes.items() if value is not None}
        unknown, missing = given.keys() - spec.required - spec.optional, spec.required - given.keys()
        if unknown or missing:
            raise ValueError(
                f"{op} at {self._where()}: unknown attributes {sorted(unknown)}, missing {sorted(missing)}"
            )
        for value in values:
            if value.graph is not self:
                raise ValueError(f"{op} at {self._where()} was given a value of another graph")
        self._nodes.append({"op": op, "in": [value.number for value in values], "place": self.place, **given})
        result = self._new_value()
        self._node_numbers.append(result.number)
        return result

    def tensor(self, name: str, tensor: Tensor) -> str:
        """Register `tensor` as `name` under the current place, as float32 on the CPU; return its full name.

        Raises:
            ValueError: the tensor is complex or not finite, or the name stands for other numbers already.
        """
        full = f"{self.place}.{name}" if self._path else name
        if tensor.is_complex():
            raise ValueError(f"tensor {full!r} is complex; lower its effective real weight instead")
        single = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous()
        array = single.numpy().copy()
        if not np.isfinite(array).all():
            position = np.argwhere(~np.isfinite(array))[0].tolist()
            raise ValueError(f"tensor {full!r} has {array[tuple(position)]} at {position}; must be finite")
        known = self._tensors.get(full)
        if known is not None and (known.shape != array.shape or known.tobytes() != array.tobytes()):
            raise ValueError(f"tensor {full!r} was registered with other numbers")
        self._tensors[full] = array
        return full

    def call(self, module: nn.Module, x: Value, place: str = "") -> Value:
        """Lower `module` applied to `x`, below `place` (relative to the current one; empty: the same).

        A module on another device or in another precision is copied to the CPU in float32 first, so that
        effective parameters are computed by the same kernels wherever the module lives.

        Raises:
            NotPortableError: neither the module nor the table of torch's layers says how, or something was
                done to it that may change what it computes; the message has the class and the place.
        """
        if self._depth:
            return self._call(module, x, place)
        with evaluating(module):
            set_effective_weights(module)
            self._depth += 1
            try:
                return self._call(module, x, place)
            finally:
                self._depth -= 1
                self._plain_modules.clear()

    def _call(self, module: nn.Module, x: Value, place: str) -> Value:
        with self.at(place):
            if not self._is_plain(module):
                module = copy.deepcopy(module).to("cpu").float()
                set_effective_weights(module)
            if type(module).__name__ == "OptimizedModule":  # of torch.compile: computes the same
                module = module.get_submodule("_orig_mod")
            if reason := why_changed(module):
                raise self.refusal(module, reason)
            registered = _REGISTERED.get(parametrize.type_before_parametrizations(module))
            if registered is not None:
                return registered(self, module, x)
            if callable(getattr(module, "lower", None)):  # a `Lowerable`; to ask for that takes longer
                assert isinstance(module, Lowerable)
                if overrides_below(type(module), "forward", "lower"):
                    raise self.refusal(module, "its forward is its own, its lower() another class's")
                return module.lower(self, x)
            lower = _TORCH_LAYERS.get(plain_class(module, _TORCH_LAYERS.__contains__) or type(module))
            if lower is None:
                raise self.refusal(module, "the exact engine has no operations for it and it has no lower()")
            return lower(self, module, x)

    def _is_plain(self, module: nn.Module) -> bool:
        """Whether all numbers of `module` are float32 on the CPU: asked once for all that is inside."""
        if id(module) in self._plain_modules:
            return True
        if any(t.is_floating_point() and not _is_float32_on_cpu(t) for t in _state(module)):
            return False
        self._plain_modules |= {id(part): part for part in module.modules()}
        return True

    def finish(self, outputs: dict[str, Value]) -> LoweredGraph:
        """Close the graph with the named `outputs`, in their order.

        Raises:
            ValueError: no output, or a value of another graph.
        """
        if not outputs:
            raise ValueError("a graph needs at least one output")
        if any(value.graph is not self for value in outputs.values()):
            raise ValueError("an output is a value of another graph")
        order = [*self._inputs.values(), *self._node_numbers]
        number = {old: new for new, old in enumerate(order)}
        description = {
            "version": GRAPH_VERSION,
            "inputs": list(self._inputs),
            "outputs": [[name, number[value.number]] for name, value in outputs.items()],
            "nodes": [{**node, "in": [number[i] for i in node["in"]]} for node in self._nodes],
        }
        text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return LoweredGraph(text, dict(self._tensors))

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Open `place` below the current one for the time of a `with` block; empty opens nothing."""
        if not place:
            yield
            return
        self._path.append(place)
        try:
            yield
        finally:
            self._path.pop()

    def refusal(self, module: nn.Module, reason: str) -> NotPortableError:
        """The error, ready to raise, that refuses `module` at the current place."""
        name = parametrize.type_before_parametrizations(module).__name__
        return NotPortableError(f"{name} at {self._where()} is not portable: {reason}")

    def _where(self) -> str:
        return repr(self.place) if self._path else "the top of the graph"

    def _new_value(self) -> Value:
        self._count += 1
        return Value(self, self._count - 1)


def _state(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _is_float32_on_cpu(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu"


def _plain(value: Any) -> Any:
    """`value` as JSON has it; floats become the shortest decimal that gives the same float32."""
    if isinstance(value, float | np.floating):
        single = np.float32(value)
        short = float(str(single))
        return short if np.float32(short) == single else float(single)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _conv2d(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    assert isinstance(module, nn.Conv2d)
    return conv2d(graph, module, x, module.weight)


def conv2d(graph: GraphBuilder, module: nn.Conv2d, x: Value, weight: Tensor) -> Value:
    """Lower the convolution `module` with the effective `weight` (O, I / groups, kH, kW) in place of its own.

    For modules that derive from `nn.Conv2d` and mask or transform their weight.
    """
    dilation = pair(module.dilation)
    if module.padding == "valid":
        margins = [(0, 0), (0, 0)]
    elif module.padding == "same":
        totals = [d * (size - 1) for d, size in zip(dilation, module.kernel_size, strict=True)]
        margins = [(total // 2, total - total // 2) for total in totals]
    else:
        margins = [(int(side), int(side)) for side in module.padding]
    before, after = [first for first, _ in margins], [last for _, last in margins]
    if module.padding_mode != "zeros" or before != after:
        x = graph.op("pad", x, mode=module.padding_mode, before=before, after=after)
        before = [0, 0]
    return graph.op(
        "conv2d",
        x,
        weight=graph.tensor("weight", weight),
        bias=None if module.bias is None else graph.tensor("bias", module.bias),
        stride=module.stride,
        padding=before,
        groups=module.groups,
        dilation=None if dilation == (1, 1) else dilation,
    )


def _conv_transpose2d(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    assert isinstance(module, nn.ConvTranspose2d)
    return conv_transpose2d(graph, module, x, module.weight)


def conv_transpose2d(graph: GraphBuilder, module: nn.ConvTranspose2d, x: Value, weight: Tensor) -> Value:
    """Lower the transposed convolution `module` with the effective `weight` (I, O / groups, kH, kW)."""
    if pair(module.dilation) != (1, 1):
        weight = spread(weight, pair(module.dilation))
    return graph.op(
        "conv_transpose2d",
        x,
        weight=graph.tensor("weight", weight),
        bias=None if module.bias is None else graph.tensor("bias", module.bias),
        stride=module.stride,
        padding=module.padding,
        output_padding=module.output_padding,
        groups=module.groups,
    )


def _linear(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    assert isinstance(module, nn.Linear)
    bias = None if module.bias is None else graph.tensor("bias", module.bias)
    weight = graph.tensor("weight", module.weight[:, :, None, None])
    return graph.op("conv2d", x, weight=weight, bias=bias, stride=(1, 1), padding=(0, 0), groups=1)


def _sequential(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    for name, child in module._modules.items():  # named_children() leaves out a child's second use
        assert child is not None
        x = graph.call(child, x, place=name)
    return x


def _clamp(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    assert isinstance(module, nn.Hardtanh)
    return graph.op("clamp", x, min=float(module.min_val), max=float(module.max_val))


def _identity(graph: GraphBuilder, module: nn.Module, x: Value) -> Value:
    return x


_TORCH_LAYERS: dict[type, Callable[[GraphBuilder, Any, Value], Value]] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.Linear: _linear,
    nn.Sequential: _sequential,
    nn.ReLU: lambda graph, module, x: graph.op("relu", x),
    nn.LeakyReLU: lambda graph, module, x: graph.op("leaky_relu", x, slope=float(module.negative_slope)),
    nn.Sigmoid: lambda graph, module, x: graph.op("sigmoid", x),
    nn.Tanh: lambda graph, module, x: graph.op("tanh", x),
    nn.Hardtanh: _clamp,
    nn.ReLU6: _clamp,
    nn.PixelShuffle: lambda graph, module, x: graph.op("pixel_shuffle", x, factor=module.upscale_factor),
    nn.PixelUnshuffle: lambda graph, layer, x: graph.op("pixel_unshuffle", x, factor=layer.downscale_factor),
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Dropout2d: _identity,
    **TORCH_LAYERS,
}
"""How torch's own layers lower, in eval mode."""
