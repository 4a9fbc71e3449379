"""Pictures of a folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from lcrs.pictures import Background, PictureError, to_picture
from lcrs.pictures.leniency import is_lenient
from lcrs.pictures.picture import too_deep
from lcrs.registry import register_dataset

__all__ = ["ImageFolder", "load_rgb"]


def load_rgb(
    path: str | os.PathLike[str],
    *,
    background: Background | None = None,
    to_8bit: bool = False,
    to_srgb: bool = False,
    frame: int | None = None,
    max_pixels: int | None = None,
) -> Image.Image:
    """Opens a picture of 8 bits a channel as RGB, as `lcrs.compress` sees it; grey is repeated.

    Args:
        path: The file.
        background: Flattens transparency on this colour.
        to_8bit: Rounds deeper components.
        to_srgb: Converts colours by their profile.
        frame: Which frame of a file with several to take, from 0.
        max_pixels: Refuses larger pictures.

    Warns:
        UserWarning: It holds what these do not say what to do with, and `lcrs.pictures.leniency` has it taken
            all the same.

    Raises:
        PictureError: It holds what these do not say what to do with, or it is damaged; the message has the
            path.
    """
    choices: dict[str, Any] = {
        "background": background,
        "to_8bit": to_8bit,
        "to_srgb": to_srgb,
        "frame": frame,
    }
    try:
        picture = to_picture(path, **choices, max_pixels=max_pixels)
        if picture.bit_depth != 8:
            raise too_deep(picture.bit_depth, os.fspath(path))
        rgb: Image.Image = picture.to_pillow().convert("RGB")
    except PictureError as error:
        if not is_lenient() or error.choice not in choices:
            raise
        warnings.warn(f'{error.problem}: taken by convert("RGB"), as CompressAI does', stacklevel=2)
        with Image.open(path) as opened:
            rgb = opened.convert("RGB")
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

    Unlike CompressAI's, it leaves out files that are no pictures by their names, applies EXIF orientation,
    and drops neither transparency nor bits silently.

    Attributes:
        samples: Paths of the pictures.

    Args:
        root: The folder.
        transform: Called with a picture (PIL, RGB); returns the item. By default the item is the picture.
        split: Name of the sub-folder; empty for `root` itself.
        recursive: Also takes pictures from sub-folders of `root/split`.
        background: Flattens transparency on this colour; without it, pictures with transparent parts are
            refused when they are read.
        to_8bit: Rounds components of more than 8 bits; without it such pictures are refused.
        to_srgb: Converts colours to sRGB by their profile, CMYK too, which is refused without it.
        frame: Takes this frame of files with several (GIF), from 0; without it such files are refused.
        max_pixels: Refuses larger pictures; by default those above 2^28 pixels.
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
        background: Background | None = None,
        to_8bit: bool = False,
        to_srgb: bool = False,
        frame: int | None = None,
        max_pixels: int | None = None,
    ) -> None:
        folder = Path(root) / split
        if not folder.is_dir():
            raise RuntimeError(f"missing directory {folder}")
        wanted = _readable_extensions() if extensions is None else {item.lower() for item in extensions}
        found = folder.rglob("*") if recursive else folder.iterdir()
        self.samples = sorted(path for path in found if path.suffix.lower() in wanted and path.is_file())
        self.transform = transform
        self._load = partial(
            load_rgb,
            background=background,
            to_8bit=to_8bit,
            to_srgb=to_srgb,
            frame=frame,
            max_pixels=max_pixels,
        )

    def __getitem__(self, index: int) -> Any:
        """The picture at `index`, transformed."""
        image = self._load(self.samples[index])
        return image if self.transform is None else self.transform(image)

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.samples)


def _readable_extensions() -> set[str]:
    return {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
