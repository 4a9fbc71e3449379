"""What becomes of files, Pillow images and arrays of all kinds."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from raw_files import chunk, tiff

from lcrs.pictures import PictureError, to_picture

RAMP = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def reopened(image: Image.Image, format: str, **options: object) -> Image.Image:
    """The picture as it comes from a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize("image", [RAMP, Image.fromarray(RAMP), reopened(Image.fromarray(RAMP), "PNG")])
def test_rgb_stays_as_it_is(image) -> None:
    picture = to_picture(image)
    np.testing.assert_array_equal(picture.pixels, RAMP)
    np.testing.assert_array_equal(np.asarray(picture.to_pillow()), RAMP)
    assert (picture.icc, picture.exif) == (None, None)


def test_any_layout_of_memory_will_do() -> None:
    np.testing.assert_array_equal(to_picture(RAMP[::-1, ::2]).pixels, RAMP[::-1, ::2])
    np.testing.assert_array_equal(to_picture(np.asfortranarray(RAMP)).pixels, RAMP)


@pytest.mark.parametrize(
    "image",
    [
        RAMP[..., 0],
        RAMP[..., :1],
        Image.fromarray(RAMP[..., 0].copy()),
        reopened(Image.fromarray(RAMP[..., 0].copy()), "PNG"),
    ],
)
def test_grey_stays_grey(image) -> None:
    picture = to_picture(image)
    assert (picture.channels, picture.bit_depth) == (1, 8)
    np.testing.assert_array_equal(picture.pixels, RAMP[..., 0])
    assert picture.to_pillow().mode == "L"


def test_palettes_and_black_and_white_become_colours() -> None:
    palette = Image.fromarray(RAMP).quantize(8)
    np.testing.assert_array_equal(to_picture(palette).pixels, np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(RAMP[..., 0] > 20)
    assert bits.mode == "1"
    np.testing.assert_array_equal(to_picture(bits).pixels, np.where(RAMP[..., 0] > 20, 255, 0))


def test_ycbcr_is_converted() -> None:
    image = Image.fromarray(RAMP).convert("YCbCr")
    np.testing.assert_array_equal(to_picture(image).pixels, np.asarray(image.convert("RGB")))


PIXELS_WITH_ALPHA = np.concatenate([RAMP, np.linspace(0, 255, 24).astype(np.uint8).reshape(4, 6, 1)], axis=2)
IMAGES_WITH_ALPHA = {
    "array": PIXELS_WITH_ALPHA,
    "RGBA": Image.fromarray(PIXELS_WITH_ALPHA),
    "LA": Image.fromarray(PIXELS_WITH_ALPHA).convert("LA"),
    "grey with a key": reopened(Image.fromarray(RAMP[..., 0].copy()), "PNG", transparency=6),
    "palette": reopened(Image.fromarray(RAMP).quantize(8), "PNG", transparency=0),
}


@pytest.mark.parametrize("name", IMAGES_WITH_ALPHA)
def test_transparency_is_refused_or_flattened(name: str) -> None:
    image = IMAGES_WITH_ALPHA[name]
    with pytest.raises(PictureError, match=r"transparent parts.*background='white'") as caught:
        to_picture(image)
    assert ": --background white or another colour" in caught.value.for_command_line()
    assert to_picture(image, background="white").size == (4, 6)
    assert to_picture(image, background="#102030").channels == 3


USED_IN_PART = Image.fromarray(RAMP[..., 0] // 10)
USED_IN_PART.putpalette(list(range(48)))
OPAQUE = {
    "RGBA": Image.fromarray(RAMP).convert("RGBA"),
    "LA": Image.fromarray(RAMP[..., 0].copy()).convert("LA"),
    "PA": Image.fromarray(RAMP).quantize(8).convert("PA"),
    "a key that is not there": reopened(Image.fromarray(RAMP), "PNG", transparency=(1, 1, 1)),
    "an index that is not used": reopened(USED_IN_PART, "GIF", transparency=15),
    "alphas that are not used": reopened(USED_IN_PART, "PNG", transparency=bytes([255] * 8 + [0, 7] * 4)),
    "array": np.concatenate([RAMP, np.full((4, 6, 1), 255, np.uint8)], axis=2),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_nothing_is_asked_about_what_is_opaque(name: str) -> None:
    image = OPAQUE[name]
    picture = to_picture(image)
    assert picture.channels == (1 if name == "LA" else 3)
    shown = np.asarray(image.convert("RGBA"))[..., :3] if isinstance(image, Image.Image) else image[..., :3]
    assert picture.to_pillow().convert("RGB").tobytes() == shown.tobytes()


@pytest.mark.parametrize(("bits", "key"), [(1, 0), (1, 1), (2, 2), (4, 5), (8, 7)])
def test_grey_of_few_bits_keeps_its_transparent_value(bits: int, key: int) -> None:
    values = np.arange(16) % (1 << bits)
    row = int("".join(f"{value:0{bits}b}" for value in values), 2).to_bytes(2 * bits, "big")
    header = struct.pack(">IIBB", 16, 1, bits, 0) + bytes(3)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tRNS", struct.pack(">H", key))
    data += chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    with pytest.raises(PictureError, match="transparent parts"):
        to_picture(data)
    shown = np.where(values == key, 100, values * 255 // ((1 << bits) - 1))
    np.testing.assert_array_equal(to_picture(data, background=(100, 100, 100)).pixels[0], shown)


@pytest.mark.parametrize("background", ["#102030", (16, 32, 48)])
def test_transparency_is_mixed_by_weight(background) -> None:
    alpha = PIXELS_WITH_ALPHA[..., 3:] / 255
    expected = RAMP * alpha + np.array([16, 32, 48]) * (1 - alpha)
    for image in (PIXELS_WITH_ALPHA, Image.fromarray(PIXELS_WITH_ALPHA)):
        flat = to_picture(image, background=background).pixels
        assert np.abs(flat - expected).max() <= 0.5 + 1e-9


def test_a_background_has_to_be_a_colour() -> None:
    with pytest.raises(ValueError, match="background is 'plaid', which is no colour"):
        to_picture(PIXELS_WITH_ALPHA, background="plaid")
    with pytest.raises(ValueError, match="three numbers from 0 to 255"):
        to_picture(PIXELS_WITH_ALPHA, background=(0, 0, 256))


DEEP = (np.arange(24, dtype=np.uint16) * 2849 + 3).reshape(4, 6)
ROUNDED = np.rint(DEEP / 257).astype(np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        DEEP,
        Image.fromarray(DEEP),
        reopened(Image.fromarray(DEEP), "PNG"),
        reopened(Image.fromarray(DEEP), "TIFF"),
        Image.fromarray(DEEP.astype(np.int32)),
    ],
    ids=["array", "image", "PNG", "TIFF", "32 bits"],
)
def test_deep_grey_stays_deep_or_is_rounded(image) -> None:
    picture = to_picture(image)
    assert (picture.channels, picture.bit_depth) == (1, 16)
    np.testing.assert_array_equal(picture.pixels, DEEP)
    assert picture.to_pillow().mode.startswith("I")
    np.testing.assert_array_equal(np.asarray(picture.to_pillow()), DEEP)
    np.testing.assert_array_equal(to_picture(image, to_8bit=True).pixels, ROUNDED)


def test_deep_colour_arrays_stay_deep_or_are_rounded() -> None:
    deep = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=2)
    with pytest.raises(PictureError, match=r"16 bits a component.*to_8bit=True"):
        to_picture(deep).to_pillow()
    np.testing.assert_array_equal(to_picture(deep).pixels, deep)
    np.testing.assert_array_equal(to_picture(deep, to_8bit=True).pixels, np.rint(deep / 257))


def test_floats_and_wide_values_are_refused() -> None:
    with pytest.raises(ValueError, match="image has dtype float32, uint8 or uint16 is needed"):
        to_picture(RAMP.astype(np.float32) / 255)
    with pytest.raises(ValueError, match="floating-point components"):
        to_picture(Image.fromarray(RAMP[..., 0].astype(np.float32)))
    with pytest.raises(ValueError, match="values from 0 to 70000"):
        to_picture(Image.fromarray(np.array([[0, 70_000]], np.int32)), to_8bit=True)


def test_integers_of_32_bits_that_fit_16_are_said_to_be_such() -> None:
    pixels = RAMP[..., 0].astype(np.int32) * 250
    picture = to_picture(reopened(Image.fromarray(pixels), "TIFF"))
    assert (picture.bit_depth, picture.losses) == (16, ("32 bits a component (16 hold its numbers)",))
    np.testing.assert_array_equal(picture.pixels, pixels)
    deep = reopened(Image.fromarray(pixels.astype(np.uint16)), "TIFF")
    assert to_picture(deep).losses == ()


def test_deep_inks_are_not_cut_silently() -> None:
    data = tiff(np.full((4, 6, 4), 777, np.uint16), photometric=5)
    with pytest.raises(PictureError, match=r"CMYK of 16 bits a component.*: pass to_8bit=True as well"):
        to_picture(data, to_srgb=True)
    with pytest.raises(PictureError, match="without a profile"):
        to_picture(data, to_srgb=True, to_8bit=True)


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "HSV"])
def test_colour_spaces_without_one_meaning_are_refused(mode: str) -> None:
    words = "CMYK without a profile" if mode == "CMYK" else f"{mode}, which has no one meaning in RGB"
    with pytest.raises(PictureError, match=words):
        to_picture(Image.new(mode, (4, 4)))


def test_of_several_frames_one_has_to_be_chosen() -> None:
    frames = [Image.fromarray(np.roll(RAMP, i)) for i in range(3)]
    image = reopened(frames[0], "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError, match=r"image has 3 frames, one is needed: pass frame=0") as caught:
        to_picture(image)
    assert caught.value.for_command_line().endswith("one is needed: --frame 0 to take the first")
    for wrong in (-1, 3):
        with pytest.raises(PictureError, match=f"{wrong} is none of them"):
            to_picture(image, frame=wrong)
    image.seek(1)
    for frame in (2, 0, 1):
        np.testing.assert_array_equal(to_picture(image, frame=frame).pixels, np.roll(RAMP, frame))
        assert image.tell() == 1
    image.format = "MPO"  # its other frames are a preview or another view
    assert to_picture(image).pixels.shape == RAMP.shape


@pytest.mark.parametrize("shape", [(4,), (4, 6, 2), (4, 6, 5), (2, 4, 6, 3), (0, 6, 3), (4, 0)])
def test_shapes_that_are_no_picture_are_named(shape: tuple) -> None:
    with pytest.raises(ValueError, match=r"image has shape \(.*\), \(H, W, 3\) is needed"):
        to_picture(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("image", [3, None, [[1, 2], [3, 4]]])
def test_what_is_no_picture_is_named(image) -> None:
    with pytest.raises(
        TypeError, match=r"image is a \w+; a path, bytes, an open file, a Pillow image or an array"
    ):
        to_picture(image)


UPRIGHT = {
    1: RAMP,
    2: RAMP[:, ::-1],
    3: RAMP[::-1, ::-1],
    4: RAMP[::-1],
    5: RAMP.transpose(1, 0, 2),
    6: np.rot90(RAMP, -1),
    7: RAMP.transpose(1, 0, 2)[::-1, ::-1],
    8: np.rot90(RAMP, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_is_applied_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    picture = to_picture(reopened(Image.fromarray(RAMP), "PNG", exif=exif))
    np.testing.assert_array_equal(picture.pixels, UPRIGHT[orientation])
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept.get(0x010F) == "A camera"
    assert kept.get(0x0112, 1) == 1


def test_a_damaged_exif_block_is_dropped() -> None:
    picture = to_picture(reopened(Image.fromarray(RAMP), "PNG", exif=b"Exif\x00\x00no TIFF header at all"))
    np.testing.assert_array_equal(picture.pixels, RAMP)
    assert picture.exif is None
    assert picture.losses == ("a damaged EXIF block",)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_pixels_or_one_of_two_errors(format: str, rng, capfd) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RAMP.repeat(8, 0).repeat(8, 1)).save(buffer, format)
    whole = buffer.getvalue()
    for i in range(200):
        broken = bytearray(whole[: int(rng.integers(1, len(whole)))] if i % 5 == 0 else whole)
        for position in rng.integers(0, len(broken), 3):
            broken[position] = rng.integers(256)
        try:
            image = Image.open(io.BytesIO(broken))
        except Exception:  # what Pillow cannot open never reaches us
            continue
        try:
            picture = to_picture(image, background="white", to_8bit=True)
        except (OSError, ValueError):
            continue
        assert len(picture.samples) == picture.channels * picture.size[0] * picture.size[1]


def test_rgb_profiles_are_kept_and_others_are_not() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = reopened(Image.fromarray(RAMP), "PNG", icc_profile=profile)
    assert to_picture(image).icc == profile
    grey_profile = profile[:16] + b"GRAY" + profile[20:]
    image = reopened(Image.fromarray(RAMP[..., 0].copy()), "PNG", icc_profile=grey_profile)
    assert to_picture(image).icc == grey_profile
    image = reopened(Image.fromarray(RAMP), "PNG", icc_profile=grey_profile)
    picture = to_picture(image)
    assert (picture.icc, picture.losses) == (None, ("a colour profile for GRAY",))


def test_choices_that_change_nothing_are_checked_all_the_same() -> None:
    opaque = np.zeros((4, 5, 3), np.uint8)
    for image in (opaque, Image.fromarray(opaque)):
        with pytest.raises(PictureError, match="'nocolour', which is no colour"):
            to_picture(image, background="nocolour")
        with pytest.raises(PictureError, match="image has 1 frame, 3 is none of them"):
            to_picture(image, frame=3)
        assert to_picture(image, frame=0, background=(1, 2, 3)).size == (4, 5)


def test_what_is_no_picture_is_told_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"NoneType; a path, bytes, an open file, .* or an array"):
        to_picture(None)
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    with path.open(encoding="utf-8") as file, pytest.raises(TypeError, match="as binary"):
        to_picture(file)
    with path.open("rb") as file:
        assert to_picture(file).size == (4, 4)
