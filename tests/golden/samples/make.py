"""Made the golden files of pictures beyond 8-bit RGB and of arrays. Not to be run again: see ../README.md."""

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

from reader import analyse, decode, read_package
from samples_package import SAMPLES, samples_package

from lcrs import coding

# Name of the file, package, quality, bits of a component.
FILES: list[tuple[str, str, float | None, int | None]] = [
    ("grey-8", "pictures", 100.0, None),
    ("grey-8-axis", "pictures", 37.3, None),
    ("grey-16", "pictures", 62.5, None),
    ("grey-1", "pictures", 100.0, 1),
    ("grey-10", "pictures", 0.0, 10),
    ("rgb-16", "pictures", 100.0, None),
    ("rgb-12", "pictures", 37.3, 12),
    ("rgb-5", "pictures", 100.0, 5),
    ("five-floats", "five-floats", None, None),
    ("one-int16", "one-int16", None, None),
    ("one-int16-axis", "one-int16", None, None),
    ("two-bytes", "two-bytes", None, None),
]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made(name: str, source: np.ndarray, bits: int | None) -> np.ndarray:
    """The picture or the array of a file: a part of the source, in its type."""
    part = source[20:57, 60:111].astype(np.float64) / 255
    grey = part.mean(2)
    noise = np.random.default_rng(len(name)).normal(0, 0.1, (*grey.shape, 5))
    if name == "five-floats":
        return (np.concatenate([part, part[..., :2]], 2) + noise - 0.3).astype(np.float32)
    if name.startswith("one-int16"):
        whole = np.rint((grey + noise[..., 0]) * 4500 - 1200).astype(np.int16)
        return whole[..., None] if name.endswith("axis") else whole
    if name == "two-bytes":
        return np.rint(part[..., :2] * 255).astype(np.uint8)
    bits = bits or int(name.split("-")[1])
    pixels = part if name.startswith("rgb") else grey
    whole = np.rint(pixels * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16)
    return whole[..., None] if name.endswith("axis") else whole


def main() -> None:
    with Image.open(HERE.parent / "source.png") as image:
        source = np.asarray(image)
    expected: dict[str, Any] = {"packages": [], "files": []}
    for name in SAMPLES:
        samples_package(name, HERE / f"{name}.lcrm")
        data = (HERE / f"{name}.lcrm").read_bytes()
        digests = read_package(data).digests
        expected["packages"].append({"name": name, "sha256": sha256(data), "digests": digests})
    for number, (label, name, quality, bits) in enumerate(FILES):
        package = coding.Package.from_file(HERE / f"{name}.lcrm")
        slow = read_package((HERE / f"{name}.lcrm").read_bytes())
        pixels, kind = made(label, source, bits), ("lcrs", "ans")[number % 2]
        depth = {} if bits is None else {"bit_depth": bits}
        file = package.compress(pixels, quality, kind=kind, **depth)
        restored = package.decompress(file)
        decoded = decode(file, slow)
        assert decoded.pixels.dtype == restored.dtype == pixels.dtype
        assert decoded.pixels.shape == restored.shape == pixels.shape
        assert np.array_equal(decoded.pixels, restored), label
        assert decoded.symbols == analyse(pixels, slow, quality, bits), label
        (HERE / f"{label}.lcrs").write_bytes(file)
        np.save(HERE / f"{label}.npy", pixels)
        little = restored.astype(restored.dtype.newbyteorder("<"))
        print(
            label, restored.shape, restored.dtype, len(file), np.abs(restored - pixels.astype(float)).mean()
        )
        expected["files"].append(
            {
                "name": label,
                "package": name,
                "size": list(restored.shape[:2]),
                "shape": list(restored.shape),
                "dtype": restored.dtype.name,
                "sha256": sha256(file),
                "pixels_sha256": sha256(little.tobytes()),
                "symbols_sha256": [sha256(np.array(symbols, "<i4").tobytes()) for symbols in decoded.symbols],
                "metadata_sha256": {},
                "quality": quality,
                "bit_depth": bits,
                "kind": kind,
            }
        )
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    if (HERE / "expected.json").exists():
        sys.exit("the golden files exist and are kept for ever; see ../README.md")
    main()
