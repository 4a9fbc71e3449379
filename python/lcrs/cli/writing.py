"""Picture files that ``lcrs decode`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli.arguments import UsageError

if TYPE_CHECKING:
    from lcrs.pictures import Picture

EXTENSIONS = (".png", ".ppm", ".pgm", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg", ".avif")


def format_of(path: Path) -> str:
    """The extension of ``path``, if it is one that pictures can be written to.

    Raises:
        UsageError: if it is not.
    """
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        msg = f"{path} ends in '{path.suffix}', one of {' '.join(EXTENSIONS)} is needed"
        raise UsageError(msg)
    return extension


def encode_picture(picture: Picture, extension: str) -> tuple[bytes, list[str]]:
    """The bytes of a picture file, and what of the picture it has no place for."""
    from lcrs.pictures.files import picture_file

    return picture_file(picture, extension)
