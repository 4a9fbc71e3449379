"""Models of users become packages without further words, and what they lack is said at once."""

import inspect
import json

import numpy as np
import pytest
import torch
from torch import nn

import lcrs
from lcrs import NotPortableError, coding
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.latent_codecs import (
    CheckerboardLatentCodec,
    EntropyBottleneckLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
)
from lcrs.layers import GDN, CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.models import CompressionModel, MeanScaleHyperprior, SimpleVAECompressionModel
from lcrs.models.constructor import config_of
from lcrs.models.packing import pack
from lcrs.models.utils import conv, deconv


def analysis(N, M):
    return nn.Sequential(conv(3, N), GDN(N), conv(N, M))


def synthesis(N, M):
    return nn.Sequential(deconv(M, N), GDN(N, inverse=True), deconv(N, 3))


def hyper_analysis(N, M):
    return nn.Sequential(conv(M, N, stride=1, kernel_size=3), nn.ReLU(), conv(N, N))


def hyper_synthesis(N, M):
    return nn.Sequential(deconv(N, M), nn.LeakyReLU(), conv(M, M, stride=1, kernel_size=3))


class Tutorial(CompressionModel):
    """As CompressAI's tutorial has it: `encode`, `decode` and a pair for a result."""

    def __init__(self, N=8):
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(N)
        self.encode, self.decode = analysis(6, N), synthesis(6, N)

    def forward(self, x):
        y_hat, y_likelihoods = self.entropy_bottleneck(self.encode(x))
        return self.decode(y_hat), y_likelihoods


class Factorized(SimpleVAECompressionModel):
    def __init__(self, N=6, M=8, **kwargs):
        super().__init__(**kwargs)
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.latent_codec = EntropyBottleneckLatentCodec(channels=M)


class Hyperprior(SimpleVAECompressionModel):
    def __init__(self, N, M=8):
        super().__init__()
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        hyper = HyperLatentCodec(EntropyBottleneck(N), hyper_analysis(N, M), hyper_synthesis(N, 2 * M), "ste")
        y = GaussianConditionalLatentCodec(quantizer="ste")
        self.latent_codec = HyperpriorLatentCodec({"y": y, "hyper": hyper})


class Checkerboard(SimpleVAECompressionModel):
    def __init__(self, N=6, M=8):
        super().__init__()
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        hyper = HyperLatentCodec(EntropyBottleneck(N), hyper_analysis(N, M), hyper_synthesis(N, 2 * M), "ste")
        y = CheckerboardLatentCodec(
            {"y": GaussianConditionalLatentCodec(quantizer="ste")},
            entropy_parameters=nn.Sequential(nn.Conv2d(4 * M, 2 * M, 1)),
            context_prediction=CheckerboardMaskedConv2d(M, 2 * M, kernel_size=5, padding=2),
        )
        self.latent_codec = HyperpriorLatentCodec({"y": y, "hyper": hyper})


class Handwritten(CompressionModel):
    """A hyperprior with its own `forward`; `kind` says what it does with the hyperprior."""

    def __init__(self, kind, N=6, M=8):
        super().__init__()
        self.kind = kind
        self.g_a, self.g_s = analysis(N, M), synthesis(N, M)
        self.h_a, self.h_s = hyper_analysis(N, M), hyper_synthesis(N, M if kind == "scales" else 2 * M)
        self.entropy_bottleneck = EntropyBottleneck(N)
        self.gaussian_conditional = GaussianConditional(None)

    def forward(self, x):
        y = self.g_a(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y.abs() if self.kind == "scales" else y))
        params, means = self.h_s(z_hat), None
        if self.kind != "scales":
            scales, means = params.chunk(2, 1)
            scales, means = (means, scales) if self.kind == "swapped" else (scales, means)
        else:
            scales = params
        y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        x_hat = self.g_s(y_hat)
        return {"x_hat": x_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}


class Serial(Handwritten):
    def __init__(self, N=6, M=8):
        super().__init__("serial", N, M)
        self.context_prediction = MaskedConv2d(M, 2 * M, kernel_size=5, padding=2)
        self.entropy_parameters = nn.Sequential(
            nn.Conv2d(4 * M, 3 * M, 1), nn.ReLU(), nn.Conv2d(3 * M, 2 * M, 1)
        )

    def forward(self, x):
        y = self.g_a(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y))
        y_hat = self.gaussian_conditional.quantize(y, "noise" if self.training else "dequantize")
        params = torch.cat((self.h_s(z_hat), self.context_prediction(y_hat)), dim=1)
        scales, means = self.entropy_parameters(params).chunk(2, 1)
        _, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        return {"x_hat": self.g_s(y_hat), "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}


class Derived(MeanScaleHyperprior):
    """Of a class of lcrs, with a constructor of its own."""

    def __init__(self, width, depth=2):
        super().__init__(width, 2 * width)
        self.depth = depth


OWN = {
    "tutorial": (Tutorial, {"N": 8}),
    "factorized": (Factorized, {"N": 6, "M": 8}),
    "hyperprior": (lambda: Hyperprior(5, M=8), {"N": 5, "M": 8}),
    "checkerboard": (Checkerboard, {"N": 6, "M": 8}),
    "scales": (lambda: Handwritten("scales"), {"kind": "scales", "N": 6, "M": 8}),
    "means": (lambda: Handwritten(kind="means"), {"kind": "means", "N": 6, "M": 8}),
    "swapped": (lambda: Handwritten("swapped", 6), {"kind": "swapped", "N": 6, "M": 8}),
    "serial": (Serial, {"N": 6, "M": 8}),
    "derived": (lambda: Derived(4), {"width": 4, "depth": 2}),
}


def enliven(net):
    """Weights with which latents are not all zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(("g_a", "encode")) and parameter.dim() == 4:
                parameter.mul_(4)
    return net.eval()


@pytest.mark.parametrize("name", OWN)
def test_they_pack_and_code_what_forward_says(name, tmp_path, photo):
    make, config = OWN[name]
    torch.manual_seed(0)
    net = enliven(make())
    description, tensors = pack(net, "mine")
    assert (description["architecture"], description["config"]) == (type(net).__name__, config)
    coding.write_package(tmp_path / "mine.lcrm", description, tensors)
    package = coding.Package.from_file(tmp_path / "mine.lcrm")
    picture = np.ascontiguousarray(photo[:64, :64])
    data = lcrs.compress(picture, model=package)
    restored = lcrs.decompress(data, package)
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        out = net(x)
    x_hat, likelihoods = out if isinstance(out, tuple) else (out["x_hat"], out["likelihoods"]["y"])
    if name in ("tutorial", "factorized"):  # untrained scales would cost up to 30 bits, an escape far less
        num_bits = -float(likelihoods.double().log2().sum())
        assert abs(8 * len(data) - num_bits) < 0.02 * num_bits + 1000
    if name != "serial":  # whose forward rounds without the means, as CompressAI's does
        pixels = (x_hat[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
        assert np.mean(np.abs(restored - pixels) > 1) < 0.02
    # Other sizes are padded.
    odd = np.ascontiguousarray(photo[:37, :50])
    assert lcrs.decompress(lcrs.compress(odd, model=package), package).shape == odd.shape


@pytest.mark.parametrize("name", ["hyperprior", "checkerboard", "derived"])
def test_files_have_the_symbols_of_compress(name, tmp_path, rng):
    net = enliven(OWN[name][0]())
    coding.write_package(tmp_path / "mine.lcrm", *pack(net, "mine"))
    pixels = rng.integers(0, 256, (64, 128, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
    out = net.compress(x)
    num_bytes = sum(len(string) for (string,) in out["strings"])
    data = lcrs.compress(pixels, model=tmp_path / "mine.lcrm")
    assert abs(len(data) - num_bytes) < 0.01 * num_bytes + 150
    expected = net.decompress(out["strings"], out["shape"])["x_hat"]
    expected = (expected[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    assert np.mean(np.abs(lcrs.decompress(data, tmp_path / "mine.lcrm") - expected)) < 0.1


def test_packing_leaves_the_model_as_it_is():
    net = Hyperprior(5).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    torch.manual_seed(3)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    pack(net, "mine")
    assert torch.equal(torch.rand(1), drawn)
    assert net.training
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


class Empty(CompressionModel):
    def __init__(self, act=torch.relu):
        super().__init__()


class HalfHyperprior(Tutorial):
    def __init__(self):
        super().__init__()
        self.gaussian_conditional = GaussianConditional(None)


def test_all_that_is_missing_is_named_at_once_with_the_line_to_add():
    with pytest.raises(NotPortableError) as caught:
        pack(Empty(), "mine")
    message = str(caught.value)
    assert message.startswith("Empty lacks for a package: ")
    for line in (
        "self.g_a = nn.Sequential(...)",
        "self.g_s = nn.Sequential(...)",
        "self.latent_codec = EntropyBottleneckLatentCodec(channels=M)",
        'return {"N": self.N}',
    ):
        assert line in message
    assert "\n" not in message
    with pytest.raises(NotPortableError) as caught:
        pack(HalfHyperprior(), "mine")
    for line in ("self.h_a = ", "self.h_s = "):
        assert line in str(caught.value)
    assert "self.g_a" not in str(caught.value)


class Enhanced(Factorized):
    """Does more in `forward` than its parts say."""

    def __init__(self):
        super().__init__()
        self.enhance = conv(3, 3, stride=1)

    def forward(self, x):
        out = super().forward(x)
        return {**out, "x_hat": self.enhance(out["x_hat"])}


class Crooked(Factorized):
    def __init__(self):
        super().__init__()
        self.g_a = nn.Sequential(nn.Conv2d(3, 8, 5, stride=3))


class Sorted(nn.Module):
    """Has no form on the exact engine, and none will be added."""

    def forward(self, x):
        return x.sort(dim=1).values


def test_what_a_package_would_not_do_is_refused():
    with pytest.raises(NotPortableError, match=r"Enhanced does in forward what .* forward gives other"):
        pack(Enhanced(), "mine")
    with pytest.raises(NotPortableError, match=r"Crooked does in forward what .* the sides of y or z"):
        pack(Crooked(), "mine")
    net = Factorized()
    net.g_s[1] = Sorted()
    with pytest.raises(NotPortableError, match=r"Sorted at 'g_s.1'"):
        pack(net, "mine")


def test_a_stride_that_is_no_power_of_two_is_declared():
    class Thirds(Factorized):
        downsampling_factor = 6

        def __init__(self):
            super().__init__()
            self.g_a = nn.Sequential(nn.Conv2d(3, 8, 3, stride=3))
            self.g_s = nn.Sequential(nn.ConvTranspose2d(8, 3, 3, stride=3))

    description, _ = pack(Thirds(), "mine")
    assert (description["strides"], description["pad"]) == ({"y": 3}, 6)


class TestConfigurations:
    def test_defaults_and_further_keywords_are_kept(self):
        net = Factorized(M=9, entropy_bottleneck_channels=None)
        assert config_of(net) == {"N": 6, "M": 9, "entropy_bottleneck_channels": None}
        assert type(net)(**config_of(net)).g_a[2].out_channels == 9

    def test_nothing_is_kept_alive_and_copies_know_it_too(self):
        class Configured(Tutorial):
            def __init__(self, layer, sizes=(1, 2), table=None):
                super().__init__()

        net = Configured(nn.Linear(1, 1), table={"a": [None, True, 0.5]})
        config = config_of(net)
        assert config["layer"].type_name == "Linear"
        assert (config["sizes"], config["table"]) == ([1, 2], {"a": [None, True, 0.5]})
        import copy

        assert config_of(copy.deepcopy(net)) == config
        with pytest.raises(NotPortableError, match="layer is a Linear"):
            pack(net, "mine")

    def test_signatures_are_those_of_constructors(self):
        names = {Derived: ["width", "depth"], Tutorial: ["N"], MeanScaleHyperprior: ["N", "M", "kwargs"]}
        for model_class, expected in names.items():
            assert list(inspect.signature(model_class).parameters) == expected

    def test_a_property_wins_from_where_it_is_defined(self):
        class Said(Derived):
            @property
            def config(self):
                return {"width": 3}

        assert config_of(Said(3)) == {"width": 3}
        assert config_of(MeanScaleHyperprior(3, 4)) == {"N": 3, "M": 4}
        json.dumps(config_of(Derived(2)))


class Unknown(nn.Module):
    def forward(self, x):
        return x + 0.1 * x.sin()


def test_constants_that_are_normalised_are_no_disagreement():
    """What is left of them is rounding, of which the exact engine has another than torch."""
    N, M = 8, 8
    for seed in range(4):
        torch.manual_seed(seed)
        net = Hyperprior(N, M).eval()
        net.latent_codec["hyper"].h_s = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(N, M, 3, padding=1, padding_mode="circular"),
            nn.InstanceNorm2d(M, affine=True),
            nn.Conv2d(M, 2 * M, 1),
            Unknown(),  # for which all before is compared by itself
        )
        with pytest.raises(NotPortableError, match=r"Unknown at '.*h_s\.4' is not portable"):
            pack(net, "normalised")
