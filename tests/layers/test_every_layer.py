"""What every layer must survive: copies, pickles, compilers, other types, a backward pass, lowering."""

import copy
import io
import pickle
import warnings

import pytest
import reference_graph
import torch
from torch import nn

from lcrs import layers
from lcrs.errors import NotPortableError
from lcrs.layers.lowering import GraphBuilder

LAYERS = {
    "AttentionBlock": lambda: layers.AttentionBlock(4),
    "CheckerboardMaskedConv2d": lambda: layers.CheckerboardMaskedConv2d(4, 6, 5, padding=2),
    "DenseBlock": lambda: layers.DenseBlock(4),
    "DepthwiseBlock": lambda: layers.DepthwiseBlock(4),
    "GDN": lambda: layers.GDN(4),
    "GDN1": lambda: layers.GDN1(4, inverse=True),
    "Gain": lambda: layers.Gain((4, 1, 1), factor=10.0),
    "Gain-scalar": lambda: layers.Gain(factor=0.5),
    "Interleave": lambda: layers.Interleave(2),
    "Lambda": lambda: layers.Lambda(torch.abs),
    "LayerNorm2d": lambda: layers.LayerNorm2d(4),
    "MaskedConv2d": lambda: layers.MaskedConv2d(4, 6, 5, padding=2),
    "MaskedConv2d-B": lambda: layers.MaskedConv2d(4, 4, 3, padding=1, groups=2, mask_type="B"),
    "Mlp": lambda: layers.Mlp(4, 6, 5),
    "NamedLayer": lambda: layers.NamedLayer("here"),
    "Reshape": lambda: layers.Reshape((2, -1)),
    "ResidualBlock": lambda: layers.ResidualBlock(4, 4),
    "ResidualBlock-skip": lambda: layers.ResidualBlock(4, 6),
    "ResidualBlockUpsample": lambda: layers.ResidualBlockUpsample(4, 6),
    "ResidualBlockWithStride": lambda: layers.ResidualBlockWithStride(4, 6),
    "ResidualBlockWithStride-1": lambda: layers.ResidualBlockWithStride(4, 4, stride=1),
    "ResidualBottleneckBlock": lambda: layers.ResidualBottleneckBlock(4, 4),
    "ResidualBottleneckBlock-skip": lambda: layers.ResidualBottleneckBlock(4, 6),
    "SpectralConv2d": lambda: layers.SpectralConv2d(4, 6, 5, stride=2, padding=2),
    "SpectralConvTranspose2d": lambda: layers.SpectralConvTranspose2d(
        4, 6, 5, stride=2, padding=2, output_padding=1
    ),
    "SwinBlock": lambda: layers.SwinBlock(4, 2, window_size=3, shift_size=1),
    "Transpose": lambda: layers.Transpose(1, 2),
    "WindowAttention": lambda: layers.WindowAttention(4, 4, 2),
    "sequential_channel_ramp": lambda: layers.sequential_channel_ramp(4, 8, kernel_size=1),
    "subpel_conv3x3": lambda: layers.subpel_conv3x3(4, 3, 2),
}
NOT_PORTABLE = {"Interleave", "Reshape", "Transpose"}

each = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def picture():
    return torch.randn(2, 4, 6, 5)


@each
def test_copies_pickles_and_saves(make):
    layer, x = make(), picture()
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for other in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),
        torch.load(buffer, weights_only=False),
    ):
        assert torch.equal(other(x), layer(x))
        assert repr(other) == repr(layer)


@each
def test_forward_changes_neither_parameters_nor_input(make):
    layer, x = make(), picture()
    state, before = copy.deepcopy(layer.state_dict()), x.clone()
    layer(x)
    assert torch.equal(x, before)
    assert all(torch.equal(value, state[key]) for key, value in layer.state_dict().items())


@each
def test_every_parameter_gets_a_finite_gradient(make):
    layer, x = make(), picture().requires_grad_()
    layer(x).square().sum().backward()
    for parameter in (x, *layer.parameters()):
        assert parameter.grad is not None
        assert torch.isfinite(
            torch.view_as_real(parameter.grad) if parameter.is_complex() else parameter.grad
        ).all()


# Weights that are parametrized, and windows; compilers take seconds.
COMPILED = {"GDN", "SwinBlock"}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, marks=[pytest.mark.slow] * (name not in COMPILED), id=name)
        for name, make in LAYERS.items()
    ],
)
def test_compiles_without_a_graph_break_and_exports(make):
    layer, x = make(), picture()
    expected = layer(x)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), expected)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), expected)


@each
def test_casts_to_other_types_and_back(make):
    layer, x = make(), picture()
    expected = layer(x)
    torch.testing.assert_close(layer.double()(x.double()).float(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.bfloat16()(x.bfloat16()).float(), expected, rtol=0.1, atol=0.15)
    assert layer.float()(x).dtype == torch.float32


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    store = torch.distributed.FileStore(str(tmp_path_factory.mktemp("ddp") / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("make", [make for make in LAYERS.values() if any(True for _ in make().parameters())])
def test_trains_in_distributed_data_parallel(make, process_group):
    layer, x = make(), picture()
    is_old = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 4)
    if is_old and any(parameter.is_complex() for parameter in layer.parameters()):
        pytest.skip("gloo of this torch sends no complex numbers")
    plain = copy.deepcopy(layer)
    plain(x).square().sum().backward()
    nn.parallel.DistributedDataParallel(layer)(x).square().sum().backward()
    for one, other in zip(layer.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@each
def test_moves_to_another_device(make):
    assert make().to("meta")(picture().to("meta")).device.type == "meta"


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - NOT_PORTABLE))
def test_lowers_to_what_it_computes(name):
    layer, x = LAYERS[name](), picture()
    for parameter in layer.parameters():  # away from initial values that hide mistakes
        nn.init.normal_(parameter, std=0.3) if not parameter.is_complex() else None
    graph = GraphBuilder()
    lowered = graph.finish({"y": graph.call(layer, graph.input("x"), place="net")})
    (result,) = reference_graph.run(lowered, x)
    torch.testing.assert_close(result, layer(x), rtol=1e-5, atol=1e-5)
    assert all(key.startswith("net.") for key in lowered.tensors)


@pytest.mark.parametrize("name", sorted(NOT_PORTABLE))
def test_what_moves_axes_is_refused_by_place(name):
    graph = GraphBuilder()
    with pytest.raises(NotPortableError, match=f"{name} at 'h_s.1'"):
        graph.call(LAYERS[name](), graph.input("x"), place="h_s.1")


@pytest.mark.parametrize("name", ["GDN", "GDN1", "MaskedConv2d", "AttentionBlock", "ResidualBlockUpsample"])
def test_scripts(name):
    layer, x = LAYERS[name](), picture()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of TorchScript
        scripted = torch.jit.script(layer)
    torch.testing.assert_close(scripted(x), layer(x))
