"""The conditional Gaussian mixture."""

import pytest
import torch

from lcrs import LcrsError
from lcrs.entropy_models import GaussianConditional, GaussianMixtureConditional


def inputs(shape=(2, 3, 4, 5), K=3, seed=0):
    torch.manual_seed(seed)
    n, channels, *spatial = shape
    scales = torch.exp(torch.empty(n, K * channels, *spatial).uniform_(-2, 2))
    means = 4 * torch.randn(n, K * channels, *spatial)
    weights = torch.softmax(torch.randn(n, K, channels, *spatial), 1).flatten(1, 2)
    y = means[:, :channels] + scales[:, :channels] * torch.randn(shape)
    return y, scales, means, weights


def test_likelihood_is_the_weighted_sum():
    y, scales, means, weights = inputs()
    y_hat, likelihoods = GaussianMixtureConditional(K=3).eval()(y, scales, means, weights)
    assert torch.equal(y_hat, torch.round(y))
    single = GaussianConditional(None, likelihood_bound=0).eval()
    parts = zip(*(t.chunk(3, 1) for t in (scales, means, weights)), strict=True)
    expected = sum(w * single.likelihood(y_hat, s, m) for s, m, w in parts)
    torch.testing.assert_close(likelihoods, expected.clamp_min(1e-9))


def test_one_component_is_a_gaussian():
    y, scales, means, _ = inputs(K=1)
    likelihoods = GaussianMixtureConditional(K=1).eval()(y, scales, means, torch.ones_like(scales))[1]
    torch.testing.assert_close(
        likelihoods, GaussianConditional(None).likelihood(torch.round(y), scales, means)
    )


def test_gradients_reach_everything_and_are_finite():
    y, *parameters = inputs()
    parameters = [p.requires_grad_() for p in parameters]
    _, likelihoods = GaussianMixtureConditional(K=3)(1e4 * y, *parameters)
    torch.log(likelihoods).sum().neg().backward()
    assert all(torch.isfinite(p.grad).all() for p in parameters)


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (3, 2, 1, 1), (2, 4, 30, 31)])
def test_round_trip(kind, shape):
    y, scales, means, weights = inputs(shape)
    y[:, 1] = 0.2  # a channel without symbols
    model = GaussianMixtureConditional(K=3, entropy_coder=kind).eval()
    (string, abs_max, zero_bitmap), y_hat = model.compress(y, scales, means, weights)
    assert zero_bitmap.tolist()[1] == 0
    assert abs_max == torch.round(y).abs().max()
    assert torch.equal(y_hat, torch.round(y))
    assert torch.equal(model.decompress(string, abs_max, zero_bitmap, scales, means, weights), y_hat)


def test_coded_size_is_near_the_estimate():
    y, scales, means, weights = inputs((1, 4, 40, 40))
    model = GaussianMixtureConditional(K=3).eval()
    bits = -torch.log2(model(y, scales, means, weights)[1]).sum().item()
    (string, *_), _ = model.compress(y, scales, means, weights)
    assert 8 * len(string) == pytest.approx(bits, rel=0.01)


def test_all_zero_and_damaged():
    y, scales, means, weights = inputs()
    model = GaussianMixtureConditional(K=3).eval()
    coded, y_hat = model.compress(torch.zeros_like(y), scales, means, weights)
    assert torch.equal(model.decompress(*coded, scales, means, weights), y_hat)
    (string, abs_max, zero_bitmap), _ = model.compress(y, scales, means, weights)
    with pytest.raises(LcrsError):
        model.decompress(string[:-2], abs_max, zero_bitmap, scales, means, weights)
    with pytest.raises(ValueError, match="abs_max is 0"):
        model.decompress(string, 0, zero_bitmap, scales, means, weights)
    with pytest.raises(ValueError, match=r"weights have shape \(2, 3, 4, 5\), must be \(2, 9, 4, 5\)"):
        model(y, scales, means, weights[:, :3])
    with pytest.raises(ValueError, match="K is 0"):
        GaussianMixtureConditional(K=0)
