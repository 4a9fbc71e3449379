"""Files of CompressAI's `examples/codec.py`: a header without checksum, then strings in its rANS format.

All integers are big-endian: model (1 byte), metric and quality (4 bits each), height and width (4 bytes
each), bit depth (1 byte), height and width of the latent (4 bytes each), number of strings (4 bytes), and for
each string its length (4 bytes) and its bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from lcrs.errors import CorruptError, LimitError, TruncatedError, UnsupportedVersionError

__all__ = ["CompressaiFile", "parse_compressai_file"]

_MODELS = (
    "bmshj2018-factorized",
    "bmshj2018-factorized-relu",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
    "mbt2018",
    "cheng2020-anchor",
    "cheng2020-attn",
    "bmshj2018-hyperprior-vbr",
    "mbt2018-mean-vbr",
    "mbt2018-vbr",
)
"""By number; higher ones are not for pictures. Files of a variable-rate model do not say its scale."""

_METRICS = ("mse", "ms-ssim")
_BLOCK = 64
_MAX_SIDE = 65_535
_MAX_PIXELS = 2**28


@dataclass(frozen=True)
class CompressaiFile:
    """What such a file says.

    Attributes:
        architecture: Registered name of the model.
        metric: What the model was trained for.
        quality: The model's quality, from 1 up.
        size: (height, width) of the picture.
        shape: (height, width) of the last string's latent.
        strings: That of y, then that of z if the model has it.
    """

    architecture: str
    metric: str
    quality: int
    size: tuple[int, int]
    shape: tuple[int, int]
    strings: tuple[bytes, ...]

    @property
    def padded(self) -> tuple[int, int]:
        """(height, width) of what was coded: zeros all around, as evenly as possible, to multiples of 64."""
        height, width = self.size
        return height + -height % _BLOCK, width + -width % _BLOCK

    @property
    def crop(self) -> tuple[int, int]:
        """(top, left): rows and columns of that before the picture."""
        return (self.padded[0] - self.size[0]) // 2, (self.padded[1] - self.size[1]) // 2


def parse_compressai_file(data: bytes) -> CompressaiFile:
    """Reads a file of one picture.

    Raises:
        TruncatedError: it ends early.
        CorruptError: what it says cannot be.
        UnsupportedVersionError: it is of another model, or not of 8 bits.
        LimitError: the picture is above the limits.
    """
    model, code, height, width, bit_depth = _unpack(">BBIIB", data, 0, "header")
    if model >= len(_MODELS):
        raise UnsupportedVersionError(
            f"model number is {model}, those from 0 to {len(_MODELS) - 1} can be read"
        )
    if code >> 4 >= len(_METRICS):
        raise CorruptError(f"metric number is {code >> 4}, must be 0 or 1")
    if bit_depth != 8:
        raise UnsupportedVersionError(f"bit depth is {bit_depth}, files of 8 can be read")
    _check_size(height, width)
    *shape, num_strings = _unpack(">III", data, 11, "size of the latent")
    has_hyperprior = not _MODELS[model].startswith("bmshj2018-factorized")
    if num_strings != 1 + has_hyperprior:
        raise CorruptError(f"file has {num_strings} strings, {_MODELS[model]} has {1 + has_hyperprior}")
    strings, end = [], 23
    for i in range(num_strings):
        (length,) = _unpack(">I", data, end, f"length of string {i}")
        strings.append(data[end + 4 : end + 4 + length])
        end += 4 + length
        if end > len(data):
            raise TruncatedError(f"string {i} of {length} bytes ends at {end}, the file at {len(data)}")
    if end < len(data):
        raise CorruptError(f"{len(data) - end} bytes after the last string")
    file = CompressaiFile(
        _MODELS[model],
        _METRICS[code >> 4],
        (code & 15) + 1,
        (height, width),
        (shape[0], shape[1]),
        tuple(strings),
    )
    stride = 64 if has_hyperprior else 16
    if file.shape != (file.padded[0] // stride, file.padded[1] // stride):
        raise CorruptError(f"latent of {shape[1]} x {shape[0]} for a picture of {width} x {height}")
    return file


def _unpack(layout: str, data: bytes, offset: int, what: str) -> tuple[int, ...]:
    if len(data) < offset + struct.calcsize(layout):
        raise TruncatedError(f"file of {len(data)} bytes ends inside its {what}")
    return struct.unpack_from(layout, data, offset)


def _check_size(height: int, width: int) -> None:
    if 0 in (height, width):
        raise CorruptError(f"picture of {width} x {height}, must be at least 1 x 1")
    if max(height, width) > _MAX_SIDE or height * width > _MAX_PIXELS:
        raise LimitError(f"picture of {width} x {height} is above the limit of {_MAX_PIXELS} pixels")


_EARLIER = {"PeerFile": CompressaiFile, "parse_peer_file": parse_compressai_file}
"""Names of earlier versions."""


def __getattr__(name: str) -> Any:
    if name in _EARLIER:
        return _EARLIER[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
