"""Opening picture files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 1 << 28
"""What lcrs accepts, too; Pillow by itself warns at a third of it."""


def open_picture(path: Path) -> Image.Image:
    """A picture file, its pixels not yet read.

    Raises:
        OSError: if there is no such file, or Pillow knows no such format.
        ValueError: if it is damaged or too large.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        return Image.open(path)
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise all sorts of things on damaged files
        msg = f"{path}: cannot be read as a picture: {error}"
        raise ValueError(msg) from error
