"""Made the golden packages, files and pixels of operations. It must not be run again: see ../README.md."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]

from operations_package import PACKAGES, operations_package
from reader import analyse, decode, read_package

SIZES = [(37, 51), (24, 40), (1, 1), (33, 66), (17, 130), (40, 20), (64, 48)]
KINDS = ["lcrs", "ans", "lcrs", "lcrs"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    with Image.open(HERE.parent / "source.png") as image:
        source = np.asarray(image)
    expected: dict[str, Any] = {"packages": [], "files": []}
    number = 0
    for name in PACKAGES:
        package = operations_package(name, HERE / f"{name}.lcrm")
        data = (HERE / f"{name}.lcrm").read_bytes()
        slow = read_package(data)
        expected["packages"].append({"name": name, "sha256": sha256(data), "digests": slow.digests})
        for kind in KINDS:
            label = f"{name}-{number}-{kind}"
            height, width = SIZES[number % len(SIZES)]
            free = source.shape[0] - height, source.shape[1] - width
            top, left = (31 * number * (axis + 1) % (room + 1) for axis, room in enumerate(free))
            part = np.ascontiguousarray(source[top : top + height, left : left + width])
            file = package.compress(part, None, kind=kind)
            restored = package.decompress(file)
            decoded = decode(file, slow)
            assert np.array_equal(decoded.pixels, restored), label
            assert decoded.symbols == analyse(part, slow, None), label
            (HERE / f"{label}.lcrs").write_bytes(file)
            Image.fromarray(restored).save(HERE / f"{label}.png", optimize=True)
            print(label, restored.shape, len(file), [len(set(symbols)) for symbols in decoded.symbols])
            expected["files"].append(
                {
                    "name": label,
                    "package": name,
                    "size": [height, width],
                    "sha256": sha256(file),
                    "pixels_sha256": sha256(restored.tobytes()),
                    "symbols_sha256": [
                        sha256(np.array(symbols, "<i4").tobytes()) for symbols in decoded.symbols
                    ],
                    "metadata_sha256": {},
                    "source": [top, left],
                    "quality": None,
                    "kind": kind,
                }
            )
            number += 1
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    if (HERE / "expected.json").exists():
        sys.exit("the golden files exist and are kept for ever; see ../README.md")
    main()
