"""Models that compress as CompressAI's serial ones do: picture by picture, through inherited steps."""

import functools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lcrs
from lcrs.errors import DesyncError
from lcrs.latent_codecs import (
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.models import JointAutoregressiveHierarchicalPriors, JointAutoregressiveHierarchicalPriorsVbr


class OwnCompress(JointAutoregressiveHierarchicalPriors):
    """`compress` and `decompress` of a derived class, which call the steps that it inherits."""

    RATE = ()

    @torch.no_grad()
    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        params = self.h_s(self.entropy_bottleneck.decompress(z_strings, z.shape[-2:]))
        y_hat = F.pad(y, (2, 2, 2, 2))
        y_strings = [
            self._compress_ar(y_hat[i : i + 1], params[i : i + 1], *y.shape[2:], 5, 2, *self.RATE)
            for i in range(len(y))
        ]
        return {"strings": [y_strings, z_strings], "shape": z.shape[-2:], "y_hat": y_hat[..., 2:-2, 2:-2]}

    @torch.no_grad()
    def decompress(self, strings, shape):
        params = self.h_s(self.entropy_bottleneck.decompress(strings[1], shape))
        height, width = params.shape[2:]
        y_hat = torch.zeros(len(params), self.M, height + 4, width + 4)
        for i, string in enumerate(strings[0]):
            self._decompress_ar(string, y_hat[i : i + 1], params[i : i + 1], height, width, 5, 2, *self.RATE)
        return {
            "x_hat": self.g_s(F.pad(y_hat, (-2, -2, -2, -2))).clamp_(0, 1),
            "y_hat": y_hat[..., 2:-2, 2:-2],
        }


class OwnVariableCompress(OwnCompress, JointAutoregressiveHierarchicalPriorsVbr):
    SCALE = torch.tensor([0.7])
    RATE = (SCALE, 1 / SCALE, 2)


class OwnUnscaledCompress(OwnVariableCompress):
    RATE = (*OwnVariableCompress.RATE[:2], 1)


@pytest.mark.filterwarnings("ignore:.*of Own.* is not portable:lcrs.NotPortableWarning")  # torch's h_s
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("model_class", [OwnCompress, OwnVariableCompress, OwnUnscaledCompress])
def test_inherited_steps_code_what_the_model_codes(model_class, kind):
    torch.manual_seed(0)
    net = model_class(6, 8).eval()
    net.entropy_coder = kind
    with torch.no_grad():
        for parameter in net.g_a.parameters():
            parameter.mul_(2)
    x = torch.rand(2, 3, 64, 128)
    out = net.compress(x)
    back = net.decompress(out["strings"], out["shape"])
    assert torch.equal(back["y_hat"], out["y_hat"])
    assert out["y_hat"].abs().sum() > 0
    # The model's own way, under what torch's h_s says on this machine: the same symbols, without a checksum.
    y = net.g_a(x)
    codec, conditions = net._codec_of_one(5, 2, *net.RATE)
    params = net.h_s(net.entropy_bottleneck.decompress(out["strings"][1], out["shape"]))
    expected = codec.compress(y, params, *conditions)
    assert torch.equal(expected["y_hat"], out["y_hat"])
    if kind == "ans":
        assert expected["strings"][0] == out["strings"][0]
    else:
        assert all(
            0 < len(own) - len(plain) < 9
            for own, plain in zip(out["strings"][0], expected["strings"][0], strict=True)
        )
    plain = net.decompress([expected["strings"][0], out["strings"][1]], out["shape"])
    assert torch.equal(plain["y_hat"], out["y_hat"])
    damaged = out["strings"][0][0][:-1]
    with pytest.raises(lcrs.LcrsError):
        net.decompress([[damaged, out["strings"][0][1]], out["strings"][1]], out["shape"])


def with_own_steps(base):
    class OwnSteps(base):
        """Codes by steps of its own, which the inherited `compress` calls as in CompressAI."""

        def _compress_ar(self, y_hat, params, *others):
            return super()._compress_ar(y_hat, 1.5 * params, *others)

        def _decompress_ar(self, string, y_hat, params, *others):
            super()._decompress_ar(string, y_hat, 1.5 * params, *others)

    return OwnSteps


@torch.no_grad()
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("stage", [(), (1,), (2,)], ids=str)
def test_steps_of_derived_classes_are_what_codes(stage, kind):
    base = JointAutoregressiveHierarchicalPriorsVbr if stage else JointAutoregressiveHierarchicalPriors
    x = torch.rand(2, 3, 64, 128)
    nets = []
    for model_class in (base, base, with_own_steps(base)):
        torch.manual_seed(0)
        net = model_class(6, 8).eval()
        net.entropy_coder = kind
        nets.append(net)
    plain, scaled, own = nets
    for tensor in scaled.h_s[-1].parameters():
        tensor.mul_(1.5)
    with pytest.warns(lcrs.NotPortableWarning, match="of OwnSteps is not portable"):
        out = own.compress(x, *stage)
    found = own.decompress(out["strings"], out["shape"], *stage)["x_hat"]
    for net, is_same in ((plain, False), (scaled, True)):
        expected = net.compress(x, *stage)
        restored = net.decompress(expected["strings"], expected["shape"], *stage)["x_hat"]
        assert torch.allclose(found, restored, atol=1e-5) == is_same


class OwnScan(nn.Module):
    """Calls a codec with what torch computes."""

    def __init__(self, codec):
        super().__init__()
        self.codec, self.h_s = codec, nn.Conv2d(4, 8, 1)

    def compress(self, y, z_hat):
        return self.codec.compress(y, self.h_s(z_hat))

    def decompress(self, out, z_hat):
        return self.codec.decompress(out["strings"], out["shape"], self.h_s(z_hat))["y_hat"]


def own_scan(name):
    parameters = nn.Sequential(nn.Conv2d(16, 12, 1), nn.LeakyReLU(), nn.Conv2d(12, 8, 1))
    parameters[2].bias.data[:] = 2.0  # scales that pick other rows soon
    parameters[2].weight.data *= 3
    if name == "raster":
        return OwnScan(RasterScanLatentCodec(None, parameters, MaskedConv2d(4, 8, 5, padding=2)))
    context = CheckerboardMaskedConv2d(4, 8, 5, padding=2)
    return OwnScan(CheckerboardLatentCodec({"y": GaussianConditionalLatentCodec()}, parameters, context))


@torch.no_grad()
@pytest.mark.parametrize("name", ["raster", "checkerboard"])
def test_wrong_symbols_of_scans_that_code_of_a_model_calls_are_found(name):
    torch.manual_seed(0)
    net = own_scan(name).eval()
    y, z_hat = 2 * torch.randn(1, 4, 6, 6), torch.randn(1, 4, 6, 6)
    refused = 0
    with lcrs.portability("allow"):
        out = net.compress(y, z_hat)
        assert torch.equal(net.decompress(out, z_hat), out["y_hat"])
        for step in range(1, 30):
            other = z_hat + 3e-3 * step
            try:
                found = net.decompress(out, other)
            except DesyncError:
                refused += 1
            except lcrs.LcrsError:
                pass
            else:
                assert (found - out["y_hat"]).abs().max() < 0.1  # means are not covered
    assert refused > 9


@torch.no_grad()
def test_wrong_symbols_of_inherited_steps_are_found():
    torch.manual_seed(0)
    net = OwnCompress(6, 8).eval()
    net.entropy_parameters[4].bias.data[:8] = 2.0
    net.entropy_parameters[4].weight.data *= 5
    y, params = 2 * torch.randn(1, 8, 6, 6), torch.randn(1, 16, 6, 6)
    y_hat = F.pad(y, (2, 2, 2, 2))
    refused = 0
    with lcrs.portability("allow"):
        string = ar(net, net._compress_ar, y_hat, params)
        for step in range(30):
            found = torch.zeros_like(y_hat)
            try:
                ar(net, functools.partial(net._decompress_ar, string), found, params + 3e-3 * step)
            except DesyncError:
                refused += 1
            except lcrs.LcrsError:
                pass
            else:
                assert (found - y_hat).abs().max() < 0.1
    assert refused > 9


def ar(net, step, y_hat, params):
    return step(y_hat, params, *params.shape[2:], 5, 2)


def test_what_does_not_fit_is_refused():
    net = OwnCompress(2, 3)
    y_hat, params = torch.zeros(1, 3, 8, 8), torch.zeros(1, 6, 4, 4)
    with pytest.raises(
        ValueError, match="kernel_size and padding are 3 and 1; context_prediction has 5 and 2"
    ):
        net._compress_ar(y_hat, params, 4, 4, 3, 1)
    with pytest.raises(ValueError, match=r"y_hat has shape \(1, 3, 8, 8\), must be \(1, M, 9, 8\)"):
        net._compress_ar(y_hat, params, 5, 4, 5, 2)
    with pytest.raises(ValueError, match="scale, rescale and stage are needed; 0 arguments are given"):
        OwnVariableCompress(2, 3)._codec_of_one(5, 2)
