"""lcrs.compress and lcrs.decompress: models by name, metadata, and hostile bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import lcrs
import tiny_package
from lcrs import codec, coding


@pytest.fixture
def data(model_path: Path, photo: np.ndarray) -> bytes:
    return lcrs.compress(photo, quality=20, model="tiny")


def test_a_photo_goes_through(data: bytes, photo: np.ndarray) -> None:
    restored = lcrs.decompress(data)
    assert (restored.shape, restored.dtype) == (photo.shape, np.uint8)
    assert 10 * np.log10(255**2 / np.square(restored - photo.astype(float)).mean()) > 22


def test_arrays_and_pillow_images_are_one(data: bytes, photo: np.ndarray) -> None:
    assert lcrs.compress(Image.fromarray(photo), quality=20, model="tiny") == data


def test_models_go_by_name_file_or_handle(data: bytes, photo: np.ndarray, model_path: Path) -> None:
    file = model_path / "tiny.lcrm"
    for model in ("tiny", file, str(file), coding.Package.from_file(file)):
        assert lcrs.compress(photo, quality=20, model=model) == data
        np.testing.assert_array_equal(lcrs.decompress(data, model=model), lcrs.decompress(data))


def test_quality_50_is_the_default(photo: np.ndarray, model_path: Path) -> None:
    data = lcrs.compress(photo, model="tiny")
    assert lcrs.info(data)["quality"] == 50
    assert data == lcrs.compress(photo, quality=50.0, model="tiny")


def test_a_fixed_rate_takes_no_quality(photo: np.ndarray, tmp_path: Path) -> None:
    graphs = tiny_package.graphs()
    for graph in graphs.values():
        for node in graph["nodes"]:
            if node["op"] == "interpolate":
                node |= {"op": "constant", "tensor": "fixed_gain"}
    tensors = tiny_package.tensors()
    tensors["fixed_gain"] = tensors.pop("log_gain")[1].copy()
    file = tmp_path / "fixed.lcrm"
    coding.write_package(
        file, tiny_package.description("fixed") | {"graphs": graphs, "levels": None}, tensors
    )
    data = lcrs.compress(photo, model=file)
    assert lcrs.info(data)["quality"] is None
    assert lcrs.decompress(data, model=file).shape == photo.shape
    with pytest.raises(ValueError, match="quality is 30, but model 'fixed' has a fixed rate"):
        lcrs.compress(photo, quality=30, model=file)


def test_a_changed_file_is_loaded_anew(photo: np.ndarray, tmp_path: Path) -> None:
    file = tiny_package.write(tmp_path / "mine.lcrm", "mine")
    first = lcrs.compress(photo, quality=20, model=file)
    assert codec.load_package(file) is codec.load_package(str(file))
    tiny_package.write(file, "mine", seed=1)
    assert lcrs.compress(photo, quality=20, model=file) != first
    with pytest.raises(lcrs.MissingModelError, match="digest"):
        lcrs.decompress(first, model=file)


def test_of_two_models_of_one_name_the_right_one_decodes(
    data: bytes, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lcrs.decompress(data)
    tiny_package.write(tmp_path / "tiny.lcrm", seed=1)
    monkeypatch.setenv("LCRS_MODEL_PATH", os.pathsep.join([str(tmp_path), str(model_path)]))
    np.testing.assert_array_equal(lcrs.decompress(data), expected)
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path))
    with pytest.raises(lcrs.MissingModelError, match="entropy digest"):
        lcrs.decompress(data)


@pytest.mark.parametrize("model", ["nothing", "../tiny", "", ".hidden", "a b", "nowhere/x.lcrm", "x.lcrm"])
def test_a_model_that_is_nowhere_is_named(model: str, photo: np.ndarray, model_path: Path) -> None:
    with pytest.raises(lcrs.MissingModelError, match="there is no model"):
        lcrs.compress(photo, model=model)


def test_a_missing_model_is_said_with_those_at_hand(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tiny" in codec.package_names()
    monkeypatch.delenv("LCRS_MODEL_PATH")
    with pytest.raises(
        lcrs.MissingModelError, match=r"no model 'tiny' in .*\(at hand: .*model=FILE.*LCRS_MODEL_PATH"
    ):
        lcrs.decompress(data)


def test_info_agrees_with_the_file(data: bytes, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    info = lcrs.info(data)
    package = codec.load_package("tiny")
    assert info["num_bytes"] == len(data)
    assert (info["height"], info["width"], 3) == photo.shape
    assert (info["model"], info["quality"], info["format_version"]) == ("tiny", 20, 1)
    assert (info["portable"], info["numerics"]) == (True, "f32-fma/1")
    digests = {"entropy_digest": package.entropy_digest, "synthesis_digest": package.synthesis_digest}
    assert {key: info[key] for key in digests} == digests
    monkeypatch.delenv("LCRS_MODEL_PATH")
    assert lcrs.info(data) == info | {key: full[:16] for key, full in digests.items()}


def test_info_does_without_a_model_that_is_damaged(data: bytes, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "tiny.lcrm").write_bytes(b"damaged")
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path))
    assert lcrs.info(data)["model"] == "tiny"
    with pytest.raises(lcrs.LcrsError, match=r"tiny\.lcrm"):
        lcrs.decompress(data)


def test_exif_goes_along_only_on_request(photo: np.ndarray, model_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", exif=exif, icc_profile=profile)
    with Image.open(buffer) as image:
        plain = lcrs.compress(image, quality=10, model="tiny")
        kept = lcrs.compress(image, quality=10, model="tiny", keep_exif=True)
    assert codec.decompress_picture(plain).exif is None
    assert codec.decompress_picture(plain).icc == profile
    again = Image.Exif()
    again.load(codec.decompress_picture(kept).exif)
    assert again[0x010F] == "A camera"


def test_every_truncation_is_an_error(model_path: Path, photo: np.ndarray) -> None:
    data = lcrs.compress(photo[:24, :24], quality=0, model="tiny")
    for length in range(len(data)):
        with pytest.raises(lcrs.LcrsError):
            lcrs.decompress(data[:length])
    with pytest.raises(lcrs.LcrsError):
        lcrs.decompress(data + b"\0")


def test_ten_thousand_corruptions_are_errors(model_path: Path, photo: np.ndarray, rng) -> None:
    data = lcrs.compress(photo[:24, :24], quality=0, model="tiny")
    for i in range(10_000):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), 1 + i % 4):
            broken[position] ^= rng.integers(1, 256)
        if broken == data:
            continue
        with pytest.raises(lcrs.LcrsError):
            lcrs.decompress(broken)


def test_what_is_no_file_is_an_error(model_path: Path, rng) -> None:
    for garbage in (b"", b"\x89PNG\r\n\x1a\n" + bytes(100), rng.bytes(1000)):
        with pytest.raises(lcrs.LcrsError):
            lcrs.decompress(garbage)
        with pytest.raises(lcrs.LcrsError):
            lcrs.info(garbage)


CODE = """
import hashlib, sys
from pathlib import Path
import numpy as np
import lcrs
data = Path(sys.argv[1]).read_bytes()
for threads in (1, 2, None):
    pixels = lcrs.decompress(data, threads=threads)
    again = lcrs.compress(np.load(sys.argv[2]), quality=20, model="tiny", threads=threads)
    print(hashlib.sha256(pixels.tobytes()).hexdigest(), again == data)
assert "torch" not in sys.modules
"""


def test_fresh_processes_restore_the_same_pixels_and_write_the_same_bytes(
    data: bytes, photo: np.ndarray, tmp_path: Path, fresh_python
) -> None:
    (tmp_path / "a.lcrs").write_bytes(data)
    np.save(tmp_path / "a.npy", photo)
    paths = str(tmp_path / "a.lcrs"), str(tmp_path / "a.npy")
    found = [
        line
        for path in coding.simd_paths()
        for line in fresh_python(CODE, *paths, LCRS_SIMD=path, LCRS_NUM_THREADS="5").splitlines()
    ]
    assert len(found) == 3 * len(coding.simd_paths())
    (one,) = set(found)
    assert one.endswith(" True")
