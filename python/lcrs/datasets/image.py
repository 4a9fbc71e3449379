"""Pictures of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from lcrs.registry import register_dataset

__all__ = ["ImageFolder", "load_rgb"]


def load_rgb(path: str | os.PathLike[str]) -> Image.Image:
    """Opens a picture of 8 bits a channel as RGB; grey is repeated, transparency dropped.

    Raises:
        ValueError: More than 8 bits a channel, which Pillow would clip; the message has the path.
    """
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"{os.fspath(path)} has mode {image.mode}; only 8 bits a channel are supported")
        rgb: Image.Image = image.convert("RGB")
        return rgb


@register_dataset("ImageFolder")
class ImageFolder(Dataset[Any]):
    """Pictures in `root/split`, in the order of their paths.

    .. code-block:: none

        - root/
            - train/
                - img000.png
                - img001.png
            - test/
                - img000.png

    Unlike CompressAI's, it leaves out files that are no pictures by their names.

    Attributes:
        samples: Paths of the pictures.

    Args:
        root: The folder.
        transform: Called with a picture (PIL, RGB); returns the item. By default the item is the picture.
        split: Name of the sub-folder; empty for `root` itself.
        recursive: Also takes pictures from sub-folders of `root/split`.
        extensions: Which file names count, such as `{".png"}`, in any case; by default those that Pillow
            opens.

    Raises:
        RuntimeError: There is no folder `root/split`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Image.Image], Any] | None = None,
        split: str = "train",
        *,
        recursive: bool = False,
        extensions: Collection[str] | None = None,
    ) -> None:
        folder = Path(root) / split
        if not folder.is_dir():
            raise RuntimeError(f"missing directory {folder}")
        wanted = _readable_extensions() if extensions is None else {item.lower() for item in extensions}
        found = folder.rglob("*") if recursive else folder.iterdir()
        self.samples = sorted(path for path in found if path.suffix.lower() in wanted and path.is_file())
        self.transform = transform

    def __getitem__(self, index: int) -> Any:
        """The picture at `index`, transformed."""
        image = load_rgb(self.samples[index])
        return image if self.transform is None else self.transform(image)

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.samples)


def _readable_extensions() -> set[str]:
    return {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
