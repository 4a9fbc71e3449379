"""Adds a file of a shipped model: ``python make.py NAME``."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import lcrs

HERE = Path(__file__).parent


def main(name):
    path, digests = HERE / f"{name}.lcrs", HERE / "pixels.json"
    if path.exists():
        sys.exit(f"{path} is there already, and files of shipped models never change")
    with Image.open(HERE.parent / "photo.png") as image:
        picture = np.asarray(image.convert("RGB").crop((200, 100, 322, 183)))
    path.write_bytes(lcrs.compress(picture, quality=40, model=name))
    known = json.loads(digests.read_text()) if digests.exists() else {}
    known[name] = hashlib.sha256(lcrs.decompress(path.read_bytes()).tobytes()).hexdigest()
    digests.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
