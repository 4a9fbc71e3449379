"""Arrays of other depths and channels as pictures. Loaded only when there is such an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.pictures.depths import rescaled
from lcrs.pictures.errors import PictureError
from lcrs.pictures.picture import Background, Picture, color_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["array_to_picture", "keyed", "oriented", "pixels_to_picture", "rescaled"]


def array_to_picture(pixels: NDArray[Any], background: Background | None, *, to_8bit: bool) -> Picture:
    """The picture of an array as `lcrs.pictures.to_picture` takes it, with its errors."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"image has dtype {pixels.dtype}, uint8 or uint16 is needed")
    grey = pixels[..., None] if pixels.ndim == 2 else pixels
    if grey.ndim != 3 or grey.shape[2] not in (1, 3, 4) or 0 in grey.shape:
        problem = f"image has shape {pixels.shape}, (H, W, 3) is needed, with H and W at least 1"
        raise PictureError(problem)
    return pixels_to_picture(grey, 8 * pixels.dtype.itemsize, background, to_8bit=to_8bit)


def pixels_to_picture(
    pixels: NDArray[Any], bits: int, background: Background | None, *, to_8bit: bool
) -> Picture:
    """The picture of components of so many bits, (H, W, C): grey, grey and alpha, RGB, or RGBA."""
    if pixels.shape[2] in (2, 4):
        pixels = _flatten(pixels, bits, background)
    if to_8bit and bits > 8:
        pixels, bits = rescaled(pixels, bits, 8), 8
    height, width, channels = pixels.shape
    return Picture(pixels.astype("<u2" if bits > 8 else np.uint8).tobytes(), (height, width), channels, bits)


def keyed(pixels: NDArray[Any], bits: int, key: int | tuple[int, ...]) -> NDArray[Any]:
    """Grey or RGB with an alpha channel that is 0 where the components are `key`."""
    is_key = (pixels == np.asarray(key, pixels.dtype)).all(axis=2, keepdims=True)
    alpha = np.where(is_key, 0, (1 << bits) - 1).astype(pixels.dtype)
    return np.concatenate([pixels, alpha], axis=2)


def oriented(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """(H, W, C) as an EXIF orientation says that it is to be seen."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _flatten(pixels: NDArray[Any], bits: int, background: Background | None) -> NDArray[Any]:
    """Puts what has an alpha channel on a background; an opaque one is left out."""
    largest = (1 << bits) - 1
    colors, alpha = pixels[..., :-1], pixels[..., -1:]
    if (alpha == largest).all():
        return colors
    if background is None:
        purpose = "or another colour to flatten them on"
        raise PictureError("image has transparent parts, which are not kept", "background", "white", purpose)
    color = rescaled(np.array(color_of(background)), 8, bits).astype(np.uint32)
    if colors.shape[2] == 1:
        if len(set(color.tolist())) > 1:
            colors = np.broadcast_to(colors, (*colors.shape[:2], 3))
        else:
            color = color[:1]
    weight = alpha.astype(np.uint32)
    # Rounded to nearest: opaque pixels keep their value, transparent ones take the background's.
    mixed = (colors.astype(np.uint32) * weight + color * (largest - weight) + largest // 2) // largest
    return mixed.astype(pixels.dtype)
