"""From what people have (Pillow pictures, arrays) to 8-bit RGB pixels, losing nothing silently.

Grey becomes three equal components and palettes become colours, which loses nothing. An alpha channel and
more than 8 bits are refused unless the caller says what to do with them. EXIF orientation is applied to the
pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.codec.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Background", "to_picture"]

Background = str | tuple[int, int, int]
"""A colour to flatten transparency on: a name that Pillow knows, ``#rrggbb``, or red, green, blue from 0 to
255."""

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
    if isinstance(image, np.ndarray):
        return Picture(_flatten(_grey_to_color(_to_8bit(image, allowed=to_8bit)), background))
    if hasattr(image, "getbands") and hasattr(image, "getexif"):
        return _from_pillow(image, background, to_8bit)
    given = f"{type(image).__module__}.{type(image).__qualname__}"
    msg = f"image is a {given}, a uint8 array or a Pillow image is needed"
    raise TypeError(msg)


def _to_8bit(pixels: NDArray[Any], *, allowed: bool) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype != np.uint16:
        msg = f"image has dtype {pixels.dtype}, uint8 is needed (0 to 255)"
        raise ValueError(msg)
    if not allowed:
        msg = "image has 16 bits a component, 8 are kept: pass to_8bit=True (--to-8bit) to round them"
        raise ValueError(msg)
    # v / 257, rounded to nearest: 65535 becomes 255.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _grey_to_color(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) and (H, W, 1) as (H, W, 3); colours as they are."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        msg = f"image has shape {pixels.shape}, (H, W, 3) is needed, with H and W at least 1"
        raise ValueError(msg)
    if pixels.shape[2] == 1:
        pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return np.ascontiguousarray(pixels)


def _flatten(pixels: NDArray[np.uint8], background: Background | None) -> NDArray[np.uint8]:
    """Puts (H, W, 4) on a background; (H, W, 3) stays as it is."""
    if pixels.shape[2] == 3:
        return pixels
    if background is None:
        msg = (
            "image has an alpha channel, which is not kept: pass background='white' (--background white) "
            "or another colour to flatten it on"
        )
        raise ValueError(msg)
    color = np.array(_color(background), np.uint32)
    alpha = pixels[..., 3:].astype(np.uint32)
    # Rounded to nearest: opaque pixels keep their value, transparent ones take the background's.
    return ((pixels[..., :3] * alpha + color * (255 - alpha) + 127) // 255).astype(np.uint8)


def _color(background: Background) -> tuple[int, int, int]:
    if isinstance(background, str):
        from PIL import ImageColor

        return ImageColor.getrgb(background)[:3]
    if len(background) != 3 or not all(0 <= part <= 255 for part in background):
        msg = f"background is {background}, a colour's name or three numbers from 0 to 255 are needed"
        raise ValueError(msg)
    return background


def _from_pillow(image: Image.Image, background: Background | None, to_8bit: bool) -> Picture:
    from PIL import ImageOps

    _refuse_hidden_depth(image, allowed=to_8bit)
    _refuse_frames(image)
    oriented = ImageOps.exif_transpose(image)
    exif = oriented.info.get("exif")
    icc = oriented.info.get("icc_profile")
    return Picture(
        pixels=_pillow_pixels(oriented, background, to_8bit),
        icc=icc if icc and icc[16:20] == b"RGB " else None,
        exif=exif.removeprefix(_EXIF_PREFIX) if exif else None,
    )


def _refuse_hidden_depth(image: Image.Image, *, allowed: bool) -> None:
    """Refuses 16-bit colour files: Pillow cuts them to 8 bits, which shows only before they are loaded."""
    deep = any("16" in mode for tile in getattr(image, "tile", ()) for mode in _decoder_modes(tile))
    if deep and not allowed and not image.mode.startswith("I"):
        msg = "image has 16 bits a component, 8 are kept: pass to_8bit=True (--to-8bit) to convert it"
        raise ValueError(msg)


def _refuse_frames(image: Image.Image) -> None:
    """Refuses animations and pages. Of an MPO file (phones, stereo cameras) the first is the photo."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        msg = (
            f"image has {frames} frames, one is needed: choose it with image.seek(n), then pass image.copy()"
        )
        raise ValueError(msg)


def _decoder_modes(tile: Any) -> list[str]:
    """The raw modes, such as ``RGB;16B``, that a tile of an unread picture will be decoded from."""
    arguments = tile[3] if len(tile) > 3 else ()
    arguments = (arguments,) if isinstance(arguments, str) else arguments or ()
    return [part for part in arguments if isinstance(part, str) and ";" in part]


def _pillow_pixels(image: Image.Image, background: Background | None, to_8bit: bool) -> NDArray[np.uint8]:
    mode = image.mode
    if mode in _DEEP_MODES:
        return _grey_to_color(_to_8bit(_deep_pixels(image), allowed=to_8bit))
    if mode in _ALPHA_MODES or "transparency" in image.info:
        return _flatten(np.asarray(image.convert("RGBA")), background)
    if mode in {"1", "L", "P", "RGB", "RGBX", "YCbCr"}:
        return np.ascontiguousarray(image if mode == "RGB" else image.convert("RGB"))
    msg = f"image has mode {mode}, which has no one meaning in RGB: convert it to RGB first"
    raise ValueError(msg)


def _deep_pixels(image: Image.Image) -> NDArray[np.uint16]:
    """The values of a 16-bit grey picture; old Pillow versions keep them in 32 bits."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        msg = f"image has values from {values.min()} to {values.max()}, 0 to 255 is needed"
        raise ValueError(msg)
    return values.astype(np.uint16)
