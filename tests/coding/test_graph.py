"""Coding graphs from Python: against a formula, and in batches."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lcrs
import tiny_package
from lcrs import coding


@pytest.fixture(scope="module")
def analysis() -> coding.Graph:
    return coding.Graph(tiny_package.graph_json("g_a"), tiny_package.tensors())


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).random(shape, np.float32)


def test_the_network_is_what_the_description_says(analysis: coding.Graph) -> None:
    assert analysis.inputs == ["x"]
    assert analysis.outputs == ["y"]
    x = picture(3, 8, 12)
    y = analysis.run([x], level=0.5)["y"]
    assert y.shape == (48, 2, 3)
    assert y.dtype == np.float32
    blocks = (x - 0.5).reshape(3, 2, 4, 3, 4).transpose(0, 2, 4, 1, 3).reshape(48, 2, 3)
    tensors = tiny_package.tensors()
    turned = np.einsum("oc,chw->ohw", tensors["g_a.weight"][..., 0, 0].astype(np.float64), blocks)
    gain = np.exp(tensors["log_gain"][:2].mean(0))
    np.testing.assert_allclose(y, turned * gain[:, None, None], rtol=1e-5, atol=1e-5)


def test_a_batch_is_its_items(analysis: coding.Graph) -> None:
    x = picture(3, 3, 20, 16)
    whole = analysis.run([x], level=1.0)["y"]
    parts = [analysis.run([item], level=1.0, threads=2)["y"] for item in x]
    assert whole.tobytes() == np.stack(parts).tobytes()
    assert analysis.run([x[:0]], level=1.0)["y"].shape == (0, *whole.shape[1:])


@pytest.mark.parametrize(
    ("inputs", "level", "message"),
    [
        ([], 0.0, "input"),
        ([picture(3, 4)], 0.0, r"inputs\[0\] has shape \(3, 4\), \(C, H, W\) or \(N, C, H, W\) is needed"),
        ([picture(3, 8, 8).astype(np.float64)], 0.0, r"inputs\[0\] has dtype float64, float32 is needed"),
        ([picture(3, 8, 8)], None, "level"),
        ([picture(3, 8, 8)], 2.5, "level"),
        ([picture(3, 8, 8)], float("nan"), "level"),
        ([picture(3, 8, 8) * np.float32(np.nan)], 0.0, "finite"),
    ],
)
def test_unsuitable_inputs_are_named(
    analysis: coding.Graph, inputs: list, level: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        analysis.run(inputs, level)


def test_shapes_that_do_not_fit_are_named_with_their_place(analysis: coding.Graph) -> None:
    with pytest.raises(ValueError, match="n4"):  # 9 is no multiple of the factor 4
        analysis.run([picture(3, 9, 8)], level=0.0)


def test_wrong_descriptions_are_errors() -> None:
    good = tiny_package.graphs()["g_a"]
    tensors = tiny_package.tensors()
    unknown = {"op": "fourier", "in": [0], "place": "g_a.3"}
    with pytest.raises(lcrs.UnsupportedVersionError, match=r"fourier"):
        coding.Graph(json.dumps(good | {"nodes": [*good["nodes"], unknown]}), tensors)
    with pytest.raises(lcrs.UnsupportedVersionError, match="version"):
        coding.Graph(json.dumps(good | {"version": 99}), tensors)
    with pytest.raises(lcrs.CorruptError):
        coding.Graph("{", tensors)
    with pytest.raises(lcrs.CorruptError, match="log_gain"):
        coding.Graph(json.dumps(good), {})
    with pytest.raises(ValueError, match=r"tensors\['log_gain'\] has dtype float64"):
        coding.Graph(json.dumps(good), tensors | {"log_gain": tensors["log_gain"].astype(np.float64)})


def test_half_precision_tensors_are_widened() -> None:
    tensors = tiny_package.tensors()
    half = {name: array.astype(np.float16) for name, array in tensors.items() if array.dtype == np.float32}
    wide = {name: array.astype(np.float32) for name, array in half.items()}
    x = picture(3, 16, 16)
    runs = [coding.Graph(tiny_package.graph_json("g_a"), t).run([x], level=0.3)["y"] for t in (half, wide)]
    assert runs[0].tobytes() == runs[1].tobytes()
