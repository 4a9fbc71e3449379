"""Model packages: written, loaded, and refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import lcrs
import tiny_package
from lcrs import coding


@pytest.fixture(scope="module")
def package(tiny_models: Path) -> coding.Package:
    return coding.Package.from_file(tiny_models / "tiny.lcrm")


def test_a_package_says_what_it_is(package: coding.Package, tiny_models: Path) -> None:
    assert repr(package) == "Package(name='tiny', levels=3)"
    assert (package.name, package.levels) == ("tiny", 3)
    description = json.loads(package.description)
    assert description["card"] == {"licence": "none needed"}
    with safe_open(tiny_models / "tiny.lcrm", "numpy") as file:
        written = json.loads(file.metadata()["lcrs"])
    assert written["entropy_digest"] == package.entropy_digest
    assert written["synthesis_digest"] == package.synthesis_digest
    assert written["analysis_digest"] == package.analysis_digest
    assert len(package.entropy_digest) == len(package.synthesis_digest) == len(package.analysis_digest) == 64


def test_bytes_do_not_depend_on_the_order_of_things(tmp_path: Path, package: coding.Package) -> None:
    def backwards(d: dict) -> dict:
        return {key: backwards(v) if isinstance(v, dict) else v for key, v in reversed(d.items())}

    path = tmp_path / "b.lcrm"
    coding.write_package(path, backwards(tiny_package.description()), backwards(tiny_package.tensors()))
    again = coding.Package.from_file(path)
    assert again.entropy_digest == package.entropy_digest
    assert again.synthesis_digest == package.synthesis_digest


def test_digests_cover_what_they_should() -> None:
    def digests(change: str | None = None, **members: object) -> dict[str, str]:
        tensors = tiny_package.tensors()
        if change:
            tensors[change] = tensors[change].copy()
            tensors[change].flat[0] += 1
        return coding.package_digests(json.dumps(tiny_package.description() | members), tensors)

    plain = digests()
    assert digests(name="other", card={}) == plain
    covered = {
        "entropy_digest": ("h_s.bias", "medians", "thresholds", "y.offsets"),
        "synthesis_digest": ("g_s.bias",),
        "analysis_digest": ("g_a.bias", "h_a.weight"),
    }
    for key, names in covered.items():
        for changed in names:
            found = digests(changed)
            assert {k for k in plain if found[k] != plain[k]} == {key}, changed
    everywhere = digests("log_gain")
    assert not any(everywhere[key] == plain[key] for key in plain)


def test_pictures_go_through(package: coding.Package, photo: np.ndarray) -> None:
    sizes, errors = [], []
    for quality in (0, 20, 50, 77.7, 100):
        data = package.compress(photo, quality)
        restored = package.decompress(data)
        assert (restored.shape, restored.dtype) == (photo.shape, np.uint8)
        sizes.append(len(data))
        errors.append(np.square(restored.astype(float) - photo).mean())
    assert sizes == sorted(set(sizes))
    assert errors == sorted(set(errors), reverse=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 9), (8, 8), (9, 17)])
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_every_size_goes_through(package: coding.Package, photo: np.ndarray, shape: tuple, kind: str) -> None:
    small = np.ascontiguousarray(photo[: shape[0], : shape[1]])
    data = package.compress(small, 100, kind=kind)
    restored = package.decompress(data)
    assert restored.shape == small.shape
    assert np.abs(restored.astype(int) - small).max() <= 10
    assert [section["kind"] for section in coding.info(data)["sections"]] == [kind] * 2


def test_metadata_goes_along(package: coding.Package, photo: np.ndarray) -> None:
    metadata = {
        "icc": b"profile",
        "exif": b"II*\0",
        "xmp": b"<x/>",
        "iptc": b"\x1c\x02",
        "resolution": (300.0, 72.5),
        "cicp": (9, 16, 0, True),
        "gamma": 45_455,
        "chromaticities": tuple(range(8)),
    }
    data = package.compress(photo, 10, metadata=metadata)
    assert coding.metadata(data) == metadata
    assert coding.info(data)["resolution"] == [300.0, 72.5]
    assert package.compress(photo, 10, metadata=dict.fromkeys(metadata)) == package.compress(photo, 10)
    np.testing.assert_array_equal(package.decompress(data), package.decompress(package.compress(photo, 10)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"gps": b"here"}, "metadata has no 'gps'"),
        ({"resolution": (0.0, 1.0)}, "resolution is 0 x 1 pixels an inch"),
        ({"resolution": (float("nan"), 1.0)}, "resolution is NaN x 1 pixels an inch"),
        ({"gamma": 0}, "gamma is 0"),
    ],
)
def test_metadata_that_files_cannot_hold_are_refused(
    package: coding.Package, photo: np.ndarray, wrong: dict, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        package.compress(photo, 10, metadata=wrong)


def test_metadata_of_other_types_are_refused(package: coding.Package, photo: np.ndarray) -> None:
    for wrong in (
        {"icc": 3},
        {"resolution": 72.0},
        {"cicp": (1, 2, 3)},
        {"chromaticities": (1, 2)},
        {1: b""},
    ):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            package.compress(photo, 10, metadata=wrong)


def test_threads_share_a_package(package: coding.Package, photo: np.ndarray) -> None:
    expected = package.compress(photo, 30)
    pixels = package.decompress(expected)

    def work(i: int) -> bool:
        data = package.compress(photo, 30, threads=1 + i % 3)
        return data == expected and np.array_equal(package.decompress(data, threads=1 + i % 2), pixels)

    with ThreadPoolExecutor(4) as executor:
        assert all(executor.map(work, range(12)))


@pytest.mark.parametrize(
    ("pixels", "quality", "message"),
    [
        (np.zeros(4, np.uint8), 5, r"pixels has shape \(4,\), \(H, W\) or \(H, W, C\) is needed"),
        (np.zeros((4, 4, 4), np.uint8), 5, "pixels"),
        (np.zeros((0, 4, 3), np.uint8), 5, "pixels"),
        (np.zeros((4, 4, 3), np.float32), 5, "pixels has dtype float32, uint8 is needed"),
        (np.zeros((4, 4, 3), np.uint8), None, "quality"),
        (np.zeros((4, 4, 3), np.uint8), 100.5, r"quality is 100.5 \(0 to 100\)"),
        (np.zeros((4, 4, 3), np.uint8), -1, r"quality is -1 \(0 to 100\)"),
        (np.zeros((4, 4, 3), np.uint8), float("nan"), "quality is NaN"),
    ],
)
def test_unsuitable_pictures_are_refused(package: coding.Package, pixels, quality, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        package.compress(pixels, quality)


def test_another_model_of_the_name_is_refused(
    package: coding.Package, photo: np.ndarray, tmp_path: Path
) -> None:
    other = coding.Package.from_file(tiny_package.write(tmp_path / "tiny.lcrm", seed=1))
    with pytest.raises(lcrs.MissingModelError, match="digest"):
        other.decompress(package.compress(photo, 30))


def test_other_pixels_only_on_request(package: coding.Package, photo: np.ndarray, tmp_path: Path) -> None:
    tensors = tiny_package.tensors()
    tensors["g_s.bias"] = tensors["g_s.bias"] + np.float32(0.01)
    coding.write_package(tmp_path / "tiny.lcrm", tiny_package.description(), tensors)
    other = coding.Package.from_file(tmp_path / "tiny.lcrm")
    data = package.compress(photo, 30)
    with pytest.raises(lcrs.MissingModelError, match="synthesis digest"):
        other.decompress(data)
    pixels = other.decompress(data, allow_other_synthesis=True)
    assert not np.array_equal(pixels, package.decompress(data))


def test_damaged_packages_are_errors(tiny_models: Path, tmp_path: Path) -> None:
    data = (tiny_models / "tiny.lcrm").read_bytes()
    with pytest.raises(lcrs.MissingModelError, match="nowhere"):
        coding.Package.from_file(tmp_path / "nowhere.lcrm")
    for length in [0, 7, 8, 100, len(data) // 2, len(data) - 1]:
        with pytest.raises(lcrs.LcrsError):
            coding.Package.from_bytes(data[:length])
    for position in range(len(data) - 40_000, len(data), 997):
        broken = bytearray(data)
        broken[position] ^= 0x40
        with pytest.raises(lcrs.LcrsError):
            coding.Package.from_bytes(broken)


def test_what_is_no_package_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.lcrm"
    tensors = tiny_package.tensors()
    del tensors["medians"]
    with pytest.raises(lcrs.LcrsError, match="medians"):
        coding.write_package(path, tiny_package.description(), tensors)
    assert list(tmp_path.iterdir()) == []
    tiny_package.write(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        coding.write_package(path, tiny_package.description(), tiny_package.tensors(1), overwrite=False)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.lcrm"]
