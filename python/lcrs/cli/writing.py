"""Picture files: which format an extension means, and the bytes of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli.messages import UsageError
from lcrs.cli.streams import STANDARD

if TYPE_CHECKING:
    from lcrs.pictures import Picture

_ENDINGS = (".png", ".ppm", ".pgm", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg", ".avif")
FORMATS = sorted(ending.lstrip(".") for ending in _ENDINGS)
"""What ``--format`` may be."""


def format_of(path: Path, asked: str | None = None) -> str:
    """The extension of ``path``, if it is one that pictures can be written to, unless a format is asked for.

    Raises:
        UsageError: if it is not.
    """
    if asked is not None:
        return f".{asked}"
    extension = path.suffix.lower()
    if extension not in _ENDINGS:
        what = "standard output" if path == STANDARD else f"{path} ends in '{path.suffix}', which"
        msg = f"{what} does not say what kind of picture it is: --format {' | '.join(FORMATS)}"
        raise UsageError(msg)
    return extension


def encode_picture(picture: Picture, extension: str) -> tuple[bytes, list[str]]:
    """The bytes of a picture file, and what of the picture it has no place for."""
    from lcrs.pictures.files import picture_file

    return picture_file(picture, extension)
