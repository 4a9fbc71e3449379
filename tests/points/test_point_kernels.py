"""Kernels of point clouds from Python, natively and by torch, against their definitions."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lcrs import coding
from lcrs.ops import points as ops


def cloud(seed, count, kind="any", dtype=np.float32, batch=None):
    rng = np.random.default_rng(seed)
    shape = (count, 3) if batch is None else (batch, count, 3)
    if kind == "grid":  # many equal points and distances
        return rng.integers(0, 4, shape).astype(dtype)
    if kind == "equal":
        return np.full(shape, 0.5, dtype)
    scale = {"any": 1.0, "huge": 1e9, "small": 1e-9}[kind]
    return (rng.normal(size=shape) * scale).astype(dtype)


def squared(queries, points):
    d = queries[:, None] - points[None]
    return d[..., 0] * d[..., 0] + d[..., 1] * d[..., 1] + d[..., 2] * d[..., 2]


def slow_nearest(points, queries, k):
    distances = squared(queries, points)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), order


def slow_ball(points, centres, radius, count):
    distances = squared(centres, points)
    rows = []
    for row in distances:
        inside = np.flatnonzero(row <= row.dtype.type(radius * radius))[:count]
        first = inside[0] if len(inside) else np.argmin(row)
        rows.append([*inside, *[first] * (count - len(inside))])
    return np.array(rows)


def slow_samples(points, count):
    nearest = np.full(len(points), np.inf, points.dtype)
    samples = [0]
    while len(samples) < count:
        nearest = np.minimum(nearest, squared(points[samples[-1]][None], points)[0])
        samples.append(int(np.argmax(nearest)))
    return np.array(samples)


KINDS = st.sampled_from(["any", "grid", "equal", "huge", "small"])


@given(
    seed=st.integers(0, 99),
    count=st.integers(1, 70),
    kind=KINDS,
    dtype=st.sampled_from([np.float32, np.float64]),
    k=st.integers(1, 70),
    radius=st.sampled_from([0.0, 0.3, 1.0, 1e9]),
)
@settings(max_examples=40, deadline=None)
def test_native_and_torch_results_are_those_of_the_definition(seed, count, kind, dtype, k, radius):
    points, queries = cloud(seed, count, kind, dtype), cloud(seed + 1, 9, kind, dtype)
    queries[:3] = points[0]
    few = min(k, count)
    distances, indexes = coding.nearest_points(points, queries, few)
    expected, order = slow_nearest(points, queries, few)
    np.testing.assert_array_equal(indexes, order)
    np.testing.assert_array_equal(distances, expected)
    balls, inside = coding.ball_points(points, queries, radius, k)
    np.testing.assert_array_equal(balls, slow_ball(points, queries, radius, k))
    within = dtype(radius * radius)
    np.testing.assert_array_equal(inside, np.minimum((squared(queries, points) <= within).sum(1), k))
    samples = coding.farthest_points(points, k)
    np.testing.assert_array_equal(samples, slow_samples(points, k))
    # what other devices run
    p, q = (torch.from_numpy(x)[None] for x in (points, queries))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "_is_native", lambda *clouds: False)
        np.testing.assert_array_equal(ops.nearest_indexes(p, q, few)[0], order)
        np.testing.assert_array_equal(ops.ball_query(p, q, radius, k)[0], balls)
        np.testing.assert_array_equal(ops.farthest_point_indexes(p, k)[0], samples)


def test_batches_are_clouds_one_by_one_on_any_number_of_threads():
    points, queries = cloud(1, 500, "grid", batch=5), cloud(2, 40, batch=5)
    alone = [
        (coding.nearest_points(p, q, 3), coding.ball_points(p, q, 0.7, 4), coding.farthest_points(p, 20))
        for p, q in zip(points, queries, strict=True)
    ]
    for threads in (1, 2, 5, 8):
        together = zip(
            *coding.nearest_points(points, queries, 3, threads),
            *coding.ball_points(points, queries, 0.7, 4, threads),
            coding.farthest_points(points, 20, threads=threads),
            strict=True,
        )
        for found, (nearest, ball, samples) in zip(together, alone, strict=True):
            for ours, expected in zip(found, (*nearest, *ball, samples), strict=True):
                np.testing.assert_array_equal(ours, expected)
        np.testing.assert_array_equal(
            coding.normals_of_points(points, 8, threads),
            [coding.normals_of_points(p, 8, 1) for p in points],
        )


_DIGEST = """
import numpy as np
from lcrs import coding
rng = np.random.default_rng(0)
points = rng.integers(0, 30, (6000, 3)).astype(np.float32) * np.float32(0.1)
found = [*coding.nearest_points(points, points[:2000], 5), *coding.ball_points(points, points[:500], 0.25, 8),
         coding.farthest_points(points, 300), coding.normals_of_points(points[:2000], 9),
         *coding.voxelize_points(points, 0.35)]
print(coding.fingerprint([np.ascontiguousarray(x).view(np.uint8) for x in found]).hex())
"""


def test_every_instruction_set_and_number_of_threads_gives_the_same_bits():
    settings = [(simd, threads) for simd in coding.simd_paths() for threads in ("1", "3")]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "LCRS_SIMD": simd, "LCRS_NUM_THREADS": threads},
            stdout=subprocess.PIPE,
        )
        for simd, threads in settings
    ]
    digests = {process.communicate()[0] for process in running}
    assert len(digests) == 1
    assert len(digests.pop()) == 33


def test_voxels_are_those_of_the_definition():
    points = cloud(3, 400, "any", np.float64)
    voxels, voxel_of, counts = coding.voxelize_points(points, 0.4, (0.1, -0.2, 0.3))
    cells = np.floor((points - [0.1, -0.2, 0.3]) / 0.4).astype(np.int32)
    np.testing.assert_array_equal(voxels[voxel_of], cells)
    expected, expected_counts = np.unique(cells, axis=0, return_counts=True)
    order = np.lexsort(voxels.T[::-1])
    np.testing.assert_array_equal(voxels[order], expected)
    np.testing.assert_array_equal(counts[order], expected_counts)
    codes = coding.morton_codes(voxels - voxels.min(0))
    assert (np.diff(codes) > 0).all()


def test_morton_order_sorts_by_interleaved_bits():
    points = np.random.default_rng(5).integers(-1000, 1000, (300, 3)).astype(np.int32)
    points[100:150] = points[:50]
    from_low = points - points.min(0)
    codes = [
        int("".join(f"{v:011b}"[bit] for bit in range(11) for v in point), 2) for point in from_low.tolist()
    ]
    np.testing.assert_array_equal(coding.morton_codes(from_low), codes)
    np.testing.assert_array_equal(coding.morton_order(points), np.argsort(codes, kind="stable"))
    far = np.array([[2**31 - 1] * 3, [-(2**31)] * 3, [0, 0, 0]], np.int32)
    assert coding.morton_order(far).tolist() == [1, 2, 0]


def test_normals_of_a_sphere_point_outwards_or_inwards():
    points = cloud(7, 3000, "any", np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for scale, dtype in ((1, np.float32), (1e9, np.float64), (1e-9, np.float64)):
        normals = coding.normals_of_points((points * scale).astype(dtype), 12)
        assert np.abs((normals * points).sum(1)).min() > 0.98
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)
    assert coding.normals_of_points(np.zeros((4, 3)), 3).tolist() == [[0, 0, 1]] * 4
    assert coding.normals_of_points(np.ones((1, 3)), 3).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_nowhere_are_named(bad):
    points = cloud(0, 5)
    points[3, 1] = bad
    good = cloud(1, 5)
    for call in (
        lambda: coding.nearest_points(points, good),
        lambda: coding.ball_points(points, good, 1.0, 2),
        lambda: coding.farthest_points(points, 2),
        lambda: coding.normals_of_points(points),
        lambda: coding.voxelize_points(points, 1.0),
    ):
        with pytest.raises(ValueError, match=r"points\[3\] is \(.*finite numbers are needed"):
            call()
    with pytest.raises(ValueError, match=r"queries\[3\] is"):
        coding.nearest_points(good, points)
    with pytest.raises(ValueError, match=r"item 1: points\[3\] is"):
        coding.farthest_points(np.stack([good, points]), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "_is_native", lambda *clouds: False)
        with pytest.raises(ValueError, match="item 0: point 3 is not finite"):
            ops.farthest_point_indexes(torch.from_numpy(points)[None], 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: coding.nearest_points(p, p, 6), "k=6 neighbours are asked for, there are 5 points"),
        (lambda p: coding.nearest_points(p, p.astype(np.float64)), "queries has dtype float64, float32"),
        (lambda p: coding.nearest_points(p[:, :2], p), "not C-contiguous"),
        (lambda p: coding.nearest_points(p.ravel(), p), r"\(15,\), \(N, 3\) or \(B, N, 3\) is needed"),
        (lambda p: coding.nearest_points(p, p[None]), "all but the number of points has to agree"),
        (lambda p: coding.ball_points(p, p, -1.0, 2), "radius=-1"),
        (lambda p: coding.ball_points(p[:0], p, 1.0, 2), "no points to fill balls with"),
        (lambda p: coding.ball_points(p, p, 1.0, 2**62), "too large"),
        (lambda p: coding.farthest_points(p, 2, 5), "start=5 is not the index of one of 5 points"),
        (lambda p: coding.farthest_points(p[:0], 1), "start=0 is not"),
        (lambda p: coding.normals_of_points(p, 0), "k=0"),
        (lambda p: coding.voxelize_points(p * np.float32(1e9), 1e-9), "is in voxel"),
        (lambda p: coding.voxelize_points(p, 0.0), "size=0"),
        (lambda p: coding.morton_codes(np.full((1, 3), -1, np.int32)), r"points\[0\] is \(-1, -1, -1\)"),
    ],
)
def test_what_cannot_be_answered_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(cloud(0, 5))


def test_empty_clouds_have_empty_answers():
    none = np.zeros((0, 3), np.float32)
    assert coding.nearest_points(none, none, 0)[1].shape == (0, 0)
    assert coding.ball_points(none, none, 1.0, 2)[0].shape == (0, 2)
    assert coding.farthest_points(none, 0).shape == (0,)
    assert coding.normals_of_points(none).shape == (0, 3)
    assert coding.voxelize_points(none, 1.0)[0].shape == (0, 3)
    assert coding.morton_order(np.zeros((0, 3), np.int32)).shape == (0,)
    assert coding.farthest_points(np.zeros((0, 4, 3)), 2).shape == (0, 2)


def test_tensors_are_read_in_place_and_other_threads_run_meanwhile():
    points, ticks = torch.randn(40_000, 3), []
    done = threading.Event()

    def tick():
        while not done.wait(0.0005):
            ticks.append(1)

    threading.Thread(target=tick).start()
    try:
        for _ in range(100):  # on a busy machine the other thread may not get its turn in one of them
            before = len(ticks)
            _, found = coding.nearest_points(points, points, 8, 1)
            if len(ticks) > before + 2:
                break
        else:
            pytest.fail("no other thread ran while neighbours were looked for")
    finally:
        done.set()
    np.testing.assert_array_equal(found[:, 0], np.arange(len(points)))


def test_gradients_flow_through_gathering_and_distances():
    torch.manual_seed(0)
    points, queries = (torch.randn(2, n, 3, dtype=torch.float64, requires_grad=True) for n in (6, 4))
    idx = ops.nearest_indexes(points, queries, 2)
    assert torch.autograd.gradcheck(lambda p, q: ops.squared_distances(p, q, idx), (points, queries))
    assert torch.autograd.gradcheck(lambda p: ops.index_points(p, idx), (points,))
    assert torch.autograd.gradcheck(ops.square_distance, (queries, points))
    wide = [torch.randn(1, n, 20, dtype=torch.float64, requires_grad=True) for n in (3, 4)]
    assert torch.autograd.gradcheck(ops.square_distance, wide)
    torch.testing.assert_close(ops.square_distance(*wide), torch.cdist(*wide).square())


def test_no_clouds_are_gathered_and_other_channels_refused():
    assert ops.index_points(torch.zeros(0, 5, 3), torch.zeros(0, 2, 4, dtype=torch.int64)).shape == (
        0,
        2,
        4,
        3,
    )
    for src, dst in ((3, 6), (6, 3), (20, 3)):
        with pytest.raises(ValueError, match="as many channels"):
            ops.square_distance(torch.zeros(1, 2, src), torch.zeros(1, 2, dst))


def test_small_types_are_computed_in_single_precision():
    points = torch.randn(1, 50, 3).half()
    expected = ops.nearest_indexes(points.float(), points.float(), 4)
    assert torch.equal(ops.nearest_indexes(points, points, 4), expected)
    assert torch.equal(ops.farthest_point_indexes(points.bfloat16(), 5)[0, :1], torch.tensor([0]))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: coding.nearest_points(p, p, -1), ValueError, "k is -1, must be 0 or more"),
        (lambda p: coding.nearest_points(p, p, 1 << 70), ValueError, "neighbours are asked for"),
        (lambda p: coding.ball_points(p, p, 1.0, -1), ValueError, "count is -1, must be 0 or more"),
        (lambda p: coding.farthest_points(p, 1, -1), ValueError, "start is -1, must be 0 or more"),
        (lambda p: coding.normals_of_points(p, 1.5), TypeError, "1.5 is not a whole number"),
        (lambda p: coding.farthest_points(p.astype(int), 1), ValueError, "int64, float32 or float64"),
        (lambda p: coding.normals_of_points(p.astype(">f8")), ValueError, "float64 in native byte order"),
        (
            lambda p: coding.normals_of_points(torch.from_numpy(p).bfloat16()),
            TypeError,
            "points is a tensor that is no NumPy array: .*BFloat16",
        ),
    ],
)
def test_what_kernels_are_not_called_with_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call(np.ones((4, 3)))
    tensor = torch.ones(4, 3, requires_grad=True)
    assert coding.nearest_points(tensor, tensor)[1].tolist() == [[0]] * 4
