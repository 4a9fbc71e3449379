"""Latents coded in one pass against quantising, ordering and coding one after the other."""

import numpy as np
import pytest

from lcrs import coding, errors

TABLE = coding.gaussian_table(coding.default_scale_table())


def latents(shape=(3, 40, 9, 7), seed=0):
    rng = np.random.default_rng(seed)
    indexes = rng.integers(0, 64, shape, dtype=np.int32)
    means = rng.normal(size=shape).astype(np.float32)
    values = rng.normal(size=shape) * coding.default_scale_table()[indexes] + means
    return values.astype(np.float32), indexes, means


def in_order(array, kind):
    return np.ascontiguousarray(array if kind == "ans" else np.moveaxis(array, 1, -1))


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize(
    "shape", [(3, 40, 9, 7), (1, 320, 5, 6), (2, 1, 50), (2, 17), (0, 4, 3), (2, 3, 0, 5)]
)
@pytest.mark.parametrize("has_means", [True, False])
def test_one_pass_is_the_same_as_many(kind, shape, has_means):
    values, indexes, means = latents(shape)
    means = means if has_means else None
    streams = coding.encode_latents(values, indexes, TABLE, means, kind=kind)
    symbols = coding.quantize(values, means)
    expected = coding.encode_batch(in_order(symbols, kind), in_order(indexes, kind), TABLE, kind=kind)
    assert streams == expected
    decoded = coding.decode_latents(streams, shape, indexes, TABLE, means, kind=kind)
    np.testing.assert_array_equal(decoded, coding.dequantize(symbols, means))


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_what_belongs_to_channels_is_given_once(kind):
    values, indexes, means = latents()
    by_channel = indexes[0, :, 0, 0].copy(), TABLE, means[0, :, 0, 0].copy()
    whole = [np.ascontiguousarray(np.broadcast_to(t[:, None, None], values.shape)) for t in by_channel[::2]]
    streams = coding.encode_latents(values, *by_channel, kind=kind)
    assert streams == coding.encode_latents(values, whole[0], TABLE, whole[1], kind=kind)
    decoded = coding.decode_latents(streams, values.shape, *by_channel, kind=kind)
    np.testing.assert_array_equal(decoded, np.rint(values - whole[1]) + whole[1])


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_threads_change_nothing(kind):
    values, indexes, means = latents((5, 32, 16, 16))
    streams = [
        coding.encode_latents(values, indexes, TABLE, means, kind=kind, threads=threads)
        for threads in (1, 2, 7)
    ]
    assert streams[0] == streams[1] == streams[2]
    decoded = [
        coding.decode_latents(streams[0], values.shape, indexes, TABLE, means, kind=kind, threads=threads)
        for threads in (1, 2, 7)
    ]
    np.testing.assert_array_equal(decoded[0], decoded[1])
    np.testing.assert_array_equal(decoded[0], decoded[2])


def test_what_does_not_fit_is_named():
    values, indexes, _ = latents()
    with pytest.raises(ValueError, match=r"indexes has shape \(3, 40, 9\), latents have \(3, 40, 9, 7\)"):
        coding.encode_latents(values, np.ascontiguousarray(indexes[..., 0]), TABLE)
    with pytest.raises(ValueError, match=r"means has shape \(41,\), latents have .*; that or \(40,\)"):
        coding.encode_latents(values, indexes, TABLE, np.zeros(41, np.float32))
    with pytest.raises(ValueError, match=r"latents have shape \(5,\), \(items, channels, ...\) is needed"):
        coding.encode_latents(values[0, 0, 0, :5], indexes[0, 0, 0, :5], TABLE)
    bad = values.copy()
    bad[1, 2, 3, 4] = np.nan
    position = np.ravel_multi_index((1, 2, 3, 4), values.shape)
    with pytest.raises(ValueError, match=f"is NaN at position {position}"):
        coding.encode_latents(bad, indexes, TABLE)
    rows = indexes.copy()
    rows[1, 2, 3, 4] = 64
    with pytest.raises(ValueError, match=f"index 64 at position {position} is outside"):
        coding.encode_latents(values, rows, TABLE)
    streams = coding.encode_latents(values, indexes, TABLE)
    with pytest.raises(ValueError, match="2 streams are given for 3 latents"):
        coding.decode_latents(streams[:2], values.shape, indexes, TABLE)
    with pytest.raises(errors.LcrsError, match="stream 2"):
        coding.decode_latents([*streams[:2], streams[2][:-3]], values.shape, indexes, TABLE)
