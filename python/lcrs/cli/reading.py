"""Opening picture files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli.messages import naming
from lcrs.cli.streams import STANDARD, standard_input, title

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 1 << 28
"""What lcrs accepts, too; Pillow by itself warns at a third of it."""

_MAX_BYTES = 2 << 30
"""Of a picture that comes from a pipe, which nothing else ends: more than `MAX_PIXELS` of 16 bits need."""


def open_picture(path: Path) -> Image.Image:
    """A picture file, its pixels not yet read; ``-`` is standard input.

    Raises:
        OSError: if there is no such file, or Pillow knows no such format.
        ValueError: if it is damaged or too large.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        return Image.open(_standard_picture() if path == STANDARD else path)
    except UnidentifiedImageError:
        msg = f"{title(path)}: is no picture of a kind that is known here"
        raise OSError(msg) from None
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise all sorts of things on damaged files
        msg = f"{title(path)}: cannot be read as a picture: {error}"
        raise ValueError(msg) from error


def read_stream(path: Path) -> bytes | bytearray | memoryview:
    """The bytes of an .lcrs file, as `read_file` reads it; ``-`` is standard input. Errors bear its name."""
    from lcrs.codec.sources import read_file

    with naming(title(path)):
        return read_file(standard_input() if path == STANDARD else path)


def _standard_picture() -> io.BytesIO:
    data = standard_input().read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        msg = f"{title(STANDARD)}: more than {_MAX_BYTES} bytes: a picture that large is read from a file"
        raise ValueError(msg)
    return io.BytesIO(data)
