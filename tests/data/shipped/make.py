"""Adds a file of a shipped model: ``python make.py NAME``."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import lcrs
from lcrs.coding import CloudPackage, codes_clouds
from lcrs.datasets.generated_clouds import generated_voxels
from lcrs.packages import shipped_models

HERE = Path(__file__).parent


def main(name):
    path = HERE / f"{name}.lcrs"
    if path.exists():
        sys.exit(f"{path} is there already, and files of shipped models never change")
    package = shipped_models()[name]
    if codes_clouds(package):
        add(HERE / "positions.json", name, cloud_file(CloudPackage.from_file(package), path))
    else:
        add(HERE / "pixels.json", name, picture_file(name, path))


def picture_file(name, path):
    with Image.open(HERE.parent / "photo.png") as image:
        picture = np.asarray(image.convert("RGB").crop((200, 100, 322, 183)))
    path.write_bytes(lcrs.compress(picture, quality=40, model=name))
    return lcrs.decompress(path.read_bytes())


def cloud_file(package, path):
    dense, scan = (generated_voxels(1, kind, max_points=1500) for kind in ("captured", "lidar"))
    path.write_bytes(package.compress(np.concatenate([dense, scan + np.int32([300, 0, 0])]), {})[0])
    return package.decompress(path.read_bytes())[0]


def add(digests, name, decoded):
    known = json.loads(digests.read_text()) if digests.exists() else {}
    known[name] = hashlib.sha256(decoded.tobytes()).hexdigest()
    digests.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
