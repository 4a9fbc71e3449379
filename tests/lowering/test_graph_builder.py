"""The structure of the graphs that lowering writes, and what it refuses."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from lcrs.errors import NotPortableError
from lcrs.layers.lowering import GraphBuilder


def lower(module, place="net"):
    graph = GraphBuilder()
    return graph.finish({"y": graph.call(module, graph.input("x"), place=place)})


def only_node(module):
    (node,) = lower(module).description["nodes"]
    return node


def test_convolution_has_torchs_weight_and_geometry():
    conv = nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), groups=2)
    lowered = lower(conv)
    assert lowered.description == {
        "version": 1,
        "inputs": ["x"],
        "outputs": [["y", 1]],
        "nodes": [
            {
                "op": "conv2d", "in": [0], "place": "net", "weight": "net.weight", "bias": "net.bias",
                "stride": [2, 1], "padding": [1, 2], "groups": 2,
            }
        ],
    }  # fmt: skip
    np.testing.assert_array_equal(lowered.tensors["net.weight"], conv.weight.detach().numpy())


def test_transposed_convolution_without_bias():
    node = only_node(nn.ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1, bias=False))
    assert "bias" not in node
    assert node["output_padding"] == [1, 1]


def test_linear_is_a_pointwise_convolution():
    layer = nn.Linear(3, 5)
    lowered = lower(layer)
    assert lowered.description["nodes"][0]["op"] == "conv2d"
    np.testing.assert_array_equal(lowered.tensors["net.weight"][:, :, 0, 0], layer.weight.detach().numpy())


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.ReLU(inplace=True), {"op": "relu"}),
        (nn.LeakyReLU(0.1), {"op": "leaky_relu", "slope": 0.1}),
        (nn.Sigmoid(), {"op": "sigmoid"}),
        (nn.Softplus(), {"op": "softplus"}),
        (nn.Tanh(), {"op": "tanh"}),
        (nn.Hardtanh(-0.5, 2.0), {"op": "clamp", "min": -0.5, "max": 2.0}),
        (nn.ReLU6(), {"op": "clamp", "min": 0.0, "max": 6.0}),
        (nn.PixelShuffle(2), {"op": "pixel_shuffle", "factor": 2}),
        (nn.PixelUnshuffle(4), {"op": "pixel_unshuffle", "factor": 4}),
    ],
)
def test_simple_layers(module, expected):
    assert only_node(module) == {**expected, "in": [0], "place": "net"}


def test_a_module_used_twice_runs_twice_under_both_places():
    relu = nn.ReLU()
    nodes = lower(nn.Sequential(relu, nn.Conv2d(1, 1, 1), relu)).description["nodes"]
    assert [(node["op"], node["place"]) for node in nodes] == [
        ("relu", "net.0"), ("conv2d", "net.1"), ("relu", "net.2"),
    ]  # fmt: skip


def test_dropout_and_identity_leave_no_trace():
    lowered = lower(nn.Sequential(nn.Identity(), nn.Dropout(0.5)))
    assert lowered.description["nodes"] == []
    assert lowered.description["outputs"] == [["y", 0]]


def test_inputs_are_numbered_before_nodes_whenever_they_were_declared():
    graph = GraphBuilder()
    a = graph.op("relu", graph.input("a"))
    total = graph.op("add", a, graph.input("b"))
    description = graph.finish({"total": total, "a": a}).description
    assert description["inputs"] == ["a", "b"]
    assert [node["in"] for node in description["nodes"]] == [[0], [2, 1]]
    assert description["outputs"] == [["total", 3], ["a", 2]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_parameters_are_lowered_in_float32(dtype):
    conv = nn.Conv2d(2, 3, 1).to(dtype)
    weight = lower(conv).tensors["net.weight"]
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, conv.weight.detach().float().numpy())


def test_effective_parameters_are_computed_in_float32():
    class Square(nn.Module):
        def __init__(self):
            super().__init__()
            self.root = nn.Parameter(torch.tensor([1.1, 3.3]))

        def lower(self, graph, x):
            return graph.op("mul", x, graph.op("constant", tensor=graph.tensor("square", self.root**2)))

    module = Square().bfloat16()
    np.testing.assert_array_equal(
        lower(nn.Sequential(module)).tensors["net.0.square"], module.root.detach().float().numpy() ** 2
    )
    assert module.root.dtype == torch.bfloat16


def test_tensors_do_not_share_memory_with_the_module():
    conv = nn.Conv2d(1, 1, 1)
    weight = lower(conv).tensors["net.weight"]
    before = weight.copy()
    with torch.no_grad():
        conv.weight.add_(1)
    np.testing.assert_array_equal(weight, before)


def test_parametrised_weights_are_lowered_as_they_act():
    conv = parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    np.testing.assert_array_equal(lower(conv).tensors["net.weight"], conv.weight.detach().numpy())


def test_same_padding_becomes_numbers():
    assert only_node(nn.Conv2d(1, 1, 5, padding="same"))["padding"] == [2, 2]
    assert only_node(nn.Conv2d(1, 1, 5, padding="valid"))["padding"] == [0, 0]


class Doubled(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked():
    conv = nn.Conv2d(1, 1, 1)
    conv.register_forward_hook(lambda module, args, output: output + 1)
    return conv


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.LocalResponseNorm(3), "LocalResponseNorm at 'net.1' is not portable"),
        (Doubled(1, 1, 1), "Doubled at 'net.1' is not portable"),
        (hooked(), "forward hooks"),
    ],
)
def test_what_is_not_portable_is_refused_by_class_and_place(module, message):
    with pytest.raises(NotPortableError, match=message):
        lower(nn.Sequential(nn.ReLU(), module))


def test_lower_method_comes_before_the_table():
    class Offset(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset = nn.Parameter(torch.tensor([1.0, 2.0]))

        def lower(self, graph, x):
            return graph.op("add", x, graph.op("constant", tensor=graph.tensor("offset", self.offset)))

    lowered = lower(nn.Sequential(Offset()))
    assert [node["op"] for node in lowered.description["nodes"]] == ["constant", "add"]
    np.testing.assert_array_equal(lowered.tensors["net.0.offset"], [1.0, 2.0])


def test_one_name_stands_for_one_tensor():
    graph = GraphBuilder()
    assert graph.tensor("a", torch.ones(2)) == graph.tensor("a", torch.ones(2)) == "a"
    with pytest.raises(ValueError, match="'a' was registered with other numbers"):
        graph.tensor("a", torch.zeros(2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_tensors_must_be_finite(bad):
    conv = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        conv.weight[1] = bad
    with pytest.raises(ValueError, match=r"'net.weight' has (nan|inf) at \[1, 0, 0, 0\]"):
        lower(conv)


def test_scalars_are_the_shortest_decimals_of_their_float32():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**31 - 2**24, 2000, dtype=np.uint32).view(np.float32)
    for value in values[np.isfinite(values)]:
        graph = GraphBuilder()
        text = graph.finish({"y": graph.op("mul_scalar", graph.input("x"), value=float(value))}).json
        read = json.loads(text)["nodes"][0]["value"]
        assert np.float32(read) == value
        assert len(repr(read)) <= len(repr(float(value)))


def test_operations_are_checked():
    graph, other = GraphBuilder(), GraphBuilder()
    x = graph.input("x")
    with pytest.raises(NotPortableError, match="'fft' at the top of the graph"):
        graph.op("fft", x)
    with pytest.raises(ValueError, match="add at the top of the graph takes 2 inputs, got 1"):
        graph.op("add", x)
    with pytest.raises(ValueError, match="takes at least 1 inputs, got 0"):
        graph.op("concat")
    with pytest.raises(ValueError, match=r"unknown attributes \['slop'\], missing \['slope'\]"):
        graph.op("leaky_relu", x, slop=0.1)
    with pytest.raises(ValueError, match="another graph"):
        graph.op("relu", other.input("x"))
    with pytest.raises(ValueError, match="another graph"):
        other.finish({"y": x})
    with pytest.raises(ValueError, match="at least one output"):
        graph.finish({})
    with pytest.raises(ValueError, match="input 'x' already"):
        graph.input("x")
