"""Folders of pictures for tests."""

import numpy as np
from PIL import Image


def write_pictures(folder, photo, count=6, size=(96, 112)):
    folder.mkdir(parents=True, exist_ok=True)
    wide = np.tile(photo, (3, 3, 1))
    for k in range(count):
        part = wide[7 * k : 7 * k + size[0], 11 * k : 11 * k + size[1]]
        Image.fromarray(part).save(folder / f"{k}.png")
    return folder
