"""What a derived class does otherwise is compared before a package is made of what its base does."""

import pytest
import torch
from test_own_models import Hyperprior, Serial, enliven
from tiny_networks import make
from torch import nn
from torch.nn import functional as F

from lcrs import NotPortableError, NotPortableWarning
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs import (
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import GDN, MaskedConv2d, ResidualBlock
from lcrs.layers.module_state import assigned_methods
from lcrs.models import (
    Cheng2020Anchor,
    FactorizedPrior,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from lcrs.models.packing import pack
from lcrs.registry import MODELS


class Post(FactorizedPrior):
    """A network behind g_s."""

    def __init__(self, N, M):
        super().__init__(N, M)
        self.post = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        out = super().forward(x)
        out["x_hat"] = self.post(out["x_hat"])
        return out


class Handwritten(MeanScaleHyperprior):
    """As users copy it from CompressAI."""

    def forward(self, x):
        y = self.latent(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y))
        scales, means = self.h_s(z_hat).chunk(2, 1)
        y_hat, y_likelihoods = self.gaussian_conditional(y, self.scaled(scales), means=means)
        return {"x_hat": self.g_s(y_hat), "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    def latent(self, x):
        return self.g_a(x)

    def scaled(self, scales):
        return scales


class BoundedLatent(Handwritten):
    def latent(self, x):
        return torch.tanh(super().latent(x))


class LogScales(Handwritten):
    def scaled(self, scales):
        return scales.exp()


class OtherInput(ScaleHyperprior):
    def _hyper_input(self, y):
        return y


class WithRate(MeanScaleHyperprior):
    """A variable rate of its own."""

    def forward(self, x, rate):
        return super().forward(rate * x)


class Ordered(JointAutoregressiveHierarchicalPriors):
    def forward(self, x):
        y = self.g_a(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y))
        y_hat = self.gaussian_conditional.quantize(y, "noise" if self.training else "dequantize")
        params = self.joined(self.h_s(z_hat), self.context_prediction(y_hat))
        scales, means = self.entropy_parameters(params).chunk(2, 1)
        _, y_likelihoods = self.gaussian_conditional(y, scales, means=means)
        return {"x_hat": self.g_s(y_hat), "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    def joined(self, params, context):
        return torch.cat((params, context), 1)


class Swapped(Ordered):
    def joined(self, params, context):
        return torch.cat((context, params), 1)


class Coding(MeanScaleHyperprior):
    """Its own compress, with h_s in torch."""

    def compress(self, x):
        y = self.g_a(x)
        z = self.h_a(y)
        z_strings = self.entropy_bottleneck.compress(z)
        y_strings = self.gaussian_conditional.compress(y, *self.rows(z_strings, z.shape[-2:]))
        return {"strings": [y_strings, z_strings], "shape": z.shape[-2:]}

    def decompress(self, strings, shape):
        indexes, means = self.rows(strings[1], shape)
        y_hat = self.gaussian_conditional.decompress(strings[0], indexes, means=means)
        return {"x_hat": self.g_s(y_hat).clamp(0, 1)}

    def rows(self, z_strings, shape):
        z_hat = self.entropy_bottleneck.decompress(z_strings, shape)
        scales, means = self.h_s(z_hat).chunk(2, 1)
        return self.gaussian_conditional.build_indexes(self.scaled(scales)), means

    def scaled(self, scales):
        return scales


class CodingOtherwise(Coding):
    def scaled(self, scales):
        return scales.exp()


@pytest.mark.parametrize(
    ("model_class", "what"),
    [
        (Post, r"'x_hat' is off by .* in numbers up to .* in forward"),
        (BoundedLatent, "is off by"),
        (LogScales, r"'y' is off by .* of likelihoods in forward"),
        (OtherInput, "its _hyper_input is its own"),
        (WithRate, "its forward cannot be compared: .*'rate'"),
        (Swapped, r"'y' is off by .* of likelihoods"),
        (CodingOtherwise, r"compress gives \d+ bytes against \d+"),
    ],
)
def test_what_a_package_would_not_do_is_refused(model_class, what):
    torch.manual_seed(0)
    with pytest.raises(NotPortableError, match=rf"^{model_class.__name__} is not portable: .*{what}"):
        pack(model_class(8, 12), "mine")


@pytest.mark.parametrize("model_class", [Handwritten, Ordered, Coding])
def test_what_a_package_does_too_is_packed(model_class):
    torch.manual_seed(0)
    net = enliven(model_class(8, 12)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    description, tensors = pack(net, "mine")
    plain = model_class.__mro__[1](8, 12)
    plain.load_state_dict(net.state_dict())
    expected, expected_tensors = pack(plain, "mine")
    assert description["graphs"] == expected["graphs"]
    assert description["codec"] == expected["codec"]
    assert tensors.keys() == expected_tensors.keys()
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_class_that_says_what_it_consists_of_is_taken_at_its_word():
    class Said(Post):
        def package_parts(self):
            return super().package_parts()

    class Below(Said):
        pass

    torch.manual_seed(0)
    net = Said(8, 12)
    below = Below(8, 12)
    below.load_state_dict(net.state_dict())
    description, _ = pack(net, "mine")
    assert description["graphs"].keys() >= {"g_a", "g_s"}
    assert pack(below, "mine")[0]["graphs"] == description["graphs"]


class Chunked(GaussianConditionalLatentCodec):
    def _chunk(self, params):
        scales, means = super()._chunk(params)
        return F.softplus(scales) * 8 + 0.5, 5 * means


class Softplus(GaussianConditionalLatentCodec):
    def forward(self, y, ctx_params):
        scales, means = ctx_params.chunk(2, 1)
        y_hat, likelihoods = self.gaussian_conditional(y, F.softplus(scales), means=means)
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}


class Rewritten(GaussianConditionalLatentCodec):
    """Does what its base does."""

    def forward(self, y, ctx_params):
        scales, means = ctx_params.chunk(2, 1)
        y_hat, likelihoods = self.gaussian_conditional(y, scales, means=means)
        return {"likelihoods": {"y": likelihoods}, "y_hat": y_hat}


class Doubled(RasterScanLatentCodec):
    def forward(self, y, ctx_params):
        return super().forward(y, 2 * ctx_params)


class Magnitudes(HyperLatentCodec):
    def forward(self, y):
        return super().forward(y.abs())


class Louder(HyperpriorLatentCodec):
    def forward(self, y):
        out = super().forward(y)
        return {**out, "y_hat": 1.1 * out["y_hat"]}


def with_codec(name):
    """A model of latent codecs, one of them of another class."""
    torch.manual_seed(0)
    net = Hyperprior(6, M=8)
    codec = net.latent_codec
    if name in ("Chunked", "Softplus", "Rewritten"):
        codec.y = {"Chunked": Chunked, "Softplus": Softplus, "Rewritten": Rewritten}[name]()
    elif name == "Doubled":
        codec.y = Doubled(GaussianConditional(None), nn.Conv2d(32, 16, 1), MaskedConv2d(8, 16, 5, padding=2))
    elif name == "Magnitudes":
        codec.hyper = Magnitudes(codec.hyper.entropy_bottleneck, codec.hyper.h_a, codec.hyper.h_s)
    else:
        net.latent_codec = Louder({"y": codec.y, "hyper": codec.hyper})
    return enliven(net)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Chunked", "latent_codec.y"),
        ("Softplus", "latent_codec.y"),
        ("Doubled", "latent_codec.y"),
        ("Magnitudes", "latent_codec.hyper"),
        ("Louder", "latent_codec"),
    ],
)
def test_latent_codecs_that_a_package_would_not_follow_are_refused_by_name_and_place(name, place):
    with pytest.raises(NotPortableError, match=rf"^{name} at '{place}' is not portable: .*is off by"):
        pack(with_codec(name), "mine")


def test_latent_codecs_that_do_what_their_base_does_are_packed():
    net = with_codec("Rewritten")
    description, _ = pack(net, "mine")
    net.latent_codec.y = GaussianConditionalLatentCodec()
    assert description["codec"] == pack(net, "mine")[0]["codec"]


def test_latent_codecs_of_models_for_large_pictures_are_compared():
    class Large(Hyperprior):
        def forward(self, x):
            if x.shape[2] % 256:
                raise ValueError("sides must be multiples of 256")
            return super().forward(x)

    net = Large(6)
    net.latent_codec.y = Rewritten()
    pack(enliven(net), "mine")
    net.latent_codec.y = Softplus()
    with pytest.raises(NotPortableError, match=r"^Softplus at 'latent_codec.y' is not portable: .*is off by"):
        pack(net, "mine")


@pytest.mark.parametrize("name", ["Softplus", "Doubled", "Magnitudes", "Louder"])
def test_a_forward_that_compress_does_not_follow_is_said_once(name):
    net = with_codec(name)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with pytest.warns(
        UserWarning, match=f"^{name} has a forward that its compress does not follow"
    ) as caught:
        net.compress(x)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    net.compress(x)


@pytest.mark.filterwarnings("ignore:Chunked is not portable. its own _chunk:lcrs.NotPortableWarning")
@pytest.mark.parametrize("name", ["Chunked", "Rewritten"])
def test_nothing_is_said_where_compress_follows(name):
    net = with_codec(name)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    out = net.compress(x)
    with torch.no_grad():
        expected = net(x)["x_hat"].clamp(0, 1)
    torch.testing.assert_close(
        net.decompress(out["strings"], out["shape"])["x_hat"], expected, rtol=0, atol=1e-3
    )


def test_methods_assigned_to_blocks_are_noticed(monkeypatch):
    inherited = ResidualBlock.forward
    monkeypatch.setattr(ResidualBlock, "forward", lambda self, x: inherited(self, x) - x)
    net = make("cheng2020-anchor").eval()
    with pytest.raises(NotPortableError, match=r"ResidualBlock at 'g_a\..*' is not portable"):
        pack(net, "tiny")
    with pytest.raises(NotPortableError, match=r"ResidualBlock at 'g_a\..*' is not portable"):
        net.compress(torch.rand(1, 3, 64, 64))


def test_methods_assigned_to_classes_of_torch_are_noticed(monkeypatch):
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: torch.sigmoid(x))
    net = make("bmshj2018-hyperprior").eval()
    with pytest.raises(NotPortableError, match=r"ReLU at '.*' is not portable"):
        pack(net, "tiny")
    with pytest.warns(NotPortableWarning, match=r"ReLU at 'h_s\..*' is not portable"):
        net.compress(torch.rand(1, 3, 64, 64))


def test_methods_assigned_to_classes_of_lcrs_are_noticed(monkeypatch):
    inherited = GDN.forward
    with monkeypatch.context() as patch:
        patch.setattr(GDN, "forward", lambda self, x: 2 * inherited(self, x))
        assert assigned_methods(GDN) == ["forward"]
        net = make("bmshj2018-factorized").eval()
        with pytest.raises(NotPortableError, match=r"GDN at 'g_a.\d' is not portable: its lower\(\)"):
            net.compress(torch.rand(1, 3, 64, 64))
    with monkeypatch.context() as patch:
        patch.setattr(GaussianConditionalLatentCodec, "_chunk", Chunked._chunk)
        with pytest.raises(NotPortableError, match="_chunk was assigned to the class"):
            pack(Hyperprior(6), "mine")
    with monkeypatch.context() as patch:
        cumulative = GaussianConditional._standardized_cumulative
        before = GaussianConditional([1.0, 2.0]).integer_table()
        patch.setattr(
            GaussianConditional, "_standardized_cumulative", lambda self, x: cumulative(self, 2 * x)
        )
        after = GaussianConditional([1.0, 2.0]).integer_table()
        assert after.lengths[1] < before.lengths[1]


def test_methods_assigned_after_the_first_picture_are_noticed(monkeypatch):
    net, x = make("bmshj2018-factorized").eval(), torch.rand(1, 3, 64, 64)
    before = net.compress(x)["strings"]
    with monkeypatch.context() as patch:
        inherited = GDN.forward
        patch.setattr(GDN, "forward", lambda self, x: 2 * inherited(self, x))
        with pytest.raises(NotPortableError, match=r"GDN at 'g_a.\d' is not portable: its lower\(\)"):
            net.compress(x)
    assert net.compress(x)["strings"] == before
    gaussian, cumulative = GaussianConditional([1.0, 2.0]), GaussianConditional._standardized_cumulative
    tables = [gaussian.integer_table()]
    for factor in (2, 3):
        monkeypatch.setattr(
            GaussianConditional,
            "_standardized_cumulative",
            lambda self, x, factor=factor: cumulative(self, factor * x),
        )
        tables.append(gaussian.integer_table())
    assert tables[0].lengths[1] > tables[1].lengths[1] > tables[2].lengths[1]


@pytest.mark.parametrize("model_class", [*dict.fromkeys(MODELS.values()), Serial])
def test_no_method_of_released_classes_counts_as_assigned(model_class):
    assert assigned_methods(model_class) == []


def test_classes_without_other_methods_need_no_comparison(monkeypatch):
    class Wider(Cheng2020Anchor):
        def __init__(self, width):
            super().__init__(width)

    def called(*_args, **_kwargs):
        raise AssertionError("compared")

    monkeypatch.setattr("lcrs.models.twins._check_forward", called)
    pack(Wider(8), "mine")
    description, _ = pack(make("mbt2018"), "tiny")
    assert description["codec"]["y"]["type"] == "raster"
