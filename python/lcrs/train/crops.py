"""Random crops out of a folder of pictures that fits into memory."""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SUFFIXES = frozenset({".png", ".webp", ".avif", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff"})


def load_folder(root: str | Path) -> list[np.ndarray]:
    """All pictures directly in `root` as uint8 arrays (H, W, 3), in the order of their names.

    Raises:
        ValueError: there is none.
    """
    paths = sorted(path for path in Path(root).iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"no picture in {root} (suffixes {', '.join(sorted(SUFFIXES))})")
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


class CropSampler:
    """Square crops at random places, every pixel as likely, flipped and transposed at random.

    Args:
        pictures: uint8 arrays (H, W, 3).
        seed: seed of the places.
    """

    def __init__(self, pictures: list[np.ndarray], seed: int = 0) -> None:
        self.pictures = pictures
        self.rng = np.random.default_rng(seed)
        area = np.array([picture.shape[0] * picture.shape[1] for picture in pictures], dtype=np.float64)
        self.weights = area / area.sum()

    def sample(self, count: int, size: int) -> Tensor:
        """`count` crops of `size` x `size` in [0, 1], (count, 3, size, size), channels last."""
        crops = []
        for index in self.rng.choice(len(self.pictures), count, p=self.weights):
            picture = self.pictures[index]
            top = self.rng.integers(picture.shape[0] - size + 1)
            left = self.rng.integers(picture.shape[1] - size + 1)
            crop = picture[top : top + size, left : left + size]
            flip_x, flip_y, transpose = self.rng.random(3) < 0.5
            crop = crop[:, ::-1] if flip_x else crop
            crop = crop[::-1] if flip_y else crop
            crops.append(crop.transpose(1, 0, 2) if transpose else crop)
        batch = torch.from_numpy(np.ascontiguousarray(np.stack(crops)))
        return batch.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
