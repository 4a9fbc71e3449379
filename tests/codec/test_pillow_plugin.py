"""Pillow, and what opens pictures by it, reads and writes .lcrs files once asked to."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import lcrs
import lcrs.pillow
from lcrs import LcrsError
from lcrs.pictures import PictureError


@pytest.fixture(autouse=True)
def registered(model_path: Path) -> None:
    lcrs.pillow.register()
    lcrs.pillow.register()


def test_pictures_are_saved_and_opened(photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.lcrs"
    Image.fromarray(photo).save(path, quality=40, model="tiny")
    assert path.read_bytes() == lcrs.compress(photo, quality=40, model="tiny")
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("LCRS", "RGB", photo.shape[1::-1])
        assert image.get_format_mimetype() == "image/x-lcrs"
        np.testing.assert_array_equal(np.asarray(image), lcrs.decompress(path.read_bytes()))
        assert image.crop((0, 0, 3, 2)).size == (3, 2)


def test_file_objects_and_what_the_header_says(photo: np.ndarray) -> None:
    file = io.BytesIO()
    image = Image.fromarray(photo)
    image.info["dpi"] = (300, 300)
    exif = Image.Exif()
    exif[0x010F] = "ACME"
    image.save(file, "LCRS", quality=10, model="tiny", exif=exif, xmp=b"<x/>")
    again = Image.open(file)
    assert again.info["dpi"] == (300, 300)
    assert again.info["xmp"] == b"<x/>"
    assert again.getexif()[0x010F] == "ACME"
    assert (again.info["model"], again.info["quality"]) == ("tiny", 10)
    again.thumbnail((20, 20))
    assert max(again.size) == 20
    resaved = io.BytesIO()
    again.save(resaved, "LCRS", model="tiny")
    assert "exif" not in Image.open(resaved).info  # as with Pillow's other writers


def test_orientation_is_applied_when_it_comes_with_the_picture_or_the_call(photo: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = io.BytesIO()
    Image.fromarray(photo).save(jpeg, "JPEG", exif=exif)
    for image, options in (
        (Image.open(jpeg), {}),
        (Image.open(jpeg), {"exif": exif}),
        (Image.fromarray(photo), {"exif": exif}),
        (Image.fromarray(photo), {"exif": exif.tobytes()}),
    ):
        file = io.BytesIO()
        image.save(file, "LCRS", model="tiny", **options)
        again = Image.open(file)
        assert again.size == photo.shape[:2]
        assert again.getexif().get(0x0112, 1) == 1


def test_what_would_be_lost_is_asked_about() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 9))
    with pytest.raises(PictureError, match="background='white'"):
        image.save(io.BytesIO(), "LCRS", model="tiny")
    image.save(io.BytesIO(), "LCRS", model="tiny", background="white")


def test_damage_is_told_as_of_other_formats(photo: np.ndarray, tmp_path: Path) -> None:
    data = lcrs.compress(photo, model="tiny")
    for broken in (data[:-1], data[:30], data[:4], data[:-1] + b"\0"):
        with pytest.raises(LcrsError) as told:
            lcrs.info(broken)
        with pytest.raises(UnidentifiedImageError) as raised:
            Image.open(io.BytesIO(broken))
        assert str(raised.value) == str(told.value)
    path = tmp_path / "cut.lcrs"
    path.write_bytes(data[:-1])
    with pytest.raises(OSError, match="left"):
        Image.open(path)


def test_pixels_that_cannot_be_had_are_told_as_of_other_formats(
    photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.open(io.BytesIO(lcrs.compress(photo, model="tiny")))
    monkeypatch.delenv("LCRS_MODEL_PATH")
    for _ in range(2):
        with pytest.raises(OSError, match="there is no model 'tiny'"):
            image.load()


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
@pytest.mark.parametrize("options", [{}, {"dpi": (200, 200)}, {"keep_exif": False}])
def test_metadata_of_the_image_are_kept_if_asked_for(
    format: str, options: dict[str, object], photo: np.ndarray, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "ACME"
    xmp = b"<x:xmpmeta/>"
    source = tmp_path / "a"
    Image.fromarray(photo).save(source, format, exif=exif, **({"xmp": xmp} if format == "JPEG" else {}))
    for keeps, has_exif, has_xmp in (
        ({}, False, False),
        ({"keep_exif": True}, True, False),
        ({"keep_metadata": True}, True, format == "JPEG"),
        ({"keep_metadata": True, "exif": None, "xmp": b"<other/>"}, True, True),
    ):
        file = io.BytesIO()
        with Image.open(source) as image:
            image.save(file, "LCRS", model="tiny", **{**options, **keeps})
        again = Image.open(file)
        assert again.getexif().get(0x010F) == ("ACME" if has_exif else None)
        assert ("xmp" in again.info) == has_xmp
        if "dpi" in options:
            assert again.info["dpi"] == (200, 200)
    assert again.info["xmp"] == b"<other/>"


def test_what_the_call_gives_is_taken_before_what_the_image_has(photo: np.ndarray) -> None:
    jpeg = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "ACME", 6
    Image.fromarray(photo).save(jpeg, "JPEG", exif=exif)
    for orientation in (6, 1):
        exif[0x010F], exif[0x0112] = "Other", orientation
        file = io.BytesIO()
        Image.open(jpeg).save(file, "LCRS", model="tiny", exif=exif)
        again = Image.open(file)
        assert again.getexif()[0x010F] == "Other"
        assert again.size == (photo.shape[:2] if orientation == 6 else photo.shape[1::-1])
    with pytest.raises(ValueError, match="TIFF"):
        Image.open(jpeg).save(io.BytesIO(), "LCRS", model="tiny", exif=b"junk")


def test_importing_it_loads_nothing(fresh_python) -> None:
    code = "import lcrs.pillow, sys; print({'numpy', 'torch', 'PIL'} & set(sys.modules))"
    assert fresh_python(code) == "set()"


def test_imageio_reads_and_writes_by_it(photo: np.ndarray, tmp_path: Path) -> None:
    iio = pytest.importorskip("imageio.v3")
    iio.imwrite(tmp_path / "a.lcrs", photo, quality=40, model="tiny")
    data = (tmp_path / "a.lcrs").read_bytes()
    assert data == lcrs.compress(photo, quality=40, model="tiny")
    np.testing.assert_array_equal(iio.imread(tmp_path / "a.lcrs"), lcrs.decompress(data))
