"""Short clips of video, as single pictures in folders."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lcrs.datasets.image import load_rgb
from lcrs.registry import register_dataset

__all__ = ["VideoFolder"]


@register_dataset("VideoFolder")
class VideoFolder(Dataset[Any]):
    """Three frames of each clip that a list names.

    .. code-block:: none

        - root/
            - train.list
            - test.list
            - sequences/
                - 00001/
                    - 0001/
                        - im1.png
                        - im2.png
                        - im3.png

    Attributes:
        sample_folders: Folders of the clips.

    Args:
        root: The dataset's folder.
        rnd_interval: Draws how far apart the three frames are, from 1 to what the clip's length allows.
        rnd_temp_order: Turns the time around for every other clip, at random.
        transform: Called with the three frames side by side, uint8 (H, W, 9); returns (9, H', W'), as
            torchvision's `ToTensor` and crops do.
        split: The list is `root/split.list`: a folder below `sequences` in each line.

    Raises:
        RuntimeError: there is no transform, or the list or the folder is missing.
    """

    max_frames = 3

    def __init__(
        self,
        root: str | os.PathLike[str],
        rnd_interval: bool = False,
        rnd_temp_order: bool = False,
        transform: Callable[[NDArray[np.uint8]], Tensor] | None = None,
        split: str = "train",
    ) -> None:
        if transform is None:
            raise RuntimeError("VideoFolder needs a transform, from uint8 (H, W, 9) to a tensor (9, H, W)")
        listing, folder = Path(root) / f"{split}.list", Path(root) / "sequences"
        if not listing.is_file():
            raise RuntimeError(f"there is no list {listing}")
        if not folder.is_dir():
            raise RuntimeError(f"there is no folder {folder}")
        lines = (line.strip() for line in listing.read_text().splitlines())
        self.sample_folders = [folder / line for line in lines if line]
        self.rnd_interval = rnd_interval
        self.rnd_temp_order = rnd_temp_order
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Three frames of the clip at `index`, each (3, H, W).

        Raises:
            ValueError: the clip is shorter.
        """
        folder = self.sample_folders[index]
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        longest = (len(paths) + 2) // self.max_frames
        interval = random.randint(1, longest) if self.rnd_interval and longest else 1
        chosen = paths[::interval][: self.max_frames]
        if len(chosen) < self.max_frames:
            raise ValueError(f"{folder} has {len(paths)} frames, at least {self.max_frames} are needed")
        frames = np.concatenate([np.asarray(load_rgb(path)) for path in chosen], axis=-1)
        clip = torch.chunk(self.transform(frames), self.max_frames)
        return clip[::-1] if self.rnd_temp_order and random.random() < 0.5 else clip

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.sample_folders)
