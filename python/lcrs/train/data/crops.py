"""Random crops, each a function of the seed and its number alone: nothing else changes them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lcrs.train.data.pictures import Pictures, Pixels

__all__ = ["CropMaker", "crop_of", "generator"]

_ATTEMPTS = 50


def generator(*numbers: int) -> np.random.Generator:
    """Random numbers that follow from `numbers`."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(numbers)))


def crop_of(
    picture: Pixels, size: int, rng: np.random.Generator, *, flip: bool, transpose: bool, downscale: float
) -> Pixels:
    """A square of a picture at a random place, (C, size, size), scaled down, flipped, transposed at random.

    A picture that is too small for the drawn scale is scaled less.

    Args:
        picture: (H, W, C), no side below `size`.
        size: Side of the crop.
        rng: Decides all.
        flip: Whether to flip, both ways.
        transpose: Whether to transpose.
        downscale: The smallest scale; 1 for none.
    """
    height, width = picture.shape[:2]
    side = size
    if downscale < 1:
        side = min(height, width, round(size / rng.uniform(downscale, 1)))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    crop = picture[top : top + side, left : left + side]
    if side != size:
        crop = np.concatenate([_resized(crop[..., c : c + 3], size) for c in range(0, crop.shape[2], 3)], 2)
    flip_x, flip_y, turn = rng.random(3) < 0.5
    if flip and flip_x:
        crop = crop[:, ::-1]
    if flip and flip_y:
        crop = crop[::-1]
    if transpose and turn:
        crop = crop.transpose(1, 0, 2)
    return np.ascontiguousarray(crop.transpose(2, 0, 1))


def _resized(crop: Pixels, size: int) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(crop))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


@dataclass
class CropMaker:
    """The crop of each number.

    Attributes:
        pictures: Where crops are of.
        seed: Of everything.
        order: "shuffle" or "area", as in the configuration.
    """

    pictures: Pictures
    seed: int
    order: str = "shuffle"
    flip: bool = True
    transpose: bool = False
    downscale: float = 1.0

    def __post_init__(self) -> None:
        area = self.pictures.sizes.prod(1).astype(np.float64)
        self._shares = np.cumsum(area) / area.sum()
        self._permutation = functools.lru_cache(maxsize=2)(self._permuted)

    def _permuted(self, epoch: int) -> NDArray[np.int64]:
        return generator(self.seed, 1, epoch).permutation(len(self.pictures))

    def _first(self, number: int, rng: np.random.Generator) -> int:
        if self.order == "area":
            return min(int(np.searchsorted(self._shares, rng.random())), len(self.pictures) - 1)
        epoch, place = divmod(number, len(self.pictures))
        index: int = self._permutation(epoch)[place].item()
        return index

    def make(self, number: int, size: int) -> Pixels:
        """Crop `number`, (C, size, size).

        In place of a picture that cannot be read comes another, which the number decides as well.

        Raises:
            ValueError: so many in a row cannot be read that something else is wrong.
        """
        rng = generator(self.seed, 0, number)
        index = self._first(number, rng)
        for _ in range(_ATTEMPTS):
            picture = self.pictures.read(index)
            if picture is not None and min(picture.shape[:2]) >= size:
                return crop_of(
                    picture, size, rng,
                    flip=self.flip, transpose=self.transpose, downscale=self.downscale,
                )  # fmt: skip
            index = int(rng.integers(len(self.pictures)))
        raise ValueError(f"{_ATTEMPTS} pictures in a row cannot be read: is the folder still there?")
