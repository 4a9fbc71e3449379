"""Pictures and arrays to the numbers of networks, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reader.arithmetic import F32, F64
from reader.wrong import need

DTYPES = ("uint8", "int8", "uint16", "int16", "float32")


@dataclass(frozen=True)
class Samples:
    """What is stored for each pixel."""

    channels: int = 3
    bits: int | None = 8
    """Of a component of a picture; None for an array."""
    dtype: str = "uint8"


RGB8 = Samples()


def picture(channels: int, bits: int) -> Samples:
    """The samples of a picture of 1 or 3 channels."""
    need(1 <= bits <= 16, f"{bits} bits")
    return Samples(channels, bits, "uint8" if bits <= 8 else "uint16")


def array(code: int, channels: int) -> Samples:
    """The samples of an array."""
    need(code < len(DTYPES), f"number type {code}")
    need(1 <= channels <= 1 << 20, f"{channels} channels")
    return Samples(channels, None, DTYPES[code])


def of_package(description: dict[str, Any]) -> Samples | None:
    """The arrays that a package is for; None if it is for pictures."""
    stated = description.get("samples")
    if stated is None:
        return None
    need(set(stated) == {"type", "channels", "minimum", "maximum"}, f"samples {stated}")
    low, high = (F32(stated[end]) for end in ("minimum", "maximum"))
    need(np.isfinite([low, high]).all() and low < high, f"range {low} to {high}")
    if stated["type"] != "float32":
        legal = np.iinfo(stated["type"])
        need(low == np.floor(low) and high == np.floor(high), f"range {low} to {high}")
        need(legal.min <= low and high <= legal.max, f"range {low} to {high}")
    return array(DTYPES.index(stated["type"]), stated["channels"])


def to_numbers(pixels: np.ndarray, samples: Samples, description: dict[str, Any]) -> np.ndarray:
    """(H, W) or (H, W, C) to what g_a takes, (C, H, W)."""
    planes = (pixels if pixels.ndim == 3 else pixels[..., None]).transpose(2, 0, 1)
    if samples.bits is not None:
        numbers = planes.astype(F32) / F32(2**samples.bits - 1)
        return numbers if samples.channels == 3 else np.repeat(numbers, 3, axis=0)
    low, high = (F64(F32(description["samples"][end])) for end in ("minimum", "maximum"))
    return ((np.clip(planes.astype(F64), low, high) - low) / (high - low)).astype(F32)


def to_samples(x: np.ndarray, samples: Samples, description: dict[str, Any]) -> np.ndarray:
    """Numbers (C, H, W) of g_s to samples (H, W, C)."""
    need(not np.isnan(x).any(), "a component is not a number")
    x = np.clip(x, F32(0), F32(1))
    if samples.bits is not None:
        if samples.channels == 1:
            x = (((x[0] + x[1]) + x[2]) / F32(3))[None]
        values = np.rint(x * F32(2**samples.bits - 1))
    else:
        low, high = (F64(F32(description["samples"][end])) for end in ("minimum", "maximum"))
        values = np.clip(x.astype(F64) * (high - low) + low, low, high)
        values = values if samples.dtype == "float32" else np.rint(values)
    return values.astype(samples.dtype).transpose(1, 2, 0)
