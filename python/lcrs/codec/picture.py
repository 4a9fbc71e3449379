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

    samples: bytes
    """The components of each pixel, row by row: a byte each, two (little endian) above 8 bits."""
    size: tuple[int, int]
    """Height and width."""
    channels: int = 3
    """3: red, green and blue; 1: grey."""
    bit_depth: int = 8
    """Bits of a component, 1 to 16."""
    icc: bytes | None = None
    """A colour profile, kept and never applied."""
    exif: bytes | None = None
    """An EXIF block from its TIFF header on, its orientation already applied."""

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The samples as an array (H, W, 3), or (H, W) of grey, uint8 or uint16, not to be written to."""
        import numpy as np

        shape = self.size if self.channels == 1 else (*self.size, self.channels)
        return np.frombuffer(self.samples, "<u2" if self.bit_depth > 8 else np.uint8).reshape(shape)

    def to_pillow(self) -> Image.Image:
        """The same pixels as a Pillow image.

        Raises:
            ValueError: if they are of other than 8 bits: Pillow cannot hold them.
        """
        from PIL import Image

        height, width = self.size
        if self.bit_depth != 8:
            msg = f"image has {self.bit_depth} bits a component, 8 are needed"
            raise ValueError(msg)
        return Image.frombytes("L" if self.channels == 1 else "RGB", (width, height), self.samples)
