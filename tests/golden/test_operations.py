"""Operations of graphs, bit for bit: lcrs against the independent reader, with attributes of all kinds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reader.graph import Graphs
from reader.wrong import WrongFile

from lcrs import LcrsError, coding

CHANNELS = 6
sides = st.tuples(st.integers(1, 11), st.integers(1, 11))
seeds = st.integers(0, 2**32 - 1)


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def check(node: dict[str, Any], size: tuple[int, int], seed: int, scale: float = 1.5, **tensors: Any) -> None:
    """A graph of one operation with inputs of its own, on several numbers of threads."""
    rng = np.random.default_rng(seed)
    names = ["x", "y", "z"][: node.pop("arity", 1)]
    arrays = [rng.normal(0, scale, (CHANNELS, *size)).astype(np.float32) for _ in names]
    node |= {"in": list(range(len(names))), "place": "here"}
    graph = {"version": 1, "inputs": names, "outputs": [["out", len(names)]], "nodes": [node]}
    made = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in tensors.items()}
    slow = Graphs({"g": graph}, made, None)
    fast = coding.Graph(json.dumps(graph), made)
    try:
        (wanted,) = slow.run("g", *arrays).values()
    except WrongFile:
        with pytest.raises((LcrsError, ValueError)):
            fast.run(arrays)
        return
    assume(wanted.size)
    for threads in (1, 2, 5):
        found = fast.run(arrays, threads=threads)["out"]
        np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32), err_msg=str(node))


@pytest.mark.parametrize("op", ["gelu", "gelu_tanh", "silu", "mish", "hard_sigmoid", "hard_swish", "elu"])
@given(size=sides, seed=seeds, scale=st.sampled_from([1e-4, 0.3, 5, 200, 1e20]))
def test_functions(op: str, size: tuple[int, int], seed: int, scale: float) -> None:
    check({"op": op} | ({"alpha": 0.7} if op == "elu" else {}), size, seed, scale)


@given(size=sides, seed=seeds)
def test_prelu(size: tuple[int, int], seed: int) -> None:
    check({"op": "prelu", "arity": 2}, size, seed)


@given(size=sides, seed=seeds, groups=st.sampled_from([1, 2, 3, 6]), scale=st.sampled_from([0.1, 3, 100]))
def test_softmax(size: tuple[int, int], seed: int, groups: int, scale: float) -> None:
    check({"op": "softmax", "groups": groups}, size, seed, scale)


@given(size=sides, seed=seeds, groups=st.sampled_from([1, 2, 3, 6, 4]), spatial=st.booleans())
def test_normalise(size: tuple[int, int], seed: int, groups: int, spatial: bool) -> None:
    if CHANNELS % groups == 0:
        check({"op": "normalise", "groups": groups, "spatial": spatial, "epsilon": 1e-5}, size, seed)


@given(
    size=sides, seed=seeds, kernel=pairs(1, 5), stride=pairs(1, 4),
    padding=pairs(0, 2), ceil=st.booleans(), count=st.none() | st.booleans(),
)  # fmt: skip
def test_pooling(size, seed, kernel, stride, padding, ceil, count) -> None:
    assume(all(2 * p <= k for p, k in zip(padding, kernel, strict=True)))
    node = {"op": "max_pool2d", "kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil}
    check(node if count is None else node | {"op": "avg_pool2d", "count_padding": count}, size, seed)


@given(size=sides, seed=seeds, wanted=pairs(0, 7), kind=st.sampled_from(["max", "avg"]))
def test_adaptive_pooling(size, seed, wanted, kind) -> None:
    check({"op": f"adaptive_{kind}_pool2d", "size": wanted}, size, seed)


@given(size=sides, seed=seeds, factor=pairs(1, 5), corners=st.none() | st.booleans())
def test_upsample(size, seed, factor, corners) -> None:
    node = {"op": "upsample", "factor": factor, "mode": "nearest"}
    check(node if corners is None else node | {"mode": "bilinear", "align_corners": corners}, size, seed)


@given(
    size=sides, seed=seeds, before=pairs(0, 4), after=pairs(0, 4),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
)  # fmt: skip
def test_pad(size, seed, before, after, mode) -> None:
    check({"op": "pad", "mode": mode, "before": before, "after": after}, size, seed)


@given(
    size=sides, seed=seeds, kernel=pairs(1, 3), stride=st.integers(1, 3),
    padding=st.integers(0, 3), dilation=pairs(1, 3), groups=st.sampled_from([1, 2, 6]),
)  # fmt: skip
def test_dilated_convolution(size, seed, kernel, stride, padding, dilation, groups) -> None:
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    assume(all(side + 2 * padding >= r for side, r in zip(size, reach, strict=True)))
    node = {"op": "conv2d", "weight": "w", "stride": [stride] * 2, "padding": [padding] * 2, "groups": groups}
    check(node | {"dilation": dilation}, size, seed, w=(6, CHANNELS // groups, *kernel))


@given(
    size=sides, seed=seeds, window=pairs(1, 5), shift=pairs(0, 4),
    heads=st.sampled_from([1, 2, 3, 6]), bias=st.booleans(),
)  # fmt: skip
def test_window_attention(size, seed, window, shift, heads, bias) -> None:
    shift = [first % side for first, side in zip(shift, window, strict=True)]
    node = {
        "op": "window_attention",
        "window": window,
        "shift": shift,
        "heads": heads,
        "scale": 0.6,
        "arity": 3,
    }
    shape = (heads, 2 * window[0] - 1, 2 * window[1] - 1)
    check(node | ({"bias": "b"} if bias else {}), size, seed, b=shape)


HERE = {"in": [0], "place": "g_s.3"}
POOL = {"op": "max_pool2d", "kernel": [3, 3], "stride": [1, 1], "padding": [0, 0], "ceil": False}
WINDOWS = {
    "op": "window_attention",
    "in": [0, 0, 0],
    "window": [4, 4],
    "shift": [0, 0],
    "heads": 2,
    "scale": 1,
}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"op": "gelu", "approximate": "none"}, "unknown key 'approximate'"),
        ({"op": "elu"}, "'alpha' is missing"),
        ({"op": "softmax", "groups": 0}, "'groups' is 0, must be 1 to"),
        ({"op": "softmax", "groups": 4}, "6 channels do not divide into 4 groups"),
        ({"op": "normalise", "groups": 1, "spatial": True, "epsilon": 0}, "'epsilon' is 0, must be above 0"),
        (
            {"op": "normalise", "groups": 1, "spatial": 1, "epsilon": 1},
            "'spatial' is 1, must be true or false",
        ),
        (POOL | {"kernel": [0, 3]}, "'kernel' is 0, must be 1 to 256"),
        (POOL | {"padding": [2, 0]}, "'padding' is [2, 0], must be at most half of the kernel [3, 3]"),
        (POOL | {"kernel": [9, 1]}, "8 inputs leave nothing for a window of 9"),
        ({"op": "adaptive_avg_pool2d", "size": [5000, 1]}, "'size' is 5000, must be 0 to 4096"),
        ({"op": "upsample", "mode": "bicubic", "factor": [2, 2]}, "unknown mode 'bicubic'"),
        ({"op": "upsample", "mode": "bilinear", "factor": [2, 2]}, "'align_corners' is missing"),
        ({"op": "upsample", "mode": "nearest", "factor": [0, 2]}, "'factor' is 0, must be 1 to 256"),
        ({"op": "pad", "mode": "mirror", "before": [0, 0], "after": [0, 0]}, "unknown mode 'mirror'"),
        (
            {"op": "pad", "mode": "reflect", "before": [8, 0], "after": [0, 0]},
            "8 inputs are too few for margins 8",
        ),
        (
            {"op": "pad", "mode": "zeros", "before": [300, 0], "after": [0, 0]},
            "'before' is 300, must be 0 to 256",
        ),
        (WINDOWS | {"window": [128, 64]}, "'window' is [128, 64], must have at most 4096 places"),
        (WINDOWS | {"shift": [4, 0]}, "'shift' is [4, 0], must be below the window [4, 4]"),
        (WINDOWS | {"heads": 4}, "do not fit 4 heads"),
        (WINDOWS | {"bias": "b"}, "must have [2, 7, 7]"),
        (WINDOWS | {"in": [0, 0]}, "2 inputs, must be 3"),
        (WINDOWS | {"scale": 1e39}, "'scale' is 1e+39, must be a finite binary32 number"),
    ],
)
def test_what_is_illegal_is_refused_in_a_line(node: dict[str, Any], words: str) -> None:
    graph = {"version": 1, "inputs": ["x"], "outputs": [["out", 1]], "nodes": [HERE | node]}
    tensors = {"b": np.zeros((2, 3, 3), np.float32)}
    with pytest.raises(LcrsError) as caught:
        coding.Graph(json.dumps(graph), tensors).run([np.zeros((6, 8, 8), np.float32)])
    assert words in str(caught.value)
    assert "g_s.3" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "node",
    [
        {"op": "upsample", "mode": "nearest", "factor": [256, 256]},
        {"op": "adaptive_avg_pool2d", "size": [4096, 4096]},
        POOL | {"kernel": [1, 1], "padding": [0, 0]},
    ],
)
def test_memory_is_counted(node: dict[str, Any]) -> None:
    nodes = [
        {"op": "upsample", "mode": "nearest", "factor": [64, 64]} | HERE,
        node | {"in": [1], "place": "g_s.4"},
    ]
    graph = {"version": 1, "inputs": ["x"], "outputs": [["out", 2]], "nodes": nodes}
    with pytest.raises(LcrsError, match=r"at most|too large"):
        coding.Graph(json.dumps(graph), {}).run([np.zeros((64, 64, 64), np.float32)])
