"""From what people have (files, Pillow images, arrays) to a picture, losing nothing silently.

Grey stays grey, palettes become colours, deep components stay deep, EXIF orientation is applied to the
pixels, and an alpha channel that is opaque is left out: all of that loses nothing. What would lose something
is refused unless the caller says what to do with it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lcrs.pictures.errors import NO_INKS, PictureError
from lcrs.pictures.limits import MAX_PIXELS, check_size
from lcrs.pictures.picture import Background, Picture, color_of

if TYPE_CHECKING:
    from PIL import Image

    from lcrs.pictures.source import Buffer

__all__ = ["MAX_PIXELS", "orientation_of", "to_picture"]

_ALPHA_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_GREY_MODES = {"1", "L"}
_COLOR_MODES = {"P", "RGB", "RGBX", "YCbCr"}
_DEEP_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I"}
_PRINT_MODES = {"CMYK", "LAB"}
_HIDING = {"PNG", "PPM", "SGI", "TIFF", "JPEG2000", "AVIF", "HEIF"}
"""Formats whose deep colours Pillow shows as 8 bits."""


@dataclass(frozen=True)
class Choices:
    """What the caller says of what a picture cannot hold; `to_picture` explains each."""

    background: Background | None = None
    to_8bit: bool = False
    to_srgb: bool = False
    frame: int | None = None
    max_pixels: int = MAX_PIXELS
    max_bytes: int | None = None


def to_picture(
    image: Any,
    *,
    background: Background | None = None,
    to_8bit: bool = False,
    to_srgb: bool = False,
    frame: int | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> Picture:
    """The picture in a file, a Pillow image or an array.

    A Pillow image that has been read already, and comes from a file that it no longer knows, may have had
    more than 8 bits once; nothing tells. All other images are known to have what they show.

    Args:
        image: the path of a file, its bytes, an open binary file, a Pillow image, or an array (H, W, 3) or
            (H, W, 4) of colours, or (H, W), (H, W, 1) of grey, uint8 or uint16. A `Picture` stays as it is.
        background: the colour that transparency is flattened on: a name, `#rrggbb`, or three numbers from 0
            to 255. Without it, pictures with transparent parts are refused.
        to_8bit: whether deeper components are rounded to 8 bits.
        to_srgb: whether colours are converted to sRGB by their profile. Without it, RGB keeps its profile,
            and CMYK and LAB are refused.
        frame: which frame, page or layer of a file with several, from 0. Of a layered PSD file 0 is the
            merged picture, the layers follow from below.
        max_pixels: how many pixels are accepted, by default 2^28; a file is refused by its header.
        max_bytes: how many bytes the samples and a copy of them may take, if there is a limit; likewise.

    Raises:
        TypeError: `image` is none of these.
        OSError: there is no such file.
        PictureError: it is damaged, too large, or holds what a picture cannot hold and the call does not
            say what to do with that.
    """
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    choices = Choices(background, to_8bit, to_srgb, frame, limit, max_bytes)
    if background is not None:
        color_of(background)  # what is no colour is told of opaque pictures, too
    if isinstance(image, Picture):
        return image
    if hasattr(image, "getbands") and hasattr(image, "getexif"):
        return _from_users_image(image, choices)
    if isinstance(image, io.TextIOBase):
        msg = "image is a file that is open as text: open it as binary ('rb')"
        raise TypeError(msg)
    if isinstance(image, (str, os.PathLike, bytes, bytearray, memoryview)) or hasattr(image, "read"):
        from lcrs.pictures.opening import open_image

        with _naming(image), open_image(image, max_pixels=limit) as opened:
            return _from_pillow(opened, choices)
    if hasattr(image, "__array_interface__"):
        from lcrs.pictures.arrays import array_to_picture

        _check_frame(frame, 1)
        return array_to_picture(image, background, to_8bit=to_8bit)
    module, name = type(image).__module__, type(image).__qualname__
    given = name if module == "builtins" else f"{module}.{name}"
    msg = f"image is a {given}; a path, bytes, an open file, a Pillow image or an array is needed"
    raise TypeError(msg)


def _check_bytes(image: Image.Image, max_bytes: int | None) -> None:
    """Refuses, before it is read, what a codec would have no room for: the samples are there twice then."""
    channels = 1 if image.mode in _GREY_MODES | _DEEP_MODES | {"LA", "La"} else 3
    least = 2 * channels * image.height * image.width
    if max_bytes is not None and least > max_bytes:
        problem = f"image has {image.width} x {image.height} pixels, for which {max_bytes} bytes are too few"
        raise PictureError(problem, "max_bytes", 3 * least, "or more to allow them")


@contextmanager
def _naming(source: Any) -> Iterator[None]:
    """What is wrong with a file is said with its name."""
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else getattr(source, "name", None)
    try:
        yield
    except PictureError as error:
        if not isinstance(name, str):
            raise
        raise PictureError(f"{name}: {error.problem}", error.choice, error.value, error.purpose) from error


def _from_users_image(image: Image.Image, choices: Choices) -> Picture:
    """An image that somebody else goes on using: it stays at its frame."""
    at = image.tell() if choices.frame is not None and hasattr(image, "tell") else None
    try:
        return _from_pillow(image, choices)
    finally:
        if at is not None and image.tell() != at:
            image.seek(at)


def _from_pillow(image: Image.Image, choices: Choices) -> Picture:
    from lcrs.pictures.gather import DAMAGED_PROFILE, gather
    from lcrs.pictures.source import source_of

    _select_frame(image, choices.frame)
    check_size(image.height, image.width, choices.max_pixels)
    _check_bytes(image, choices.max_bytes)
    needs_source = image.format in _HIDING
    layers = source_of(image) if image.format == "PSD" and choices.frame else None
    source = source_of(image) if needs_source else None
    bits = _source_bits(image, source)
    is_deep = bits > 8 and image.mode not in _PRINT_MODES | {"F"}
    if image.mode in _DEEP_MODES:
        is_deep = image.format == "PPM" and bits < 16  # the others are whole in Pillow
    if is_deep and not _is_as_in(image, source, bits, choices):
        is_deep = False
    with _decoding():
        image.load()
    check_size(image.height, image.width, choices.max_pixels)  # some formats know better by now
    orientation = orientation_of(image)
    if layers is not None and choices.frame:
        picture = _layer(layers, choices.frame - 1, choices)
    elif is_deep and source is not None and not _rounds_well(image, choices):
        picture = _deep_colors(image, source, bits, orientation, choices)
    else:
        picture = _pixels(_with_key(_turned(image, orientation), source), image, bits, choices)
    turned = orientation != 1
    found, losses = gather(image, source, picture.size, picture.channels, turned=turned)
    if choices.to_srgb:
        if DAMAGED_PROFILE in losses:
            raise PictureError(f"image has {DAMAGED_PROFILE}: its colours cannot be converted to sRGB")
        picture, found = _in_srgb(picture, found, choices)
        losses = [loss for loss in losses if not loss.startswith("a colour profile")]
    return replace(picture, **found, losses=(*picture.losses, *losses))


def _select_frame(image: Image.Image, frame: int | None) -> None:
    """Goes to the frame that is asked for.

    Of an MPO file (phones, stereo cameras) the first one is the photo, of a layered PSD file the merged
    picture is, which its layers follow from below; reduced copies and masks in a TIFF file do not count.
    """
    from lcrs.pictures.frames import count_frames, is_camera_raw

    with _decoding():
        frames = count_frames(image)
    if is_camera_raw(image):
        raise PictureError("image is a camera's raw file: develop it to a picture first")
    if frame is None:
        if frames > 1 and image.format not in ("MPO", "PSD"):
            raise PictureError(f"image has {frames} frames, one is needed", "frame", 0, "to take the first")
        return
    _check_frame(frame, frames)
    if frames > 1 and image.format != "PSD":
        with _decoding():
            image.seek(frame)


def _check_frame(frame: int | None, frames: int) -> None:
    """Raises `PictureError` if there is no such frame."""
    if frame is not None and (isinstance(frame, bool) or not 0 <= frame < frames):
        raise PictureError(
            f"image has {frames} frame{'s' if frames > 1 else ''}, {frame} is none of them (from 0)"
        )


@contextmanager
def _decoding() -> Iterator[None]:
    """On damaged files Pillow raises all sorts of things; what the system says of files stays as it is."""
    from PIL import Image

    try:
        yield
    except (MemoryError, PictureError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"image is too large for Pillow: {error}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PictureError(f"image cannot be decoded: {error}") from error


def _source_bits(image: Image.Image, source: Buffer | None) -> int:
    """Bits of a component of the file, where Pillow may hold fewer; 8 if nothing says more."""
    from lcrs.pictures.source import avif_properties, jpeg2000_bits, reopened, tiles_of

    if image.format not in _HIDING:
        return 16 if image.mode in _DEEP_MODES else 8
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    if image.format in ("AVIF", "JPEG2000"):
        if source is None:
            return 16 if image.mode in _DEEP_MODES else 8
        return avif_properties(source)[0] if image.format == "AVIF" else jpeg2000_bits(source)
    tiles = tiles_of(image)
    if image.mode not in _DEEP_MODES and _stated_bits(image) == 16:
        return 16
    if not tiles and source is not None:
        with _decoding():
            tiles = tiles_of(reopened(image, source))
    bits = max((_tile_bits(tile) for tile in tiles), default=8)
    return 16 if image.mode in _DEEP_MODES and bits == 8 else bits


def _stated_bits(image: Image.Image) -> int:
    """Bits of the deepest component that a TIFF file names; 8 for other files."""
    stated = getattr(image, "tag_v2", {}).get(258, 8) if image.format == "TIFF" else 8
    return int(max(stated if isinstance(stated, tuple) else (stated,)))


def _tile_bits(tile: Any) -> int:
    """Bits of the components that a tile will be decoded from."""
    decoder, arguments = tile[0], tile[3] if len(tile) > 3 else ()
    arguments = (arguments,) if isinstance(arguments, str) else tuple(arguments or ())
    if decoder in ("ppm", "ppm_plain") and len(arguments) > 1:
        largest = int(arguments[1])
        return 8 if largest < 256 else largest.bit_length() if largest & (largest + 1) == 0 else 16
    if decoder == "SGI16" or (decoder == "sgi_rle" and arguments[-1] == 2):
        return 16
    if "I;12" in arguments:
        return 12
    return 16 if any(isinstance(part, str) and ";16" in part for part in arguments) else 8


def _is_as_in(image: Image.Image, source: Buffer | None, bits: int, choices: Choices) -> bool:
    """Whether the file of an image is at hand, and still shows the same: one that was read may be painted on.

    Raises:
        PictureError: it does not, and 8 bits are not enough.
    """
    from lcrs.pictures.source import reopened, tiles_of

    if source is not None and tiles_of(image):
        return True
    if source is not None:
        with _decoding():
            again = reopened(image, source)
            again.load()
        if again.size == image.size and again.mode == image.mode and again.tobytes() == image.tobytes():
            return True
    if choices.to_8bit:
        return False
    problem = f"image comes from a file of {bits} bits a component, and is no longer what that has"
    raise PictureError(problem, "to_8bit", True, "to take it as it is")


def _rounds_well(image: Image.Image, choices: Choices) -> bool:
    """Whether 8 bits are wanted of a format that is rounded to them, not cut, when it is decoded."""
    from importlib.util import find_spec

    rounds = image.format == "HEIF" or (image.format == "AVIF" and find_spec("imagecodecs") is None)
    return rounds and choices.to_8bit


def orientation_of(image: Image.Image) -> int:
    """How the picture is to be seen; a damaged block says nothing."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    from PIL import Image as Images

    ways = Images.Transpose
    order = (
        ways.FLIP_LEFT_RIGHT, ways.ROTATE_180, ways.FLIP_TOP_BOTTOM,
        ways.TRANSPOSE, ways.ROTATE_270, ways.TRANSVERSE, ways.ROTATE_90,
    )  # fmt: skip
    return image if orientation == 1 else image.transpose(order[orientation - 2])


def _with_key(image: Image.Image, source: Buffer | None) -> Image.Image:
    """A grey PNG picture of 2 or 4 bits with its transparent value as wide as Pillow makes the others."""
    from lcrs.pictures.source import png_chunks

    key = image.info.get("transparency")
    if image.mode != "L" or not isinstance(key, int) or source is None or source[:4] != b"\x89PNG":
        return image
    bits = png_chunks(source).get(b"IHDR", bytes(9))[8]
    if bits not in (2, 4):
        return image
    wide = image.copy()
    wide.info["transparency"] = key * 255 // ((1 << bits) - 1)
    return wide


def _deep_colors(
    image: Image.Image, source: Buffer, bits: int, orientation: int, choices: Choices
) -> Picture:
    from lcrs.pictures.arrays import keyed, oriented, pixels_to_picture
    from lcrs.pictures.deep import read_deep

    with _decoding():
        pixels = read_deep(image, source, bits)
    key = image.info.get("transparency")
    if isinstance(key, tuple) and pixels.shape[2] == 3:
        pixels = keyed(pixels, bits, key)
    pixels = oriented(pixels, orientation)
    return pixels_to_picture(pixels, bits, choices.background, to_8bit=choices.to_8bit)


def _layer(source: Buffer, number: int, choices: Choices) -> Picture:
    from lcrs.pictures.arrays import pixels_to_picture
    from lcrs.pictures.layers import read_layer

    with _decoding():
        pixels = read_layer(source, number, choices.max_pixels)
    return pixels_to_picture(pixels, 8, choices.background, to_8bit=choices.to_8bit)


def _pixels(upright: Image.Image, image: Image.Image, bits: int, choices: Choices) -> Picture:
    """The picture of an image that Pillow holds all of."""
    mode, height, width = upright.mode, upright.height, upright.width
    if mode in _DEEP_MODES:
        from lcrs.pictures.arrays import keyed, oriented, pixels_to_picture
        from lcrs.pictures.deep import deep_grey

        pixels = oriented(deep_grey(image, bits), orientation_of(image))
        key = image.info.get("transparency")
        if isinstance(key, int):
            pixels = keyed(pixels, bits, key)
        picture = pixels_to_picture(pixels, bits, choices.background, to_8bit=choices.to_8bit)
        stated = _stated_bits(image)
        wide = (f"{stated} bits a component (16 hold its numbers)",) if stated > 16 else ()
        return replace(picture, losses=wide)
    if mode in _ALPHA_MODES or "transparency" in upright.info:
        return _without_alpha(upright, choices)
    if mode in _GREY_MODES:
        grey = upright if mode == "L" else upright.convert("L")
        return Picture(grey.tobytes(), (height, width), 1)
    if mode in _COLOR_MODES:
        rgb = upright if mode == "RGB" else upright.convert("RGB")
        return Picture(rgb.tobytes(), (height, width))
    if mode in _PRINT_MODES:
        if choices.to_srgb and bits > 8 and not choices.to_8bit:
            problem = f"image is {mode} of {bits} bits a component, which are converted at 8"
            raise PictureError(problem, "to_8bit", True, "as well, to round them")
        if choices.to_srgb:
            from lcrs.pictures.color import to_srgb

            with _decoding():
                rgb = to_srgb(upright, image.info.get("icc_profile"))
            return Picture(rgb.tobytes(), (height, width))
        if mode == "CMYK" and not image.info.get("icc_profile"):
            raise PictureError(NO_INKS)
        purpose = "to convert it by its profile"
        raise PictureError(f"image is {mode}, which has no one meaning in RGB", "to_srgb", True, purpose)
    if mode == "F":
        raise PictureError("image has floating-point components: convert it to 8 or 16 bits first")
    raise PictureError(f"image has mode {mode}, which has no one meaning in RGB: convert it to RGB first")


def _without_alpha(upright: Image.Image, choices: Choices) -> Picture:
    is_grey = upright.mode in ("L", "LA", "La", "1")
    with _decoding():
        full = upright.convert("RGBA") if upright.mode != "La" else upright.convert("LA").convert("RGBA")
    size = full.height, full.width
    if full.getchannel("A").getextrema() == (255, 255):
        plain = full.getchannel("R") if is_grey else full.convert("RGB")
        return Picture(plain.tobytes(), size, 1 if is_grey else 3)
    import numpy as np

    from lcrs.pictures.arrays import pixels_to_picture

    pixels = np.asarray(full)
    return pixels_to_picture(pixels[..., 2:] if is_grey else pixels, 8, choices.background, to_8bit=False)


def _in_srgb(picture: Picture, found: dict[str, Any], choices: Choices) -> tuple[Picture, dict[str, Any]]:
    """The picture converted, and what is left to be said of it."""
    from lcrs.pictures.color import profile_of, to_srgb
    from lcrs.pictures.picture import Metadata

    said = Metadata(**found)
    rest = {name: v for name, v in found.items() if name not in ("icc", "cicp", "gamma", "chromaticities")}
    if rest.keys() == found.keys():
        return picture, rest
    profile = profile_of(said)
    if profile is None:
        raise PictureError("image has colours that cannot be converted to sRGB here (PQ or HLG)")
    if picture.bit_depth != 8:
        raise PictureError("image has deep components", "to_8bit", True, "as well, to convert to sRGB")
    image = picture.to_pillow()
    if image.mode == "L" and profile[16:20] == b"RGB ":
        image = image.convert("RGB")
    converted = to_srgb(image, profile)
    # What is grey stays grey; LittleCMS may be off by one in a component.
    plain = converted.getchannel("G") if picture.channels == 1 else converted
    return replace(picture, samples=plain.tobytes()), rest
