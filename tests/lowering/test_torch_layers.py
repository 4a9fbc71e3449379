"""Torch's own layers and ours: what they compute, and what engine and torch make of their graphs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lcrs import coding, layers
from lcrs.errors import NotPortableError
from lcrs.layers.lowering import GraphBuilder, lower, register_lowering
from lcrs.layers.torch_graph import TorchGraph
from lcrs.layers.windows import window_attention


def normalised(norm: nn.Module) -> nn.Module:
    """With parameters and statistics that differ everywhere."""
    generator = torch.Generator().manual_seed(5)
    for name, tensor in [*norm.named_parameters(), *norm.named_buffers()]:
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.data = 0.3 + noise if name.endswith(("weight", "var")) else noise - 0.5
    return norm


def conv(*args, **kwargs):
    return nn.Conv2d(6, 8, *args, **kwargs)


LAYERS = {
    "gelu": lambda: nn.GELU(),
    "gelu-tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": lambda: nn.SiLU(inplace=True),
    "mish": lambda: nn.Mish(),
    "elu": lambda: nn.ELU(alpha=0.4),
    "celu": lambda: nn.CELU(alpha=1.7),
    "selu": lambda: nn.SELU(),
    "prelu": lambda: normalised(nn.PReLU(6)),
    "prelu-one": lambda: nn.PReLU(),
    "hardswish": lambda: nn.Hardswish(),
    "hardsigmoid": lambda: nn.Hardsigmoid(),
    "softplus": lambda: nn.Softplus(beta=2.5),
    "logsigmoid": lambda: nn.LogSigmoid(),
    "softsign": lambda: nn.Softsign(),
    "softmax": lambda: nn.Softmax(dim=1),
    "softmax2d": lambda: nn.Softmax2d(),
    "batch-norm": lambda: normalised(nn.BatchNorm2d(6)),
    "batch-norm-plain": lambda: normalised(nn.BatchNorm2d(6, affine=False)),
    "group-norm": lambda: normalised(nn.GroupNorm(3, 6)),
    "group-norm-plain": lambda: nn.GroupNorm(1, 6, affine=False),
    "instance-norm": lambda: normalised(nn.InstanceNorm2d(6, affine=True)),
    "instance-norm-plain": lambda: nn.InstanceNorm2d(6),
    "instance-norm-running": lambda: normalised(nn.InstanceNorm2d(6, affine=True, track_running_stats=True)),
    "layer-norm": lambda: normalised(layers.LayerNorm2d(6)),
    "layer-norm-plain": lambda: layers.LayerNorm2d(6, elementwise_affine=False),
    "max-pool": lambda: nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    "max-pool-plain": lambda: nn.MaxPool2d((2, 3)),
    "avg-pool": lambda: nn.AvgPool2d(3, 2, padding=1),
    "avg-pool-ceil": lambda: nn.AvgPool2d((4, 3), (3, 2), padding=(2, 1), ceil_mode=True),
    "avg-pool-inside": lambda: nn.AvgPool2d(4, 3, padding=2, ceil_mode=True, count_include_pad=False),
    "adaptive-avg-pool": lambda: nn.AdaptiveAvgPool2d(1),
    "adaptive-avg-pool-many": lambda: nn.AdaptiveAvgPool2d((5, None)),
    "adaptive-max-pool": lambda: nn.AdaptiveMaxPool2d((3, 4)),
    "upsample-nearest": lambda: nn.Upsample(scale_factor=2),
    "upsample-bilinear": lambda: nn.Upsample(scale_factor=(3, 2), mode="bilinear"),
    "upsample-corners": lambda: nn.UpsamplingBilinear2d(scale_factor=3),
    "pad-zeros": lambda: nn.ZeroPad2d((1, 2, 0, 3)),
    "pad-reflect": lambda: nn.ReflectionPad2d((1, 2, 4, 3)),
    "pad-replicate": lambda: nn.ReplicationPad2d(3),
    "pad-circular": lambda: nn.CircularPad2d((1, 0, 2, 3)),
    "conv-reflect": lambda: conv(3, padding=1, padding_mode="reflect"),
    "conv-replicate": lambda: conv(5, padding=2, stride=2, padding_mode="replicate"),
    "conv-circular": lambda: conv(3, padding=(2, 1), padding_mode="circular"),
    "conv-dilated": lambda: conv(3, padding=2, dilation=2, groups=2),
    "conv-dilated-depthwise": lambda: nn.Conv2d(6, 6, 3, padding=(2, 3), dilation=(2, 3), groups=6),
    "conv-same-even": lambda: conv(4, padding="same", dilation=(1, 3)),
    "conv-same-reflect": lambda: conv(4, padding="same", padding_mode="reflect"),
    "conv-transpose-dilated": lambda: nn.ConvTranspose2d(6, 4, 3, 2, dilation=(2, 1), output_padding=1),
    "window-attention": lambda: layers.WindowAttention(6, 4, 3),
    "window-attention-shifted": lambda: layers.WindowAttention(6, (4, 3), 2, shift_size=(2, 1)),
    "window-attention-plain": lambda: layers.WindowAttention(6, 3, 1, qkv_bias=False, qk_scale=0.2),
    "swin-block": lambda: layers.SwinBlock(6, 2, window_size=4, shift_size=2),
    "lambda": lambda: layers.Lambda(F.hardswish),
}  # fmt: skip


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(3)
    return LAYERS[request.param]().eval()


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("size", [(11, 13), (8, 12), (5, 6)])
def test_the_engine_computes_what_torch_computes(layer, size):
    x = 3 * torch.randn(2, 6, *size, generator=torch.Generator().manual_seed(1))
    lowered = lower(layer, "net")
    with torch.no_grad():
        wanted = layer.double()(x.double()).float()
    found = coding.Graph(lowered.json, lowered.tensors).run([x.numpy()])["y"]
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-5, atol=4e-6)
    parameter = {name: torch.from_numpy(array) for name, array in lowered.tensors.items()}.__getitem__
    with torch.no_grad():
        (again,) = TorchGraph(lowered.description, parameter, "cpu")(x)
    torch.testing.assert_close(again, wanted, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.BatchNorm2d(6, track_running_stats=False), "depends on the batch"),
        (nn.LayerNorm((6, 4, 4)), r"normalized_shape is \(6, 4, 4\)"),
        (nn.Softmax(dim=-1), "dim is -1, must be 1"),
        (nn.MaxPool2d(3, dilation=2), "only without dilation"),
        (nn.AvgPool2d(3, divisor_override=2), "divisor_override is 2"),
        (nn.Upsample(size=(8, 8)), "to a size, must be by a factor"),
        (nn.Upsample(scale_factor=1.5), "scale_factor is 1.5, must be a whole number"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "mode is 'bicubic'"),
        (nn.ConstantPad2d(1, 0.5), "pads with 0.5, must be 0"),
        (nn.ZeroPad2d(-1), "must be 0 or above"),
    ],
)
def test_variants_that_have_no_form_are_refused(module, message):
    with pytest.raises(
        NotPortableError, match=rf"{type(module).__name__} at 'net.1' is not portable.*{message}"
    ):
        lower(nn.Sequential(nn.Identity(), module), "net")


def test_convolutions_with_other_margins_stay_one_operation_where_they_can():
    ops = [node["op"] for node in lower(conv(3, padding=2, dilation=2), "net").description["nodes"]]
    assert ops == ["conv2d"]
    nodes = lower(conv(3, padding=1, padding_mode="reflect"), "net").description["nodes"]
    assert [node["op"] for node in nodes] == ["pad", "conv2d"]
    assert nodes[1]["padding"] == [0, 0]


def rolled_and_masked(x, qkv, window, shift, heads, bias):
    """Shifted windows as they were published: by rolling the map and masking what was rolled."""
    n, c, h, w = x.shape
    x = torch.roll(x, (-shift, -shift), (2, 3))
    region = torch.zeros(h, w)
    for i, rows in enumerate((slice(-window, -shift), slice(-shift, None))):
        region[rows] += 1 + i
    for i, columns in enumerate((slice(-window, -shift), slice(-shift, None))):
        region[:, columns] += 3 + 3 * i

    def windows(t):
        t = t.reshape(*t.shape[:-2], h // window, window, w // window, window).transpose(-3, -2)
        return t.flatten(-2).flatten(-3, -2)

    tokens = windows(x).permute(0, 2, 3, 1)  # (N, windows, places, C)
    q, k, v = qkv(tokens).reshape(n, -1, window * window, 3, heads, c // heads).permute(3, 0, 1, 4, 2, 5)
    logits = q @ k.transpose(-2, -1) * (c // heads) ** -0.5 + bias
    of_place = windows(region)
    logits = logits.masked_fill(of_place[:, None, :, None] != of_place[:, None, None, :], float("-inf"))
    y = (logits.softmax(-1) @ v).transpose(2, 3).reshape(n, -1, window, window, c)
    y = (
        y.reshape(n, h // window, w // window, window, window, c)
        .permute(0, 5, 1, 3, 2, 4)
        .reshape(n, c, h, w)
    )
    return torch.roll(y, (shift, shift), (2, 3))


def test_shifted_windows_are_those_of_the_published_blocks():
    attention = layers.WindowAttention(6, 4, 2, shift_size=2)
    x = torch.randn(2, 6, 12, 8)
    table = attention.relative_position_bias_table[attention.relative_position_index.flatten()]
    bias = table.reshape(16, 16, 2).permute(2, 0, 1)
    with torch.no_grad():
        y = rolled_and_masked(x, attention.qkv, 4, 2, 2, bias)
        wanted = attention.proj(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(attention(x), wanted, rtol=1e-5, atol=1e-6)


def test_attention_may_be_between_two_maps():
    graph = GraphBuilder()
    x, other = graph.input("x"), graph.input("other")
    geometry = {"window": (4, 4), "shift": (0, 2), "heads": 2, "scale": 0.5}
    lowered = graph.finish({"y": graph.op("window_attention", x, other, other, **geometry)})
    maps = [torch.randn(1, 6, 7, 9), torch.randn(1, 6, 7, 9)]
    found = coding.Graph(lowered.json, lowered.tensors).run([t.numpy() for t in maps])["y"]
    wanted = window_attention(maps[0], maps[1], maps[1], **geometry)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-5, atol=1e-6)


def test_published_checkpoints_of_swin_blocks_load():
    block = layers.SwinBlock(8, 2, window_size=4)
    names = {
        *(f"attn.{name}" for name in ("relative_position_bias_table", "relative_position_index")),
        *(f"{layer}.{name}" for layer in ("norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
          for name in ("weight", "bias")),
    }  # fmt: skip
    assert set(block.state_dict()) == names
    assert block.attn.relative_position_bias_table.shape == (49, 2)
    assert block.attn.relative_position_index.shape == (16, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((6, 4, 4), "multiple of num_heads"), ((6, 4, 2, True, None, 4), "shift_size is 4")],
)
def test_impossible_windows_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.WindowAttention(*arguments)


def test_a_class_of_others_lowers_as_registered():
    class Published(layers.AttentionBlock):
        def forward(self, x):
            return x * torch.sigmoid(self.conv_a(x))

    block = Published(4)

    @register_lowering(Published)
    def _published(graph, module, x):
        return graph.op("mul", x, graph.op("sigmoid", graph.call(module.conv_a, x, "conv_a")))

    x = torch.randn(1, 4, 6, 6)
    lowered = lower(block, "net")
    found = coding.Graph(lowered.json, lowered.tensors).run([x.numpy()])["y"]
    torch.testing.assert_close(torch.from_numpy(found), block(x).detach(), rtol=1e-5, atol=1e-6)
