"""Files of raw planar video, whose names say what is in them."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "RawVideoSequence",
    "VideoFormat",
    "bitdepth_to_dtype",
    "file_extensions",
    "framerate_to_fraction",
    "get_num_frms",
    "get_raw_video_file_info",
    "make_dtype",
    "subsampling",
    "video_formats",
]


class VideoFormat(enum.Enum):
    """What the planes of a frame are, one after the other."""

    YUV400 = "yuv400"
    YUV420 = "yuv420"
    YUV422 = "yuv422"
    YUV444 = "yuv444"
    RGB = "rgb"


video_formats = {
    f"{prefix}{ratio}": VideoFormat(f"yuv{ratio}")
    for prefix in ("yuv", "p", "i", "y", "")
    for ratio in ("400", "420", "422", "444")
} | {"y42b": VideoFormat.YUV422, "rgb": VideoFormat.RGB}
"""Formats by the names that files, ffmpeg and GStreamer give them, in lower case."""

subsampling = {
    VideoFormat.YUV400: (0, 0),
    VideoFormat.YUV420: (2, 2),
    VideoFormat.YUV422: (2, 1),
    VideoFormat.YUV444: (1, 1),
    VideoFormat.RGB: (1, 1),
}
"""Samples of the first plane for one of the others, in width and height; 0: there are no others."""

bitdepth_to_dtype = {8: np.uint8, **dict.fromkeys((10, 12, 14, 16), np.uint16)}
"""Type of a sample by its bits; more than 8 are two bytes, little-endian on the machines that write them."""

framerate_to_fraction = {
    name: Fraction(round(float(name)) * 1000, 1001) for name in ("23.98", "23.976", "29.97", "59.94")
}
"""What rates mean that are written rounded."""

file_extensions = {"yuv", "rgb", "raw"}

_NAMES = "|".join(sorted((name for name in video_formats if name not in ("rgb", "")), key=len, reverse=True))
_SIZE = re.compile(r"(?<!\d)(\d+)x(\d+)(?!\d)")
_RATE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)(?:hz|fps)(?![a-z])", re.IGNORECASE)
_BITS = re.compile(r"(?<!\d)(\d+)bit(?:s?)(?![a-z])", re.IGNORECASE)
_FORMAT = re.compile(rf"(?<![a-z0-9])({_NAMES})p?(?:_?(\d+)(le|be))?(?![a-z0-9])", re.IGNORECASE)


def get_raw_video_file_info(filename: str | os.PathLike[str]) -> dict[str, Any]:
    """What the name of a file says.

    Names are as Vooya reads them, `NAME_WIDTHxHEIGHT_RATEHz_BITSbit_P420.yuv`, or have a pixel format of
    ffmpeg's or GStreamer's, as `yuv420p10le`, `I420_10LE`. Parts may be missing and in any order.

    Returns:
        What is found of "width", "height", "bitdepth" (integers), "framerate" (a `Fraction`, frames a
        second), "format" (a `VideoFormat`), "endianness" ("le", "be"), "extension". Where there is a size and
        nothing says otherwise, "bitdepth" is 8.

    Raises:
        ValueError: the name says two different bit depths.

    Example:
        >>> info = get_raw_video_file_info("Park_416x240_29.97fps_10bit_P420.yuv")
        >>> info["width"], info["bitdepth"], info["format"].name, str(info["framerate"])
        (416, 10, 'YUV420', '30000/1001')
    """
    name = Path(filename).name
    info: dict[str, Any] = {}
    if size := _SIZE.search(name):
        info |= {"width": int(size[1]), "height": int(size[2]), "bitdepth": 8}
    if rate := _RATE.search(name):
        info["framerate"] = framerate_to_fraction.get(rate[1]) or Fraction(rate[1])
    bits = {int(match[1]) for match in _BITS.finditer(name)}
    if found := _FORMAT.search(name):
        info["format"] = video_formats[found[1].lower()]
        if found[2]:
            bits.add(int(found[2]))
            info["endianness"] = found[3].lower()
    if len(bits) > 1:
        raise ValueError(f"{name} says two bit depths: {sorted(bits)}")
    if bits:
        info["bitdepth"] = bits.pop()
    extension = Path(name).suffix.removeprefix(".").lower()
    if info and extension in file_extensions:
        info["extension"] = extension
        if extension == "rgb":
            info.setdefault("format", VideoFormat.RGB)
    return info


def make_dtype(format: VideoFormat, value_type: Any, width: int, height: int) -> np.dtype[Any]:
    """The record of a frame: planes "y", "u", "v" (of RGB: red, green, blue) of samples of `value_type`.

    Sides of chroma planes are rounded up.
    """
    per_width, per_height = subsampling[format]
    chroma = (-(-height // per_height), -(-width // per_width)) if per_width else (0, 0)
    return np.dtype(
        [("y", value_type, (height, width)), ("u", value_type, chroma), ("v", value_type, chroma)]
    )


def get_num_frms(file_size: int, width: int, height: int, video_format: VideoFormat, dtype: Any) -> int:
    """Whole frames in `file_size` bytes."""
    return file_size // make_dtype(video_format, dtype, width, height).itemsize


class RawVideoSequence(Sequence[NDArray[Any]]):
    """Frames of raw video: records with planes "y", "u" and "v", mapped and not read before they are used.

    Attributes:
        data: All frames, (frames,) records.
        total_frms: Number of frames.

    Args:
        mmap: The samples, or bytes, of the file, one dimension.
        width: Of a frame, in samples.
        height: The same.
        bitdepth: Bits of a sample: 8, 10, 12, 14 or 16.
        format: A `VideoFormat`, or a name in `video_formats`.
        framerate: Frames a second, for whom it may concern.

    Raises:
        ValueError: another bit depth or format, or a part of a frame is left over.
    """

    def __init__(
        self,
        mmap: NDArray[Any],
        width: int,
        height: int,
        bitdepth: int,
        format: VideoFormat | str,
        framerate: Fraction | float | None = None,
    ) -> None:
        if bitdepth not in bitdepth_to_dtype:
            raise ValueError(f"bitdepth is {bitdepth}, must be one of {sorted(bitdepth_to_dtype)}")
        if isinstance(format, str):
            if format.lower() not in video_formats:
                raise ValueError(f"format is {format!r}, must be one of {', '.join(sorted(video_formats))}")
            format = video_formats[format.lower()]
        self.width, self.height = width, height
        self.bitdepth, self.framerate, self.format = bitdepth, framerate, format
        self.dtype = make_dtype(format, bitdepth_to_dtype[bitdepth], width, height)
        if mmap.nbytes % self.dtype.itemsize:
            raise ValueError(
                f"{mmap.nbytes} bytes are no whole number of frames of {self.dtype.itemsize} bytes "
                f"({width} x {height}, {bitdepth} bits, {format.value})"
            )
        self.data: NDArray[Any] = mmap.view(self.dtype)
        self.total_frms = len(self.data)

    @classmethod
    def from_file(
        cls,
        filename: str | os.PathLike[str],
        width: int | None = None,
        height: int | None = None,
        bitdepth: int | None = None,
        format: VideoFormat | str | None = None,
        framerate: Fraction | float | None = None,
    ) -> Self:
        """The video in a file; what is not given is told by its name, see `get_raw_video_file_info`.

        Raises:
            RuntimeError: neither arguments nor name say everything.
            ValueError: the name contradicts itself; else as the class.
        """
        info = get_raw_video_file_info(filename)
        given = {"width": width, "height": height, "bitdepth": bitdepth, "format": format}
        known = {key: info.get(key) if value is None else value for key, value in given.items()}
        missing = [key for key, value in known.items() if value is None]
        if missing:
            raise RuntimeError(f"neither arguments nor the name of {os.fspath(filename)} say {missing}")
        rate = info.get("framerate") if framerate is None else framerate
        return cls(np.memmap(filename, dtype=np.uint8, mode="r"), **known, framerate=rate)  # type: ignore[arg-type]

    @classmethod
    def new_like(cls, sequence: RawVideoSequence, filename: str | os.PathLike[str]) -> Self:
        """The video in a file that is of the kind of `sequence`; errors as the class."""
        return cls(
            np.memmap(filename, dtype=np.uint8, mode="r"),
            sequence.width,
            sequence.height,
            sequence.bitdepth,
            sequence.format,
            sequence.framerate,
        )

    def __getitem__(self, index: Any) -> Any:
        """The record of a frame, or those of several."""
        return self.data[index]

    def __len__(self) -> int:
        """Number of frames."""
        return self.total_frms

    def close(self) -> None:
        """Lets go of the file."""
        del self.data
