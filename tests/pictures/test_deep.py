"""Files of more than 8 bits a component: nothing of them is lost unasked, whatever Pillow makes of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from raw_files import chunk, png, sgi, tiff

from lcrs.pictures import Picture, PictureError, to_picture
from lcrs.pictures.arrays import rescaled
from lcrs.pictures.files import picture_file

Y, X = np.mgrid[0:19, 0:23]
DEEP = np.stack([X * 2700 + Y * 7, Y * 3300 + X * 3, (X * Y * 131) % 65536], axis=2).astype(np.uint16)
GREY = DEEP[..., :1]
ALPHA = np.where(X < 5, 0, 65535 - 900 * X).astype(np.uint16)[..., None]
HEAD = b"P6\n# a comment\n23 19\n"
SCALED = (np.arange(19 * 23 * 3) % 1001).reshape(19, 23, 3)

COLORS = {
    "png": png(DEEP),
    "tiff, little endian": tiff(DEEP),
    "tiff, big endian": tiff(DEEP, ">"),
    "tiff, deflated": tiff(DEEP, deflate=True),
    "tiff, big endian, deflated": tiff(DEEP, ">", deflate=True),
    "tiff with a channel that means nothing": tiff(np.concatenate([DEEP, ALPHA], axis=2), extra=0),
    "sgi": sgi(DEEP, runs=False),
    "sgi in runs": sgi(DEEP // 9000 * 9000, runs=True),
    "ppm": HEAD + b"65535\n" + DEEP.astype(">u2").tobytes(),
    "plain ppm": b"P3 23 19 65535 # words\n" + " ".join(map(str, DEEP.ravel())).encode(),
}


@pytest.mark.parametrize("name", COLORS)
def test_deep_colours_are_read_whole_or_rounded(name: str, tmp_path: Path) -> None:
    expected = DEEP // 9000 * 9000 if name == "sgi in runs" else DEEP
    path = tmp_path / "picture"
    path.write_bytes(COLORS[name])
    for source in (path, COLORS[name], io.BytesIO(COLORS[name]), Image.open(io.BytesIO(COLORS[name]))):
        picture = to_picture(source)
        assert (picture.channels, picture.bit_depth) == (3, 16)
        np.testing.assert_array_equal(picture.pixels, expected)
    np.testing.assert_array_equal(to_picture(path, to_8bit=True).pixels, np.rint(expected / 257))


GREYS = {
    "png": png(GREY),
    "tiff": tiff(GREY),
    "tiff, big endian": tiff(GREY, ">"),
    "tiff with white as 0": tiff(65535 - GREY, photometric=0),
    "sgi": sgi(GREY, runs=False),
    "sgi in runs": sgi(GREY, runs=True),
    "pgm": b"P5 23 19 65535\n" + GREY.astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", GREYS)
def test_deep_grey_is_read_whole_or_rounded(name: str) -> None:
    picture = to_picture(GREYS[name])
    assert (picture.channels, picture.bit_depth) == (1, 16)
    np.testing.assert_array_equal(picture.pixels, GREY[..., 0])
    np.testing.assert_array_equal(to_picture(GREYS[name], to_8bit=True).pixels, np.rint(GREY[..., 0] / 257))


@pytest.mark.parametrize("kind", [b"P5", b"P6"])
@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_other_depths_keep_their_numbers(kind: bytes, bits: int) -> None:
    values = (DEEP if kind == b"P6" else GREY) >> 16 - bits
    data = kind + f" 23 19 {(1 << bits) - 1} ".encode() + values.astype(">u2").tobytes()
    picture = to_picture(data)
    assert picture.bit_depth == bits
    np.testing.assert_array_equal(picture.pixels, values.squeeze())
    np.testing.assert_array_equal(
        to_picture(data, to_8bit=True).pixels, np.rint(values.squeeze().astype(int) * 255 / ((1 << bits) - 1))
    )


def test_other_scales_become_16_bits() -> None:
    data = HEAD + b"1000\n" + SCALED.astype(">u2").tobytes()
    np.testing.assert_array_equal(to_picture(data).pixels, np.floor(SCALED * 65535 / 1000 + 0.5))


def test_opaque_deep_pictures_have_no_alpha() -> None:
    opaque = np.full_like(ALPHA, 65535)
    np.testing.assert_array_equal(to_picture(png(np.concatenate([DEEP, opaque], axis=2))).pixels, DEEP)
    np.testing.assert_array_equal(
        to_picture(png(np.concatenate([GREY, opaque], axis=2))).pixels, GREY[..., 0]
    )


PREMULTIPLIED = np.concatenate([(DEEP.astype(np.uint64) * ALPHA // 65535).astype(np.uint16), ALPHA], axis=2)
SEEN_THROUGH = {
    "RGBA": (png(np.concatenate([DEEP, ALPHA], axis=2)), DEEP, ALPHA),
    "LA": (png(np.concatenate([GREY, ALPHA], axis=2)), GREY, ALPHA),
    "a colour is transparent": (
        png(DEEP, chunk(b"tRNS", DEEP[3, 4].astype(">u2").tobytes())),
        DEEP,
        np.where((DEEP[3, 4] == DEEP).all(axis=2, keepdims=True), 0, 65535),
    ),
    "a grey is transparent": (
        png(GREY, chunk(b"tRNS", GREY[3, 4].astype(">u2").tobytes())),
        GREY,
        np.where(GREY[3, 4] == GREY, 0, 65535),
    ),
    "TIFF": (tiff(np.concatenate([DEEP, ALPHA], axis=2), extra=2), DEEP, ALPHA),
    "TIFF, multiplied by its alpha": (tiff(PREMULTIPLIED, extra=1), DEEP, ALPHA),
}


@pytest.mark.parametrize("name", SEEN_THROUGH)
def test_transparency_of_deep_pictures_is_asked_about(name: str) -> None:
    data, colors, alpha = SEEN_THROUGH[name]
    with pytest.raises(PictureError, match="transparent parts"):
        to_picture(data)
    weight = alpha / 65535
    expected = (colors * weight + 65535 * (1 - weight)).squeeze()
    picture = to_picture(data, background="white")
    assert picture.channels == colors.shape[2]
    tolerance = 2 if "multiplied" in name else 0.5001
    assert np.abs(picture.pixels - expected).max() <= tolerance
    rounded = to_picture(data, background="white", to_8bit=True).pixels
    assert np.abs(rounded - expected / 257).max() <= 0.51


@given(st.integers(1, 16), st.data())
def test_scaling_rounds_to_nearest_and_keeps_the_ends(bits: int, data: st.DataObject) -> None:
    to = data.draw(st.integers(1, 16))
    value = data.draw(st.integers(0, (1 << bits) - 1))
    array = np.array([0, value, (1 << bits) - 1], np.uint16)
    scaled = rescaled(array, bits, to)
    wanted = (1 << to) - 1
    assert (scaled[0], scaled[2]) == (0, wanted)
    assert abs(int(scaled[1]) - value * wanted / ((1 << bits) - 1)) <= 0.5
    if to >= bits:
        np.testing.assert_array_equal(rescaled(scaled, to, bits), array)


class TestAnImageThatWasReadAlready:
    def test_is_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(png(DEEP))
        image = Image.open(path)
        image.load()
        np.testing.assert_array_equal(to_picture(image).pixels, DEEP)

    def test_keeps_what_was_painted_on_it(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(png(DEEP))
        image = Image.open(path)
        image.putpixel((0, 0), (1, 2, 3))
        with pytest.raises(PictureError, match=r"16 bits a component.*no longer what that has.*to_8bit=True"):
            to_picture(image)
        np.testing.assert_array_equal(to_picture(image, to_8bit=True).pixels[0, 0], [1, 2, 3])

    def test_of_tiff_tells_its_depth_by_itself(self) -> None:
        image = Image.open(io.BytesIO(tiff(DEEP)))
        image.load()
        image.fp = None
        with pytest.raises(PictureError, match="16 bits a component"):
            to_picture(image)

    def test_is_taken_as_it_is_where_nothing_tells(self) -> None:
        image = Image.open(io.BytesIO(png(DEEP)))
        image.load()
        assert to_picture(image).bit_depth == 8


def test_planes_of_deep_tiff_files_are_read_or_refused() -> None:
    for deflate in (False, True):
        data = tiff(DEEP, planar=True, deflate=deflate)
        try:
            np.testing.assert_array_equal(to_picture(data).pixels, DEEP)
        except PictureError as error:
            assert "pip install imagecodecs" in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", COLORS)
def test_files_that_are_cut_off_are_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    for length in (len(COLORS[name]) // 2, len(COLORS[name]) - 40):
        path.write_bytes(COLORS[name][:length])
        with pytest.raises((PictureError, OSError), match="cut"):
            to_picture(path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [9, 10, 16])
@pytest.mark.parametrize("extension", [".png", ".tif", ".ppm", ".jp2"])
def test_deep_pictures_are_written_whole(extension: str, bits: int, channels: int) -> None:
    values = (DEEP if channels == 3 else GREY) >> 16 - bits
    picture = Picture(
        values.astype("<u2").tobytes(), (19, 23), channels, bits,
        icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), resolution=(300.0, 150.0),
        exif=b"MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\0\x05\0\0\0\x1a\0\0\0\0ACME\0\0",
        xmp=b"<x:xmpmeta/>", iptc=b"\x1c\x02\x50\0\x02me",
    )  # fmt: skip
    if extension == ".jp2":
        pytest.importorskip("imagecodecs")
    if extension == ".ppm" and channels == 1:
        extension = ".pgm"
    data, lost = picture_file(picture, extension)
    read = to_picture(data)
    depth = 16 if extension in (".png", ".tif") else bits
    assert (read.channels, read.bit_depth) == (channels, depth)
    np.testing.assert_array_equal(read.pixels, rescaled(values, bits, depth).squeeze())
    if extension in (".ppm", ".pgm"):
        assert lost == ["the colour profile", "EXIF", "XMP", "IPTC", "the resolution"]
        return
    assert lost == []
    assert (read.icc, read.xmp, read.iptc) == (picture.icc, picture.xmp, picture.iptc)
    assert read.resolution == pytest.approx((300, 150), abs=0.02)
    exif = Image.Exif()
    exif.load(read.exif)
    assert exif[0x010F] == "ACME"


@pytest.mark.parametrize("bits", [5, 8, 10, 16])
def test_pgm_is_grey_and_ppm_colours_at_every_depth(bits: int) -> None:
    dtype = "<u2" if bits > 8 else np.uint8
    grey, colors = (
        Picture((values >> 16 - bits).astype(dtype).tobytes(), (19, 23), channels, bits)
        for values, channels in ((GREY, 1), (DEEP, 3))
    )
    with pytest.raises(PictureError, match="colours, which"):
        picture_file(colors, ".pgm")
    assert picture_file(colors, ".ppm")[0].startswith(b"P6\n23 19\n")
    data = picture_file(grey, ".pgm")[0]
    assert data.startswith(b"P5\n23 19\n")
    wide = picture_file(grey, ".ppm")[0]
    assert wide.startswith(b"P6\n23 19\n")
    pixels = to_picture(data).pixels
    np.testing.assert_array_equal(to_picture(wide).pixels, np.stack([pixels] * 3, axis=2))


@pytest.mark.parametrize(("extension", "mode"), [(".ppm", "RGB"), (".ppm", "L"), (".pgm", "L")])
def test_8_bits_are_written_as_pillow_writes_them(extension: str, mode: str) -> None:
    shape = (23, 19, 3) if mode == "RGB" else (23, 19)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert("RGB") if extension == ".ppm" else image).save(buffer, "PPM")
    picture = Picture(pixels.tobytes(), (23, 19), 3 if mode == "RGB" else 1)
    assert picture_file(picture, extension) == (buffer.getvalue(), [])


def test_other_formats_get_8_bits_and_say_so() -> None:
    picture = Picture(DEEP.astype("<u2").tobytes(), (19, 23), 3, 16)
    data, lost = picture_file(picture, ".bmp")
    assert lost == ["16 bits a component (rounded to 8)"]
    np.testing.assert_array_equal(to_picture(data).pixels, np.rint(DEEP / 257))


def test_jpeg_2000_without_its_library_holds_deep_grey_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrs.pictures.jpeg2000.find_spec", lambda _: None)
    data, lost = picture_file(Picture(DEEP.astype("<u2").tobytes(), (19, 23), 3, 16), ".jp2")
    assert lost == ["16 bits a component (rounded to 8)"]
    np.testing.assert_array_equal(to_picture(data).pixels, np.rint(DEEP / 257))
    data, lost = picture_file(Picture(GREY.astype("<u2").tobytes(), (19, 23), 1, 16), ".jp2")
    assert lost == []
    np.testing.assert_array_equal(to_picture(data).pixels, GREY.squeeze())
