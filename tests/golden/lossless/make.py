"""Made the golden files of lossless pictures. Not to be run again: see ../README.md."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from lossless_file import band_field, lossless_file
from reader import decode_lossless, encode_lossless
from reader.container import parse

from lcrs import _lcrs

METADATA = {
    "icc": b"\0" * 16 + b"RGB " + b"\0" * 16 + b"acsp" + bytes(88),
    "exif": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0",
    "xmp": "<x:xmpmeta xmlns:x='adobe:ns:meta/'>Größe</x:xmpmeta>".encode(),
    "iptc": b"\x1c\x02\x50\0\x06author",
    "resolution": (300.0, 72.5),
    "cicp": (12, 13, 0, True),
    "gamma": 45_455,
    "chromaticities": (31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000),
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def drawn(height: int, width: int, seed: int) -> np.ndarray:
    """A screen: a gradient at the top, a few shapes again and again on a flat ground, and some noise."""
    random = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), (250, 250, 245), np.uint8)
    pixels[:6] = (np.arange(width) * 3 % 256)[None, :, None] // np.array([1, 2, 4])
    letters = random.integers(0, 2, (5, 7, 5)).astype(bool)
    inks = (20, 20, 30), (0, 90, 200)
    for top in range(9, height - 8, 10):
        for left in range(3, width - 6, 6):
            ink = letters[random.integers(5)]
            pixels[top : top + 7, left : left + 5][ink] = inks[int(random.integers(8) == 0)]
    noise = random.integers(100, 140, (height - height // 2, 9, 3))
    pixels[height // 2 :, width // 2 : width // 2 + 9] = noise
    return pixels


def pictures() -> dict[str, tuple[np.ndarray, int]]:
    """Pictures and the bits of a component, by the name of the file."""
    random = np.random.default_rng(9)
    with Image.open(HERE.parent / "source.png") as image:
        source = np.asarray(image)[20:57, 60:101]
    fine = source.astype(np.float64) / 255 + random.normal(0, 0.004, source.shape)
    scaled = [np.rint(np.clip(fine, 0, 1) * (2**bits - 1)).astype(np.uint16) for bits in range(17)]
    screen = drawn(71, 83, 1)
    few = random.integers(0, 3, (23, 31, 3)).astype(np.uint8) * np.uint8(127)
    return {
        "grey-1": ((screen[..., 0] < 100).astype(np.uint8), 1),
        "grey-5": (scaled[5][..., 1].astype(np.uint8), 5),
        "grey-8": (source[..., 1].copy(), 8),
        "grey-8-axis": (screen[8:40, :50, :1].copy(), 8),
        "grey-10": (scaled[10][..., 0], 10),
        "grey-16": (scaled[16][..., 2], 16),
        "rgb-1": (screen[:40] // np.uint8(128), 1),
        "rgb-8": (source.copy(), 8),
        "rgb-12": (scaled[12], 12),
        "rgb-16": (scaled[16][:20], 16),
        "drawn": (screen, 8),
        "few": (few, 8),
        "noise": (random.integers(0, 256, (19, 27, 3)).astype(np.uint8), 8),
        "noise-16": (random.integers(0, 1 << 16, (13, 17)).astype(np.uint16), 16),
        "ends": (random.integers(0, 2, (9, 14, 3)).astype(np.uint16) * np.uint16(65_535), 16),
        "flat": (np.full((40, 60, 3), (0, 255, 128), np.uint8), 8),
        "one": (np.array([[[7, 200, 90]]], np.uint8), 8),
        "column": (random.integers(0, 9, (50, 1)).astype(np.uint8), 8),
        "row": (random.integers(90, 99, (1, 70, 3)).astype(np.uint8), 8),
        "two-columns": (random.integers(0, 4, (30, 2, 3)).astype(np.uint8), 2),
        "every-kind": (screen[30:50, 30:60].copy(), 8),
        "two-bands": (np.tile(screen[:, :64], (8, 2, 1))[:530], 8),
        "three-bands": (np.tile(screen[9:70, :60, 0], (9, 5))[:530], 8),
    }


# Rows of a band, where they are not what lcrs takes.
BAND_ROWS = {"two-bands": 512, "three-bands": 219}


def main() -> None:
    files: list[dict[str, Any]] = []
    for name, (pixels, bits) in pictures().items():
        pixels = np.ascontiguousarray(pixels)
        height, width = pixels.shape[:2]
        metadata = METADATA if name == "every-kind" else None
        data = _lcrs.compress_lossless(pixels, bit_depth=bits, metadata=metadata)
        rows = BAND_ROWS.get(name, height)
        payload = encode_lossless(pixels, bits, rows)
        if name in BAND_ROWS:
            color = bytes([3, 2, bits, 1]) if pixels.ndim == 2 else b""
            data = lossless_file(width, height, color + band_field(rows), payload)
        assert parse(data).latents[0].data == payload, name
        for found in (decode_lossless(data), _lcrs.decompress_lossless(data)):
            assert found.dtype == pixels.dtype, name
            assert np.array_equal(found, pixels), name
        (HERE / f"{name}.lcrs").write_bytes(data)
        little = pixels.astype(pixels.dtype.newbyteorder("<"))
        said = {key: v.hex() if isinstance(v, bytes) else v for key, v in (metadata or {}).items()}
        print(name, pixels.shape, len(data), pixels.nbytes)
        files.append(
            {
                "name": name,
                "size": [height, width],
                "shape": list(pixels.shape),
                "dtype": pixels.dtype.name,
                "bit_depth": bits,
                "band_rows": rows,
                "sha256": sha256(data),
                "pixels_sha256": sha256(little.tobytes()),
                "metadata": said,
            }
        )
    (HERE / "expected.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


if __name__ == "__main__":
    if (HERE / "expected.json").exists():
        sys.exit("the golden files exist and are kept for ever; see ../README.md")
    main()
