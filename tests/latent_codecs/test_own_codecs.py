"""Latent codecs with only `forward`, `compress` and `decompress`, inside those of lcrs."""

import warnings
import zlib
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import lcrs
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.errors import LcrsError, NotPortableError, NotPortableWarning
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    LatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.models import SimpleVAECompressionModel

C = 4


class Zipped(nn.Module):
    """Knows nothing of lcrs: rounds around means, and zips; strings in `num_lists` lists."""

    def __init__(self, num_lists=1):
        super().__init__()
        self.num_lists = num_lists

    def forward(self, y, params):
        means = params[:, : y.shape[1]]
        return {"likelihoods": {"y": torch.full_like(y, 0.5)}, "y_hat": torch.round(y - means) + means}

    def compress(self, y, params):
        means = params[:, : y.shape[1]]
        symbols = torch.round(y - means)
        parts = symbols.chunk(self.num_lists, 2)
        strings = [[zlib.compress(item.numpy().tobytes()) for item in part] for part in parts]
        return {"strings": strings, "shape": tuple(y.shape[1:]), "y_hat": symbols + means}

    def decompress(self, strings, shape, params):
        assert len(strings) == self.num_lists
        channels, _, width = shape if len(shape) == 3 else (C, *shape)
        rows = [
            np.stack(
                [np.frombuffer(zlib.decompress(s), np.float32).reshape(channels, -1, width) for s in part]
            )
            for part in strings
        ]
        return {"y_hat": torch.from_numpy(np.concatenate(rows, 2)) + params[:, :channels]}


class Bottled(LatentCodec):
    """As user code has it: an entropy model, and calls of it."""

    def __init__(self, channels=C):
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(channels)
        self.net = nn.Conv2d(channels, channels, 1)

    def forward(self, y, params=None):
        y_hat, likelihoods = self.entropy_bottleneck(self.net(y))
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}

    def compress(self, y, params=None):
        z = self.net(y)
        return {
            "strings": [self.entropy_bottleneck.compress(z)],
            "shape": z.shape[2:],
            "y_hat": self.entropy_bottleneck.restore(z),
        }

    def decompress(self, strings, shape, params=None):
        return {"y_hat": self.entropy_bottleneck.decompress(strings[0], shape)}


class OwnHyper(LatentCodec):
    def __init__(self):
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(C)
        self.h_a, self.h_s = nn.Conv2d(C, C, 5, 4, 2), nn.ConvTranspose2d(C, 2 * C, 4, 4)

    def forward(self, y):
        z_hat, likelihoods = self.entropy_bottleneck(self.h_a(y))
        return {"likelihoods": {"z": likelihoods}, "params": self.h_s(z_hat), "y_hat": z_hat}

    def compress(self, y):
        z = self.h_a(y)
        strings = self.entropy_bottleneck.compress(z)
        z_hat = self.entropy_bottleneck.decompress(strings, z.shape[2:])
        return {"strings": [strings], "shape": z.shape[2:], "params": self.h_s(z_hat)}

    def decompress(self, strings, shape):
        return {"params": self.h_s(self.entropy_bottleneck.decompress(strings[0], shape))}


class Overriding(GaussianConditionalLatentCodec):
    """Inherits `encode`, which does not know of its `compress`."""

    def compress(self, y, ctx_params):
        out = super().compress(y * 2, ctx_params)
        return {**out, "y_hat": out["y_hat"] / 2}

    def decompress(self, strings, shape, ctx_params):
        out = super().decompress(strings, shape, ctx_params)
        return {"y_hat": out["y_hat"] / 2}


def context(channels):
    return CheckerboardMaskedConv2d(channels, 2 * channels, 5, padding=2)


def gaussian():
    return GaussianConditionalLatentCodec(gaussian_conditional=GaussianConditional(None))


def checkerboard(leaf, channels=C, num_params=2 * C):
    parameters = nn.Conv2d(2 * channels + num_params, 2 * channels, 1)
    return CheckerboardLatentCodec({"y": leaf}, parameters, context(channels))


def groups(*leaves):
    sizes = [C] * len(leaves)
    contexts = {f"y{k}": nn.Conv2d(k * C, 2 * C, 3, padding=1) for k in range(1, len(leaves))}
    return ChannelGroupsLatentCodec({f"y{k}": leaf for k, leaf in enumerate(leaves)}, contexts, groups=sizes)


def wide(leaf):
    """`leaf` behind parameters from context and side information."""
    return checkerboard(leaf, num_params=4 * C)


CODECS = {
    "checkerboard": lambda: (checkerboard(Zipped()), 1),
    "checkerboard-bottled": lambda: (checkerboard(Bottled()), 1),
    "groups": lambda: (groups(Zipped(), Zipped()), 2),
    "groups-first": lambda: (groups(Zipped(), wide(gaussian()), Bottled()), 3),
    "groups-last": lambda: (groups(checkerboard(gaussian()), wide(Zipped())), 2),
    "groups-lists": lambda: (groups(Zipped(2), wide(gaussian()), Zipped(2)), 3),
    "groups-overriding": lambda: (groups(Overriding(), wide(Overriding())), 2),
}


@pytest.fixture
def allowed():
    with lcrs.portability("allow"):
        yield


def set_kind(codec, kind):
    for module in codec.modules():
        if hasattr(module, "entropy_coder"):
            module.entropy_coder = kind


@pytest.mark.parametrize(("size", "kind"), [((8, 10), "ans"), ((6, 7), "lcrs"), ((2, 1), "lcrs")])
@pytest.mark.parametrize("name", CODECS)
def test_round_trip_beside_others(name, size, kind, allowed):
    torch.manual_seed(0)
    codec, num_groups = CODECS[name]()
    codec.eval()
    set_kind(codec, kind)
    default = lcrs.get_entropy_coder()
    lcrs.set_entropy_coder(kind)  # for those without an entropy model
    try:
        y, params = 4 * torch.randn(2, num_groups * C, *size), torch.randn(2, 2 * C, *size)
        with torch.no_grad():
            wanted = codec(y, params)["y_hat"]
        out = codec.compress(y, params)
        found = codec.decompress(out["strings"], out["shape"], params)["y_hat"]
        assert torch.equal(found, out["y_hat"])
        if "overriding" not in name:
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
        one = codec.decompress([[s[1]] for s in out["strings"]], out["shape"], params[1:])["y_hat"]
        assert torch.equal(one, found[1:])
        with pytest.raises((ValueError, LcrsError)):
            codec.decompress(out["strings"][1:], out["shape"], params)
    finally:
        lcrs.set_entropy_coder(default)


def test_strings_are_carried_as_they_are(allowed):
    codec = groups(Zipped(), wide(gaussian())).eval()
    y, params = torch.randn(2, 2 * C, 4, 4), torch.randn(2, 2 * C, 4, 4)
    out = codec.compress(y, params)
    assert out["strings"][0] == Zipped().compress(y[:, :C], params)["strings"][0]
    assert len(out["strings"]) == 2


def test_a_nested_hyperprior_is_carried_and_portable():
    """A codec of lcrs that has strings of its own needs no warning."""
    hyper = HyperLatentCodec(
        EntropyBottleneck(C), nn.Conv2d(C, C, 5, 2, 2), nn.ConvTranspose2d(C, 2 * C, 4, 2, 1)
    )
    inner = HyperpriorLatentCodec({"y": gaussian(), "hyper": hyper})

    class Alone(HyperpriorLatentCodec):
        def forward(self, y, params):
            return super().forward(y)

        def compress(self, y, params):
            return super().compress(y)

        def decompress(self, strings, shape, params):
            return super().decompress(strings, shape)

    codec = groups(Alone(inner.latent_codec), wide(gaussian())).eval()
    y, params = 4 * torch.randn(2, 2 * C, 8, 8), torch.randn(2, 2 * C, 8, 8)
    with pytest.warns(NotPortableWarning, match="Alone is not portable: its compress is its own"):
        out = codec.compress(y, params)
    assert len(out["strings"]) == 3
    assert torch.equal(codec.decompress(out["strings"], out["shape"], params)["y_hat"], out["y_hat"])


@pytest.mark.parametrize("leaf", ["raster", "checkerboard", "gaussian", "own", "zipped"])
@pytest.mark.parametrize("is_own_hyper", [True, False])
def test_inside_a_hyperprior(leaf, is_own_hyper, allowed):
    torch.manual_seed(0)
    y_codec = {
        "raster": lambda: RasterScanLatentCodec(
            GaussianConditional(None), nn.Conv2d(4 * C, 2 * C, 1), MaskedConv2d(C, 2 * C, 5, padding=2)
        ),
        "checkerboard": lambda: checkerboard(gaussian()),
        "gaussian": gaussian,
        "own": lambda: checkerboard(Zipped()),
        "zipped": Zipped,
    }[leaf]()
    plain = HyperLatentCodec(
        EntropyBottleneck(C), nn.Conv2d(C, C, 5, 4, 2), nn.ConvTranspose2d(C, 2 * C, 4, 4)
    )
    codec = HyperpriorLatentCodec({"y": y_codec, "hyper": OwnHyper() if is_own_hyper else plain}).eval()
    y = 4 * torch.randn(2, C, 8, 12)
    out = codec.compress(y)
    found = codec.decompress(out["strings"], out["shape"])["y_hat"]
    assert torch.equal(found, out["y_hat"])
    damaged = [[s[:-1] + bytes([s[-1] ^ 64]) for s in latent] for latent in out["strings"]]
    with pytest.raises((LcrsError, zlib.error)):
        codec.decompress(damaged, out["shape"])


class Own(SimpleVAECompressionModel):
    downsampling_factor = 16
    config: ClassVar[dict[str, int]] = {}

    def __init__(self, latent_codec):
        super().__init__()
        self.g_a, self.g_s = nn.Conv2d(3, C, 4, 4), nn.ConvTranspose2d(C, 3, 4, 4)
        self.latent_codec = latent_codec


def test_a_model_codes_with_it_and_says_so():
    net = Own(HyperpriorLatentCodec({"y": checkerboard(gaussian()), "hyper": OwnHyper()})).eval()
    x = torch.rand(2, 3, 32, 48)
    with pytest.warns(NotPortableWarning, match="OwnHyper is not portable: its compress is its own"):
        out = net.compress(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = net.decompress(out["strings"], out["shape"])["x_hat"]
    with torch.no_grad():
        torch.testing.assert_close(found, net(x)["x_hat"].clamp(0, 1), atol=1e-4, rtol=0)
    with lcrs.portability("require"), pytest.raises(NotPortableError, match="OwnHyper"):
        net.compress(x)


class OtherMerge(CheckerboardLatentCodec):
    def merge(self, *args):
        return torch.cat(args[::-1], 1)


@pytest.mark.parametrize(
    "leaf", [Overriding, lambda: OtherMerge({"y": gaussian()}, nn.Conv2d(4 * C, 2 * C, 1), context(C))]
)
def test_packages_cannot_say_what_derived_classes_changed(leaf):
    hyper = HyperLatentCodec(
        EntropyBottleneck(C), nn.Conv2d(C, C, 5, 4, 2), nn.ConvTranspose2d(C, 2 * C, 4, 4)
    )
    net = Own(HyperpriorLatentCodec({"y": leaf(), "hyper": hyper})).eval()
    with pytest.raises(NotPortableError, match=r"(Overriding|OtherMerge) at 'y' has no form in a package"):
        net.package_parts()


class OwnHyperForward(HyperLatentCodec):
    def decode(self, reader, shape, *args):
        return super().decode(reader, shape, *args)


def test_a_hyper_codec_of_ones_own_is_refused_by_its_name_and_place():
    hyper = OwnHyperForward(
        EntropyBottleneck(C), nn.Conv2d(C, C, 5, 4, 2), nn.ConvTranspose2d(C, 2 * C, 4, 4)
    )
    net = Own(HyperpriorLatentCodec({"y": checkerboard(gaussian()), "hyper": hyper})).eval()
    with pytest.raises(NotPortableError, match="OwnHyperForward at 'hyper' has no form in a package"):
        net.package_parts()
