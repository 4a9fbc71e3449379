"""Golden files of format version 1, through lcrs and through the independent reader; see README.md."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reader import Package, WrongFile, analyse, decode, read_package
from reader.streams import Table, open_stream

from lcrs import LcrsError, codec, coding

HERE = Path(__file__).parent
FOLDERS = {
    folder: json.loads((folder / "expected.json").read_text())
    for folder in (HERE, HERE / "gains", HERE / "operations")
}


def listed(kind: str) -> list[dict[str, Any]]:
    """All packages or files, each with the path to it without its suffix."""
    return [
        entry | {"path": folder / entry["name"]}
        for folder, expected in FOLDERS.items()
        for entry in expected[kind]
    ]


FILES = {f"{entry['path'].relative_to(HERE)}": entry for entry in listed("files")}


# The analysis of one file of each package; of the others with LCRS_TEST_SLOW, as it is the same.
_FIRST = {entry["package"]: name for name, entry in reversed(FILES.items()) if "source" in entry}
ONE_OF_EACH_PACKAGE = [
    name if name in _FIRST.values() else pytest.param(name, marks=pytest.mark.slow) for name in FILES
]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def part(entry: dict[str, Any], suffix: str) -> bytes:
    return Path(f"{entry['path']}.{suffix}").read_bytes()


def package_path(entry: dict[str, Any]) -> Path:
    """The package of a file."""
    return entry["path"].parent / f"{entry['package']}.lcrm"


@pytest.fixture(params=FILES)
def entry(request: pytest.FixtureRequest) -> dict[str, Any]:
    return FILES[request.param]


@pytest.fixture
def data(entry: dict[str, Any]) -> bytes:
    return part(entry, "lcrs")


@pytest.fixture
def pixels(entry: dict[str, Any]) -> np.ndarray:
    with Image.open(f"{entry['path']}.png") as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def slow() -> dict[Path, Package]:
    """Packages as the independent reader has them, by their files."""
    paths = [Path(f"{package['path']}.lcrm") for package in listed("packages")]
    return {path: read_package(path.read_bytes()) for path in paths}


def test_nobody_has_touched_the_files() -> None:
    for kind, suffix in (("packages", "lcrm"), ("files", "lcrs")):
        for entry in listed(kind):
            assert sha256(part(entry, suffix)) == entry["sha256"], entry["path"]


def test_pictures_and_hashes_are_the_same(entry: dict[str, Any], pixels: np.ndarray) -> None:
    assert list(pixels.shape[:2]) == entry["size"]
    assert sha256(pixels.tobytes()) == entry["pixels_sha256"]


def test_lcrs_decodes_to_the_pixels(entry: dict[str, Any], data: bytes, pixels: np.ndarray) -> None:
    picture = codec.decompress_picture(data, package_path(entry))
    np.testing.assert_array_equal(picture.pixels, pixels)
    found = {"icc": picture.icc, "exif": picture.exif}
    assert {key: sha256(value) for key, value in found.items() if value} == entry["metadata_sha256"]


def test_the_reader_decodes_to_pixels_and_symbols(
    entry: dict[str, Any], data: bytes, pixels: np.ndarray, slow: dict[Path, Package]
) -> None:
    decoded = decode(data, slow[package_path(entry)])
    np.testing.assert_array_equal(decoded.pixels, pixels)
    symbols = [sha256(np.array(latent, "<i4").tobytes()) for latent in decoded.symbols]
    assert symbols == entry["symbols_sha256"]
    assert {key: sha256(value) for key, value in decoded.metadata.items()} == entry["metadata_sha256"]


@pytest.mark.parametrize("entry", ONE_OF_EACH_PACKAGE, indirect=True)
def test_the_reader_finds_the_symbols_in_the_source(entry: dict[str, Any], slow: dict[Path, Package]) -> None:
    if "source" not in entry:
        pytest.skip("made from another file")
    with Image.open(HERE / "source.png") as image:
        source = np.asarray(image)
    (top, left), (height, width) = entry["source"], entry["size"]
    visible = source[top : top + height, left : left + width]
    symbols = analyse(visible, slow[package_path(entry)], entry["quality"])
    assert [sha256(np.array(latent, "<i4").tobytes()) for latent in symbols] == entry["symbols_sha256"]


def test_readers_agree_on_the_digests(slow: dict[Path, Package]) -> None:
    for entry in listed("packages"):
        path = Path(f"{entry['path']}.lcrm")
        package = coding.Package.from_file(path)
        assert slow[path].digests == entry["digests"]
        for kind, digest in entry["digests"].items():
            assert getattr(package, f"{kind}_digest") == digest


CODE = """
import hashlib, json, sys
from pathlib import Path
from lcrs import codec
for here in map(Path, sys.argv[1:]):
    for entry in json.loads((here / "expected.json").read_text())["files"]:
        data = (here / (entry["name"] + ".lcrs")).read_bytes()
        pixels = codec.decompress(data, here / (entry["package"] + ".lcrm"))
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["pixels_sha256"], entry["name"]
assert "torch" not in sys.modules
print("all")
"""


@pytest.mark.parametrize(("path", "threads"), [*zip(coding.simd_paths(), "152" * 9, strict=False), ("", "2")])
def test_fresh_processes_on_every_path(path: str, threads: str, fresh_python) -> None:
    assert fresh_python(CODE, *map(str, FOLDERS), LCRS_SIMD=path, LCRS_NUM_THREADS=threads) == "all"


def test_damage_is_an_error(entry: dict[str, Any], data: bytes, rng: np.random.Generator) -> None:
    package = codec.load_package(package_path(entry))
    for length in rng.integers(0, len(data), 50):
        with pytest.raises(LcrsError):
            package.decompress(data[:length])
    for bit in rng.integers(0, 8 * len(data), 200):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LcrsError):
            package.decompress(damaged)


def test_the_reader_notices_damage(
    data: bytes, entry: dict[str, Any], slow: dict[Path, Package], rng
) -> None:
    for bit in rng.integers(0, 8 * len(data), 20):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((WrongFile, UnicodeDecodeError)):
            decode(bytes(damaged), slow[package_path(entry)])


def test_version_0_is_refused_in_a_line(data: bytes, entry: dict[str, Any]) -> None:
    with pytest.raises(LcrsError, match="format version 0 was never stable, this build reads 1") as caught:
        codec.info(data[:4] + b"\0" + data[5:])
    assert type(caught.value).__name__ == "UnsupportedVersionError"


def test_the_reader_reads_the_golden_streams(data_dir: Path) -> None:
    arrays = stream_arrays((data_dir / "coder" / "streams.bin").read_bytes())
    cases = 0
    for symbols, indexes, rows, lengths, offsets, *streams in zip(*[iter(arrays)] * 7, strict=True):
        ends = np.cumsum(lengths)
        table = Table([rows[end - n : end] for end, n in zip(ends, lengths, strict=True)], offsets, 16)
        for kind, stream in enumerate(streams):
            decoder = open_stream(kind, bytes(stream))
            assert [decoder.pull(index, table) for index in indexes] == symbols
            decoder.finish()
            cases += 1
    assert cases == 20


def test_the_reader_reads_packed_escapes(data_dir: Path) -> None:
    arrays = stream_arrays((data_dir / "coder" / "packed.bin").read_bytes())
    heads = []
    for symbols, indexes, rows, lengths, offsets, stream in zip(*[iter(arrays)] * 6, strict=True):
        ends = np.cumsum(lengths)
        table = Table([rows[end - n : end] for end, n in zip(ends, lengths, strict=True)], offsets, 16)
        decoder = open_stream(1, bytes(stream))
        assert [decoder.pull(index, table) for index in indexes] == symbols
        decoder.finish()
        heads.append(stream[0] >> 7)
    assert heads == [0, 0, 1, 1]


def stream_arrays(data: bytes) -> list[list[int]]:
    """Arrays of folded LEB128 numbers, each after its length."""
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(-(value >> 1) - 1 if value & 1 else value >> 1)
            value, shift = 0, 0
    arrays, at = [], 0
    while at < len(numbers):
        arrays.append(numbers[at + 1 : at + 1 + numbers[at]])
        at += 1 + numbers[at]
    return arrays


def test_the_reader_shares_nothing_with_lcrs() -> None:
    allowed = {"numpy", "reader", *sys.stdlib_module_names}
    for path in (HERE / "reader").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path
