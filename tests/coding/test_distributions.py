"""Tables built from parameters, against CompressAI's integers and a slow float64 reference."""

from __future__ import annotations

import itertools
from math import erfc, sqrt
from pathlib import Path

import numpy as np
import pytest
from coder_cases import density_parameters
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lcrs import coding


def test_the_default_gaussian_table_is_compressais(data_dir: Path) -> None:
    table = coding.gaussian_table(coding.default_scale_table())
    with np.load(data_dir / "coder" / "gaussian_default_table.npz") as theirs:
        np.testing.assert_array_equal(coding.default_scale_table(), theirs["scale_table"])
        np.testing.assert_array_equal(table.lengths, theirs["cdf_length"])
        np.testing.assert_array_equal(table.offsets, theirs["offset"])
        for row, length in enumerate(table.lengths):
            np.testing.assert_array_equal(table.cdfs[row, :length], theirs["quantized_cdf"][row, :length])
    np.testing.assert_array_equal(coding.scale_table(0.11, 256, 64), coding.default_scale_table())
    for bounds in ((0, 1), (-1, 1), (0.1, np.inf), (np.nan, 1), (0.1, np.nan)):
        with pytest.raises(ValueError, match="must be positive and finite"):
            coding.scale_table(*bounds, 5)
    for levels in (-1, 65_537):
        with pytest.raises(ValueError, match=f"levels is {levels}"):
            coding.scale_table(0.1, 1, levels)


def test_gaussian_rows_follow_the_formula() -> None:
    scales = np.array([0.2, 1.0, 7.5], np.float32)
    table = coding.gaussian_table(scales, tail_mass=1e-6)
    for row, scale in enumerate(scales):
        length, offset = table.lengths[row], table.offsets[row]
        values = np.abs(np.arange(offset, offset + length - 2))
        pmf = [(erfc((v - 0.5) / scale / sqrt(2)) - erfc((v + 0.5) / scale / sqrt(2))) / 2 for v in values]
        frequencies = np.diff(table.cdfs[row, :length])
        np.testing.assert_allclose(frequencies[:-1] / 65536, pmf, atol=40 / 65536)
        assert sum(pmf) == pytest.approx(1, abs=2e-6)


def logits(p: dict[str, list[np.ndarray]], x: np.ndarray) -> np.ndarray:
    """The density's logits in float64, (channels, 1, points)."""
    h = np.broadcast_to(x, (len(p["biases"][0]), 1, x.size)).astype(np.float64)
    for i, (matrix, bias) in enumerate(zip(p["matrices"], p["biases"], strict=True)):
        h = np.log1p(np.exp(matrix.astype(np.float64))) @ h + bias
        if i < len(p["factors"]):
            h = h + np.tanh(p["factors"][i].astype(np.float64)) * np.tanh(h)
    return h


def test_factorized_rows_follow_the_formula() -> None:
    p = density_parameters(4)
    medians = coding.factorized_medians(**p)
    table = coding.factorized_table(**p)
    assert table.num_rows == 4
    for c in range(4):
        at_median = logits(p, medians[c : c + 1])[c, 0, 0]
        assert abs(at_median) < 1e-4
        length, offset = table.lengths[c], table.offsets[c]
        values = np.arange(offset, offset + length - 2) + np.float64(medians[c])
        low, high = (1 / (1 + np.exp(-logits(p, values + half)[c, 0])) for half in (-0.5, 0.5))
        frequencies = np.diff(table.cdfs[c, :length])
        # Every symbol gets at least 1 of 65536, which the others pay for.
        np.testing.assert_allclose(frequencies[:-1] / 65536, high - low, atol=(length + 1) / 65536)


def test_quantiles_set_the_length_of_rows() -> None:
    p = density_parameters(2)
    quantiles = np.array([[[-3.2, 0.5, 4.0]], [[-10, -1, 10]]], np.float32)
    table = coding.factorized_table(**p, quantiles=quantiles)
    assert table.lengths.tolist() == [4 + 1 + 4 + 2, 9 + 1 + 11 + 2]
    assert table.offsets.tolist() == [-4, -9]
    by_bisection = coding.factorized_table(**p, quantiles=quantiles, tails="bisection")
    with_medians = coding.factorized_table(**p, quantiles=quantiles[:, 0, 1].copy())
    np.testing.assert_array_equal(by_bisection.cdfs, with_medians.cdfs)
    assert by_bisection.lengths.tolist() != table.lengths.tolist()


def test_wrong_parameters_are_named() -> None:
    p = density_parameters(2)
    with pytest.raises(ValueError, match="tails is 'long', 'quantiles' or 'bisection' is needed"):
        coding.factorized_table(**p, tails="long")
    with pytest.raises(ValueError, match=r"biases\[1\] has dtype float64, float32 is needed"):
        coding.factorized_table(
            p["matrices"], [p["biases"][0], p["biases"][1].astype(np.float64)], p["factors"]
        )
    with pytest.raises(ValueError, match=r"matrices\[0\] has shape \(6,\), \(channels, out, in\) is needed"):
        coding.factorized_table([m.ravel() for m in p["matrices"]], p["biases"], p["factors"])
    with pytest.raises(ValueError, match="3 matrices, 2 biases and 2 factors do not fit"):
        coding.factorized_table(p["matrices"], p["biases"][:-1], p["factors"])
    with pytest.raises(ValueError, match="scale 1: -1 must be positive"):
        coding.gaussian_table(np.array([1.0, -1.0], np.float32))


@given(
    scales=hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=st.floats(-1, 300, width=32)),
    thresholds=hnp.arrays(np.float32, st.integers(0, 70), elements=st.floats(0, 256, width=32)),
)
def test_indexes_count_the_thresholds_below(scales: np.ndarray, thresholds: np.ndarray) -> None:
    thresholds.sort()
    expected = (scales[..., None] > thresholds).sum(-1)
    np.testing.assert_array_equal(coding.indexes(scales, thresholds), expected)


def test_a_scale_that_is_no_number_is_named() -> None:
    scales = np.ones((2, 3), np.float32)
    scales[1, 0] = np.nan
    with pytest.raises(ValueError, match="scale is NaN at position 3"):
        coding.indexes(scales, np.ones(3, np.float32))


def mixture_row(scale: np.ndarray, mean: np.ndarray, weight: np.ndarray, largest: int) -> list[float]:
    """Frequencies of one mixture as the documentation says, by the standard library's functions."""
    edges = [n - 0.5 for n in range(-largest, largest + 2)]
    below = [0.0] * len(edges)
    for s, m, w in zip(scale, mean, weight, strict=True):
        s = min(max(float(s), 0.11), 256.0)
        phi = [0.5 * erfc(-(edge - float(m)) / s / sqrt(2)) for edge in edges]
        below = [b + float(w) * p for b, p in zip(below, phi, strict=True)]
    masses = [max(b - a, 0.0) for a, b in itertools.pairwise(below)]
    free = 65536 - len(masses) - 1
    return [1 + mass / sum(masses) * free for mass in masses]


def test_mixture_table_against_a_slow_reference() -> None:
    rng = np.random.default_rng(3)
    scales, means = rng.lognormal(0, 1.5, (3, 50)), rng.normal(0, 6, (3, 50))
    parameters = [np.ascontiguousarray(t, np.float32) for t in (scales, means, rng.dirichlet([1] * 3, 50).T)]
    table = coding.mixture_table(*parameters, 9)
    assert table.offsets.tolist() == [-9] * 50
    frequencies = np.diff(table.cdfs, axis=1)
    assert frequencies.shape == (50, 20)
    assert (frequencies[:, -1] == 1).all()
    for row, frequency in enumerate(frequencies):
        expected = mixture_row(*(t[:, row] for t in parameters), 9)
        likeliest = int(np.argmax(expected))
        difference = np.abs(frequency[:-1] - np.array(expected))
        difference[likeliest] /= 20  # it takes what rounding leaves
        assert difference.max() <= 1.001


def test_mixture_table_refuses() -> None:
    good = np.ones((2, 3), np.float32)
    for bad in (np.full_like(good, np.nan), np.full_like(good, np.inf)):
        with pytest.raises(ValueError, match="scale 0 is"):
            coding.mixture_table(bad, good, good, 3)
    with pytest.raises(ValueError, match="weight 0 is -1"):
        coding.mixture_table(good, good, -good, 3)
    with pytest.raises(ValueError, match="largest magnitude is 0"):
        coding.mixture_table(good, good, good, 0)
    with pytest.raises(ValueError, match=r"means has shape \(2, 2\)"):
        coding.mixture_table(good, np.ones((2, 2), np.float32), good, 3)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("nearest", [False, True])
def test_thresholds_lie_between_the_scales(nearest: bool, log: bool) -> None:
    scales = coding.default_scale_table()
    limits = coding.thresholds(scales, nearest=nearest, log=log)
    wide = scales.astype(np.float64)
    expected = np.sqrt(wide[:-1] * wide[1:]) if nearest else wide[:-1]
    expected = np.log(expected) if log else expected
    np.testing.assert_array_max_ulp(limits, expected.astype(np.float32), maxulp=1)
    assert limits.dtype == np.float32
