"""Golden files of lossless pictures, through lcrs and the independent reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import fixtures, little, sha256
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lossless_file import band_field, leb128, lossless_file
from reader import WrongFile, decode_lossless, encode_lossless
from reader.container import parse

from lcrs import LcrsError, coding
from lcrs._lcrs import compress_lossless, decompress_lossless

HERE = Path(__file__).parent / "lossless"
EXPECTED = json.loads((HERE / "expected.json").read_text())
FILES = {listed["name"]: listed for listed in EXPECTED["files"]}
entry, data = fixtures(HERE, FILES)

# More than 2^16 pixels each, which take the reader a second.
WITH_BANDS = [entry["name"] for entry in EXPECTED["files"] if entry["band_rows"] < entry["size"][0]]
READ = [pytest.param(name, marks=pytest.mark.slow) if name in WITH_BANDS else name for name in FILES]


def readable(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def check(pixels: np.ndarray, entry: dict[str, Any]) -> None:
    """Checks that the picture of a file is what was given."""
    assert (list(pixels.shape), pixels.dtype.name) == (entry["shape"], entry["dtype"])
    assert sha256(little(pixels)) == entry["pixels_sha256"]


def test_nobody_has_touched_the_files(entry: dict[str, Any], data: bytes) -> None:
    assert sha256(data) == entry["sha256"]


def test_lcrs_decodes_to_the_picture(entry: dict[str, Any], data: bytes) -> None:
    for threads in (1, 2, 5):
        check(decompress_lossless(data, threads=threads), entry)
    found = {k: readable(v) for k, v in coding.metadata(data).items() if v is not None}
    assert found == entry["metadata"]


@pytest.mark.parametrize("entry", READ, indirect=True)
def test_the_reader_decodes_to_the_picture(entry: dict[str, Any], data: bytes) -> None:
    check(decode_lossless(data), entry)
    assert parse(data).lossless_rows == entry["band_rows"]


@pytest.mark.parametrize("entry", READ, indirect=True)
def test_encoders_find_the_bytes(entry: dict[str, Any], data: bytes) -> None:
    pixels, rows = decompress_lossless(data), entry["band_rows"]
    if rows == entry["size"][0]:
        options = {"bit_depth": entry["bit_depth"], "metadata": coding.metadata(data)}
        for threads in (1, 2, 5):
            assert compress_lossless(pixels, threads=threads, **options) == data
    assert encode_lossless(pixels, entry["bit_depth"], rows) == parse(data).latents[0].data


CODE = """
import hashlib, json, sys
from pathlib import Path
from lcrs._lcrs import compress_lossless, decompress_lossless
here = Path(sys.argv[1])
for entry in json.loads((here / "expected.json").read_text())["files"]:
    data = (here / (entry["name"] + ".lcrs")).read_bytes()
    pixels = decompress_lossless(data)
    little = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    assert hashlib.sha256(little).hexdigest() == entry["pixels_sha256"], entry["name"]
    if entry["band_rows"] == entry["size"][0] and not entry["metadata"]:
        assert compress_lossless(pixels, bit_depth=entry["bit_depth"]) == data, entry["name"]
print("all")
"""


@pytest.mark.parametrize(("path", "threads"), [*zip(coding.simd_paths(), "152" * 9, strict=False)])
def test_fresh_processes_on_every_path(path: str, threads: str, fresh_python: Callable[..., str]) -> None:
    assert fresh_python(CODE, str(HERE), LCRS_SIMD=path, LCRS_NUM_THREADS=threads) == "all"


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3])),
    bits=st.integers(1, 16),
    spread=st.integers(1, 16),
    seed=st.integers(0, 1 << 20),
)
def test_reader_and_lcrs_agree_on_any_picture(
    shape: tuple[int, int, int], bits: int, spread: int, seed: int
) -> None:
    """Of few colours up to noise."""
    highest = (1 << bits) - 1
    numbers = np.random.default_rng(seed).integers(0, 1 << min(bits, spread), shape)
    pixels = (numbers * 37 % (highest + 1)).astype(np.uint8 if bits <= 8 else np.uint16)
    data = compress_lossless(pixels, bit_depth=bits)
    assert encode_lossless(pixels, bits, shape[0]) == parse(data).latents[0].data
    for found in (decompress_lossless(data), decode_lossless(data)):
        assert (found.dtype, found.shape) == (pixels.dtype, pixels.shape)
        np.testing.assert_array_equal(found, pixels)


@given(stream=arrays(np.uint8, st.integers(0, 40)), bits=st.integers(1, 16), gray=st.booleans())
def test_reader_and_lcrs_agree_on_any_payload(stream: np.ndarray, bits: int, gray: bool) -> None:
    """On pixels, or that there are none; the first state is one, so that most go on for a while."""
    payload = stream.tobytes()
    payload = payload[:5] + bytes([1]) + payload[5:]
    data = lossless_file(3, 2, bytes([3, 2, bits, int(gray)]) + band_field(2), payload)
    try:
        found = decode_lossless(data)
    except WrongFile:
        with pytest.raises(LcrsError):
            decompress_lossless(data)
    else:
        np.testing.assert_array_equal(decompress_lossless(data), found)


FLAT = parse((HERE / "flat.lcrs").read_bytes()).latents[0].data
BAND = band_field(40)


def test_what_is_refused_is_refused_alone() -> None:
    """What follows changes one thing of a file that is whole."""
    assert lossless_file(60, 40, BAND, FLAT) == (HERE / "flat.lcrs").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fields": band_field(0)}, r"bands of 0 rows \(1 to 40\)"),
        ({"fields": band_field(41)}, r"bands of 41 rows \(1 to 40\)"),
        ({"fields": band_field(39)}, "bands of 2340 pixels, several have at least 65536 each"),
        ({"fields": bytes([9, 2, 0xA8, 0])}, "not in its shortest form"),
        ({"fields": bytes([9, 2, 40, 0])}, "1 bytes too many"),
        ({"fields": bytes([9, 0])}, "needs 1 bytes, 0 are left"),
        ({"fields": bytes([9, 5, 0xA8, 0x80, 0x80, 0x80, 0x10])}, r"below 2\^32"),
        ({"fields": BAND + BAND}, "tags must ascend"),
        ({"fields": bytes([1, 4, 0, 0, 0, 0]) + BAND}, "rate or size of a model"),
        ({"fields": bytes([2, 2, 0, 1]) + BAND}, "rate or size of a model"),
        ({"fields": bytes([5, 2, 60, 40]) + BAND}, "rate or size of a model"),
        ({"fields": bytes([6, 2, 0, 3]) + BAND}, "a lossless array"),
        ({"name": b"photo-2"}, "name, digests"),
        ({"digests": bytes(7) + b"\1" + bytes(8)}, "name, digests"),
        ({"digests": bytes(15) + b"\1"}, "name, digests"),
        ({"numerics": 129}, "name, digests"),
        ({"section": (1, 2, 16)}, "in section 1 of kind 2 and precision 16"),
        ({"section": (0, 1, 16)}, "in section 0 of kind 1 and precision 16"),
        ({"section": (0, 2, 15)}, "in section 0 of kind 2 and precision 15"),
        ({"section": (128, 2, 16)}, "0 sections"),
        ({"payload": b""}, "band 0: 0 bytes for 2400 pixels"),
        ({"payload": FLAT[:5]}, "band 0: 5 bytes for 2400 pixels"),
        ({"payload": FLAT[:-1]}, "more bits than the stream holds"),
        ({"payload": FLAT + b"\0"}, "1 bytes are left after the last bit"),
        ({"payload": FLAT + bytes(6)}, "6 bytes are left after the last bit"),
        ({"payload": bytes(6)}, "state 0x0"),
        (
            {"width": 1, "height": 1, "fields": band_field(1), "payload": bytes([0, 0, 0, 0, 7, 0])},
            "band 0: a segment of bits ends with the state 0x380000000",
        ),
    ],
)
def test_what_is_no_lossless_picture_is_refused_by_both(change: dict[str, Any], words: str) -> None:
    whole = {"width": 60, "height": 40, "fields": BAND, "payload": FLAT}
    data = lossless_file(**(whole | change))
    with pytest.raises(LcrsError, match=words):
        decompress_lossless(data)
    with pytest.raises(WrongFile):
        decode_lossless(data)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "length of a band needs 1 bytes"),
        (b"\x80", "length of a band needs 1 bytes"),
        (b"\x86\0" + bytes(12), "not in its shortest form"),
        (leb128(7) + bytes(6), "band 0 ends before its length"),
        (leb128((1 << 64) - 1) + bytes(12), "band 0 ends before its length"),
        (leb128(6) + bytes(12), "band 0: 6 bytes for 65600 pixels"),
        (leb128(12) + bytes(17), "band 1: 5 bytes for 100 pixels"),
    ],
)
def test_bands_that_are_none_are_refused_by_both(payload: bytes, words: str) -> None:
    data = lossless_file(100, 657, bytes([3, 2, 8, 1]) + band_field(656), payload)
    with pytest.raises(LcrsError, match=words):
        decompress_lossless(data)
    with pytest.raises(WrongFile):
        decode_lossless(data)


def test_defaults_may_be_said() -> None:
    """Fields that equal their defaults are taken, beside what a lossless picture has."""
    said = bytes([2, 2, 0, 0, 3, 2, 8, 0, 4, 2, 1, 1])
    data = lossless_file(60, 40, said + BAND + bytes([0x86, 1, 3, 0xC0, 1, 5]), FLAT)
    check(decompress_lossless(data), FILES["flat"])
    check(decode_lossless(data), FILES["flat"])
