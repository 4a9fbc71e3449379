"""Models whose own `compress` gives entropy models and codecs what torch computed: they say so, and code."""

import warnings

import numpy as np
import pytest
import torch
from tiny_networks import make
from torch import nn
from torch.nn import functional as F

import lcrs
from lcrs.coding.list_coders import BufferedRansEncoder
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional, GaussianMixtureConditional
from lcrs.errors import DesyncError, LcrsError, NotPortableError, NotPortableWarning
from lcrs.latent_codecs import (
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    LatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d
from lcrs.layers.provenance import is_exact, mark_exact
from lcrs.models import (
    CompressionModel,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    SimpleVAECompressionModel,
)


def pictures(n=2):
    return torch.rand(n, 3, 64, 128, generator=torch.Generator().manual_seed(5))


class OwnCompress:
    """As published: `h_s` is called, and the entropy models."""

    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        z_hat = self.entropy_bottleneck.decompress(z_strings, z.shape[2:])
        scales, means = self.h_s(z_hat).chunk(2, 1)
        indexes = self.gaussian_conditional.build_indexes(scales)
        y_strings = self.gaussian_conditional.compress(y, indexes, means=means)
        return {"strings": [y_strings, z_strings], "shape": z.shape[2:]}


class OwnDecompress:
    def decompress(self, strings, shape):
        z_hat = self.entropy_bottleneck.decompress(strings[1], shape)
        scales, means = self.h_s(z_hat).chunk(2, 1)
        indexes = self.gaussian_conditional.build_indexes(scales)
        y_hat = self.gaussian_conditional.decompress(strings[0], indexes, means=means)
        return {"x_hat": self.g_s(y_hat).clamp(0, 1)}


class Both(OwnCompress, OwnDecompress, MeanScaleHyperprior):
    pass


class Compressing(OwnCompress, MeanScaleHyperprior):
    pass


class Decompressing(OwnDecompress, MeanScaleHyperprior):
    pass


def net_of(cls, seed=0):
    """A busy model of class `cls`."""
    plain = make("mbt2018-mean", seed)
    net = cls(8, 12).eval()
    net.load_state_dict(plain.state_dict())
    return net


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("cls", [Both, Compressing, Decompressing])
@torch.no_grad()
def test_own_calls_are_named_once_and_code(cls, kind):
    net, x = net_of(cls), pictures()
    net.entropy_coder = kind
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = net.compress(x)
        x_hat = net.decompress(out["strings"], out["shape"])["x_hat"]
    (warning,) = caught
    assert warning.category is NotPortableWarning
    place = f"GaussianConditional at 'gaussian_conditional' of {cls.__name__}"
    assert str(warning.message).startswith(
        f"{place} is not portable: code outside of lcrs gives it what torch computed; "
    )
    assert warning.filename == __file__
    assert (x_hat - net(x)["x_hat"].clamp(0, 1)).abs().max() < 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.decompress(**{key: net.compress(x)[key] for key in ("strings", "shape")})


@pytest.mark.parametrize(
    ("cls", "codes", "decodes"), [(Both, 0, 0), (Compressing, 0, 1), (Decompressing, 1, 0)]
)
@torch.no_grad()
def test_where_portability_is_required_own_calls_are_errors(cls, codes, decodes):
    net, x = net_of(cls), pictures()
    with lcrs.portability("allow"):
        out = net.compress(x)
    with lcrs.portability("require"):
        for is_fine, call in (
            (codes, lambda: net.compress(x)),
            (decodes, lambda: net.decompress(out["strings"], out["shape"])),
        ):
            if is_fine:
                call()
            else:
                with pytest.raises(NotPortableError, match=f"'gaussian_conditional' of {cls.__name__}"):
                    call()


class Rows(nn.Module):
    """An entropy model with two rows of equal frequencies: a wrong row gives wrong symbols, no other bits."""

    def __init__(self):
        super().__init__()
        self.gaussian = GaussianConditional([1.0, 2.0])
        self.gaussian._quantized_cdf = torch.tensor([[0, 20000, 40000, 60000, 65536]] * 2, dtype=torch.int32)
        self.gaussian._cdf_length = torch.full((2,), 5, dtype=torch.int32)
        self.gaussian._offset = torch.tensor([-1, 0], dtype=torch.int32)

    def compress(self, y, row):
        return self.gaussian.compress(y, torch.full_like(y, row, dtype=torch.int32))

    def decompress(self, strings, row):
        return self.gaussian.decompress(strings, torch.full((1, 1, 8), row, dtype=torch.int32))


def test_a_wrong_row_that_the_coder_cannot_see_is_refused():
    rows, y = Rows(), torch.tensor([[[0.0, 1, 1, 0, 1, 0, 0, 1]]])
    with lcrs.portability("allow"):
        strings = rows.compress(y, 0)
        assert torch.equal(rows.decompress(strings, 0), y)
        with pytest.raises(LcrsError):
            rows.decompress(strings, 1)
    alone, indexes = Rows().gaussian, torch.zeros(y.shape, dtype=torch.int32)  # nobody's part
    silent = alone.decompress(alone.compress(y, indexes), indexes + 1)
    assert torch.equal(silent, y + 1)  # what the checksum is for


class Direct(CompressionModel):
    """Its own code gives a codec of lcrs what torch computed."""

    def __init__(self, codec):
        super().__init__()
        self.codec = codec

    def compress(self, y, params):
        return self.codec.compress(y, params + 0.0)

    def decompress(self, out, params):
        return self.codec.decompress(out["strings"], out["shape"], params + 0.0)["y_hat"]


def gaussian_codec():
    return GaussianConditionalLatentCodec(quantizer="ste")


def checkerboard_codec():
    context = CheckerboardMaskedConv2d(4, 8, 5, padding=2)
    return CheckerboardLatentCodec(
        {"y": gaussian_codec()}, entropy_parameters=nn.Conv2d(16, 8, 1), context_prediction=context
    )


@pytest.mark.parametrize(("make", "factor"), [(gaussian_codec, 1.01), (checkerboard_codec, 1.05)])
def test_wrong_symbols_of_codecs_that_own_code_calls_are_refused(make, factor):
    """Of slightly wrong scales one in fifty gives wrong symbols that the coder alone cannot see."""
    torch.manual_seed(0)
    net, num_refused = Direct(make()).eval(), 0
    with lcrs.portability("allow"), torch.no_grad():
        for seed in range(60):
            torch.manual_seed(seed)
            y, params = 3 * torch.randn(1, 4, 2, 2), torch.randn(1, 8, 2, 2)
            params[:, :4] = 3 * params[:, :4].abs()
            out = net.compress(y, params)
            wanted = net.decompress(out, params)
            wrong = params * torch.tensor([factor] * 4 + [1.0] * 4).reshape(1, 8, 1, 1)
            try:
                found = net.decompress(out, wrong)
            except LcrsError:
                num_refused += 1
            else:
                assert (found - wanted).abs().max() < 0.5
    assert 20 < num_refused < 60


@pytest.mark.parametrize("make", [gaussian_codec, checkerboard_codec])
def test_either_side_may_be_own_code(make):
    codec, y, params = make().eval(), 3 * torch.randn(2, 4, 4, 4), torch.randn(2, 8, 4, 4).abs()
    plain = codec.compress(y, params)  # nobody's part
    wanted = codec.decompress(plain["strings"], plain["shape"], params)["y_hat"]
    with lcrs.portability("allow"), torch.no_grad():
        net = Direct(codec)
        own = net.compress(y, params)
        assert own["strings"] != plain["strings"]
        assert torch.equal(net.decompress(own, params), wanted)
        assert torch.equal(net.decompress(plain, params), wanted)
        one = {"strings": [own["strings"][0][1:]], "shape": own["shape"]}
        assert torch.equal(net.decompress(one, params[1:]), wanted[1:])
        del net
        assert torch.equal(codec.decompress(own["strings"], own["shape"], params)["y_hat"], wanted)


def test_an_entropy_model_by_itself_says_nothing():
    gaussian, bottleneck = GaussianConditional(None), EntropyBottleneck(4)
    y, scales = torch.randn(1, 4, 3, 3), torch.rand(1, 4, 3, 3) + 0.5
    with lcrs.portability("require"):
        indexes = gaussian.build_indexes(scales)
        back = gaussian.decompress(gaussian.compress(y, indexes, scales), indexes, means=scales)
        assert (back - y).abs().max() <= 0.5001
        assert bottleneck.decompress(bottleneck.compress(y), (3, 3)).shape == y.shape


def test_side_values_decide_nothing_in_an_entropy_bottleneck():
    class Factorized(CompressionModel):
        def __init__(self):
            super().__init__()
            self.g_a, self.entropy_bottleneck = nn.Conv2d(3, 4, 8, 8), EntropyBottleneck(4)

        def compress(self, x):
            y = self.g_a(x)
            return {"strings": [self.entropy_bottleneck.compress(y)], "shape": y.shape[2:]}

    net = Factorized().eval()
    with lcrs.portability("require"), torch.no_grad():
        out = net.compress(pictures())
        y_hat = net.entropy_bottleneck.decompress(out["strings"][0], out["shape"])
        assert (y_hat - net.g_a(pictures())).abs().max() <= 0.5001


class TopHyper(nn.Module):
    """A codec that knows of entropy models only, with side information."""

    def __init__(self):
        super().__init__()
        self.a, self.s = (
            nn.Conv2d(6, 4, 3, 2, 1),
            nn.Sequential(nn.ConvTranspose2d(4, 12, 4, 2, 1), nn.GELU()),
        )
        self.bottleneck, self.gaussian = EntropyBottleneck(4), GaussianConditional(None)

    def params(self, z_hat):
        scales, means = self.s(z_hat).chunk(2, 1)
        return F.softplus(scales) * 4 + 0.5, means

    def forward(self, y):
        z_hat, z_likelihoods = self.bottleneck(self.a(y))
        y_hat, y_likelihoods = self.gaussian(y, *self.params(z_hat))
        return {"likelihoods": {"y": y_likelihoods, "z": z_likelihoods}, "y_hat": y_hat}

    def compress(self, y):
        z = self.a(y)
        z_strings = self.bottleneck.compress(z)
        scales, means = self.params(self.bottleneck.decompress(z_strings, z.shape[2:]))
        strings = self.gaussian.compress(y, self.gaussian.build_indexes(scales), means)
        return {"strings": [strings, z_strings], "shape": z.shape[2:]}

    def decompress(self, strings, shape):
        scales, means = self.params(self.bottleneck.decompress(strings[1], shape))
        return {
            "y_hat": self.gaussian.decompress(strings[0], self.gaussian.build_indexes(scales), means=means)
        }


class Top(SimpleVAECompressionModel):
    def __init__(self, codec=None):
        super().__init__()
        self.g_a, self.g_s = nn.Conv2d(3, 6, 8, 8), nn.ConvTranspose2d(6, 3, 8, 8)
        self.latent_codec = codec or TopHyper()
        with torch.no_grad():
            self.g_a.weight.mul_(30)


@torch.no_grad()
def test_an_own_codec_of_the_whole_latent_is_named_and_verified():
    torch.manual_seed(0)
    net, x = Top().eval(), pictures()
    with pytest.warns(
        NotPortableWarning, match="TopHyper is not portable: its compress is its own"
    ) as caught:
        out = net.compress(x)
    assert len(caught) == 1
    with lcrs.portability("allow"):
        x_hat = net.decompress(out["strings"], out["shape"])["x_hat"]
        torch.testing.assert_close(x_hat, net(x)["x_hat"].clamp(0, 1), rtol=0, atol=1e-4)
        net.latent_codec.s[0].bias[6:] += 1e-6  # means alone
        with pytest.raises(DesyncError, match="TopHyper ran in torch"):
            net.decompress(out["strings"], out["shape"])
    with lcrs.portability("require"):
        for call in (lambda: net.compress(x), lambda: net.decompress(out["strings"], out["shape"])):
            with pytest.raises(NotPortableError, match="TopHyper"):
                call()


class Codecs(CompressionModel):
    """Calls codecs of lcrs by itself: one with exact parameters, one with others."""

    def __init__(self):
        super().__init__()
        self.hyper = HyperLatentCodec(EntropyBottleneck(4), nn.Conv2d(6, 4, 1), nn.Conv2d(4, 12, 1))
        self.y = GaussianConditionalLatentCodec()

    def exact(self, y):
        return self.y.compress(y, self.hyper.compress(y)["params"])

    def of_torch(self, y):
        return self.y.compress(y, self.hyper(y)["params"])


@torch.no_grad()
def test_codecs_are_told_exact_parameters_from_others():
    net, y = Codecs().eval(), 9 * torch.randn(2, 6, 4, 4)
    with lcrs.portability("require"):
        net.exact(y)
        with pytest.raises(NotPortableError, match="GaussianConditionalLatentCodec at 'y' of Codecs"):
            net.of_torch(y)
    with pytest.warns(NotPortableWarning, match="'y' of Codecs is not portable"):
        net.of_torch(y)


class OneByOne(JointAutoregressiveHierarchicalPriors):
    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        params = self.h_s(self.entropy_bottleneck.decompress(z_strings, z.shape[2:]))
        padded = F.pad(y, (2, 2, 2, 2))
        strings = [
            self._compress_ar(padded[i : i + 1], params[i : i + 1], *y.shape[2:], 5, 2) for i in range(len(x))
        ]
        return {"strings": [strings, z_strings], "shape": z.shape[2:]}


@torch.no_grad()
def test_scans_of_one_picture_are_reported_and_code():
    net, x = OneByOne(8, 12).eval(), pictures()
    with pytest.warns(NotPortableWarning, match="'gaussian_conditional' of OneByOne is not portable"):
        out = net.compress(x)
    with lcrs.portability("require"):
        net.decompress(out["strings"], out["shape"])
        with pytest.raises(NotPortableError, match="OneByOne"):
            net.compress(x)


class Listed(nn.Module):
    """Codes with lists, as channel-wise models do."""

    def __init__(self):
        super().__init__()
        self.gaussian = GaussianConditional(None)
        self.gaussian.update()

    def compress(self, y, scales):
        indexes = self.gaussian.build_indexes(scales)
        encoder = BufferedRansEncoder()
        encoder.encode_with_indexes(
            self.gaussian.quantize(y, "symbols").flatten().tolist(),
            indexes.flatten().tolist(),
            self.gaussian.quantized_cdf.tolist(),
            self.gaussian.cdf_length.tolist(),
            self.gaussian.offset.tolist(),
        )
        return encoder.flush()


def test_indexes_for_coders_of_lists_are_reported():
    y, scales = torch.randn(1, 4, 3, 3), torch.rand(1, 4, 3, 3) + 0.5
    with pytest.warns(NotPortableWarning, match="'gaussian' of Listed is not portable"):
        assert Listed().compress(y, scales)
    with lcrs.portability("require"), pytest.raises(NotPortableError):
        Listed().compress(y, scales)


def test_mixtures_are_reported():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.mixture = GaussianMixtureConditional(2)

        def compress(self, y):
            scales, weights = torch.rand(2, 1, 8, 3, 3).add(0.5).unbind(0)
            return self.mixture.compress(y, scales, scales, weights / 2)

    with pytest.warns(NotPortableWarning, match="'mixture' of Mixed is not portable"):
        Mixed().compress(torch.randn(1, 4, 3, 3))


class Exponential(MeanScaleHyperprior):
    def _scales_and_means(self, params):
        scales, means = params.chunk(2, 1)
        return torch.exp(scales.clamp(-3, 3)), means


class Softplus(GaussianConditionalLatentCodec):
    def _chunk(self, params):
        scales, means = super()._chunk(params)
        return F.softplus(scales), means


@torch.no_grad()
def test_steps_of_derived_classes_are_reported():
    with pytest.warns(NotPortableWarning, match="Exponential is not portable: its own _scales_and_means"):
        net_of(Exponential).compress(pictures())
    codec, y, params = Softplus(), torch.randn(1, 4, 3, 3), torch.randn(1, 8, 3, 3)
    with pytest.warns(NotPortableWarning, match="Softplus is not portable: its own _chunk"):
        out = codec.compress(y, params)
    with lcrs.portability("allow"):
        assert torch.equal(codec.decompress(out["strings"], out["shape"], params)["y_hat"], out["y_hat"])


class Encoding(LatentCodec):
    """Codes step by step with exact networks, as the page on codecs of one's own has it."""

    def __init__(self):
        super().__init__()
        self.gaussian, self.net = GaussianConditional(None), nn.Conv2d(6, 12, 1)

    def encode(self, writer, y, params):
        scales, means = self._network("net", params).chunk(2, 1)
        indexes = self.gaussian.build_indexes(scales).numpy()
        symbols = self.gaussian.symbols_of(y, means)
        writer.put(symbols, indexes, self.gaussian.cdf_table())
        return {"shape": y.shape[2:], "y_hat": self.gaussian.values_of(symbols, means)}


@torch.no_grad()
def test_a_codec_that_keeps_to_exact_networks_is_portable():
    with lcrs.portability("require"):
        assert Encoding().compress(torch.randn(1, 6, 3, 3), mark_exact(torch.ones(1, 6, 3, 3)))["strings"]


def test_marks_follow_views_and_are_lost_by_changes():
    tensor = mark_exact(torch.from_numpy(np.ones((2, 4, 3), np.float32)))
    first, second = tensor.chunk(2, 1)
    assert is_exact(tensor, first, second, tensor[0], None)
    assert not is_exact(first + 0)
    assert not is_exact(tensor, torch.ones(2))
    second.mul_(2)
    assert not is_exact(first)
    with torch.inference_mode():
        assert not is_exact(mark_exact(torch.ones(2)))


@pytest.mark.parametrize("name", ["mbt2018-mean", "mbt2018", "elic2022-official", "mbt2018-mean-gain"])
def test_models_of_lcrs_say_nothing(name):
    net = make(name)
    with lcrs.portability("require"):
        out = net.compress(pictures())
        restored = net.decompress(out["strings"], out["shape"])["x_hat"]
    assert torch.isfinite(restored).all()
