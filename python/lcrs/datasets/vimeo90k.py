"""Single frames of the Vimeo-90K dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from lcrs.datasets.image import load_rgb
from lcrs.registry import register_dataset

__all__ = ["Vimeo90kDataset"]

_PREFIXES = {3: "tri", 7: "sep"}
_LISTS = {"train": "trainlist", "valid": "testlist"}


@register_dataset("Vimeo90kDataset")
class Vimeo90kDataset(Dataset[Any]):
    """Frames of Vimeo-90K as pictures; each frame of a tuplet is an item.

    Xue et al., "Video enhancement with task-oriented flow", IJCV 2019.

    .. code-block:: none

        - root/
            - sequences/
                - 00001/
                    - 0001/
                        - im1.png
                        - im2.png
                        - im3.png
            - tri_trainlist.txt
            - tri_testlist.txt

    Attributes:
        samples: Paths of the frames.

    Args:
        root: The dataset's folder.
        transform: Called with a frame (PIL, RGB); returns the item. By default the item is the frame.
        split: "train" or "valid".
        tuplet: Frames in a sequence: 3 (triplets) or 7 (septuplets).

    Raises:
        ValueError: Another split or tuplet.
        FileNotFoundError: The list of the split is missing.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Image.Image], Any] | None = None,
        split: str = "train",
        tuplet: int = 3,
    ) -> None:
        if split not in _LISTS:
            raise ValueError(f'split is {split!r}; it must be "train" or "valid"')
        if tuplet not in _PREFIXES:
            raise ValueError(f"tuplet is {tuplet}; it must be 3 or 7")
        listing = Path(root) / f"{_PREFIXES[tuplet]}_{_LISTS[split]}.txt"
        sequences = [line.strip() for line in listing.read_text().splitlines() if line.strip()]
        self.samples = [
            Path(root) / "sequences" / sequence / f"im{frame}.png"
            for sequence in sequences
            for frame in range(1, tuplet + 1)
        ]
        self.transform = transform

    def __getitem__(self, index: int) -> Any:
        """The frame at `index`, transformed."""
        image = load_rgb(self.samples[index])
        return image if self.transform is None else self.transform(image)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.samples)
