"""Entropy models with a step."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lcrs.entropy_models import EntropyBottleneck, EntropyBottleneckVbr, EntropyModelVbr


def trained_like(channels=4, seed=0):
    torch.manual_seed(seed)
    model = EntropyBottleneckVbr(channels, init_scale=5)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter is not model.quantiles:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model._update_quantiles()
    return model.eval()


def test_quantize_variable():
    model = EntropyModelVbr()
    x = torch.tensor([-3.1, 0.9, 1.1, 2.6, 7.0])
    means, step = torch.tensor(0.5), torch.tensor(2.0)
    assert model.quantize_variable(x, "symbols", means, step).tolist() == [-2, 0, 0, 1, 3]
    expected = [-3.5, 0.5, 0.5, 2.5, 6.5]
    assert model.quantize_variable(x, "dequantize", means, step).tolist() == expected
    assert model.dequantize_variable(torch.tensor([-2, 0, 0, 1, 3]), means, qs=step).tolist() == expected
    x.requires_grad_()
    rounded = model.quantize_variable(x, "ste", means, step)
    assert rounded.tolist() == expected
    rounded.sum().backward()
    assert x.grad.tolist() == [1.0] * 5
    noise = model.quantize_variable(torch.zeros(2000), "noise", means, step)
    assert 0.99 < noise.abs().max() <= 1
    assert model.quantize_variable(x, "symbols").tolist() == [-3, 1, 1, 3, 7]
    with pytest.raises(ValueError, match="mode is 'floor'"):
        model.quantize_variable(x, "floor")


def test_step_one_is_the_plain_bottleneck():
    model = trained_like()
    plain = EntropyBottleneck(4, init_scale=5)
    state = {key.replace("_matrix", "matrices.").replace("_bias", "biases."): value
             for key, value in model.state_dict().items()}  # fmt: skip
    plain.load_state_dict({key.replace("_factor", "factors."): value for key, value in state.items()})
    x = 5 * torch.randn(2, 4, 7)
    assert all(torch.equal(a, b) for a, b in zip(model(x), plain.eval()(x), strict=True))
    assert model.compress(x) == plain.compress(x)
    model.load_state_dict(plain.state_dict())  # and the other way round
    assert model.compress(x) == plain.compress(x)


@pytest.mark.parametrize("step", [0.5, 1.0, 3.7])
def test_likelihood_is_of_an_interval_of_the_step(step):
    model = trained_like().double()
    grid = model.quantiles.detach()[:, :, 1:2] + step * torch.arange(-400, 401, dtype=torch.float64)
    y, likelihoods = model(grid.transpose(0, 1), qs=torch.tensor(step, dtype=torch.float64))
    torch.testing.assert_close(y, grid.transpose(0, 1))
    torch.testing.assert_close(likelihoods.sum(-1), torch.ones(1, 4, dtype=torch.float64), rtol=0, atol=1e-5)


def test_gradients_reach_densities_and_step():
    model = trained_like()
    step = torch.tensor(2.0, requires_grad=True)
    x = torch.randn(1, 4, 5, requires_grad=True)
    _, likelihoods = model(x, training=True, qs=step)
    torch.log(likelihoods).sum().backward()
    assert step.grad.abs() > 0
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in (model._matrix0, model._bias4, model._factor1)
    )


def test_ste_returns_rounded_values_and_measures_noisy_ones():
    model = trained_like().train()
    x = torch.randn(1, 4, 50, requires_grad=True)
    y, likelihoods = model(x, qs=2.0, ste=True)
    medians = model.quantiles.detach()[:, 0, 1].reshape(1, 4, 1)
    torch.testing.assert_close(y, torch.round((x - medians) / 2) * 2 + medians)
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    assert not torch.equal(likelihoods, model.eval()(x, qs=2.0)[1])


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("step", [None, 0.5, 3.7, torch.tensor(2.2)])
def test_round_trip(kind, step):
    model = trained_like()
    model.entropy_coder = kind
    x = 20 * torch.randn(3, 4, 5, 6)
    restored = model.decompress(model.compress(x, step), (5, 6), step)
    assert torch.equal(restored, model.restore(x, step))
    torch.testing.assert_close(restored, model(x, qs=step)[0], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_coded_size_is_the_estimated_rate(step):
    model = trained_like(seed=3)
    x = 10 * torch.randn(1, 4, 64, 64)
    bits = -torch.log2(model(x, qs=step)[1]).sum().item()
    assert 8 * len(model.compress(x, step)[0]) == pytest.approx(bits, rel=5e-3)


def test_filled_tables_belong_to_their_step():
    model = trained_like()
    derived = np.asarray(model.cdf_table(2.0).cdfs)
    assert model.update_variable(qs=2.0)
    assert not model.update_variable(qs=2.0)
    assert np.array_equal(np.asarray(model.cdf_table(2.0).cdfs), model.quantized_cdf.numpy())
    assert len(model.cdf_table(1.0).cdfs[0]) > len(derived[0])
    assert model.update()
    assert np.array_equal(np.asarray(model.cdf_table().cdfs), model.quantized_cdf.numpy())


def test_loaded_tables_say_no_step():
    source = trained_like(seed=1)
    source.update_variable(qs=2.0)
    wrapper = nn.Sequential(EntropyBottleneckVbr(4, init_scale=5))
    wrapper.load_state_dict({f"0.{key}": value for key, value in source.state_dict().items()}, strict=True)
    target = wrapper[0]
    x = 20 * torch.randn(2, 4, 5)
    assert target.compress(x, 1.5) == source.compress(x, 1.5)
    target.entropy_coder = "ans"  # CompressAI's strings were made with the tables that came along
    assert np.array_equal(np.asarray(target.cdf_table(1.5).cdfs), source.quantized_cdf.numpy())


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf")])
def test_steps_must_be_positive(step):
    with pytest.raises(ValueError, match="must be positive and finite"):
        trained_like().compress(torch.zeros(1, 4, 2), step)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_code_alike(copied):
    model = trained_like()
    x = torch.randn(2, 4, 3)
    assert copied(model).compress(x, 0.7) == model.compress(x, 0.7)
