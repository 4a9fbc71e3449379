"""Sheets of validation pictures: originals above, what is restored below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lcrs.coding.files import write_atomically
from lcrs.train.data.pictures import Pixels

__all__ = ["sheet_of", "write_sheet"]

_HEIGHT = 256
_GAP = 4


def sheet_of(columns: Sequence[Sequence[Pixels]]) -> Pixels:
    """Pictures of equal size below each other in each column, columns side by side, on grey.

    Args:
        columns: uint8 (H, W, 3); each is cut to 256 x 256 at most.
    """
    cut = [[picture[:_HEIGHT, :_HEIGHT, :3] for picture in column] for column in columns]
    rows = max(len(column) for column in cut)
    heights = [max(column[k].shape[0] for column in cut if k < len(column)) for k in range(rows)]
    widths = [max(picture.shape[1] for picture in column) for column in cut]
    sheet = np.full((sum(heights) + _GAP * (rows - 1), sum(widths) + _GAP * (len(cut) - 1), 3), 128, np.uint8)
    left = 0
    for column, width in zip(cut, widths, strict=True):
        top = 0
        for picture, height in zip(column, heights, strict=False):
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            top += height + _GAP
        left += width + _GAP
    return sheet


def write_sheet(path: Path, columns: Sequence[Sequence[Pixels]]) -> None:
    """Writes a sheet as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(sheet_of(columns)).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue(), overwrite=True)
