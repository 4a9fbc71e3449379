"""What training sees: values, likelihoods and gradients of each codec, against its parts."""

import copy
import pickle

import pytest
import torch
from codec_examples import (
    GROUPS,
    Y_CODECS,
    C,
    bottleneck,
    busy,
    gain_hyperprior,
    gaussian_leaf,
    groups,
    hyper,
    hyperprior,
    latent,
    raster,
)
from torch import nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    GainHyperpriorLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d
from lcrs.registry import MODULES

SIZES = [(1, 1), (5, 7), (8, 12)]


def params_for(y, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(y.shape[0], 2 * C, *y.shape[2:], generator=generator)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", Y_CODECS)
def test_hyperprior_shapes_and_gradients(name, size):
    codec = hyperprior(name).train()
    y = latent(2, *size).requires_grad_()
    out = codec(y)
    assert out["y_hat"].shape == y.shape
    assert out["likelihoods"]["y"].shape == y.shape
    assert out["likelihoods"]["z"].shape == (2, C, -(-size[0] // 4), -(-size[1] // 4))
    rate = sum(-p.log().sum() for p in out["likelihoods"].values())
    (rate + out["y_hat"].square().sum()).backward()
    for key, parameter in [("y", y), *codec.named_parameters()]:
        if not key.endswith("quantiles"):
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize("name", Y_CODECS)
def test_copies_and_pickles(name):
    codec, y = hyperprior(name).eval(), latent()
    expected = codec(y)
    for other in (copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):
        assert torch.equal(other(y)["y_hat"], expected["y_hat"])
        assert torch.equal(other(y)["likelihoods"]["y"], expected["likelihoods"]["y"])


def check_tracing(codec, *inputs):
    expected = codec(*inputs)["y_hat"]
    torch.compiler.reset()
    compiled = torch.compile(codec, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs)["y_hat"], expected)
    exported = torch.export.export(codec, inputs).module()
    torch.testing.assert_close(exported(*inputs)["y_hat"], expected)


# The whole is in the models' tests: a compiler takes seconds for what all of these have in common.
@pytest.mark.slow
@pytest.mark.parametrize("name", Y_CODECS)
def test_compiles_without_a_graph_break_and_exports(name):
    check_tracing(hyperprior(name).eval(), latent())


@pytest.mark.slow  # quick: test_variable_rasterscan.py, test_wavefront.py, and whole networks in tests/models
@pytest.mark.parametrize("name", Y_CODECS)
def test_codecs_of_y_compile_without_a_graph_break_and_export(name):
    y = latent()
    check_tracing(busy(Y_CODECS[name]()).eval(), y, params_for(y))


class TestGaussianConditional:
    @pytest.mark.parametrize("chunks", [("scales", "means"), ("means", "scales"), ("scales",), ("means",)])
    def test_chunks(self, chunks):
        y = latent()
        parts = {"scales": torch.rand_like(y) + 0.5, "means": torch.randn_like(y)}
        codec = GaussianConditionalLatentCodec(chunks=chunks).eval()
        out = codec(y, torch.cat([parts[name] for name in chunks], dim=1))
        scales = parts["scales"] if "scales" in chunks else torch.ones_like(y)
        means = parts["means"] if "means" in chunks else torch.zeros_like(y)
        normal = torch.distributions.Normal(means.double(), scales.double())
        y_hat = (torch.round(y - means) + means).double()
        likelihood = (normal.cdf(y_hat + 0.5) - normal.cdf(y_hat - 0.5)).clamp(1e-9)
        torch.testing.assert_close(out["y_hat"].double(), y_hat)
        torch.testing.assert_close(out["likelihoods"]["y"].double(), likelihood, rtol=1e-3, atol=1e-6)

    def test_quantizers_differ_in_training_only(self):
        y = latent().requires_grad_()
        params = params_for(y)
        means = params[:, C:]
        ste = GaussianConditionalLatentCodec(quantizer="ste").train()(y, params)["y_hat"]
        noise = GaussianConditionalLatentCodec(quantizer="noise").train()(y, params)["y_hat"]
        assert torch.equal(ste, torch.round(y - means) + means)
        assert (noise - y).abs().max() <= 0.5
        assert not torch.equal(noise, ste)
        ste.sum().backward()
        assert torch.equal(y.grad, torch.ones_like(y))

    def test_side_information_may_be_larger(self):
        y, codec = latent(1, 5, 7), GaussianConditionalLatentCodec().eval()
        large = torch.randn(1, 2 * C, 8, 8)
        assert torch.equal(codec(y, large)["y_hat"], codec(y, large[..., :5, :7])["y_hat"])
        with pytest.raises(ValueError, match=r"params have shape \(1, 8, 4, 8\); the latent is \(5, 7\)"):
            codec(y, large[..., :4, :])

    def test_what_is_wrong_is_said(self):
        with pytest.raises(ValueError, match="quantizer is 'round'"):
            GaussianConditionalLatentCodec(quantizer="round")
        with pytest.raises(ValueError, match="chunks is"):
            GaussianConditionalLatentCodec(chunks=("scales", "scales"))


class TestHyper:
    def test_is_its_parts(self):
        codec, y = busy(hyper()).eval(), latent(2, 8, 8)
        out = codec(y)
        z_hat, likelihoods = codec.entropy_bottleneck(codec.h_a(y))
        assert torch.equal(out["params"], codec.h_s(z_hat))
        assert torch.equal(out["likelihoods"]["z"], likelihoods)

    def test_straight_through_rounds_around_medians(self):
        codec, y = busy(hyper(quantizer="ste")).train(), latent(2, 8, 8)
        with torch.no_grad():
            codec.entropy_bottleneck.quantiles[:, 0, 1] = torch.rand(C)
        medians = codec.entropy_bottleneck.quantiles[:, 0, 1].reshape(C, 1, 1)
        z = codec.h_a(y)
        torch.testing.assert_close(codec(y)["y_hat"], torch.round(z - medians) + medians)

    def test_bottleneck_from_arguments_or_later(self):
        assert HyperLatentCodec(channels=3).entropy_bottleneck.channels == 3
        codec = HyperLatentCodec()
        with pytest.raises(ValueError, match="has no entropy_bottleneck"):
            codec(latent())
        codec.entropy_bottleneck = EntropyBottleneck(C)
        assert codec.eval()(latent())["params"].shape == latent().shape

    def test_other_quantizers_are_refused(self):
        with pytest.raises(ValueError, match="quantizer is 'none'"):
            HyperLatentCodec(quantizer="none")


class TestHyperprior:
    @pytest.mark.parametrize("kind", [HyperpriorLatentCodec, GainHyperpriorLatentCodec])
    def test_default_construction(self, kind):
        codec = kind()
        assert isinstance(codec["y"], GaussianConditionalLatentCodec)
        assert isinstance(codec["hyper"], kind._default_hyper)
        codec = kind(channels=C, h_s=nn.Conv2d(C, 2 * C, 1))
        assert codec.hyper.entropy_bottleneck.channels == C

    def test_default_parts_work(self):
        codec = HyperpriorLatentCodec(channels=C, h_s=nn.Conv2d(C, 2 * C, 1)).eval()
        assert codec(latent())["y_hat"].shape == latent().shape

    def test_replacing_a_part_takes_effect(self):
        codec = hyperprior("gaussian").eval()
        codec.y = busy(raster(), seed=3)
        assert codec["y"] is codec.latent_codec["y"] is codec.y

    def test_what_is_wrong_is_said(self):
        with pytest.raises(ValueError, match=r"latent_codec is for \['z'\]"):
            HyperpriorLatentCodec({"z": bottleneck()})
        with pytest.raises(ValueError, match="one is given"):
            HyperpriorLatentCodec({"hyper": hyper()}, channels=3)


class TestGains:
    def gains(self, y_gain, z_gain):
        y_gain = torch.full((C, 1, 1), y_gain)
        z_gain = torch.full((C, 1, 1), z_gain)
        return y_gain, z_gain, 1 / y_gain, 1 / z_gain

    def test_unit_gains_change_nothing(self):
        gained, y = gain_hyperprior().eval(), latent()
        plain = hyperprior("gaussian").eval()
        plain.load_state_dict(gained.state_dict())
        out, expected = gained(y, *self.gains(1.0, 1.0)), plain(y)
        assert torch.equal(out["y_hat"], expected["y_hat"])
        assert torch.equal(out["likelihoods"]["z"], expected["likelihoods"]["z"])

    def test_larger_gains_cost_more_and_distort_less(self):
        codec, y = gain_hyperprior().eval(), latent(2, 16, 16)
        outs = [codec(y, *self.gains(gain, 1.0)) for gain in (0.5, 1.0, 4.0)]
        errors = [(out["y_hat"] - y).square().mean().item() for out in outs]
        assert errors[0] > errors[1] > errors[2]

    def test_hyper_gain_is_inside_the_rounding(self):
        codec, y = gain_hyperprior().eval(), latent(1, 8, 8)
        _, z_gain, _, z_gain_inv = self.gains(1.0, 4.0)
        z = codec.hyper.h_a(y)
        torch.testing.assert_close(
            codec.hyper(y, z_gain, z_gain_inv)["y_hat"], torch.round(4 * z) / 4, rtol=0, atol=1e-5
        )


class TestRasterScan:
    def test_evaluation_rounds_without_means(self):
        codec, y = busy(raster()).eval(), latent()
        params = params_for(y)
        out = codec(y, params)
        assert torch.equal(out["y_hat"], torch.round(y))
        merged = torch.cat((params, codec.context_prediction(torch.round(y))), 1)
        scales, means = codec.entropy_parameters(merged).chunk(2, 1)
        expected = codec.gaussian_conditional(y, scales, means=means)[1]
        assert torch.equal(out["likelihoods"]["y"], expected)

    def test_geometry_is_checked(self):
        with pytest.raises(ValueError, match="needs a context_prediction"):
            RasterScanLatentCodec()
        followed = nn.Sequential(MaskedConv2d(2, 4, 3, padding=1), nn.GELU())
        with pytest.raises(
            ValueError, match="context_prediction is a Sequential, must be a MaskedConv2d; what"
        ):
            RasterScanLatentCodec(context_prediction=followed)
        with pytest.raises(ValueError, match="context_prediction is a checkerboard's"):
            RasterScanLatentCodec(context_prediction=CheckerboardMaskedConv2d(1, 2, 5, padding=2))
        with pytest.raises(ValueError, match=r"has kernel \(4, 4\)"):
            RasterScanLatentCodec(context_prediction=nn.Conv2d(1, 2, 4, padding=2))
        with pytest.raises(ValueError, match=r"padding \(1, 1\)"):
            RasterScanLatentCodec(context_prediction=nn.Conv2d(1, 2, 5, padding=1))


class TestChannelGroups:
    def test_is_its_parts(self):
        codec, y = busy(groups(gaussian_leaf)).eval(), latent()
        params = params_for(y)
        first = codec["y0"](y[:, :1], params)
        context = codec.channel_context["y1"](first["y_hat"])
        second = codec["y1"](y[:, 1:], torch.cat((context, params), 1))
        out = codec(y, params)
        assert torch.equal(out["y_hat"], torch.cat((first["y_hat"], second["y_hat"]), 1))
        assert torch.equal(
            out["likelihoods"]["y"], torch.cat((first["likelihoods"]["y"], second["likelihoods"]["y"]), 1)
        )

    def test_merge_may_be_overridden(self):
        class Latest(ChannelGroupsLatentCodec):
            def merge_y(self, *args):
                return args[-1]

        leaves = {f"y{k}": gaussian_leaf(1, 2 * C + 2 * (k > 0)) for k in range(C)}
        codec = Latest(leaves, {f"y{k}": nn.Conv2d(1, 2, 1) for k in range(1, C)}, groups=[1] * C)
        assert codec(latent(), params_for(latent()))["y_hat"].shape == latent().shape

    def test_what_is_wrong_is_said(self):
        with pytest.raises(ValueError, match="2 groups need codecs"):
            ChannelGroupsLatentCodec({"y0": gaussian_leaf(1, 2)}, groups=GROUPS)
        with pytest.raises(ValueError, match=r"groups is \[4, 0\]"):
            ChannelGroupsLatentCodec(groups=[4, 0])


def test_entropy_bottleneck_is_its_part():
    codec, y = bottleneck().eval(), latent()
    y_hat, likelihoods = codec.entropy_bottleneck(y)
    out = codec(y)
    assert torch.equal(out["y_hat"], y_hat)
    assert torch.equal(out["likelihoods"]["y"], likelihoods)


def test_all_are_registered():
    assert sorted(MODULES) == [
        "ChannelGroupsLatentCodec",
        "CheckerboardLatentCodec",
        "EntropyBottleneckLatentCodec",
        "GainHyperLatentCodec",
        "GainHyperpriorLatentCodec",
        "GaussianConditionalLatentCodec",
        "HyperLatentCodec",
        "HyperpriorLatentCodec",
        "RasterScanLatentCodec",
        "VariableRasterScanLatentCodec",
    ]
