"""The factorised prior: densities, gradients, tables and round trips."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lcrs import LcrsError, coding
from lcrs.entropy_models import EntropyBottleneck
from lcrs.entropy_models.compressai_tables import compressai_table


def trained_like(channels=4, seed=0):
    """A bottleneck whose densities differ from channel to channel, with medians off zero."""
    torch.manual_seed(seed)
    model = EntropyBottleneck(channels, init_scale=5)
    with torch.no_grad():
        for parameter in (*model.matrices, *model.biases, *model.factors):
            parameter.add_(0.3 * torch.randn_like(parameter))
    model._update_quantiles()
    return model.eval()


def reference_logits(model, x):
    """The paper's equations, channel by channel, in float64 NumPy."""
    logits = x[:, None, :]
    for i, (matrix, bias) in enumerate(zip(model.matrices, model.biases, strict=True)):
        weight = np.log1p(np.exp(matrix.detach().double().numpy()))
        logits = weight @ logits + bias.detach().double().numpy()
        if i < len(model.factors):
            logits = logits + np.tanh(model.factors[i].detach().double().numpy()) * np.tanh(logits)
    return logits[:, 0]


def reference_likelihood(model, x):
    """(C, L) probabilities of `[x - 1/2, x + 1/2]` for (C, L) values, in float64."""
    lower, upper = reference_logits(model, x - 0.5), reference_logits(model, x + 0.5)
    flip = np.where(lower + upper > 0, -1, 1)
    return np.abs(1 / (1 + np.exp(-flip * upper)) - 1 / (1 + np.exp(-flip * lower)))


@pytest.mark.parametrize("spatial", [(), (5,), (3, 5), (2, 3, 2), (1, 2, 3, 2)])
def test_forward_rounds_around_the_medians_in_eval_mode(spatial):
    model = trained_like()
    x = 10 * torch.randn(3, 4, *spatial)
    y, likelihoods = model(x)
    medians = model.quantiles[:, 0, 1].reshape(1, 4, *[1] * len(spatial))
    torch.testing.assert_close(y, torch.round(x - medians) + medians, rtol=0, atol=0)
    assert likelihoods.shape == x.shape
    flat = y.detach().transpose(0, 1).reshape(4, -1).double().numpy()
    expected = np.maximum(reference_likelihood(model, flat), 1e-9).reshape(4, 3, *spatial).swapaxes(0, 1)
    np.testing.assert_allclose(likelihoods.detach().numpy(), expected, rtol=2e-3, atol=1e-9)


def test_noise_is_uniform_and_follows_the_seed():
    model = trained_like().train()
    x = torch.randn(2, 4, 50, 50)
    torch.manual_seed(1)
    first, _ = model(x)
    torch.manual_seed(1)
    second, _ = model(x)
    assert torch.equal(first, second)
    noise = (first - x).detach()
    assert noise.min() >= -0.5
    assert noise.max() <= 0.5
    assert noise.var().item() == pytest.approx(1 / 12, rel=0.02)
    assert torch.equal(model(x, training=False)[0], model.eval()(x)[0])


@pytest.mark.parametrize("side", [-1, 1])
def test_both_tails_are_precise(side):
    """A likelihood of 1e-8 lies far below float32's resolution at 1, where the naive difference is zero."""
    model = EntropyBottleneck(1, likelihood_bound=0, init_scale=1).double()
    far = side * torch.linspace(5, 60, 12, dtype=torch.float64).reshape(1, 1, -1)
    exact = model(far, training=False)[1]
    single = copy.deepcopy(model).float()(far.float(), training=False)[1]
    assert exact.min() < 1e-8
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("value", [0.0, 30.0, -30.0, 1e4, -1e4])
def test_gradients_are_finite_at_extremes(value):
    model = EntropyBottleneck(2)
    x = torch.full((1, 2, 3), value, requires_grad=True)
    _, likelihoods = model(x, training=False)
    assert likelihoods.min() >= 1e-9
    torch.log2(likelihoods).sum().neg().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert model.matrices[0].grad is not None


def test_gradient_to_the_input_passes_through_noise():
    model = EntropyBottleneck(2).double()
    x = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)

    def rate(x):
        torch.manual_seed(0)
        return torch.log(model(x, training=True)[1]).sum()

    assert torch.autograd.gradcheck(rate, x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_likelihoods_are_float32_inside_autocast(dtype):
    model = trained_like()
    x = torch.randn(2, 4, 6)
    expected = model(x)
    with torch.autocast("cpu", dtype=dtype):
        outputs = model(x)
        from_half = model(x.to(dtype))
    assert [t.dtype for t in (*outputs, *from_half)] == [torch.float32] * 4
    assert all(torch.equal(a, b) for a, b in zip(outputs, expected, strict=True))


def test_auxiliary_loss_trains_quantiles_only():
    model = EntropyBottleneck(3)
    model.loss().backward()
    assert model.quantiles.grad.abs().sum() > 0
    assert all(p.grad is None for p in (*model.matrices, *model.biases, *model.factors))


def test_updated_quantiles_solve_for_the_targets():
    model = trained_like()
    logits = reference_logits(model, model.quantiles.detach()[:, 0].double().numpy())
    # The density falls off as fast as a logistic of scale about 5: the tolerance on x is 1e-3 + 1e-4 |x|.
    np.testing.assert_allclose(logits, np.tile(model.target.numpy(), (4, 1)), atol=0.1)


@pytest.mark.parametrize("kind", ["ans", "lcrs"])
@pytest.mark.parametrize("spatial", [(), (1,), (5, 7), (2, 3, 4), (2, 1, 3, 2)])
@pytest.mark.parametrize("batch", [1, 3])
def test_round_trip(kind, spatial, batch):
    model = trained_like()
    model.entropy_coder = kind
    x = 20 * torch.randn(batch, 4, *spatial)
    x.view(-1)[0] = 1e6  # far outside the table: escaped
    strings = model.compress(x)
    assert len(strings) == batch
    assert all(isinstance(string, bytes) for string in strings)
    restored = model.decompress(strings, spatial)
    assert torch.equal(restored, model(x)[0])
    assert torch.equal(restored, model.restore(x))


def test_coded_size_is_the_estimated_rate():
    model = trained_like(seed=3)
    x = 3 * torch.randn(1, 4, 64, 64)
    bits = -torch.log2(model(x)[1]).sum().item()
    assert 8 * len(model.compress(x)[0]) == pytest.approx(bits, rel=5e-3)


def test_shapes_and_strings_are_checked():
    model = trained_like()
    with pytest.raises(ValueError, match=r"x has shape \(1, 3, 2\), must be \(N, 4, ...\)"):
        model.compress(torch.zeros(1, 3, 2))
    with pytest.raises(ValueError, match="NaN"):
        model.compress(torch.full((1, 4), float("nan")))
    (string,) = model.compress(torch.randn(1, 4, 8, 8))
    with pytest.raises(LcrsError):
        model.decompress([string[:-4]], (8, 8))


# --- tables ---


def table_arrays(table):
    return [np.array(a) for a in (table.cdfs, table.lengths, table.offsets)]


def same_table(a, b):
    return all(np.array_equal(x, y) for x, y in zip(table_arrays(a), table_arrays(b), strict=True))


def test_tables_are_derived_on_demand_and_stay_out_of_the_state_dict():
    model = trained_like()
    first = model.cdf_table()
    assert model.cdf_table() is first
    assert model.state_dict()["_quantized_cdf"].numel() == 0
    with torch.no_grad():
        model.biases[0].add_(0.5)
    assert not same_table(model.cdf_table(), first)


def test_untrained_quantiles_do_not_hurt():
    """The tails that the auxiliary loss would have found are found when the table is made."""
    model = trained_like()
    with torch.no_grad():
        model.quantiles[:, 0, 0], model.quantiles[:, 0, 2] = -1, 1
    assert model.cdf_table().lengths.min() > 20


def test_update_fills_buffers_with_the_layout_of_the_quantiles():
    model = EntropyBottleneck(4)
    assert model.update()
    assert model.quantized_cdf.shape == (4, 23)
    assert model.cdf_length.tolist() == [23] * 4
    assert model.offset.tolist() == [-10] * 4
    assert not model.update()
    assert model.update(force=True)
    with torch.no_grad():
        model.biases[0].add_(0.5)
    assert model.update()  # a stale table is not kept


def test_filled_tables_win_until_parameters_change():
    model = trained_like()
    derived = model.cdf_table()
    with torch.no_grad():
        model.quantiles[:, 0, 0].sub_(3)
    model.update()
    filled = model.cdf_table()
    assert not same_table(filled, derived)
    assert np.array_equal(filled.lengths, model.cdf_length.numpy())
    with torch.no_grad():
        model.quantiles[:, 0, 0].add_(3)
    assert np.array_equal(model.cdf_table().lengths, derived.lengths)


def test_loaded_tables_win_and_wrappers_load_strictly():
    source = trained_like(seed=1)
    source.update()
    state = source.state_dict()
    for target in (EntropyBottleneck(4), trained_like(seed=2)):
        target.update()  # tables of another size are in the way
        wrapper = nn.Sequential(nn.Identity(), target)
        wrapper.load_state_dict({f"1.{key}": value for key, value in state.items()}, strict=True)
        assert same_table(target.cdf_table(), source.cdf_table())
        assert np.array_equal(target.cdf_table().lengths, state["_cdf_length"].numpy())
        x = torch.randn(2, 4, 3)
        assert target.compress(x) == source.compress(x)


def test_an_unfilled_state_dict_empties_the_tables():
    target = trained_like(seed=2)
    target.update()
    target.load_state_dict(trained_like(seed=1).state_dict(), strict=True)
    assert target.quantized_cdf.numel() == 0
    assert same_table(target.cdf_table(), trained_like(seed=1).cdf_table())


def test_parameters_that_come_without_tables_do_not_adopt_old_ones():
    target, source = trained_like(seed=2), trained_like(seed=1)
    target.update()
    parameters = {
        k: v for k, v in source.state_dict().items() if not k.startswith(("_offset", "_quant", "_cdf"))
    }
    target.load_state_dict(parameters, strict=False)
    assert same_table(target.cdf_table(), source.cdf_table())


@pytest.mark.parametrize("style", ["_{}{}", "_{}.{}"])
def test_old_keys_load(style):
    source = trained_like(seed=1)
    names = {"matrices": "matrix", "biases": "bias", "factors": "factor"}
    state = {}
    for key, value in source.state_dict().items():
        plural, _, number = key.partition(".")
        if plural in names:
            key = style.format(names[plural] if style == "_{}{}" else plural, number)
        state[f"inner.{key}"] = value
    target = nn.ModuleDict({"inner": EntropyBottleneck(4)})
    before = dict(state)
    target.load_state_dict(state, strict=True)
    assert state.keys() == before.keys()
    assert torch.equal(target["inner"].matrices[2], source.matrices[2])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_code_alike(copied):
    model = trained_like()
    x = torch.randn(2, 4, 3)
    before = model.compress(x)  # a native table is in the cache now
    assert copied(model).compress(x) == before
    model.update()
    filled = copied(model)
    assert np.array_equal(filled.cdf_table().lengths, model.cdf_length.numpy())


def with_its_own_table(model):
    """`model` with the table that CompressAI's `update` makes here."""
    model = copy.deepcopy(model)
    model.entropy_coder = "ans"
    model._fill(compressai_table(model))
    return model


@pytest.fixture
def trained():
    """Quantiles that differ between channels, and are not those that bisection finds."""
    model = trained_like()
    with torch.no_grad():
        model.quantiles[:, 0, 0] -= torch.arange(4)
        model.quantiles[:, 0, 2] += torch.arange(4) / 3
    return model


def test_strings_decode_without_the_table_that_they_were_written_with(trained):
    writer, x = with_its_own_table(trained), 5 * torch.randn(2, 4, 3, 4)
    strings = writer.compress(x)
    trained.entropy_coder = "ans"
    assert not np.array_equal(trained.cdf_table().cdfs, writer.cdf_table().cdfs)
    assert torch.equal(trained.decompress(strings, (3, 4)), writer.decompress(strings, (3, 4)))
    trained.update()
    assert torch.equal(trained.decompress(strings, (3, 4)), writer.decompress(strings, (3, 4)))


def test_what_no_table_decodes_is_refused(trained):
    strings = with_its_own_table(trained).compress(5 * torch.randn(1, 4, 3, 4))
    trained.entropy_coder = "ans"
    with pytest.raises(LcrsError):
        trained.decompress([strings[0][:-4]], (3, 4))
    with torch.no_grad():
        trained.quantiles[0, 0, 2] = float("nan")
    with pytest.raises((LcrsError, ValueError)):
        trained.decompress(strings, (3, 4))


def test_the_table_of_compressai_has_its_layout(trained):
    ours = coding.factorized_table(**trained._parameter_arrays(), tail_mass=trained.tail_mass)
    theirs = compressai_table(trained)
    assert np.array_equal(ours.lengths, theirs.lengths)
    assert np.array_equal(ours.offsets, theirs.offsets)
    for ours_row, theirs_row, length in zip(ours.cdfs, theirs.cdfs, ours.lengths - 1, strict=True):
        # All but the tail, which CompressAI takes from where the widest channel ends.
        np.testing.assert_allclose(ours_row[: length - 1], theirs_row[: length - 1], rtol=0.05, atol=30)
    with torch.no_grad():
        trained.quantiles[0, 0, 2] = 1e6
    with pytest.raises(ValueError, match="more than a table can have"):
        compressai_table(trained)
