"""Distances of clouds against numbers of MPEG's program, a slow implementation, and cases done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lcrs.coding import normals_of_points
from lcrs.metrics.clouds import CLOUD_NAMES, cloud_distortion, measure_clouds, peak_of


def lattice(count: int, size: int, seed: int) -> np.ndarray:
    """Points without a generator that may change some day."""
    values = []
    for _ in range(3 * count):
        seed = (seed * 1103515245 + 12345) % 2**31
        values.append((seed >> 8) % size)
    return np.array(values, np.float32).reshape(count, 3)


A = lattice(300, 16, 1)
NORMALS = lattice(300, 9, 2) - 4
NORMALS[~NORMALS.any(axis=1)] = (0, 0, 1)
NORMALS = (NORMALS / np.linalg.norm(NORMALS, axis=1, keepdims=True)).astype(np.float32)
# What pc_error 0.14.2 prints for these clouds: mse and PSNR of D1, of D2, squared Hausdorff distances.
PRINTED = {
    "coarser": (
        (A, np.unique(A // 3 * 3 + 1, axis=0), 1023),
        (2.11418685, 61.7172915, 0.568256863, 67.4232783, 3, 2.9543705),
    ),
    "few": (
        (A, lattice(20, 20, 5), 15),
        (23.5467128, 14.5737349, 1.67453137, 26.0541048, 101, 8.04761887),
    ),
    "near": (
        (A / 8, (A + lattice(300, 8, 3) / 16) / 8, None),
        (0.00306355794, 21.3895769, 0.000983512002, 26.3240413, 0.00897216797, 0.00659414474),
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_numbers_are_those_of_the_program_of_mpeg(name):
    (a, b, peak), expected = PRINTED[name]
    if peak is None:  # the program takes the intrinsic resolution
        peak = 0.375
        assert peak_of(a) == peak
    found = cloud_distortion(a, b, normals=NORMALS, peak=peak)
    assert cloud_distortion(a, b, peak=peak, planes=False).psnr_d1 == found.psnr_d1
    numbers = (found.mse_d1, found.psnr_d1, found.mse_d2, found.psnr_d2)
    numbers += (found.hausdorff**2, found.hausdorff_d2**2)
    assert numbers == pytest.approx(expected, rel=2e-7)


def slow(a, b, normals):
    """The definition, point by point."""

    def ways(of, to):
        return [[float(((p - q) ** 2).sum()) for q in to] for p in of]

    a, first = np.unique(a, axis=0, return_index=True)
    b, normals = np.unique(b, axis=0), normals[first]
    to_b, to_a = ways(a, b), ways(b, a)
    given = [[] for _ in b]
    for i, row in enumerate(to_b):
        for j, square in enumerate(row):
            if square == min(row):
                given[j].append(normals[i])
    normals_b = [
        np.mean(
            given[j] or [n for n, square in zip(normals, to_a[j], strict=True) if square == min(to_a[j])],
            axis=0,
        )
        for j in range(len(b))
    ]
    results = []
    for of, to, rows, planes in ((a, b, to_b, normals_b), (b, a, to_a, normals)):
        points = [min(row) for row in rows]
        flat = [
            np.mean(
                [float((p - q) @ n) ** 2 for q, n, s in zip(to, planes, row, strict=True) if s == min(row)]
            )
            for p, row in zip(of, rows, strict=True)
        ]
        results.append((np.mean(points), np.mean(flat), max(points), max(flat)))
    return [max(pair) for pair in zip(*results, strict=True)]


clouds = arrays.arrays(np.float64, st.tuples(st.integers(1, 7), st.just(3)), elements=st.integers(-4, 4))


@given(clouds, clouds, st.integers(0, 1000))
def test_a_slow_implementation_says_the_same(a, b, seed):
    normals = np.random.default_rng(seed).normal(size=a.shape)
    found = cloud_distortion(a, b, normals=normals)
    numbers = (found.mse_d1, found.mse_d2, found.hausdorff**2, found.hausdorff_d2**2)
    assert numbers == pytest.approx(slow(a, b, normals), rel=1e-9, abs=1e-12)


def test_done_by_hand():
    a = np.array([[0, 0, 0], [10, 0, 0], [20, 0, 0]])
    b = np.array([[0, 3, 4], [10, 0, 0], [10, 0, 0]])
    up = np.array([[0, 1, 0]] * 3)
    found = cloud_distortion(a, b, normals=up, peak=31)
    # From a: 25, 0 and 100 to b; from b: 25 and 0, since its double counts once.
    assert found.mse_d1 == 125 / 3
    assert found.psnr_d1 == 10 * math.log10(3 * 31**2 / (125 / 3))
    # Along y: from a 9, 0, 0; from b 9, 0.
    assert found.mse_d2 == 4.5
    assert (found.hausdorff, found.hausdorff_d2) == (10, 3)


def test_one_point_and_equal_clouds():
    one = np.array([[1, 2, 3]])
    found = cloud_distortion(one, one)
    assert (found.mse_d1, found.mse_d2, found.psnr_d1, found.psnr_d2) == (0, 0, math.inf, math.inf)
    assert cloud_distortion(np.array([[0.5, 0, 0]]), np.array([[0.5, 0, 3]])).mse_d1 == 9
    many = np.random.default_rng(1).normal(size=(500, 3))
    assert cloud_distortion(many, many[::-1]).hausdorff == 0
    shifted = measure_clouds(many, many + np.array([0.25, 0, 0]), ["mse-d1", "hausdorff"])
    assert list(shifted) == ["mse-d1", "hausdorff"]
    assert shifted["mse-d1"] <= 0.0625


@pytest.mark.parametrize("offset", [0, 10**9, -(10**9), 2**60])
def test_whole_numbers_far_from_zero_lose_nothing(offset):
    a, b = (lattice(60, 16, seed).astype(np.int64) for seed in (1, 9))
    near = cloud_distortion(a, b, peak=15)
    assert cloud_distortion(a + offset, b + offset, peak=15) == near
    if abs(offset) < 2**53:  # as floats, too
        assert cloud_distortion(a + float(offset), b + offset, peak=15) == near


def test_scales_do_not_matter():
    a, b = lattice(60, 16, 1).astype(np.float64), lattice(60, 16, 9).astype(np.float64)
    near = cloud_distortion(a, b, peak=1)
    for scale in (2.0**-40, 2.0**40):
        found = cloud_distortion(a * scale, b * scale, peak=scale)
        assert (found.psnr_d1, found.psnr_d2) == pytest.approx((near.psnr_d1, near.psnr_d2))


def test_the_peak_is_the_last_place_of_the_grid_or_the_widest_gap():
    assert peak_of(np.array([[0, 0, 1023]])) == peak_of(np.array([[0.0, 0, 512]])) == 1023
    assert peak_of(np.array([[0, 0, 0]])) == 1
    assert peak_of(np.array([[-5, 0, 0], [3, 0, 0]])) == 15
    assert peak_of(np.array([[0.5, 0, 0], [1.5, 0, 0], [4.5, 0, 0], [4.5, 0, 0]])) == 3
    assert peak_of(np.array([[0.5, 0, 0]])) == 1


def test_estimated_normals_have_no_side():
    """Where neighbours are turned over by rounding, their mean must not vanish."""
    generator = np.random.default_rng(2)
    flat = np.concatenate([generator.uniform(0, 20, (2000, 2)), np.zeros((2000, 1))], axis=1)
    turned = flat @ np.linalg.qr(np.array([[1, 1, 0], [1, -1, 1e-9], [1, 1e-9, -1.0]]))[0].T
    normal = normals_of_points(turned)[0]
    found = cloud_distortion(turned, turned[::2] + 0.5 * normal, peak=1)
    assert found.mse_d2 == pytest.approx(0.25, rel=1e-6)
    assert found.mse_d1 > 0.25


def test_what_cannot_be_compared_is_said():
    one = np.zeros((1, 3))
    for a, b, message in (
        (np.zeros((0, 3)), one, r"shape \(0, 3\)"),
        (one, np.zeros((4, 2)), r"restored have shape \(4, 2\)"),
        (one, np.array([[0, 0, 0], [0, np.nan, 0]]), r"restored: point 1 is \[0.0, nan, 0.0\]"),
        (np.array([[np.inf, 0, 0]]), one, r"point 0 is \[inf"),
    ):
        with pytest.raises(ValueError, match=message):
            cloud_distortion(a, b)
    with pytest.raises(ValueError, match=r"normals have shape \(2, 3\): \(1, 3\) is needed"):
        cloud_distortion(one, one, normals=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="peak is 0"):
        cloud_distortion(one, one, peak=0)
    assert math.isnan(cloud_distortion(one, one + 1, planes=False).psnr_d2)
    with pytest.raises(ValueError, match="no measure psnr-d3"):
        measure_clouds(one, one, ["psnr-d3"])
    assert len(measure_clouds(one, one)) == len(CLOUD_NAMES)


@pytest.mark.parametrize("exponent", [300, 130, -130, -330])
def test_squares_that_floats_do_not_hold_change_nothing_else(exponent):
    a, b = A.astype(np.float64), np.unique(A // 3 * 3 + 1, axis=0).astype(np.float64)
    plain = cloud_distortion(a + 0.25, b, peak=15)
    far = cloud_distortion(np.ldexp(a + 0.25, exponent), np.ldexp(b, exponent), peak=math.ldexp(15, exponent))
    assert far.mse_d1 == math.ldexp(plain.mse_d1, 2 * exponent)
    assert (far.hausdorff, far.hausdorff_d2) == tuple(
        math.ldexp(value, exponent) for value in (plain.hausdorff, plain.hausdorff_d2)
    )
    assert far.psnr_d1 == pytest.approx(plain.psnr_d1, rel=1e-12)
    assert far.psnr_d2 == pytest.approx(plain.psnr_d2, rel=1e-12)
    if exponent < 0:  # large ones are whole numbers
        assert peak_of(np.ldexp(a + 0.25, exponent)) == math.ldexp(peak_of(a + 0.25), exponent)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[1e200, 0, 0], [0, -1e200, 0]], r"about 10\^399: measure in another unit"),
        ([[1e-200, 0, 0], [0, -1e-200, 0]], r"about 10\^-401: measure in another unit"),
        ([[5e-324, 0, 0], [0, 1e-323, 0]], "measure in another unit"),
        ([[1.7e308, 0, 0], [-1.7e308, 0, 0]], "farther apart than 1.79769e"),
        (np.array([[2**62, 0, 0], [0, 0, 0]]), "whole numbers below 2"),
        (np.array([[2**64 - 1, 0, 0], [0, 0, 0]], np.uint64), "18446744073709551615 from 0"),
    ],
)
@pytest.mark.parametrize("planes", [True, False])
def test_distances_that_floats_do_not_hold_are_refused(points, message, planes):
    points = np.asarray(points)
    moved = points / 2 if points.dtype.kind == "f" else points
    with pytest.raises(ValueError, match=message):
        cloud_distortion(points, moved, planes=planes)
