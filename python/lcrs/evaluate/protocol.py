"""One picture through one codec: what every codec is measured by.

The protocol: pictures are 8-bit RGB (deeper ones are rounded to that first, grey ones have three equal
components). A codec makes bytes of the pixels, and pixels of the bytes, which are rounded to 8 bits. Rates
count every byte of the file. Times are those of the two calls, pixels to bytes and back, without reading the
picture; the first call of a process, which builds tables and loads libraries, is made before on a corner of
the picture, and counts nowhere.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from lcrs import metrics
from lcrs.evaluate.memory import PeakMemory
from lcrs.pictures import to_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.results import Setting

__all__ = ["Codec", "Estimator", "Given", "digest_of", "measured", "read_picture", "warm_up"]

_CORNER = 192
"""Side of what a codec is warmed up with: enough for every network's padding."""


class Codec(Protocol):
    """What is evaluated."""

    @property
    def name(self) -> str:
        """What curves call it."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """A ladder of settings from low rates to high ones; `(None,)` where there is only one."""

    def identity(self) -> dict[str, Any]:
        """Everything that decides its bytes and pixels: versions, settings, colours, chroma, bit depth,
        rounding, digests. Two runs with the same identity may share rows.
        """

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """(H, W, 3) to a whole file."""

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """The pixels of a file of `encode`, given the shape that was told there."""


@runtime_checkable
class Estimator(Protocol):
    """A codec whose bits are estimated instead: no file is made."""

    def estimate(self, pixels: NDArray[np.uint8], setting: Setting) -> tuple[float, NDArray[np.uint8]]:
        """Bits of a picture, and its restored pixels."""


@dataclass(frozen=True)
class Given:
    """A picture that is evaluated on."""

    name: str
    pixels: NDArray[np.uint8]
    """(H, W, 3)."""
    digest: str

    def named(self, name: str) -> Given:
        """The same under another name."""
        return Given(name, self.pixels, self.digest)

    def fields(self) -> dict[str, Any]:
        """What result files say of it."""
        height, width = self.pixels.shape[:2]
        return {"name": self.name, "digest": self.digest, "width": width, "height": height}


def read_picture(path: str | Path, **choices: Any) -> Given:
    """Reads a picture as the protocol wants it.

    Args:
        path: The file.
        **choices: As `lcrs.pictures.to_picture` takes them: `background, to_srgb, frame, max_pixels`.

    Raises:
        OSError: there is no such file.
        PictureError: it is damaged, or holds what `choices` do not say what to do with.
    """
    given = np.asarray(to_picture(Path(path), to_8bit=True, **choices).pixels, np.uint8)
    pixels = np.empty((*given.shape[:2], 3), np.uint8)
    pixels[:] = given.reshape(*given.shape[:2], -1)
    return Given(Path(path).name, pixels, digest_of(pixels))


def digest_of(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of a picture's size and pixels: the same for every lossless file of it."""
    digest = hashlib.sha256(f"{pixels.shape[1]} x {pixels.shape[0]} RGB 8\n".encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def warm_up(codec: Codec, given: Given, setting: Setting) -> None:
    """Has a codec load and build what it needs."""
    corner = np.ascontiguousarray(given.pixels[:_CORNER, :_CORNER])
    if isinstance(codec, Estimator):
        codec.estimate(corner, setting)
    else:
        codec.decode(codec.encode(corner, setting), corner.shape, setting)


def measured(
    codec: Codec, given: Given, setting: Setting, names: Sequence[str] = metrics.DEFAULT_NAMES
) -> tuple[dict[str, Any], NDArray[np.uint8], bytes]:
    """The row of one picture at one setting, the restored pixels, and the file (empty if estimated).

    Raises:
        Exception: whatever the codec ends in.
    """
    num_pixels = given.pixels.shape[0] * given.pixels.shape[1]
    row: dict[str, Any] = {"picture": given.name, "digest": given.digest, "setting": setting}
    data = b""
    if isinstance(codec, Estimator):
        start = time.perf_counter()
        bits, restored = codec.estimate(given.pixels, setting)
        row |= {"bpp": bits / num_pixels, "estimation_time": time.perf_counter() - start}
    else:
        device = getattr(codec, "device", None)
        with PeakMemory(device) as encoding:
            start = time.perf_counter()
            data = codec.encode(given.pixels, setting)
            encoding_time = time.perf_counter() - start
        with PeakMemory(device) as decoding:
            start = time.perf_counter()
            restored = codec.decode(data, given.pixels.shape, setting)
            decoding_time = time.perf_counter() - start
        row |= {"num_bytes": len(data), "bpp": 8 * len(data) / num_pixels}
        if (num_strings := getattr(codec, "num_string_bytes", lambda _: None)(data)) is not None:
            row["bpp-strings"] = 8 * num_strings / num_pixels
        row |= {"encoding_time": encoding_time, "decoding_time": decoding_time}
        row |= encoding.fields("encoding") | decoding.fields("decoding")
    if restored.shape != given.pixels.shape or restored.dtype != np.uint8:
        msg = f"the codec gives {restored.dtype} {restored.shape} of a picture of {given.pixels.shape}"
        raise ValueError(msg)
    values, missing = metrics.measure(given.pixels, restored, names)
    return row | values | ({"missing": missing} if missing else {}), restored, data
