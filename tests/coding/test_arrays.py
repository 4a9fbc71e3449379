"""What the native functions take as arrays, and how they refuse the rest."""

from __future__ import annotations

import numpy as np
import pytest
from coder_cases import draw

from lcrs import coding

ZEROS = np.zeros((2, 3), np.int32)


@pytest.mark.parametrize(
    ("symbols", "error", "message"),
    [
        (ZEROS.astype(np.int64), ValueError, "symbols has dtype int64, int32 is needed"),
        (ZEROS.astype(np.float32), ValueError, "symbols has dtype float32, int32 is needed"),
        (ZEROS.astype(">i4"), ValueError, r"symbols has dtype >i4, int32 in native byte order is needed"),
        (ZEROS.T, ValueError, r"symbols of shape \(3, 2\) is not C-contiguous: pass np.ascontiguousarray"),
        (np.asfortranarray(ZEROS), ValueError, r"symbols of shape \(2, 3\) is not C-contiguous"),
        (np.zeros((2, 6), np.int32)[:, ::2], ValueError, r"symbols of shape \(2, 3\) is not C-contiguous"),
        (ZEROS.ravel(), ValueError, r"symbols has shape \(6,\), but indexes has shape \(2, 3\)"),
        ([[0, 0, 0]], TypeError, "symbols is a list, a NumPy array or a CPU tensor is needed"),
        (None, TypeError, "symbols is a NoneType"),
        ("abc", TypeError, "symbols is a str"),
    ],
)
def test_unsuitable_arrays_are_refused(symbols, error: type, message: str, table) -> None:
    with pytest.raises(error, match=message):
        coding.encode(symbols, ZEROS, table)


def test_unaligned_memory_is_refused(table) -> None:
    raw = np.zeros(25, np.uint8)
    unaligned = raw[1:].view(np.int32).reshape(2, 3)
    with pytest.raises((ValueError, TypeError), match="align"):
        coding.encode(unaligned, ZEROS, table)


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_what_is_not_bytes_is_refused(data, table) -> None:
    with pytest.raises(TypeError, match=r"data is a \w+, bytes is needed"):
        coding.decode(data, ZEROS, table)


def test_bytes_as_wider_integers_are_refused(table) -> None:
    with pytest.raises(ValueError, match="data has dtype int32, uint8 is needed"):
        coding.decode(ZEROS, ZEROS, table)


@pytest.mark.parametrize("threads", [0, -1, 1025, 2**40])
def test_thread_counts_have_a_range(threads: int, table) -> None:
    with pytest.raises(ValueError, match=rf"threads={threads} is outside 1..=1024"):
        coding.encode(ZEROS, ZEROS, table, threads=threads)


def test_read_only_arrays_are_read(table, rng) -> None:
    symbols, indexes = draw(table, (20,), rng)
    symbols.setflags(write=False)
    np.testing.assert_array_equal(
        coding.decode(coding.encode(symbols, indexes, table), indexes, table), symbols
    )


def test_an_output_that_is_also_an_input_is_refused(table) -> None:
    data = coding.encode(ZEROS, ZEROS, table)
    with pytest.raises(ValueError, match="out is being read or written by another call"):
        coding.decode_into(data, ZEROS, table, ZEROS)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


class TestTensors:
    """CPU tensors are read in place; everything else says what to do."""

    def test_tensors_code_like_arrays(self, torch, table, rng) -> None:
        symbols, indexes = draw(table, (4, 5), rng)
        tensors = torch.from_numpy(symbols), torch.from_numpy(indexes)
        data = coding.encode(*tensors, table)
        assert data == coding.encode(symbols, indexes, table)
        np.testing.assert_array_equal(coding.decode(data, tensors[1], table), symbols)

    def test_tensors_are_filled_in_place(self, torch, table, rng) -> None:
        symbols, indexes = draw(table, (4, 5), rng)
        out = torch.zeros(4, 5, dtype=torch.int32)
        coding.decode_into(coding.encode(symbols, indexes, table), indexes, table, out)
        np.testing.assert_array_equal(out.numpy(), symbols)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda torch: torch.zeros(2, 3, dtype=torch.int64), "symbols has dtype int64, int32 is needed"),
            (lambda torch: torch.zeros(3, 2, dtype=torch.int32).T, r"not C-contiguous: .*\.contiguous\(\)"),
            (
                lambda torch: torch.zeros(2, 3, dtype=torch.int32, device="meta"),
                r"symbols is on meta, .*\.cpu\(\)",
            ),
        ],
    )
    def test_unsuitable_tensors_are_refused(self, torch, make, message: str, table) -> None:
        with pytest.raises(ValueError, match=message):
            coding.encode(make(torch), ZEROS, table)
