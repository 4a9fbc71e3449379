"""A picture and what travels with it. Importing this does not import NumPy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from lcrs.pictures.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Background", "Metadata", "Picture", "color_of"]

Background = str | tuple[int, int, int]
"""A colour to flatten transparency on: a name that Pillow knows, `#rrggbb`, or three numbers to 255."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What travels with pixels, by the names of `lcrs.coding.metadata`. None of it is ever applied."""

    icc: bytes | None = None
    """A colour profile."""
    exif: bytes | None = None
    """An EXIF block from its TIFF header on, its orientation already applied."""
    xmp: bytes | None = None
    """An XMP packet, UTF-8."""
    iptc: bytes | None = None
    """IPTC-IIM records."""
    resolution: tuple[float, float] | None = None
    """Pixels an inch, across and down."""
    cicp: tuple[int, int, int, bool] | None = None
    """Primaries, transfer characteristics, matrix coefficients and full-range flag of ITU-T H.273."""
    gamma: int | None = None
    """The exponent from light to components, times 100,000."""
    chromaticities: tuple[int, ...] | None = None
    """x and y of the white point, of red, of green and of blue, times 100,000."""

    def metadata(self) -> dict[str, Any]:
        """What there is of it, by its name."""
        values = {field.name: getattr(self, field.name) for field in fields(Metadata)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Picture(Metadata):
    """Pixels and what travels with them."""

    samples: bytes
    """The components of each pixel, row by row: a byte each, two (little endian) above 8 bits."""
    size: tuple[int, int]
    """Height and width."""
    channels: int = 3
    """3: red, green and blue; 1: grey."""
    bit_depth: int = 8
    """Bits of a component, 1 to 16."""
    losses: tuple[str, ...] = ()
    """What its source has and this cannot hold, each in a few words."""

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The samples as an array (H, W, 3), or (H, W) of grey, uint8 or uint16, not to be written to."""
        import numpy as np

        shape = self.size if self.channels == 1 else (*self.size, self.channels)
        return np.frombuffer(self.samples, "<u2" if self.bit_depth > 8 else np.uint8).reshape(shape)

    def to_pillow(self) -> Image.Image:
        """The same pixels as a Pillow image.

        Raises:
            PictureError: they are colours of more than 8 bits, which Pillow cannot hold.
        """
        from PIL import Image

        height, width = self.size
        if self.bit_depth == 8:
            return Image.frombytes("L" if self.channels == 1 else "RGB", (width, height), self.samples)
        if self.channels == 1:
            from lcrs.pictures.depths import rescaled

            deep = rescaled(self.pixels, self.bit_depth, 16 if self.bit_depth > 8 else 8)
            return Image.fromarray(deep)
        raise too_deep(self.bit_depth)


def too_deep(bit_depth: int, name: str | None = None) -> PictureError:
    """The error for a picture, perhaps of a file of some name, of other than 8 bits where 8 are needed."""
    problem = f"{f'{name}: ' if name else ''}image has {bit_depth} bits a component, 8 are needed"
    return PictureError(problem, "to_8bit", True, "to round them")


def color_of(background: Background) -> tuple[int, ...]:
    """The red, green and blue of a background.

    Raises:
        PictureError: it is no colour.
    """
    if isinstance(background, str):
        from PIL import ImageColor

        try:
            return ImageColor.getrgb(background)[:3]
        except ValueError:
            problem = f"background is {background!r}, which is no colour: white and #102030 are"
            raise PictureError(problem) from None
    if len(background) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in background):
        problem = f"background is {background}, a colour's name or three numbers from 0 to 255 are needed"
        raise PictureError(problem)
    return background
