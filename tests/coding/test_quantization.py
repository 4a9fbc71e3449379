"""Rounding latents to symbols, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lcrs import coding

FINITE = st.floats(-1e6, 1e6, width=32)


@given(data=st.data(), shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
def test_symbols_are_the_rounded_difference(data: st.DataObject, shape: tuple) -> None:
    y, means = (data.draw(hnp.arrays(np.float32, shape, elements=FINITE)) for _ in range(2))
    symbols = coding.quantize(y, means)
    assert symbols.dtype == np.int32
    np.testing.assert_array_equal(symbols, np.rint(y - means))  # numpy rounds halves to even, too
    np.testing.assert_array_equal(coding.quantize(y), np.rint(y))
    values = coding.dequantize(symbols, means)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, symbols.astype(np.float32) + means)


def test_halves_go_to_even() -> None:
    y = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert coding.quantize(y).tolist() == [-2, -2, 0, 0, 2, 2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**24, -(2.0**24), 3e38])
def test_what_has_no_symbol_is_named_with_its_position(value: float) -> None:
    y = np.zeros((2, 3), np.float32)
    y[1, 1] = value
    with pytest.raises(ValueError, match="at position 4"):
        coding.quantize(y)


def test_means_have_the_shape_of_the_latent() -> None:
    zeros = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"means has shape \(3,\), but y has shape \(2, 3\)"):
        coding.quantize(zeros, zeros[0])


def test_tensors_that_need_a_gradient_are_read() -> None:
    torch = pytest.importorskip("torch")
    assert coding.quantize(torch.full((3,), 1.75, requires_grad=True)).tolist() == [2, 2, 2]


def test_flushing_subnormals_in_torch_changes_nothing() -> None:
    torch = pytest.importorskip("torch")
    tiny = np.full(3, 1e-40, np.float32)
    expected = coding.dequantize(np.zeros(3, np.int32), tiny)
    assert (expected == tiny).all()
    torch.set_flush_denormal(True)
    try:
        again = coding.dequantize(np.zeros(3, np.int32), tiny)
    finally:
        torch.set_flush_denormal(False)
    assert again.tobytes() == expected.tobytes()
