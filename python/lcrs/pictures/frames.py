"""Files that hold more than one picture."""

from __future__ import annotations

from typing import Any

__all__ = ["count_frames", "is_camera_raw"]

_SUBFILE = 254
_REDUCED_OR_MASK = 0b101
_SUB_DIRECTORIES = 330
_DNG_VERSION = 50706
_MANY = 64


def count_frames(image: Any) -> int:
    """The pictures in a file; copies of reduced size and masks beside one in a TIFF file do not count.

    Of a layered PSD file the merged picture is the first.
    """
    if image.format == "PSD":
        from lcrs.pictures.layers import count_layers
        from lcrs.pictures.source import source_of

        source = source_of(image)
        return 1 if source is None else 1 + count_layers(source)
    frames = int(getattr(image, "n_frames", 1))
    if image.format != "TIFF" or not 1 < frames <= _MANY:
        return frames
    at = image.tell()
    real = 0
    for frame in range(frames):
        image.seek(frame)
        real += not _is_lesser(image) or frame == 0
    image.seek(at)
    return frames if real > 1 else 1


def is_camera_raw(image: Any) -> bool:
    """Whether a TIFF file is a camera's raw file: Pillow shows the small preview that comes first."""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    return _DNG_VERSION in tags or (_is_lesser(image) and _SUB_DIRECTORIES in tags)


def _is_lesser(image: Any) -> bool:
    kind = image.tag_v2.get(_SUBFILE, 0) if image.format == "TIFF" else 0
    return isinstance(kind, int) and bool(kind & _REDUCED_OR_MASK)
