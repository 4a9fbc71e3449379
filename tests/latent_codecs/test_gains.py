"""Steps of quantisation other than one: checkerboards and groups with a gain for each channel."""

import numpy as np
import pytest
import torch
from codec_examples import C, busy, latent
from torch import nn

from lcrs import coding
from lcrs.entropy_models import EntropyModel
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d

GROUPS = [1, 3]
SIZES = [(1, 1), (1, 2), (5, 7), (8, 12)]


def leaf(domain, **kwargs):
    return GaussianConditionalLatentCodec(
        quantizer="ste", domain=domain, nearest=domain == "log", chunks=("means", "scales"), **kwargs
    )


def checkerboard(domain, channels=C, num_params=2 * C, **kwargs):
    parameters = nn.Sequential(nn.Conv2d(6 + num_params, 8, 1), nn.LeakyReLU(), nn.Conv2d(8, 2 * channels, 1))
    context = CheckerboardMaskedConv2d(channels, 6, 5, padding=2)
    return CheckerboardLatentCodec({"y": leaf(domain)}, parameters, context, **kwargs)


def gaussian(domain, channels=C, num_params=2 * C):
    return leaf(domain, entropy_parameters=nn.Conv2d(num_params, 2 * channels, 1))


def groups(domain):
    return ChannelGroupsLatentCodec(
        {"y0": checkerboard(domain, 1), "y1": gaussian(domain, 3, 2 * C + 6)},
        {"y1": nn.Conv2d(1, 6, 5, padding=2)},
        side_networks={"y0": nn.Conv2d(2 * C, 2 * C, 1), "y1": nn.Identity()},
        groups=GROUPS,
    )


CODECS = {
    "gaussian": gaussian,
    "checkerboard": checkerboard,
    "checkerboard-odd": lambda domain: checkerboard(domain, anchor_parity="odd"),
    "groups": groups,
}
DOMAINS = ["linear", "log"]


def make(name, domain, kind="lcrs"):
    codec = busy(CODECS[name](domain)).eval()
    for path, module in codec.named_modules():
        if isinstance(module, EntropyModel):
            module.entropy_coder = kind
        if path.endswith("entropy_parameters") and not isinstance(module, nn.Identity):
            show_scales(module, domain)
    return codec


@torch.no_grad()
def show_scales(parameters, domain):
    """Scales that suit the latent: neither all at the bound nor beyond the table."""
    last = parameters[-1] if isinstance(parameters, nn.Sequential) else parameters
    num_channels = last.out_channels // 2  # means come first
    last.weight.mul_(0.3)
    last.bias[num_channels:] = 1.0 if domain == "log" else 3.0


def steps(domain, seed=5):
    """A gain for each channel, and its logarithm where it is needed."""
    log_gain = 1.5 * torch.randn(C, 1, 1, generator=torch.Generator().manual_seed(seed))
    return {"gain": torch.exp(log_gain), **({"log_gain": log_gain} if domain == "log" else {})}


def side(*size):
    return torch.randn(3, 2 * C, *size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(("size", "kind"), [*((size, "lcrs") for size in SIZES), ((5, 7), "ans")])
@pytest.mark.parametrize("name", CODECS)
def test_round_trip(name, size, domain, kind):
    y, params, gain = latent(3, *size), side(*size), steps(domain)
    out = make(name, domain, kind).compress(y, params, **gain)
    assert ((out["y_hat"] - y) * gain["gain"]).abs().max() <= 0.5 + 1e-4
    decoded = make(name, domain, kind).decompress(out["strings"], out["shape"], params, **gain)
    assert torch.equal(decoded["y_hat"], out["y_hat"])


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", CODECS)
def test_values_do_not_depend_on_the_kind_of_stream(name, domain):
    y, params, gain = latent(3, 6, 9), side(6, 9), steps(domain)
    outs = [make(name, domain, kind).compress(y, params, **gain) for kind in ("lcrs", "ans")]
    assert torch.equal(outs[0]["y_hat"], outs[1]["y_hat"])


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("parity", ["even", "odd"])
def test_native_and_stepwise_scans_write_the_same(domain, parity, monkeypatch):
    y, params, gain = latent(3, 6, 9), side(6, 9), steps(domain)
    codec = make("checkerboard-odd" if parity == "odd" else "checkerboard", domain)
    native = codec.compress(y, params, **gain)
    assert codec._native_scan() is not None
    monkeypatch.setattr(CheckerboardLatentCodec, "_native_scan", lambda self: None)
    stepwise = codec.compress(y, params, **gain)
    assert native["strings"] == stepwise["strings"]
    assert torch.equal(native["y_hat"], stepwise["y_hat"])


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", CODECS)
def test_forward_says_what_is_coded(name, domain):
    codec, y, params, gain = make(name, domain), latent(3, 6, 9), side(6, 9), steps(domain)
    with torch.no_grad():
        out = codec(y, params, **gain)
    coded = codec.compress(y, params, **gain)
    # A symbol may go the other way where torch's sums differ in the last bit.
    assert (coded["y_hat"] - out["y_hat"]).abs().median() < 1e-5
    bits = -out["likelihoods"]["y"].log2().sum().item()
    num_bits = 8 * sum(len(item) for item in coded["strings"][0])
    assert abs(num_bits - bits) < 0.1 * bits + 3 * 11 * 8


@pytest.mark.parametrize("name", CODECS)
def test_linear_and_logarithmic_domains_mean_the_same(name):
    """A codec whose scales are exponentials of another's logarithms has its likelihoods."""
    y, params = latent(3, 6, 9), side(6, 9)
    log, linear = make(name, "log"), make(name, "log")
    for codec in linear.modules():
        if isinstance(codec, GaussianConditionalLatentCodec):
            codec.domain = "linear"
            codec._chunk = lambda params, chunk=codec._chunk: (chunk(params)[0].exp(), chunk(params)[1])
    with torch.no_grad():
        expected = linear(y, params, **steps("linear"))
        out = log(y, params, **steps("log"))
    torch.testing.assert_close(out["y_hat"], expected["y_hat"])
    torch.testing.assert_close(out["likelihoods"]["y"], expected["likelihoods"]["y"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", CODECS)
def test_a_gain_of_one_changes_nothing(name):
    y, params = latent(3, 6, 9), side(6, 9)
    one = {"gain": torch.ones(C, 1, 1)}
    for domain in DOMAINS:
        gain = one if domain == "linear" else {**one, "log_gain": torch.zeros(C, 1, 1)}
        codec = make(name, domain)
        assert codec.compress(y, params, **gain)["strings"] == codec.compress(y, params)["strings"]
        with torch.no_grad():
            plain, gained = codec(y, params), codec(y, params, **gain)
        torch.testing.assert_close(gained["likelihoods"]["y"], plain["likelihoods"]["y"])
        torch.testing.assert_close(gained["y_hat"], plain["y_hat"])


@pytest.mark.parametrize("method", ["onepass", "twopass", "twopass_faster"])
def test_training_passes_gradients_on(method):
    codec = busy(checkerboard("log", forward_method=method)).train()
    y, gain = latent(2, 5, 6).requires_grad_(), steps("log")
    log_gain = gain["log_gain"].repeat(2, 1, 1, 1).requires_grad_()
    out = codec(y, side(5, 6)[:2], torch.exp(log_gain), log_gain)
    (out["y_hat"].square().sum() - out["likelihoods"]["y"].log2().sum()).backward()
    for grad in (y.grad, log_gain.grad, *(parameter.grad for parameter in codec.parameters())):
        assert torch.isfinite(grad).all()
        assert grad.abs().sum() > 0
    if method == "onepass":
        assert ((out["y_hat"] - y) * torch.exp(log_gain)).abs().max() <= 0.5 + 1e-4


def test_pictures_of_a_batch_have_gains_of_their_own():
    codec, y, params = make("groups", "log"), latent(2, 5, 6), side(5, 6)[:2]
    both = [steps("log", seed) for seed in (5, 6)]
    stacked = {name: torch.stack([gain[name] for gain in both]) for name in ("gain", "log_gain")}
    with torch.no_grad():
        out = codec(y, params, **stacked)
        for i, gain in enumerate(both):
            alone = codec(y[i : i + 1], params[i : i + 1], **gain)
            torch.testing.assert_close(out["y_hat"][i : i + 1], alone["y_hat"])


def test_tiny_numbers_are_kept_whatever_torch_does_with_them():
    """Flushing them to zero, which torch can be told to do, changes no value."""
    codec = busy(checkerboard("linear"))
    with torch.no_grad():
        codec.entropy_parameters[2].weight.zero_()
        codec.entropy_parameters[2].bias[:C] = 1e-40
    y, params, gain = torch.zeros(1, C, 2, 2), side(2, 2)[:1], steps("linear")
    for kind in ("lcrs", "ans"):
        codec.y.gaussian_conditional.entropy_coder = kind
        flushes = torch.set_flush_denormal(True)
        try:
            out = codec.compress(y, params, **gain)
        finally:
            torch.set_flush_denormal(False)
        if flushes:
            assert np.all(out["y_hat"].numpy() == np.float32(1e-40))


class TestErrors:
    @pytest.mark.parametrize("kind", ["lcrs", "ans"])
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ([1.0, 1.0], "one number for 4 channels"),
            ([1.0, float("nan"), 1.0, 1.0], "nan, must be finite"),
            ([1.0, float("inf"), 1.0, 1.0], "inf, must be finite"),
            ([1.0, 0.0, 1.0, 1.0], "positive"),
            ([1.0, -2.0, 1.0, 1.0], "positive"),
        ],
    )
    def test_gains(self, wrong, message, kind):
        codec = make("checkerboard", "linear", kind)
        with pytest.raises(ValueError, match=message):
            codec.compress(latent(), side(5, 7), gain=torch.tensor(wrong).reshape(-1, 1, 1))

    @pytest.mark.parametrize("name", CODECS)
    def test_logarithms_belong_to_logarithmic_scales(self, name):
        y, params, gain = latent(), side(5, 7), steps("log")
        for call in (lambda codec: codec, lambda codec: codec.compress):
            with pytest.raises(ValueError, match="domain is 'linear'"):
                call(make(name, "linear"))(y, params, **gain)
            with pytest.raises(ValueError, match="domain is 'log'"):
                call(make(name, "log"))(y, params, gain=gain["gain"])

    def test_domains(self):
        with pytest.raises(ValueError, match="domain is 'cubic'"):
            GaussianConditionalLatentCodec(domain="cubic")
        with pytest.raises(ValueError, match="domain is 'log'"):
            GaussianConditionalLatentCodec(domain="log", chunks=("means",))

    def test_side_networks(self):
        with pytest.raises(ValueError, match=r"need side networks \['y0'\]; there are \['y1'\]"):
            ChannelGroupsLatentCodec({"y0": gaussian("log")}, side_networks={"y1": nn.Identity()}, groups=[C])


def test_rows_are_the_nearest_in_ratio():
    codec = GaussianConditionalLatentCodec(domain="log", nearest=True)
    table = codec.gaussian_conditional.effective_scale_table().numpy()
    scales = np.exp(np.linspace(-4, 7, 1000, dtype=np.float32))
    rows = coding.indexes(np.log(scales), codec.thresholds())
    ratios = np.abs(np.log(scales)[:, None] - np.log(table)[None])
    assert np.array_equal(rows, ratios.argmin(1))
