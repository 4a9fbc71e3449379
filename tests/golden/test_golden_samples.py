"""Golden files of pictures beyond 8-bit RGB and of arrays, through lcrs and the independent reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import fixtures, little, sha256
from reader import WrongFile, analyse, decode, read_package
from reader.container import MAGIC, crc32c

from lcrs import LcrsError, UnsupportedVersionError, codec, coding

HERE = Path(__file__).parent / "samples"
EXPECTED = json.loads((HERE / "expected.json").read_text())
FILES = {listed["name"]: listed for listed in EXPECTED["files"]}
entry, data = fixtures(HERE, FILES)


@pytest.fixture
def package(entry: dict[str, Any]) -> Path:
    return HERE / f"{entry['package']}.lcrm"


def test_nobody_has_touched_the_files() -> None:
    for kind, suffix in (("packages", "lcrm"), ("files", "lcrs")):
        for listed in EXPECTED[kind]:
            assert sha256((HERE / f"{listed['name']}.{suffix}").read_bytes()) == listed["sha256"]


def test_lcrs_decodes_to_the_samples(entry: dict[str, Any], data: bytes, package: Path) -> None:
    pixels = codec.decompress(data, package)
    assert (list(pixels.shape), pixels.dtype.name) == (entry["shape"], entry["dtype"])
    assert sha256(little(pixels)) == entry["pixels_sha256"]
    info = codec.info(data, package)
    assert (info["shape"], info["dtype"]) == (entry["shape"], entry["dtype"])


def test_the_reader_decodes_to_samples_and_symbols(entry: dict[str, Any], data: bytes, package: Path) -> None:
    decoded = decode(data, read_package(package.read_bytes()))
    assert (list(decoded.pixels.shape), decoded.pixels.dtype.name) == (entry["shape"], entry["dtype"])
    assert sha256(little(decoded.pixels)) == entry["pixels_sha256"]
    symbols = [sha256(np.array(latent, "<i4").tobytes()) for latent in decoded.symbols]
    assert symbols == entry["symbols_sha256"]


def test_encoders_find_the_symbols_and_the_bytes(entry: dict[str, Any], data: bytes, package: Path) -> None:
    given = np.load(HERE / f"{entry['name']}.npy")
    symbols = analyse(given, read_package(package.read_bytes()), entry["quality"], entry["bit_depth"])
    assert [sha256(np.array(latent, "<i4").tobytes()) for latent in symbols] == entry["symbols_sha256"]
    options = {"bit_depth": entry["bit_depth"], "kind": entry["kind"]}
    assert coding.Package.from_file(package).compress(given, entry["quality"], **options) == data


def test_readers_agree_on_the_digests() -> None:
    for listed in EXPECTED["packages"]:
        path = HERE / f"{listed['name']}.lcrm"
        assert read_package(path.read_bytes()).digests == listed["digests"]
        for kind, digest in listed["digests"].items():
            assert getattr(coding.Package.from_file(path), f"{kind}_digest") == digest


def with_fields(name: str, fields: bytes) -> bytes:
    """A golden file with other fields after its section entries, its header checksum made right."""
    data = (HERE / f"{name}.lcrs").read_bytes()
    length = data[5]
    body, payloads = data[6 : 6 + length], data[10 + length :]
    at = 18 + body[17] + 2  # after the model's name and two sides below 128
    assert body[at] == 1
    end = at + 1 + 3 + 2 + 4  # one section of 128 to 16383 bytes
    header = MAGIC + bytes([1, end + len(fields)]) + body[:end] + fields
    return header + crc32c(header).to_bytes(4, "little") + payloads


@pytest.mark.parametrize(
    "fields",
    [
        b"",  # a picture, for a model of arrays
        bytes([3, 2, 8, 1]),
        bytes([6, 2, 4, 4]),  # other channels
        bytes([6, 2, 0, 5]),  # another type
        bytes([6, 4, 4, 0x80, 0x80, 0x40]),  # 2^20 channels
        bytes([6, 2, 5, 5]),  # a later type
        bytes([6, 2, 4, 0]),
        bytes([3, 2, 8, 0, 6, 2, 4, 5]),
        bytes([6, 2, 4, 5, 0x86, 1, 2]),
        bytes([6, 2, 4, 5, 0x86, 1, 4]),
        bytes([6, 2, 4, 5, 0x86, 2, 3, 0]),
    ],
)
def test_samples_that_are_not_the_model_s_are_refused_by_both(fields: bytes) -> None:
    package = HERE / "five-floats.lcrm"
    whole = with_fields("five-floats", bytes([6, 2, 4, 5]))
    assert whole == (HERE / "five-floats.lcrs").read_bytes()
    wrong = with_fields("five-floats", fields)
    with pytest.raises(LcrsError):
        codec.decompress(wrong, package)
    with pytest.raises(WrongFile):
        decode(wrong, read_package(package.read_bytes()))


def test_a_later_type_is_unsupported_not_corrupt() -> None:
    with pytest.raises(UnsupportedVersionError, match="number type 5, this build knows 0 to 4"):
        codec.info(with_fields("five-floats", bytes([6, 2, 5, 5])))
