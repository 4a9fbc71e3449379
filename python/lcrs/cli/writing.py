"""Picture files: which format an extension means, and the bytes of one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.messages import UsageError
from lcrs.cli.streams import STANDARD

if TYPE_CHECKING:
    from lcrs.codec import Picture

# Pillow's names. Compression level 1 writes a PNG in a fifth of the time of the default, 10 % larger.
_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 1}),
    ".ppm": ("PPM", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".bmp": ("BMP", {}),
    ".webp": ("WEBP", {"lossless": True, "quality": 0}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
}
_WITH_METADATA = {"PNG", "TIFF", "WEBP", "JPEG"}


FORMATS = sorted(ending.lstrip(".") for ending in _FORMATS)
"""What ``--format`` may be."""


def format_of(path: Path, asked: str | None = None) -> str:
    """The extension of ``path``, if it is one that pictures can be written to, unless a format is asked for.

    Raises:
        UsageError: if it is not.
    """
    if asked is not None:
        return f".{asked}"
    extension = path.suffix.lower()
    if extension not in _FORMATS:
        what = "standard output" if path == STANDARD else f"{path} ends in '{path.suffix}', which"
        msg = f"{what} does not say what kind of picture it is: --format {' | '.join(FORMATS)}"
        raise UsageError(msg)
    return extension


def encode_picture(picture: Picture, extension: str) -> bytes:
    """The bytes of a picture file; colour profile and EXIF go along where the format has a place for them."""
    name, options = _FORMATS[extension]
    if name in _WITH_METADATA:
        # None would make Pillow look for one itself.
        kept = {"icc_profile": picture.icc, "exif": picture.exif}
        options = options | {key: value for key, value in kept.items() if value}
    buffer = io.BytesIO()
    picture.to_pillow().save(buffer, name, **options)
    return buffer.getvalue()
