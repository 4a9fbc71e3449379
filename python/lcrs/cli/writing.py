"""Picture files: which format an extension means, and the bytes of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli.messages import UsageError
from lcrs.cli.streams import STANDARD

if TYPE_CHECKING:
    from lcrs.pictures import Picture

_ENDINGS = (".png", ".ppm", ".pgm", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg", ".jp2", ".avif")
_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}
FORMATS = sorted(ending.lstrip(".") for ending in _ENDINGS)
"""What `--format` may be."""


def format_of(path: Path, asked: str | None = None) -> str:
    """The format that is asked for, or that the ending of `path` says; PNG for what is no file.

    Raises:
        UsageError: it is none that pictures can be written in.
    """
    extension = path.suffix.lower()
    if asked is not None:
        said = _SAME.get(extension, extension)
        if said in _ENDINGS and said != _SAME.get(f".{asked}", f".{asked}"):
            msg = f"{path} ends in {extension}, but --format says {asked}: leave one of them out"
            raise UsageError(msg)
        return f".{asked}"
    from lcrs.coding.streams import stream_of

    if path == STANDARD or (not extension and stream_of(path) is not None):
        return ".png"
    if extension not in _ENDINGS:
        what = f"ends in '{extension}', which does not say" if extension else "does not say by an ending"
        msg = f"{path} {what} what kind of picture it is: --format {' | '.join(FORMATS)}"
        raise UsageError(msg)
    return extension


def encode_picture(picture: Picture, extension: str) -> tuple[bytes, list[str]]:
    """The bytes of a picture file, and what of the picture it has no place for."""
    from lcrs.pictures.files import picture_file

    return picture_file(picture, extension)
