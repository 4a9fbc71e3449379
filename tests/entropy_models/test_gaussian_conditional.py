"""The conditional Gaussian: densities, gradients, indexes, tables and round trips."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from lcrs.entropy_models import GaussianConditional
from lcrs.models import get_scale_table


def inputs(shape=(3, 4, 5, 7), seed=0):
    """A latent with the scales and means that it was drawn with."""
    torch.manual_seed(seed)
    scales = torch.exp(torch.empty(shape).uniform_(math.log(0.02), math.log(100)))
    means = 10 * torch.randn(shape)
    return means + scales * torch.randn(shape), scales, means


def reference_likelihood(value, scale):
    """Probability of `[value - 1/2, value + 1/2]` under N(0, scale), with the standard library's erfc."""
    value, scale = abs(value), max(scale, 0.11)
    upper, lower = (math.erfc(-(h - value) / scale / math.sqrt(2)) / 2 for h in (0.5, -0.5))
    return max(upper - lower, 1e-9)


@pytest.mark.parametrize("has_means", [False, True])
def test_forward_rounds_and_measures(has_means):
    y, scales, means = inputs()
    model = GaussianConditional(None).eval()
    means = means if has_means else None
    y_hat, likelihoods = model(y, scales, means)
    expected = torch.round(y - means) + means if has_means else torch.round(y)
    assert torch.equal(y_hat, expected)
    offsets = (y_hat - means if has_means else y_hat).flatten().tolist()
    reference = [reference_likelihood(v, s) for v, s in zip(offsets, scales.flatten().tolist(), strict=True)]
    np.testing.assert_allclose(likelihoods.flatten().numpy(), reference, rtol=2e-3, atol=1e-9)


def test_training_adds_noise_and_takes_no_heed_of_means():
    y, scales, means = inputs((1, 2, 40, 40))
    torch.manual_seed(1)
    noisy, _ = GaussianConditional(None)(y, scales, means)
    torch.manual_seed(1)
    assert torch.equal(noisy, y + torch.empty_like(y).uniform_(-0.5, 0.5))


@pytest.mark.parametrize("sigmas", [0, 1, 6, 60, 1e6])
@pytest.mark.parametrize("scale", [1e-9, 0.11, 3.0, 1e4])
def test_gradients_are_finite_at_extremes(sigmas, scale):
    scales = torch.full((2, 2), scale, requires_grad=True)
    y = (torch.full((2, 2), float(sigmas)) * max(scale, 0.11)).requires_grad_()
    means = torch.zeros(2, 2, requires_grad=True)
    _, likelihoods = GaussianConditional(None)(y, scales, means, training=False)
    assert likelihoods.min() >= 1e-9
    torch.log2(likelihoods).sum().neg().backward()
    assert torch.isfinite(scales.grad).all()
    assert torch.isfinite(means.grad).all()


def test_a_scale_under_the_bound_can_grow_again():
    scales = torch.full((1, 1), 0.01, requires_grad=True)
    _, likelihoods = GaussianConditional(None)(torch.full((1, 1), 3.0), scales, training=False)
    torch.log(likelihoods).sum().neg().backward()
    assert scales.grad.item() <= 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_likelihoods_are_float32_inside_autocast(dtype):
    y, scales, means = inputs()
    model = GaussianConditional(None).eval()
    expected = model(y, scales, means)
    with torch.autocast("cpu", dtype=dtype):
        outputs = model(y, scales, means)
        from_half = model(y.to(dtype), scales.to(dtype), means.to(dtype))
    assert [t.dtype for t in (*outputs, *from_half)] == [torch.float32] * 4
    assert all(torch.equal(a, b) for a, b in zip(outputs, expected, strict=True))


def test_index_is_the_smallest_scale_that_is_not_below():
    table = get_scale_table()
    model = GaussianConditional(table)
    between = torch.exp(torch.linspace(math.log(0.01), math.log(1000), 999))
    scales = torch.cat([between, table, torch.nextafter(table, table * 2), torch.tensor([0.0, math.inf])])
    indexes = model.build_indexes(scales.reshape(1, -1))[0]
    assert indexes.dtype == torch.int32
    expected = [min(int((table < max(s, 0.11)).sum()), 63) for s in scales]
    assert indexes.tolist() == expected


def test_nan_scales_are_refused():
    with pytest.raises(ValueError, match=r"(?i)nan"):
        GaussianConditional(None).build_indexes(torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize("kind", ["ans", "lcrs"])
@pytest.mark.parametrize("has_means", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (1, 4, 6), (3, 4, 5, 7), (2, 3, 2, 2, 3)])
def test_round_trip(kind, has_means, shape):
    y, scales, means = inputs(shape)
    y.view(-1)[0] = 1e5  # escaped
    model = GaussianConditional(None, entropy_coder=kind).eval()
    means = means if has_means else None
    indexes = model.build_indexes(scales)
    strings = model.compress(y, indexes, means)
    assert len(strings) == shape[0]
    restored = model.decompress(strings, indexes, means=means)
    assert torch.equal(restored, model(y, scales, means)[0])
    assert torch.equal(restored, model.restore(y, means))


def test_means_broadcast():
    y, scales, _ = inputs()
    means = torch.randn(1, 4, 1, 1)
    model = GaussianConditional(None).eval()
    indexes = model.build_indexes(scales)
    restored = model.decompress(model.compress(y, indexes, means), indexes, means=means)
    assert torch.equal(restored, model(y, scales, means)[0])


def test_restored_dtype():
    y, scales, _ = inputs()
    model = GaussianConditional(None)
    indexes = model.build_indexes(scales)
    strings = model.compress(y, indexes)
    assert model.decompress(strings, indexes, dtype=torch.float64).dtype == torch.float64
    assert model.decompress(strings, indexes, means=torch.zeros_like(y)).dtype == torch.float32


def test_coded_size_is_the_estimated_rate():
    torch.manual_seed(0)
    table = get_scale_table()
    scales = table[torch.randint(5, 60, (1, 8, 64, 64))]  # exactly on the table: no rounding of scales
    y = scales * torch.randn_like(scales)
    model = GaussianConditional(None).eval()
    bits = -torch.log2(model(y, scales)[1]).sum().item()
    assert 8 * len(model.compress(y, model.build_indexes(scales))[0]) == pytest.approx(bits, rel=4e-3)


# --- tables ---


def test_default_tables_need_no_update():
    model = GaussianConditional(None)
    assert model.cdf_table().num_rows == 64
    assert model.state_dict()["_quantized_cdf"].numel() == 0
    assert model.state_dict()["scale_table"].numel() == 0


def test_update_fills_the_buffers():
    model = GaussianConditional(None)
    derived = model.cdf_table()
    assert model.update_scale_table(get_scale_table())
    assert model.quantized_cdf.shape == (64, 3133)
    assert model.cdf_length[[0, -1]].tolist() == [5, 3133]
    assert np.array_equal(model.quantized_cdf.numpy(), np.asarray(derived.cdfs))
    assert not model.update_scale_table([1.0, 2.0])
    assert model.update_scale_table([1.0, 2.0], force=True)
    assert model.cdf_table().num_rows == 2


@pytest.mark.parametrize("wide", [[0.5, 1.0, 50.0], None])
def test_loading_over_a_table_of_another_size(wide):
    source = GaussianConditional([0.5, 1.0, 2.0])
    source.update()
    target = GaussianConditional(wide)
    target.update()
    target.load_state_dict(source.state_dict(), strict=True)
    assert torch.equal(target.quantized_cdf, source.quantized_cdf)
    assert target.cdf_table().num_rows == 3
    assert target.build_indexes(torch.tensor([0.7])).tolist() == [1]


def test_filled_tables_win_until_the_scales_change():
    model = GaussianConditional([0.5, 1.0, 2.0])
    model.update()
    model._quantized_cdf[2, 13] += 1  # as a checkpoint from elsewhere may have it
    assert np.asarray(model.cdf_table().cdfs)[2, 13] == model._quantized_cdf[2, 13]
    model.scale_table[0] = 0.4
    assert model.cdf_table().lengths[0] != 0
    assert np.asarray(model.cdf_table().cdfs)[2, 13] != model._quantized_cdf[2, 13]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_code_alike(copied):
    y, scales, means = inputs()
    model = GaussianConditional(get_scale_table())
    indexes = model.build_indexes(scales)
    assert copied(model).compress(y, indexes, means) == model.compress(y, indexes, means)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "empty"),
        ([1.0, 1.0], "has 1.0 at 1 after 1.0, must ascend"),
        ([0.0, 1.0], "has 0.0 at 0, must be positive"),
        ([1.0, math.inf], "has inf at 1"),
    ],
)
def test_bad_scale_tables(table, message):
    with pytest.raises(ValueError, match=message):
        GaussianConditional(table)


def test_scale_bound_may_come_from_the_table():
    model = GaussianConditional([0.5, 1.0], scale_bound=None)
    assert model.lower_bound_scale.bound.item() == 0.5
    with pytest.raises(ValueError, match="no scale_table to take it from"):
        GaussianConditional(None, scale_bound=None)


def test_shapes_are_checked():
    model = GaussianConditional(None)
    with pytest.raises(ValueError, match=r"inputs have shape \(1, 2\), indexes \(1, 3\)"):
        model.compress(torch.zeros(1, 2), torch.zeros(1, 3, dtype=torch.int32))
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        model.compress(torch.zeros(2), torch.zeros(2, dtype=torch.int32))
    with pytest.raises(ValueError, match="got 1 strings for a batch of 2"):
        model.decompress([b""], torch.zeros(2, 3, dtype=torch.int32))
