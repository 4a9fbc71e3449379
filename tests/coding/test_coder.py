"""Round trips through both kinds of stream, and what the coder refuses."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from coder_cases import draw, gaussian_pmf_table
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lcrs import coding
from lcrs.errors import LcrsError

KINDS = ["lcrs", "ans"]
INT32 = np.iinfo(np.int32)


@st.composite
def tables(draw: st.DrawFn) -> coding.CdfTable:
    """Tables of 1 to 5 rows of 2 to 40 entries, at any precision that holds them, with any offsets."""
    precision = draw(st.integers(6, 16))
    lengths = draw(st.lists(st.integers(2, 40), min_size=1, max_size=5))
    cdfs = np.zeros((len(lengths), max(lengths)), np.int32)
    for row, length in enumerate(lengths):
        inner = draw(st.sets(st.integers(1, 2**precision - 1), min_size=length - 2, max_size=length - 2))
        cdfs[row, 1:length] = [*sorted(inner), 2**precision]
    offsets = [draw(st.integers(INT32.min, INT32.max - length)) for length in lengths]
    return coding.CdfTable(cdfs, np.array(lengths, np.int32), np.array(offsets, np.int32), precision)


@st.composite
def messages(draw: st.DrawFn) -> tuple[coding.CdfTable, np.ndarray, np.ndarray]:
    """A table, and symbols near and far from what it expects."""
    table = draw(tables())
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8))
    indexes = draw(hnp.arrays(np.int32, shape, elements=st.integers(0, table.num_rows - 1)))
    near = draw(hnp.arrays(np.int64, shape, elements=st.integers(-2, 42)))
    far = draw(hnp.arrays(np.int32, shape, elements=st.integers(INT32.min, INT32.max)))
    is_far = draw(hnp.arrays(np.bool_, shape))
    symbols = np.clip(near + table.offsets[indexes], INT32.min, INT32.max)
    return table, np.where(is_far, far, symbols).astype(np.int32), indexes


@pytest.mark.parametrize("kind", KINDS)
@given(message=messages())
def test_what_is_encoded_is_decoded(kind: str, message: tuple) -> None:
    table, symbols, indexes = message
    data = coding.encode(symbols, indexes, table, kind=kind)
    assert len(data) <= coding.encoded_bound(symbols.size, kind)
    decoded = coding.decode(data, indexes, table, kind=kind)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("kind", KINDS)
@given(message=messages(), seed=st.integers(0, 2**32 - 1))
def test_pieces_give_the_bytes_of_the_whole(kind: str, message: tuple, seed: int) -> None:
    table, symbols, indexes = message
    symbols, indexes = symbols.ravel(), indexes.ravel()
    cuts = np.sort(np.random.default_rng(seed).integers(0, symbols.size + 1, 3))
    encoder = coding.Encoder(kind)
    for part, rows in zip(np.split(symbols, cuts), np.split(indexes, cuts), strict=True):
        encoder.push(part, rows, table)
    data = encoder.finish()
    assert data == coding.encode(symbols, indexes, table, kind)
    decoder = coding.Decoder(data, kind)
    parts = [decoder.pull(rows, table) for rows in np.split(indexes, cuts)]
    decoder.finish()
    np.testing.assert_array_equal(np.concatenate(parts), symbols)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5000), (2, 3, 4, 5), ()])
def test_every_shape_keeps_its_shape(kind: str, shape: tuple, table, rng) -> None:
    symbols, indexes = draw(table, shape, rng)
    data = coding.encode(symbols, indexes, table, kind=kind)
    np.testing.assert_array_equal(coding.decode(data, indexes, table, kind=kind), symbols)


@pytest.mark.parametrize("kind", KINDS)
def test_cost_is_the_tables_ideal(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (200_000,), rng)
    inside = symbols - table.offsets[indexes]
    is_escape = (inside < 0) | (inside >= table.lengths[indexes] - 2)
    symbols, indexes, inside = symbols[~is_escape], indexes[~is_escape], inside[~is_escape]
    frequencies = table.cdfs[indexes, inside + 1] - table.cdfs[indexes, inside]
    ideal = -np.log2(frequencies / 65536).sum() / 8
    assert ideal <= len(coding.encode(symbols, indexes, table, kind)) <= 1.001 * ideal + 8


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_the_streams_of_their_items(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (5, 3, 400), rng)
    streams = coding.encode_batch(symbols, indexes, table, kind=kind)
    assert streams == [coding.encode(s, i, table, kind=kind) for s, i in zip(symbols, indexes, strict=True)]
    np.testing.assert_array_equal(coding.decode_batch(streams, indexes, table, kind=kind), symbols)
    assert coding.encode_batch(symbols[:0], indexes[:0], table, kind=kind) == []
    with pytest.raises(ValueError, match=r"data holds 4 streams, but indexes has 5 items"):
        coding.decode_batch(streams[:4], indexes, table, kind=kind)
    with pytest.raises(LcrsError, match=r"stream 2"):
        coding.decode_batch([*streams[:2], b"", *streams[3:]], indexes, table, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_decode_into_fills_the_array_it_is_given(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (7, 11), rng)
    data = coding.encode(symbols, indexes, table, kind=kind)
    out = np.full((7, 11), -5, np.int32)
    assert coding.decode_into(data, indexes, table, out, kind=kind) is None
    np.testing.assert_array_equal(out, symbols)
    out.setflags(write=False)
    with pytest.raises(ValueError, match="out is read-only"):
        coding.decode_into(data, indexes, table, out, kind=kind)
    with pytest.raises(ValueError, match=r"indexes has shape \(7, 11\), but out has shape \(77,\)"):
        coding.decode_into(data, indexes, table, np.zeros(77, np.int32), kind=kind)


def mapped(data: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, len(data))
    memory.write(data)
    return memory


@pytest.mark.parametrize(
    "convert", [bytearray, memoryview, mapped, lambda data: np.frombuffer(data, np.uint8)]
)
def test_any_buffer_of_bytes_decodes(convert, table, rng) -> None:
    symbols, indexes = draw(table, (50,), rng)
    data = convert(coding.encode(symbols, indexes, table))
    np.testing.assert_array_equal(coding.decode(data, indexes, table), symbols)


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_stream_is_an_error(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (300,), rng)
    data = coding.encode(symbols, indexes, table, kind=kind)
    for length in range(len(data)):
        with pytest.raises(LcrsError):
            coding.decode(data[:length], indexes, table, kind=kind)
    with pytest.raises(LcrsError):
        coding.decode(data + b"\0\0\0\0", indexes, table, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_other_lengths_and_rows_are_noticed(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (300,), rng)
    data = coding.encode(symbols, indexes, table, kind=kind)
    for wrong in (indexes[:-1], np.append(indexes, indexes[:1]), (indexes + 1) % table.num_rows):
        with pytest.raises(LcrsError):
            coding.decode(data, wrong, table, kind=kind)
    decoder = coding.Decoder(data, kind)
    decoder.pull(indexes[:-1], table)
    with pytest.raises(LcrsError):
        decoder.finish()


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(max_size=200), count=st.integers(0, 100))
def test_garbage_decodes_to_symbols_or_an_error(kind: str, data: bytes, count: int) -> None:
    table = gaussian_pmf_table(3)
    indexes = np.arange(count, dtype=np.int32) % 3
    try:
        decoded = coding.decode(data, indexes, table, kind=kind)
    except LcrsError:
        return
    # What passes all checks is a stream: the one that these symbols make, or one of equal meaning.
    again = coding.encode(decoded, indexes, table, kind=kind)
    np.testing.assert_array_equal(coding.decode(again, indexes, table, kind=kind), decoded)


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_ends_with_its_stream(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (300,), rng)
    decoder = coding.Decoder(coding.encode(symbols, indexes, table, kind), kind)
    with pytest.raises(ValueError, match="index 99 at position 0"):
        decoder.pull(indexes[:1] * 0 + np.int32(99), table)
    np.testing.assert_array_equal(decoder.pull(indexes, table), symbols)  # a wrong index has done no harm
    with pytest.raises(LcrsError):
        decoder.pull(indexes, table)
    with pytest.raises(ValueError, match="the stream was found wrong"):
        decoder.pull(indexes[:1], table)


def test_coders_are_used_up_by_finish(table) -> None:
    encoder = coding.Encoder()
    data = encoder.finish()
    symbols = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"finish\(\) has been called"):
        encoder.finish()
    with pytest.raises(ValueError, match=r"finish\(\) has been called"):
        encoder.push(symbols, symbols, table)
    decoder = coding.Decoder(data)
    decoder.finish()
    with pytest.raises(ValueError, match=r"finish\(\) has been called"):
        decoder.pull(symbols, table)


@pytest.mark.parametrize("call", ["encode", "encode_batch", "Encoder", "Decoder", "decode", "encoded_bound"])
def test_an_unknown_kind_is_named(call: str, table) -> None:
    array = np.zeros((1, 1), np.int32)
    arguments = {
        "encode": (array, array, table),
        "encode_batch": (array, array, table),
        "decode": (b"", array, table),
        "Decoder": (b"",),
        "encoded_bound": (1,),
    }
    with pytest.raises(ValueError, match=r"unknown stream kind 'huffman' \(ans or lcrs\)"):
        getattr(coding, call)(*arguments.get(call, ()), "huffman")


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_holds_for_the_costliest_symbols(kind: str) -> None:
    table = coding.CdfTable(
        np.array([[0, 65535, 65536]], np.int32), np.array([3], np.int32), np.array([0], np.int32)
    )
    for count in (0, 1, 2, 1000):
        symbols, indexes = np.full(count, INT32.min, np.int32), np.zeros(count, np.int32)
        data = coding.encode(symbols, indexes, table, kind)
        assert len(data) <= coding.encoded_bound(count, kind) <= 8 * count + 256
        np.testing.assert_array_equal(coding.decode(data, indexes, table, kind), symbols)
    with pytest.raises(ValueError, match="num_symbols is -1, at least 0 is needed"):
        coding.encoded_bound(-1, kind)


def test_indexes_outside_the_table_are_named_with_their_position(table) -> None:
    indexes = np.array([0, 1, 12], np.int32)
    with pytest.raises(ValueError, match=r"index 12 at position 2 .* \(0..=11\)"):
        coding.encode(np.zeros(3, np.int32), indexes, table)
    with pytest.raises(ValueError, match=r"index -1 at position 0"):
        coding.decode(coding.encode(indexes[:1], indexes[:1], table), np.array([-1], np.int32), table)
