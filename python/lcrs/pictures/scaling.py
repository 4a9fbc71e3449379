"""Pictures of another size."""

from __future__ import annotations

from dataclasses import replace

from lcrs.pictures.picture import Picture

__all__ = ["resized"]


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture of another width and height; each pixel is a Lanczos mean of those that it stands for."""
    from PIL import Image

    if picture.bit_depth == 8:
        small = picture.to_pillow().resize(size, Image.Resampling.LANCZOS)
        return replace(picture, samples=small.tobytes(), size=size[::-1])
    import numpy as np

    # Pillow resizes deep components as floats, one channel at a time.
    planes = picture.pixels.reshape(*picture.size, picture.channels).astype(np.float32)
    floats = [
        Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS) for plane in np.moveaxis(planes, 2, 0)
    ]
    values = np.clip(
        np.rint(np.stack([np.asarray(plane) for plane in floats], axis=2)), 0, 2**picture.bit_depth - 1
    )
    samples = values.astype("<u2" if picture.bit_depth > 8 else np.uint8).tobytes()
    return replace(picture, samples=samples, size=size[::-1])
