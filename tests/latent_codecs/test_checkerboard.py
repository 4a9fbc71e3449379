"""The checkerboard: its geometry, who sees whom, and the three ways to train."""

import pytest
import torch
from codec_examples import C, busy, checkerboard, latent
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lcrs.latent_codecs import CheckerboardLatentCodec

METHODS = ["onepass", "twopass", "twopass_faster"]


def is_anchor(row, column, parity):
    return (row + column) % 2 == (parity == "odd")


@pytest.mark.parametrize("parity", ["even", "odd"])
@given(height=st.integers(1, 6), width=st.integers(1, 7))
def test_embed_undoes_unembed(parity, height, width):
    codec = CheckerboardLatentCodec(anchor_parity=parity)
    y = torch.randn(2, 3, height, width)
    halves = codec.unembed(y)
    assert halves.shape == (2, 2, 3, height, (width + 1) // 2)
    assert torch.equal(codec.embed(halves, width), y)
    if width % 2 == 0:
        assert torch.equal(codec.embed(halves), y)


@pytest.mark.parametrize("parity", ["even", "odd"])
def test_unembed_pushes_rows_together(parity):
    y = torch.arange(1, 16).reshape(1, 1, 3, 5)
    halves = CheckerboardLatentCodec(anchor_parity=parity).unembed(y)
    for row in range(3):
        for half, anchors in enumerate((True, False)):
            values = [y[0, 0, row, c].item() for c in range(5) if is_anchor(row, c, parity) == anchors]
            assert halves[half, 0, 0, row].tolist() == values + [0] * (3 - len(values))


def test_embed_checks_the_width():
    with pytest.raises(ValueError, match="not two halves of width 4"):
        CheckerboardLatentCodec().embed(torch.zeros(2, 1, 1, 2, 3), width=4)


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [(2, 2), (2, 3)])
def test_who_sees_whom(parity, method, place):
    codec = busy(checkerboard(anchor_parity=parity, forward_method=method)).eval()
    y, params = latent(1, 5, 6), torch.randn(1, 2 * C, 5, 6)
    changed = y.clone()
    changed[..., place[0], place[1]] += 5
    before, after = (codec(x, params)["likelihoods"]["y"] for x in (y, changed))
    differs = (before != after).any(dim=1)[0]
    anchors = torch.tensor([[is_anchor(r, c, parity) for c in range(6)] for r in range(5)])
    elsewhere = torch.ones(5, 6, dtype=torch.bool)
    elsewhere[place] = False
    assert not (differs & anchors & elsewhere).any()  # anchors see nothing but themselves
    if is_anchor(*place, parity):
        assert (differs & ~anchors).any()
    elif method != "onepass":
        assert not (differs & elsewhere).any()


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("training", [True, False])
def test_both_twopass_methods_agree(parity, training):
    outs = []
    for method in ("twopass", "twopass_faster"):
        codec = busy(checkerboard(anchor_parity=parity, forward_method=method)).train(training)
        y = latent(2, 5, 7).requires_grad_()
        torch.manual_seed(1)
        out = codec(y, torch.ones(2, 2 * C, 5, 7))
        (out["y_hat"].square().sum() - out["likelihoods"]["y"].log().sum()).backward()
        outs.append((out["y_hat"], out["likelihoods"]["y"], y.grad))
    for one, other in zip(*outs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("parity", ["even", "odd"])
def test_twopass_by_definition(parity):
    codec = busy(checkerboard(anchor_parity=parity)).eval()
    y, params = latent(1, 4, 5), torch.randn(1, 2 * C, 4, 5)
    y_hat = torch.zeros_like(y)
    likelihoods = torch.zeros_like(y)
    for anchors in (True, False):
        context = torch.zeros(1, 2 * C, 4, 5) if anchors else codec.context_prediction(y_hat)
        scales, means = codec.entropy_parameters(torch.cat((context, params), 1)).chunk(2, 1)
        values, probabilities = codec.y.gaussian_conditional(y, scales, means=means)
        for row in range(4):
            for column in range(5):
                if is_anchor(row, column, parity) == anchors:
                    y_hat[..., row, column] = values[..., row, column]
                    likelihoods[..., row, column] = probabilities[..., row, column]
    out = codec(y, params)
    torch.testing.assert_close(out["y_hat"], y_hat)
    torch.testing.assert_close(out["likelihoods"]["y"], likelihoods)


def test_onepass_adds_noise_in_training():
    codec = busy(checkerboard(forward_method="onepass"))
    y, params = latent(), torch.randn(3, 2 * C, 5, 7)
    noisy = codec.train()(y, params)["y_hat"]
    assert (noisy - y).abs().max() <= 0.5
    assert torch.equal(codec.eval()(y, params)["y_hat"], torch.round(y))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"anchor_parity": "both"}, "anchor_parity is 'both'"),
        ({"forward_method": "threepass"}, "forward_method is 'threepass'"),
        ({"latent_codec": {"z": nn.Identity()}}, r"latent_codec is for \['z'\]"),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        CheckerboardLatentCodec(**arguments)
