"""Blocks by shape and published state dict; small layers, QReLU, spectral weights and ramps by formula."""

import itertools
import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lcrs import layers

PUBLISHED = json.loads((Path(__file__).parents[1] / "data" / "layer-state-dicts.json").read_text())

BLOCKS = {
    "ResidualBlockWithStride(3, 128)": lambda: layers.ResidualBlockWithStride(3, 128),
    "ResidualBlock(128, 128)": lambda: layers.ResidualBlock(128, 128),
    "ResidualBlockUpsample(128, 128)": lambda: layers.ResidualBlockUpsample(128, 128),
    "AttentionBlock(128)": lambda: layers.AttentionBlock(128),
    "ResidualBottleneckBlock(192, 192)": lambda: layers.ResidualBottleneckBlock(192, 192),
    "subpel_conv3x3(128, 3, 2)": lambda: layers.subpel_conv3x3(128, 3, 2),
    "MaskedConv2d(192, 384, 5)": lambda: layers.MaskedConv2d(192, 384, 5, padding=2),
    "entropy_parameters of 1152 to 384": lambda: layers.sequential_channel_ramp(
        1152, 384, min_ch=640, num_layers=3, make_layer=nn.Conv2d, make_act=nn.ReLU, kernel_size=1
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_state_dict_is_the_published_layout(name):
    state = BLOCKS[name]().state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == PUBLISHED[name]


@pytest.mark.parametrize(("size", "down", "up"), [((7, 8), (4, 4), (14, 16)), ((1, 1), (1, 1), (2, 2))])
def test_sizes(size, down, up):
    x = torch.randn(1, 4, *size)
    assert layers.ResidualBlockWithStride(4, 6)(x).shape == (1, 6, *down)
    assert layers.ResidualBlockUpsample(4, 6)(x).shape == (1, 6, *up)
    assert layers.conv3x3(4, 6, stride=2)(x).shape == (1, 6, *down)
    assert layers.conv1x1(4, 6, stride=2)(x).shape == (1, 6, *down)
    assert layers.subpel_conv3x3(4, 3, 2)(x).shape == (1, 3, *up)


def test_attention_is_a_gate_around_the_identity():
    block, x = layers.AttentionBlock(4), torch.randn(1, 4, 3, 3)
    expected = block.conv_a(x) / (1 + torch.exp(-block.conv_b(x))) + x
    torch.testing.assert_close(block(x), expected)


class TestSmallLayers:
    def test_interleave_deals_channels(self):
        x = torch.arange(6).reshape(1, 6, 1)
        assert layers.Interleave(2)(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
        with pytest.raises(ValueError, match="6 channels are not divisible into 4 groups"):
            layers.Interleave(4)(x)

    def test_gain_multiplies_by_factor_and_parameter(self):
        layer = layers.Gain((2, 1), factor=10.0)
        nn.init.constant_(layer.gain, 0.3)
        x = torch.randn(3, 2, 5)
        torch.testing.assert_close(layer(x), 3 * x)

    def test_reshape_names_both_shapes(self):
        with pytest.raises(RuntimeError, match=r"cannot reshape \(2, 6\) to \(2, 4\)"):
            layers.Reshape((4,))(torch.zeros(2, 6))

    def test_transpose_is_contiguous(self):
        y = layers.Transpose(1, 2)(torch.zeros(2, 3, 4))
        assert y.shape == (2, 4, 3)
        assert y.is_contiguous()


class TestQRelu:
    @pytest.mark.parametrize(("bit_depth", "beta"), [(8, 100), (4, 8)])
    def test_clamps_and_fades(self, bit_depth, beta):
        top = 2**bit_depth - 1
        x = (1.2 * top * (torch.rand(256) - 0.1)).requires_grad_()
        y = layers.QReLU.apply(x, bit_depth, beta)
        assert torch.equal(y, x.clamp(0, top))
        y.backward(torch.full_like(x, 3.0))
        for value, grad in zip(x.tolist(), x.grad.tolist(), strict=True):
            inside = 0 <= value <= top
            alpha = math.gamma(1 + 1 / beta)
            fade = 1 if inside else math.exp(-((alpha * abs(2 * value / top - 1)) ** beta))
            assert grad == pytest.approx(3 * fade, rel=1e-3, abs=1e-6)

    def test_fade_integrates_to_the_width_of_the_range(self):
        x = torch.linspace(-10, 11, 200_001, dtype=torch.float64)
        alpha, beta = math.gamma(1 + 1 / 8), 8
        fade = torch.exp(-((alpha * (2 * x - 1).abs()) ** beta))
        assert torch.trapezoid(fade, x).item() == pytest.approx(1, rel=1e-6)


class TestSpectral:
    @pytest.mark.parametrize("size", [3, 4, 5, (3, 4)])
    def test_starts_as_the_plain_convolution(self, size):
        torch.manual_seed(0)
        plain = nn.Conv2d(4, 6, size, stride=2, padding=1)
        torch.manual_seed(0)
        spectral = layers.SpectralConv2d(4, 6, size, stride=2, padding=1)
        x = torch.randn(1, 4, 9, 8)
        torch.testing.assert_close(spectral(x), plain(x))
        height, width = plain.kernel_size
        assert spectral.weight_transformed.shape == (6, 4, height, width // 2 + 1)
        assert set(spectral.state_dict()) == {"weight_transformed", "bias"}

    def test_energy_is_kept(self):
        conv = layers.SpectralConv2d(2, 2, 3)
        full = torch.fft.fft2(conv.weight, norm="ortho")
        torch.testing.assert_close(full.abs().square().sum(), conv.weight.square().sum())

    def test_transposed(self):
        torch.manual_seed(0)
        plain = nn.ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1)
        torch.manual_seed(0)
        spectral = layers.SpectralConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1)
        x = torch.randn(1, 4, 3, 5)
        torch.testing.assert_close(spectral(x), plain(x))
        torch.testing.assert_close(spectral(x, output_size=[6, 10]), plain(x, output_size=[6, 10]))

    def test_trains(self):
        torch.manual_seed(0)
        conv, x = layers.SpectralConv2d(2, 2, 3, padding=1), torch.randn(1, 2, 8, 8)
        target = F.conv2d(x, torch.randn(2, 2, 3, 3), padding=1)
        optimizer = torch.optim.Adam(conv.parameters(), lr=0.05)
        losses = []
        for _ in range(150):
            optimizer.zero_grad()
            loss = F.mse_loss(conv(x), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.01 * losses[0]


class TestRamp:
    def counts(self, *args, **kwargs):
        stack = layers.sequential_channel_ramp(*args, kernel_size=1, **kwargs)
        convs = [layer for layer in stack if isinstance(layer, nn.Conv2d)]
        return [convs[0].in_channels, *(conv.out_channels for conv in convs)]

    def test_linear_rounds_down(self):
        assert self.counts(10, 20) == [10, 13, 16, 20]

    def test_logarithmic_keeps_its_ends(self):
        for start, end in [(3, 320), (192, 7), (5, 1000)]:
            counts = self.counts(start, end, interp="log", num_layers=4)
            assert (counts[0], counts[-1]) == (start, end)
            ratios = [b / a for a, b in itertools.pairwise(counts)]
            assert max(ratios) / min(ratios) < 1.6

    def test_floor_in_between(self):
        assert self.counts(4, 8, min_ch=32) == [4, 32, 32, 8]

    def test_last_activation(self):
        stack = layers.sequential_channel_ramp(4, 8, kernel_size=1, skip_last_act=False, make_act=nn.SiLU)
        assert isinstance(stack[-1], nn.SiLU)
        assert len(stack) == 6

    def test_what_is_wrong_is_said(self):
        with pytest.raises(ValueError, match="interp is 'cubic'"):
            layers.sequential_channel_ramp(4, 8, interp="cubic", kernel_size=1)
        with pytest.raises(ValueError, match="num_layers is 0"):
            layers.sequential_channel_ramp(4, 8, num_layers=0, kernel_size=1)


def test_compressai_paths_are_the_same_objects():
    from lcrs.layers import basic, gdn
    from lcrs.layers import layers as theirs

    assert all(getattr(layers, name) is getattr(theirs, name) for name in theirs.__all__)
    assert basic.Gain is layers.Gain
    assert gdn.GDN is layers.GDN
