"""Made the golden file with every kind of metadata. It must not be run again: see ../README.md."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lcrs import coding

HERE = Path(__file__).parent

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


def main() -> None:
    package = coding.Package.from_file(HERE.parent / "factorized.lcrm")
    with Image.open(HERE.parent / "source.png") as image:
        source = np.asarray(image)[40:57, 50:81]
    data = package.compress(np.ascontiguousarray(source), metadata=METADATA)
    (HERE / "every-kind.lcrs").write_bytes(data)
    said = {key: value.hex() if isinstance(value, bytes) else value for key, value in METADATA.items()}
    expected = {
        "package": "factorized",
        "source": [40, 50, 17, 31],
        "sha256": hashlib.sha256(data).hexdigest(),
        "pixels_sha256": hashlib.sha256(package.decompress(data).tobytes()).hexdigest(),
        "metadata": said,
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    if (HERE / "expected.json").exists():
        sys.exit("the golden file exists and is kept for ever; see ../README.md")
    main()
