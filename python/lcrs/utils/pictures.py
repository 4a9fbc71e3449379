"""Pictures as CompressAI's commands take them: those of some endings in a folder and below, as RGB."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["IMG_EXTENSIONS", "collect_images", "read_image"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def collect_images(rootpath: str | os.PathLike[str]) -> list[Path]:
    """The pictures in a folder and below."""
    return sorted(path for ending in IMG_EXTENSIONS for path in Path(rootpath).rglob(f"*{ending}"))


def read_image(filepath: str | os.PathLike[str]) -> Tensor:
    """(3, H, W) in [0, 1]."""
    with Image.open(filepath) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float() / 255
