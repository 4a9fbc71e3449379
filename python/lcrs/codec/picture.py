"""A picture and what travels with it. Importing and using this does not import NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Background", "Picture"]

Background = str | tuple[int, int, int]
"""A colour to flatten transparency on: a name that Pillow knows, ``#rrggbb``, or three numbers to 255."""


@dataclass(frozen=True)
class Picture:
    """Pixels and what travels with them."""

    rgb: bytes
    """Red, green and blue of each pixel, row by row."""
    size: tuple[int, int]
    """Height and width."""
    icc: bytes | None = None
    """An RGB colour profile, kept and never applied."""
    exif: bytes | None = None
    """An EXIF block from its TIFF header on, its orientation already applied."""

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The same bytes as an array (H, W, 3), not to be written to."""
        import numpy as np

        return np.frombuffer(self.rgb, np.uint8).reshape(*self.size, 3)

    def to_pillow(self) -> Image.Image:
        """The same pixels as a Pillow image."""
        from PIL import Image

        height, width = self.size
        return Image.frombytes("RGB", (width, height), self.rgb)
