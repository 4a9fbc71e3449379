"""A point cloud as its file has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.errors import CloudError, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_POINTS", "Cloud", "Grid", "check_count"]

MAX_POINTS = 1 << 28
"""Points of a cloud, unless told otherwise."""

_AXES = ("x", "y", "z")
_KINDS = "iuf"


@dataclass(frozen=True)
class Grid:
    """What the positions of a file are whole multiples of: `position = whole * scale + offset`, by axis.

    LAS files say so. The whole numbers come back as `round((position - offset) / scale)`.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points with what their file says of each.

    Args:
        positions: (N, 3), x, y and z; of whichever integer or floating type the file has. Nothing is said
            of the numbers themselves: a file may hold NaN.
        properties: for every other name an array (N,) of an integer or floating type, in the order of
            the file. The names are those of PLY: `nx`, `ny`, `nz` for normals, `red`, `green`,
            `blue` and `alpha` for colours, `intensity` and so on.
        comments: lines of text that the file has.
        losses: what the file holds besides that is not in here, each in a few words: faces, lists.
        grid: what positions are multiples of, where the file says it.

    Raises:
        ValueError: shapes or types do not fit together, or a name is one of an axis.
    """

    positions: NDArray[Any]
    properties: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    comments: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    grid: Grid | None = None

    def __post_init__(self) -> None:
        positions = _array("positions", self.positions)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise ValueError(f"positions have shape {positions.shape}: (N, 3) is needed")
        _check_type("positions", positions)
        object.__setattr__(self, "positions", positions)
        if not isinstance(self.properties, Mapping):
            given = type(self.properties).__name__
            raise ValueError(f"properties are a {given}: arrays by name are needed")
        columns = {name: _array(_column(name), values) for name, values in self.properties.items()}
        object.__setattr__(self, "properties", columns)
        for name, values in self.properties.items():
            if name in _AXES:
                raise ValueError(f"property {name!r} is an axis: positions have it")
            if values.shape != (len(positions),):
                raise ValueError(f"{_column(name)} has shape {values.shape}: ({len(positions)},) is needed")
            _check_type(_column(name), values)

    def __len__(self) -> int:
        return len(self.positions)

    def __eq__(self, other: object) -> bool:
        """Whether two clouds hold the same, to the bit and in the same order, NaN included."""
        if not isinstance(other, Cloud):
            return NotImplemented
        return (
            _same(self.positions, other.positions)
            and list(self.properties) == list(other.properties)
            and all(_same(values, other.properties[name]) for name, values in self.properties.items())
            and (self.comments, self.losses, self.grid) == (other.comments, other.losses, other.grid)
        )

    __hash__ = None  # type: ignore[assignment]

    def columns(self, *names: str) -> NDArray[Any] | None:
        """Some properties side by side, (N, number of names), or None unless all are there."""
        if not all(name in self.properties for name in names):
            return None
        return np.stack([self.properties[name] for name in names], axis=1)

    @property
    def normals(self) -> NDArray[Any] | None:
        """(N, 3), if the file has them; their length is what the file says."""
        return self.columns("nx", "ny", "nz")

    @property
    def colors(self) -> NDArray[Any] | None:
        """(N, 3), red, green and blue, if the file has them."""
        return self.columns("red", "green", "blue")


def check_count(count: int, limit: int) -> None:
    """Raises if a file says that it has more points than are allowed.

    Raises:
        CloudError: then.
    """
    if count > limit:
        raise CloudError(f"cloud has {count} points: {limit} are allowed (max_points)")


def _column(name: object) -> str:
    return f"property {shown(name)}"


def _array(what: str, values: Any) -> NDArray[Any]:
    """Numbers as an array; those of a tensor without what belongs to its gradient."""
    if hasattr(values, "detach") and hasattr(values, "numpy"):
        values = values.detach()
    try:
        return np.asarray(values)
    except (TypeError, RuntimeError, ValueError) as error:  # of NumPy, and of torch
        text = " ".join(str(error).split())[:120]
        raise ValueError(f"{what} cannot be read as an array of numbers: {text}") from None


def _check_type(name: str, values: NDArray[Any]) -> None:
    if values.dtype.kind not in _KINDS or values.dtype.itemsize > 8:
        raise ValueError(f"{name} have type {values.dtype}: integers or floats of at most 64 bits are needed")


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
