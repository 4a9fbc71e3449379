"""Reading picture files and .lcrs files."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.messages import naming
from lcrs.cli.streams import STANDARD, standard_input, title

if TYPE_CHECKING:
    from PIL import Image

    from lcrs.pictures import Picture


def open_picture(path: Path, max_pixels: int | None = None) -> Image.Image:
    """A picture file, its pixels not yet read; `-` is standard input.

    Raises:
        OSError: there is no such file.
        ValueError: it is no picture, damaged or too large.
    """
    from lcrs.pictures import MAX_PIXELS
    from lcrs.pictures.opening import open_image

    _lift_limit()
    with naming(title(path)):
        source = _standard_picture() if path == STANDARD else path
        return open_image(source, max_pixels=MAX_PIXELS if max_pixels is None else max_pixels)


def read_picture(path: Path, **options: Any) -> Picture:
    """A picture, as `lcrs.pictures.to_picture` takes it from a file; errors as in `open_picture`."""
    from lcrs.pictures import to_picture

    _lift_limit()
    with naming(title(path)), warnings.catch_warnings():
        # What Pillow finds odd in a file, and reads all the same, is no news to who asked for a picture.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        return to_picture(_standard_picture() if path == STANDARD else path, **options)


def _lift_limit() -> None:
    """Pillow's own limit is below ours, which is checked by the header, too."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None


def read_stream(path: Path, limits: dict[str, Any]) -> bytes | bytearray | memoryview:
    """The bytes of an .lcrs file; `-` is standard input. Errors as of `read_container`, with its name."""
    from lcrs.codec.containers import read_container

    with naming(title(path)):
        return read_container(standard_input() if path == STANDARD else path, **limits)


def _standard_picture() -> io.BytesIO:
    from lcrs.pictures.opening import buffered

    return buffered(standard_input())
