"""Pillow's lossy codecs, as others' curves beside ours: bytes and pixels at a quality, or at a size."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, features

SETTINGS: dict[str, dict[str, Any]] = {
    "webp": {"method": 6},
    "avif": {"subsampling": "4:4:4", "speed": 4},
    "jpeg": {"subsampling": "4:2:0", "optimize": True},
}
QUALITIES = {
    "webp": (1, 10, 25, 40, 55, 70, 80, 88, 94, 98),
    "avif": (10, 20, 30, 40, 50, 60, 70, 80, 88, 94),
    "jpeg": (5, 10, 20, 35, 50, 65, 80, 90, 95),
}
_LIBRARIES = {"webp": "webp", "avif": "avif", "jpeg": "libjpeg_turbo"}


def described(codec: str) -> str:
    """Codec, version and settings, for a result."""
    settings = ", ".join(f"{key} {value}" for key, value in SETTINGS[codec].items())
    library = _LIBRARIES[codec]
    return f"Pillow {Image.__version__} ({library} {features.version(library)}), {settings}"


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Of RGB, peak 255; 99 where nothing differs."""
    mse = np.mean((a.astype(np.float64) - b) ** 2)
    return float(10 * np.log10(255.0**2 / mse)) if mse else 99.0


def coded(picture: np.ndarray, codec: str, quality: int) -> tuple[int, np.ndarray]:
    """Bytes of a whole file and the pixels that come back."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, codec.upper(), quality=quality, **SETTINGS[codec])
    return file.tell(), np.asarray(Image.open(file).convert("RGB"))


def of_size(picture: np.ndarray, codec: str, num_bytes: int) -> tuple[int, np.ndarray]:
    """As `coded`, at the best quality whose file is no larger than `num_bytes`, or else the smallest."""
    low, high = 0, 100
    best = coded(picture, codec, low)
    while low < high:
        middle = (low + high + 1) // 2
        tried = coded(picture, codec, middle)
        if tried[0] <= num_bytes:
            low, best = middle, tried
        else:
            high = middle - 1
    return best


def psnr_at_size(picture: np.ndarray, codec: str, num_bytes: int) -> float:
    """PSNR of the codec at exactly `num_bytes`, in dB, between its two nearest qualities."""
    points = []
    low, high = 0, 100
    while low <= high:
        middle = (low + high) // 2
        size, restored = coded(picture, codec, middle)
        points.append((size, psnr_db(picture, restored)))
        low, high = (middle + 1, high) if size <= num_bytes else (low, middle - 1)
    sizes, psnrs = zip(*sorted(points), strict=True)
    return float(np.interp(np.log(num_bytes), np.log(sizes), psnrs))
