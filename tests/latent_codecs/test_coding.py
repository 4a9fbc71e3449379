"""Strings and back: every codec, both kinds of stream, any size and batch, to the bit."""

import copy
import pickle

import numpy as np
import pytest
import torch
from codec_examples import (
    Y_CODECS,
    C,
    bottleneck,
    busy,
    checkerboard,
    gain_hyperprior,
    hyperprior,
    latent,
    raster,
    shared_hyperprior,
)
from torch import nn

import lcrs
from lcrs.entropy_models import EntropyModel, GaussianConditional
from lcrs.errors import DesyncError, LcrsError, NotPortableError
from lcrs.latent_codecs import (
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import GDN

SIZES = [(1, 1), (1, 2), (2, 1), (5, 7), (8, 12)]
# Lists of y strings in CompressAI's format: one for each step that is coded at once.
NUM_LISTS = {
    "checkerboard": 2,
    "checkerboard-odd": 2,
    "groups-gaussian": 2,
    "groups-checkerboard": 4,
    "groups-raster": 2,
}


def set_kind(codec, kind):
    for module in codec.modules():
        if isinstance(module, EntropyModel):
            module.entropy_coder = kind
    return codec


def shared(name, kind="lcrs", role=""):
    return set_kind(shared_hyperprior(name, role), kind)


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", Y_CODECS)
def test_round_trip(name, size, kind):
    codec, y = shared(name, kind), latent(3, *size)
    out = codec.compress(y)
    assert len(out["strings"]) == 1 + (NUM_LISTS.get(name, 1) if kind == "ans" else 1)
    assert all(len(strings) == 3 for strings in out["strings"])
    assert (out["y_hat"] - y).abs().max() <= 0.5 + 1e-4
    decoded = shared(name, kind, "decoder").decompress(out["strings"], out["shape"])
    assert torch.equal(decoded["y_hat"], out["y_hat"])


@pytest.mark.parametrize("name", Y_CODECS)
def test_items_of_a_batch_are_independent(name):
    codec, y = shared(name), latent(3)
    together = codec.compress(y)["strings"]
    alone = [codec.compress(y[i : i + 1])["strings"] for i in range(3)]
    assert together == [[strings[k][0] for strings in alone] for k in range(len(together))]


def num_bits(strings):
    return 8 * sum(len(item) for latents in strings for item in latents)


def test_rate_is_the_estimated_one():
    scales, means = 0.5 + 8 * torch.rand(2, C, 24, 32), torch.randn(2, C, 24, 32)
    y = means + scales * torch.randn(2, C, 24, 32)
    codec, params = GaussianConditionalLatentCodec().eval(), torch.cat((scales, means), 1)
    estimate = -codec(y, params)["likelihoods"]["y"].log2().sum().item()
    assert num_bits(codec.compress(y, params)["strings"]) == pytest.approx(estimate, rel=0.01)


@pytest.mark.parametrize("name", Y_CODECS)
def test_one_stream_is_not_longer_than_many(name):
    native, theirs = (
        num_bits(shared(name, kind).compress(latent(1, 16, 24))["strings"]) for kind in ("lcrs", "ans")
    )
    assert native <= 1.001 * theirs + 8 * 16


@pytest.mark.parametrize("name", [name for name in Y_CODECS if "raster" not in name])
def test_coded_latent_is_the_one_of_evaluation(name):
    codec, y = shared(name), latent(2, 8, 12)
    torch.testing.assert_close(codec.compress(y)["y_hat"], codec(y)["y_hat"], rtol=0, atol=1e-4)


def test_serial_scan_is_its_definition():
    codec, y = busy(raster()).eval(), latent(1, 4, 5)
    params = torch.randn(1, 2 * C, 4, 5)
    y_hat = torch.zeros_like(y)
    with torch.no_grad():
        for row in range(4):
            for column in range(5):
                merged = torch.cat((params, codec.context_prediction(y_hat)), 1)
                means = codec.entropy_parameters(merged).chunk(2, 1)[1][..., row, column]
                y_hat[..., row, column] = torch.round(y[..., row, column] - means) + means
    torch.testing.assert_close(codec.compress(y, params)["y_hat"], y_hat, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scale_bound", [0.11, 0.7])
def test_native_and_stepwise_scans_write_the_same(kind, bias, scale_bound, monkeypatch):
    codec = raster()
    codec.gaussian_conditional = GaussianConditional(None, scale_bound=scale_bound)
    codec = set_kind(busy(codec).eval(), kind)
    if not bias:
        codec.context_prediction.bias = None
    y, params = latent(2, 6, 9), torch.randn(2, 2 * C, 6, 9)
    native = codec.compress(y, params)
    assert codec._native_scan("wavefront") is not None
    monkeypatch.setattr(type(codec), "_native_scan", lambda self, order: None)
    stepwise = codec.compress(y, params)
    assert native["strings"] == stepwise["strings"]
    assert torch.equal(native["y_hat"], stepwise["y_hat"])
    decoded = codec.decompress(native["strings"], native["shape"], params)
    assert torch.equal(decoded["y_hat"], native["y_hat"])


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("chunks", [("scales", "means"), ("means", "scales"), ("scales",)])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (6, 8)])
def test_native_and_stepwise_checkerboards_write_the_same(parity, chunks, size, monkeypatch):
    codec = checkerboard(anchor_parity=parity)
    codec.y = GaussianConditionalLatentCodec(chunks=chunks, scale_bound=0.3)
    if len(chunks) == 1:
        codec.y.entropy_parameters = nn.Conv2d(2 * C, C, 1)
    codec, y = busy(codec).eval(), latent(2, *size)
    params = torch.randn(2, 2 * C, *size)
    native = codec.compress(y, params)
    assert codec._native_scan() is not None
    monkeypatch.setattr(type(codec), "_native_scan", lambda self: None)
    stepwise = codec.compress(y, params)
    assert native["strings"] == stepwise["strings"]
    assert torch.equal(native["y_hat"], stepwise["y_hat"])
    decoded = codec.decompress(native["strings"], native["shape"], params)
    assert torch.equal(decoded["y_hat"], native["y_hat"])


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_other_parameter_networks_are_scanned_stepwise(kind):
    codec = raster()
    codec.entropy_parameters = nn.Sequential(nn.Conv2d(4 * C, 8, 1), GDN(8), nn.Conv2d(8, 2 * C, 1))
    codec, y = set_kind(busy(codec).eval(), kind), latent(2)
    params = torch.randn(2, 2 * C, 5, 7)
    assert codec._native_scan("wavefront") is None
    out = codec.compress(y, params)
    assert torch.equal(codec.decompress(out["strings"], out["shape"], params)["y_hat"], out["y_hat"])


def test_overridden_merges():
    class Doubling(CheckerboardLatentCodec):
        def merge(self, *args):
            return torch.cat((args[0], 2 * args[1]), 1)

    plain = busy(checkerboard()).eval()
    doubling = Doubling(plain.latent_codec, plain.entropy_parameters, plain.context_prediction).eval()
    y, params = latent(), torch.randn(3, 2 * C, 5, 7)
    out = doubling.compress(y, params)
    torch.testing.assert_close(out["y_hat"], plain.compress(y, 2 * params)["y_hat"], rtol=0, atol=1e-5)
    assert torch.equal(doubling.decompress(out["strings"], out["shape"], params)["y_hat"], out["y_hat"])
    codec = busy(raster()).eval()
    codec.merge = lambda *args: torch.cat(args[::-1], 1)
    with lcrs.portability("require"), pytest.raises(NotPortableError, match=r"merge is overridden"):
        codec.compress(y, params)


def test_both_kinds_carry_the_same_symbols():
    for name in Y_CODECS:
        y = latent(2)
        outs = [shared(name, kind).compress(y) for kind in ("lcrs", "ans")]
        assert torch.equal(outs[0]["y_hat"], outs[1]["y_hat"])


@pytest.mark.parametrize("name", ["gaussian", "raster", "groups-checkerboard"])
def test_copies_decode(name):
    codec = hyperprior(name).eval()
    out = codec.compress(latent())
    for other in (copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):
        assert torch.equal(other.decompress(out["strings"], out["shape"])["y_hat"], out["y_hat"])


def test_changed_weights_are_seen():
    codec, y = busy(raster()).eval(), latent(1)
    params = torch.randn(1, 2 * C, 5, 7)
    before = codec.compress(y, params)
    with torch.no_grad():
        codec.context_prediction.weight.mul_(1.5)
    after = codec.compress(y, params)
    assert before["strings"] != after["strings"]
    assert torch.equal(codec.decompress(after["strings"], after["shape"], params)["y_hat"], after["y_hat"])


def test_flushed_denormals_change_nothing():
    codec, y = hyperprior("groups-checkerboard").eval(), latent()
    expected = codec.compress(y)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush denormals")
    try:
        assert codec.compress(y)["strings"] == expected["strings"]
    finally:
        torch.set_flush_denormal(False)


def test_entropy_bottleneck():
    for kind in ("lcrs", "ans"):
        codec, y = set_kind(bottleneck().eval(), kind), latent()
        out = codec.compress(y)
        assert torch.equal(out["y_hat"], codec(y)["y_hat"])
        assert torch.equal(codec.decompress(out["strings"], out["shape"])["y_hat"], out["y_hat"])


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("gain", [0.7, 3.0])
@pytest.mark.parametrize("name", ["gaussian", "checkerboard", "raster"])
def test_gains(name, gain, kind):
    codec, y = set_kind(gain_hyperprior(name).eval(), kind), latent()
    y_gain, z_gain = torch.full((C, 1, 1), gain), torch.linspace(0.5, 2, C).reshape(1, C, 1, 1)
    out = codec.compress(y, y_gain, z_gain, 1 / y_gain, 1 / z_gain)
    assert (out["y_hat"] - y).abs().max() <= 0.5 / gain + 1e-4
    decoded = codec.decompress(out["strings"], out["shape"], 1 / y_gain, 1 / z_gain)
    assert torch.equal(decoded["y_hat"], out["y_hat"])


def test_networks_that_look_around_work_in_a_checkerboard():
    codec = CheckerboardLatentCodec(
        entropy_parameters=nn.Conv2d(4 * C, 2 * C, 3, padding=1),
        context_prediction=checkerboard().context_prediction,
    )
    codec, y = busy(codec).eval(), latent()
    params = torch.randn(3, 2 * C, 5, 7)
    out = codec.compress(y, params)
    torch.testing.assert_close(out["y_hat"], codec(y, params)["y_hat"], rtol=0, atol=1e-4)
    assert torch.equal(codec.decompress(out["strings"], out["shape"], params)["y_hat"], out["y_hat"])


class TestForeignStrings:
    """Strings that were written with torch's sums, as CompressAI does."""

    @pytest.mark.parametrize("name", ["gaussian", "checkerboard", "groups-checkerboard", "raster"])
    def test_are_decoded_where_the_sums_agree(self, name, monkeypatch):
        codec, y = set_kind(hyperprior(name).eval(), "ans"), latent(2)
        monkeypatch.setattr("lcrs.layers.exact.ExactNetwork.run", lambda self, module, x, *place: module(x))
        monkeypatch.setattr("lcrs.latent_codecs.stepwise.step_graph", lambda codec: None)
        foreign = codec.compress(y)
        monkeypatch.undo()
        with pytest.MonkeyPatch.context() as patch:  # exact parameters that decode nothing

            def run(self, module, x, *place):
                return module(x) + 0.37

            patch.setattr("lcrs.layers.exact.ExactNetwork.run", run)
            decoded = codec.decompress(foreign["strings"], foreign["shape"])
        # Torch sums a picture and a batch in different orders, so values may differ by an ulp.
        torch.testing.assert_close(decoded["y_hat"], foreign["y_hat"], rtol=0, atol=1e-5)

    def test_of_another_model_are_refused(self):
        codec = set_kind(hyperprior("checkerboard").eval(), "ans")
        out = codec.compress(latent(2, 8, 8))
        other = set_kind(busy(hyperprior("checkerboard"), seed=9).eval(), "ans")
        with pytest.raises(DesyncError, match="neither with exact parameters"):
            other.decompress(out["strings"], out["shape"])


class TestErrors:
    def test_damage(self):
        for name in ("gaussian", "raster", "groups-checkerboard"):
            codec = shared(name)
            out = codec.compress(latent(1, 8, 8))
            y_string = out["strings"][0][0]
            for broken in (y_string[:-3], y_string[: len(y_string) // 2], y_string + b"\0\0\0\0", b""):
                with pytest.raises(LcrsError):
                    codec.decompress([[broken], out["strings"][1]], out["shape"])

    def test_number_of_strings(self):
        codec = set_kind(hyperprior("checkerboard").eval(), "ans")
        out = codec.compress(latent(1))
        first, second, z = out["strings"]
        with pytest.raises(ValueError, match="there are more steps"):
            codec.decompress([first, z], out["shape"])
        with pytest.raises(ValueError, match="strings has 3 lists; there are 2 steps"):
            codec.decompress([first, second, second, z], out["shape"])
        with pytest.raises(ValueError, match=r"the lengths are \[1, 2, 1\]"):
            codec.decompress([first, second * 2, z], out["shape"])
        native = hyperprior("checkerboard").eval()
        y_strings, z_strings = native.compress(latent(1))["strings"]
        with pytest.raises(ValueError, match="strings has 2 lists; a native stream has 1"):
            native.decompress([y_strings, y_strings, z_strings], out["shape"])

    def test_a_context_that_sees_what_is_not_decoded(self):
        codec = RasterScanLatentCodec(None, nn.Conv2d(8, 4, 1), nn.Conv2d(2, 4, 3, padding=1)).eval()
        y, params = torch.randn(1, 2, 4, 4), torch.randn(1, 4, 4, 4)
        assert codec(y, params)["y_hat"].shape == y.shape
        with pytest.raises(ValueError, match="context_prediction is a Conv2d without a mask, must be a Mask"):
            codec.compress(y, params)

    def test_values_that_cannot_be_coded(self):
        codec, y = hyperprior("gaussian").eval(), latent()
        y[1, 2, 3, 4] = np.nan
        with pytest.raises(ValueError, match=r"nan|NaN|finite"):
            codec.compress(y)

    def test_mixed_kinds(self):
        codec = hyperprior("checkerboard").eval()
        codec.hyper.entropy_bottleneck.entropy_coder = "ans"
        with pytest.raises(ValueError, match="stream kinds"):
            codec.decompress([[b""], [b""]], {"y": (C, 1, 1), "hyper": (1, 1)})

    def test_more_shapes_than_groups(self):
        codec = hyperprior("groups-gaussian").eval()
        out = codec.compress(latent())
        shape = {**out["shape"], "y": out["shape"]["y"] * 2}
        with pytest.raises(ValueError, match="there are 4 shapes for 2 groups"):
            codec.decompress(out["strings"], shape)
