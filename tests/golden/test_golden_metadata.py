"""The golden file with every kind of metadata, through lcrs and through the independent reader."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reader import analyse, decode, read_package
from reader.container import parse

from lcrs import LcrsError, codec, coding

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "metadata" / "expected.json").read_text())
PACKAGE = HERE / f"{EXPECTED['package']}.lcrm"


@pytest.fixture(scope="module")
def data() -> bytes:
    return (HERE / "metadata" / "every-kind.lcrs").read_bytes()


def readable(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def test_nobody_has_touched_the_file(data: bytes) -> None:
    assert hashlib.sha256(data).hexdigest() == EXPECTED["sha256"]


def test_lcrs_gives_pixels_and_metadata(data: bytes) -> None:
    pixels = codec.decompress(data, PACKAGE)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == EXPECTED["pixels_sha256"]
    assert {key: readable(value) for key, value in coding.metadata(data).items()} == EXPECTED["metadata"]


def test_the_reader_gives_pixels_symbols_and_metadata(data: bytes) -> None:
    package = read_package(PACKAGE.read_bytes())
    decoded = decode(data, package)
    assert hashlib.sha256(decoded.pixels.tobytes()).hexdigest() == EXPECTED["pixels_sha256"]
    top, left, height, width = EXPECTED["source"]
    with Image.open(HERE / "source.png") as image:
        source = np.asarray(image)[top : top + height, left : left + width]
    assert decoded.symbols == analyse(source, package, None)
    notes = parse(data).notes
    found = decoded.metadata | notes | {"gamma": notes["gamma"][0]}
    assert {key: readable(value) for key, value in found.items()} == EXPECTED["metadata"]


def test_the_same_bytes_are_written_again(data: bytes) -> None:
    top, left, height, width = EXPECTED["source"]
    with Image.open(HERE / "source.png") as image:
        source = np.ascontiguousarray(np.asarray(image)[top : top + height, left : left + width])
    package = codec.load_package(PACKAGE)
    assert package.compress(source, metadata=coding.metadata(data)) == data


def test_every_damaged_bit_of_the_metadata_is_noticed(data: bytes) -> None:
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LcrsError):
            coding.metadata(damaged)
