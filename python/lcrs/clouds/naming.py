"""What the columns of a table without names are, by custom, and numbers that a format rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud
from lcrs.clouds.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["as_float32", "cloud_of_columns", "cloud_of_table", "names_of_columns"]

_COLORS = ("red", "green", "blue")
_NORMALS = ("nx", "ny", "nz")
_AXES = ("x", "y", "z")


def names_of_columns(table: NDArray[Any]) -> tuple[str, ...]:
    """Names for the columns of a table whose file has none.

    Three are the axes. A fourth alone is `intensity`, three more are colours where they are whole numbers
    from 0 to 255, or else normals; four more are an intensity and colours, six more are colours and normals.
    What is beyond that, or does not look so, is `column3` and so on.

    Args:
        table: (N, at least 3).
    """
    extra = table[:, 3:]
    found: tuple[str, ...] = tuple(f"column{i}" for i in range(3, table.shape[1]))
    match extra.shape[1]:
        case 1:
            found = ("intensity",)
        case 3:
            found = _COLORS if _are_colors(extra) else _NORMALS
        case 4 if _are_colors(extra[:, 1:]):
            found = ("intensity", *_COLORS)
        case 6 if _are_colors(extra[:, :3]):
            found = (*_COLORS, *_NORMALS)
    return _AXES + found


def cloud_of_table(table: NDArray[Any], names: Sequence[str], comments: tuple[str, ...] = ()) -> Cloud:
    """A cloud of the columns of a table; colours that are whole numbers up to 255 become bytes.

    Raises:
        CloudError: there are not three axes.
    """
    return cloud_of_columns(
        {name: _as_bytes(name, table[:, i]) for i, name in enumerate(names)}, comments=comments
    )


def cloud_of_columns(columns: dict[str, NDArray[Any]], **fields: Any) -> Cloud:
    """A cloud of named columns, among which x, y and z are.

    Raises:
        CloudError: they are not.
    """
    if missing := [axis for axis in _AXES if axis not in columns]:
        raise CloudError(f"points have no {', '.join(missing)}: x, y, z are needed")
    positions = np.stack([columns.pop(axis) for axis in _AXES], axis=1)
    return Cloud(positions, columns, **fields)


def as_float32(name: str, values: NDArray[Any], losses: list[str]) -> NDArray[np.float32]:
    """Numbers in 32 bits; that this rounds them is added to `losses`.

    Raises:
        CloudError: one is too large for that.
    """
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.array_equal(np.isfinite(narrow), np.isfinite(values)):
        raise CloudError(f"{name} are beyond {np.finfo(np.float32).max:g}, the largest number of 32 bits")
    if narrow.dtype != values.dtype and not np.array_equal(
        narrow.astype(np.float64), values.astype(np.float64), equal_nan=True
    ):
        losses.append(f"{name} in full (rounded to floats of 32 bits)")
    return narrow


def _are_colors(values: NDArray[Any]) -> bool:
    return bool(((values >= 0) & (values <= 255) & (values == np.floor(values))).all())


def _as_bytes(name: str, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.uint8) if name in (*_COLORS, "alpha") and _are_colors(values) else values
