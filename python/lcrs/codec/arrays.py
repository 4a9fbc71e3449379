"""Arrays of other shapes, depths and channels as 8-bit RGB. Loaded only when there is such an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.codec.picture import Background, Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["array_to_picture", "deep_pixels"]


def array_to_picture(pixels: NDArray[Any], background: Background | None, *, to_8bit: bool) -> Picture:
    """The picture of an array as `lcrs.codec.pictures.to_picture` takes it, with its errors."""
    if pixels.dtype not in (np.uint8, np.uint16):
        msg = f"image has dtype {pixels.dtype}, uint8 is needed (0 to 255)"
        raise ValueError(msg)
    pixels = _with_channels(pixels)
    if pixels.dtype == np.uint16 and (to_8bit or pixels.shape[2] == 4):
        pixels = _to_8bit(pixels, allowed=to_8bit)
    pixels = _flatten(pixels, background)
    height, width, channels = pixels.shape
    samples = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    return Picture(samples, (height, width), channels, 8 * pixels.dtype.itemsize)


def _to_8bit(pixels: NDArray[Any], *, allowed: bool) -> NDArray[np.uint8]:
    if not allowed:
        msg = "image has 16 bits a component, 8 are kept: pass to_8bit=True (--to-8bit) to round them"
        raise ValueError(msg)
    # v / 257, rounded to nearest: 65535 becomes 255.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _with_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W) as (H, W, 1); others as they are."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        msg = f"image has shape {pixels.shape}, (H, W, 3) is needed, with H and W at least 1"
        raise ValueError(msg)
    return pixels


def _flatten(pixels: NDArray[Any], background: Background | None) -> NDArray[Any]:
    """Puts (H, W, 4) on a background; others stay as they are."""
    if pixels.shape[2] != 4:
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


def deep_pixels(image: Image.Image) -> NDArray[np.uint16]:
    """The values of a 16-bit grey picture; old Pillow versions keep them in 32 bits."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        msg = f"image has values from {values.min()} to {values.max()}, 0 to 255 is needed"
        raise ValueError(msg)
    return values.astype(np.uint16)
