"""The classes that CompressAI's users expect, on streams that CompressAI wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lcrs
from lcrs import coding
from lcrs._CXX import pmf_to_quantized_cdf
from lcrs.ans import BufferedRansEncoder, RansDecoder, RansEncoder

ROW = ([[0, 10000, 40000, 60000, 65536]], [5], [0])


@pytest.fixture(scope="module")
def streams(data_dir: Path) -> list[dict[str, np.ndarray]]:
    with np.load(data_dir / "coder" / "rans64_streams.npz") as data:
        names = ("symbols", "indexes", "cdfs", "cdf_lengths", "offsets", "bytes")
        return [{name: data[f"{name}.{i}"] for name in names} for i in range(int(data["count"]))]


@pytest.mark.parametrize("as_lists", [True, False])
def test_compressais_streams_are_written_and_read(streams, as_lists: bool) -> None:
    convert = np.ndarray.tolist if as_lists else np.asarray
    for stream in streams:
        symbols, indexes, *table = (
            convert(stream[name]) for name in ("symbols", "indexes", "cdfs", "cdf_lengths", "offsets")
        )
        data = stream["bytes"].tobytes()
        assert RansEncoder().encode_with_indexes(symbols, indexes, *table) == data
        assert RansDecoder().decode_with_indexes(data, indexes, *table) == stream["symbols"].tolist()


def test_compressais_streams_are_written_and_read_by_the_coder_itself(streams) -> None:
    for stream in streams:
        table = coding.CdfTable(stream["cdfs"], stream["cdf_lengths"], stream["offsets"])
        data = stream["bytes"].tobytes()
        assert coding.encode(stream["symbols"], stream["indexes"], table, kind="ans") == data
        np.testing.assert_array_equal(
            coding.decode(data, stream["indexes"], table, kind="ans"), stream["symbols"]
        )


def test_compressais_tables_are_built(data_dir: Path) -> None:
    with np.load(data_dir / "coder" / "pmf_to_cdf.npz") as data:
        for i in range(int(data["count"])):
            precision = int(data[f"precision.{i}"])
            cdf = coding.pmf_to_quantized_cdf(data[f"pmf.{i}"], precision)
            np.testing.assert_array_equal(cdf, data[f"cdf.{i}"], err_msg=f"case {i}")
    assert pmf_to_quantized_cdf([0.1, 0.2, 0, 0], 16) == [0, 21845, 65534, 65535, 65536]
    assert pmf_to_quantized_cdf([1.0], 16) == [0, 65536]


def test_pieces_make_the_bytes_of_one_call() -> None:
    symbols, indexes = [0, 1, 2, -1, 3, 7, 100, -100], [0] * 8
    encoder = BufferedRansEncoder()
    assert encoder.encode_with_indexes(symbols[:3], indexes[:3], *ROW) is None
    encoder.encode_with_indexes(symbols[3:], indexes[3:], *ROW)
    data = encoder.flush()
    assert data.hex() == "e20f6b330500000031d88f81c2fbeea8"
    assert encoder.flush() == RansEncoder().encode_with_indexes([], [], *ROW)
    decoder = RansDecoder()
    decoder.set_stream(data)
    assert decoder.decode_stream(indexes[:5], *ROW) + decoder.decode_stream(indexes[5:], *ROW) == symbols


def test_what_compressai_gets_wrong_is_an_error() -> None:
    with pytest.raises(ValueError, match="call set_stream first"):
        RansDecoder().decode_stream([0], *ROW)
    with pytest.raises(lcrs.TruncatedError):
        RansDecoder().decode_with_indexes(b"\0\0\0", [0], *ROW)
    with pytest.raises(lcrs.LcrsError):
        RansDecoder().decode_with_indexes(RansEncoder().encode_with_indexes([0, 1], [0, 0], *ROW), [0], *ROW)
    with pytest.raises(ValueError, match="index 1 at position 0"):
        RansEncoder().encode_with_indexes([0], [1], *ROW)
    with pytest.raises(ValueError, match=r"symbols\[1\] is 2147483648, it must fit 32 bits"):
        RansEncoder().encode_with_indexes([0, 2**31], [0, 0], *ROW)
    with pytest.raises(ValueError, match="symbols has values of type float64, integers are needed"):
        RansEncoder().encode_with_indexes([0.5], [0], *ROW)


def test_a_table_that_changes_in_place_is_noticed() -> None:
    cdfs = [[0, 10000, 40000, 60000, 65536]]
    before = RansEncoder().encode_with_indexes([2, 2, 2], [0] * 3, cdfs, [5], [0])
    cdfs[0][2] = 10001
    after = RansEncoder().encode_with_indexes([2, 2, 2], [0] * 3, cdfs, [5], [0])
    assert before != after
    assert RansDecoder().decode_with_indexes(after, [0] * 3, np.array(cdfs), [5], [0]) == [2, 2, 2]


def test_rows_may_differ_in_length() -> None:
    ragged = ([[0, 65536], [0, 1, 2, 65536]], (2, 4), (0, -1))
    data = RansEncoder().encode_with_indexes((5, 0, -1), (0, 1, 1), *ragged)
    assert RansDecoder().decode_with_indexes(data, (0, 1, 1), *ragged) == [5, 0, -1]
