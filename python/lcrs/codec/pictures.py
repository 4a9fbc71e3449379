"""From what people have (Pillow pictures, arrays) to 8-bit RGB pixels, losing nothing silently.

Grey becomes three equal components and palettes become colours, which loses nothing. An alpha channel and
more than 8 bits are refused unless the caller says what to do with them. EXIF orientation is applied to the
pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lcrs.codec.picture import Background, Picture

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["to_picture"]

_ALPHA_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_DEEP_MODES = {"I;16", "I;16B", "I;16L", "I;16N", "I"}
_EXIF_PREFIX = b"Exif\x00\x00"


def to_picture(image: Any, *, background: Background | None = None, to_8bit: bool = False) -> Picture:
    """Converts a Pillow picture or an array.

    Args:
        image: a Pillow image, or an array (H, W, 3) or (H, W, 4) of colours, or (H, W), (H, W, 1) of grey;
            uint8, or uint16 with ``to_8bit``.
        background: the colour that transparency is flattened on.
        to_8bit: whether 16-bit values may be rounded to 8 bits.

    Raises:
        TypeError: if ``image`` is neither.
        ValueError: if it holds what 8-bit RGB cannot hold and the call does not say what to do with that.
    """
    if hasattr(image, "getbands") and hasattr(image, "getexif"):
        return _from_pillow(image, background, to_8bit=to_8bit)
    if hasattr(image, "__array_interface__"):
        from lcrs.codec.arrays import array_to_picture

        return array_to_picture(image, background, to_8bit=to_8bit)
    given = f"{type(image).__module__}.{type(image).__qualname__}"
    msg = f"image is a {given}, a uint8 array or a Pillow image is needed"
    raise TypeError(msg)


def _from_pillow(image: Image.Image, background: Background | None, *, to_8bit: bool) -> Picture:
    _refuse_hidden_depth(image, allowed=to_8bit)
    _refuse_frames(image, _load(image))
    oriented = _upright(image)
    exif = oriented.info.get("exif")
    icc = oriented.info.get("icc_profile")
    picture = _pillow_pixels(oriented, background, to_8bit=to_8bit)
    return replace(
        picture,
        icc=icc if icc and icc[16:20] == (b"GRAY" if picture.channels == 1 else b"RGB ") else None,
        exif=exif.removeprefix(_EXIF_PREFIX) if exif else None,
    )


def _refuse_hidden_depth(image: Image.Image, *, allowed: bool) -> None:
    """Refuses 16-bit colour files: Pillow cuts them to 8 bits, which shows only before they are loaded."""
    deep = any("16" in mode for tile in getattr(image, "tile", ()) for mode in _decoder_modes(tile))
    if deep and not allowed and not image.mode.startswith("I"):
        msg = "image has 16 bits a component, 8 are kept: pass to_8bit=True (--to-8bit) to convert it"
        raise ValueError(msg)


def _refuse_frames(image: Image.Image, frames: int) -> None:
    """Refuses animations and pages. Of an MPO file (phones, stereo cameras) the first is the photo."""
    if frames > 1 and image.format != "MPO":
        msg = (
            f"image has {frames} frames, one is needed: choose it with image.seek(n), then pass image.copy()"
        )
        raise ValueError(msg)


def _load(image: Image.Image) -> int:
    """Reads the pixels and counts the frames. On damaged files Pillow raises more than `OSError`."""
    try:
        image.load()
        return int(getattr(image, "n_frames", 1))
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:
        msg = f"image cannot be decoded: {error}"
        raise ValueError(msg) from error


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF block says it is to be seen; a damaged block says nothing and is dropped."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        plain = image.copy()
        plain.info.pop("exif", None)
        return plain


def _decoder_modes(tile: Any) -> list[str]:
    """The raw modes, such as ``RGB;16B``, that a tile of an unread picture will be decoded from."""
    arguments = tile[3] if len(tile) > 3 else ()
    arguments = (arguments,) if isinstance(arguments, str) else arguments or ()
    return [part for part in arguments if isinstance(part, str) and ";" in part]


def _pillow_pixels(image: Image.Image, background: Background | None, *, to_8bit: bool) -> Picture:
    mode = image.mode
    if mode in _DEEP_MODES:
        from lcrs.codec.arrays import array_to_picture, deep_pixels

        return array_to_picture(deep_pixels(image), background, to_8bit=to_8bit)
    if mode in _ALPHA_MODES or "transparency" in image.info:
        import numpy as np

        from lcrs.codec.arrays import array_to_picture

        return array_to_picture(np.asarray(image.convert("RGBA")), background, to_8bit=to_8bit)
    if mode not in {"1", "L", "P", "RGB", "RGBX", "YCbCr"}:
        msg = f"image has mode {mode}, which has no one meaning in RGB: convert it to RGB first"
        raise ValueError(msg)
    if mode == "L":
        return Picture(image.tobytes(), (image.height, image.width), 1)
    rgb = image if mode == "RGB" else image.convert("RGB")
    return Picture(rgb.tobytes(), (rgb.height, rgb.width))
