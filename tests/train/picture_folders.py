"""Folders of pictures and settings of tiny runs for tests."""

import numpy as np
from PIL import Image

# Of the network of fewest parts: what folders, files, signals and data do to a run depends on none of them.
RECIPE = "bmshj2018-factorized-relu"
TINY_RUN = {
    "model.sizes": {"N": 8, "M": 12}, "steps": 5, "batch": 2, "crop": 64, "device": "cpu", "threads": 1,
    "workers": 0, "watch.display": "off", "watch.every": 2, "checkpoint_every": 3, "validation.coded": 0,
    "validation.qualities": [50.0], "validation.sheet": False, "validation.size": 64,
}  # fmt: skip


def write_pictures(folder, photo, count=6, size=(96, 112)):
    folder.mkdir(parents=True, exist_ok=True)
    wide = np.tile(photo, (3, 3, 1))
    for k in range(count):
        part = wide[7 * k : 7 * k + size[0], 11 * k : 11 * k + size[1]]
        Image.fromarray(part).save(folder / f"{k}.png", compress_level=1)  # six for every test
    return folder
