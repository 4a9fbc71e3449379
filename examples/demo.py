"""Compress and restore a real photo with the model that ships in the package.

Run by ``make demo``. Every step is a process of its own, as it would be on two machines, and is shown as it
would be typed; the photo is restored once on every instruction set that this processor has, and the pixels
must be identical.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO = Path(os.path.relpath(Path(__file__).parents[1] / "tests" / "data" / "photo.png"))


def lcrs(*arguments: str, **environment: str) -> tuple[str, float]:
    """Shows a command and runs it in a fresh process; returns what it printed and the seconds it took."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    print("$", *settings, "lcrs", shlex.join(arguments), flush=True)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "lcrs", *arguments],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout, time.perf_counter() - start


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures in decibels."""
    return float(10 * np.log10(255.0**2 / np.mean((a.astype(np.float64) - b) ** 2)))


def jpeg_of_size(picture: Image.Image, num_bytes: int) -> tuple[np.ndarray, int]:
    """The best JPEG of at most ``num_bytes``, or the smallest there is."""
    best = b""
    for quality in range(1, 96):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if best and buffer.tell() > num_bytes:
            break
        best = buffer.getvalue()
    return np.asarray(Image.open(io.BytesIO(best))), len(best)


def simd_paths() -> list[str]:
    """The instruction sets of this processor that lcrs has kernels for."""
    from lcrs import coding

    return list(coding.simd_paths())


def main() -> None:
    """Encodes once, decodes on every path, compares with JPEG of the same size."""
    parser = argparse.ArgumentParser(
        description="Compress and restore a real photo with the model that ships in the package."
    )
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--quality", type=float, default=50.0)
    parser.add_argument("--output", type=Path, default=Path("demo"))
    arguments = parser.parse_args()

    print(
        "A photo becomes a file, the file a photo again, without PyTorch. What follows is run as it stands:\n"
    )
    out = arguments.output
    out.mkdir(parents=True, exist_ok=True)
    stream = out / "photo.lcrs"
    _, seconds = lcrs(
        "encode", str(arguments.photo), "-o", str(stream), "-q", f"{arguments.quality:g}", "--force"
    )
    info = json.loads(lcrs("info", str(stream), "--json")[0])
    print(f"  {arguments.photo.name} of {info['width']} x {info['height']} pixels and", end=" ")
    print(f"{arguments.photo.stat().st_size:,} bytes became {info['num_bytes']:,} bytes in {seconds:.2f} s;")
    print(f"  the file names its model, {info['model']}, and what decides its symbols by digests\n")

    original = Image.open(arguments.photo).convert("RGB")
    pixels = np.asarray(original)
    restored = None
    for path in simd_paths():
        target = out / f"photo-{path}.png"
        _, seconds = lcrs("decode", str(stream), "-o", str(target), "--force", LCRS_SIMD=path)
        decoded = np.asarray(Image.open(target))
        if restored is not None and not np.array_equal(decoded, restored):
            sys.exit(f"{path} restored other pixels: this must never happen, please report it")
        restored = decoded
        print(
            f"  decoded in {seconds:.2f} s with {path}"
            + ("" if path == simd_paths()[0] else ": identical pixels")
        )
    assert restored is not None

    print("\nBeside the best JPEG file of no more bytes:")
    jpeg, jpeg_bytes = jpeg_of_size(original, info["num_bytes"])
    Image.fromarray(np.concatenate([pixels, restored, jpeg], axis=1)).save(out / "comparison.png")
    for name, num_bytes, result in (("lcrs", info["num_bytes"], restored), ("JPEG", jpeg_bytes, jpeg)):
        bpp = 8 * num_bytes / (info["width"] * info["height"])
        print(f"  {name}  {num_bytes:>8,} bytes  {bpp:.3f} bpp  PSNR {psnr_db(pixels, result):.2f} dB")
    print(f"  original, lcrs and JPEG side by side: {out / 'comparison.png'}")
    if "torch" in sys.modules:
        sys.exit("torch was imported: coding must not need it")


if __name__ == "__main__":
    main()
