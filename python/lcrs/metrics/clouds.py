"""How far a restored cloud is from its original: D1, D2 and Hausdorff distances, as MPEG measures them.

The definitions are those of MPEG's program for it, pc_error 0.14 with its defaults (ISO/IEC JTC 1/SC 29/WG 7;
D. Tian et al., `Geometric distortion metrics for point cloud compression`, ICIP 2017):

- Points that are there several times count once.
- D1, point to point: for each point of one cloud, the squared distance to the nearest of the other. The mean
  of it both ways; the larger of the two counts.
- D2, point to plane: the same of the distance along the normal at the nearest point, the mean of that where
  several are as near. Normals belong to the original. A point of the restored cloud has the mean of the
  normals of the points that it is nearest to, or, if there are none, of those that are nearest to it.
- PSNR: `10 log10(3 peak^2 / D)`.
- Hausdorff: the largest distance of a point to the nearest of the other cloud, again the larger of both ways.
  (The program prints its square.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.coding import nearest_points, normals_of_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CLOUD_NAMES",
    "CloudDistortion",
    "cloud_distortion",
    "distinct_points",
    "measure_clouds",
    "peak_of",
]

CLOUD_NAMES = ("psnr-d1", "psnr-d2", "mse-d1", "mse-d2", "hausdorff", "hausdorff-d2")
"""PSNR in decibels, mean squared errors in squared units of positions, distances in units."""

_FEW, _MANY = 5, 30
"""Neighbours that are looked for first, and at most, where several are equally near."""

_LEAST, _MOST = 1e-60, 1e60
"""Of extents between these, squares and products of four coordinates are floats of full precision."""
_MOST_WHOLE = 1 << 62
"""Differences of numbers below it are whole numbers of 64 bits."""


@dataclass(frozen=True)
class CloudDistortion:
    """Errors of a restored cloud, the larger ones of both ways.

    Attributes:
        mse_d1: mean squared distance, point to point.
        mse_d2: mean squared distance, point to plane.
        hausdorff: the largest distance, point to point.
        hausdorff_d2: the largest distance, point to plane.
        peak: what PSNR is relative to.
    """

    mse_d1: float
    mse_d2: float
    hausdorff: float
    hausdorff_d2: float
    peak: float

    @property
    def psnr_d1(self) -> float:
        """In decibels; infinite where nothing differs."""
        return _psnr(self.mse_d1, self.peak)

    @property
    def psnr_d2(self) -> float:
        """In decibels; infinite where nothing differs."""
        return _psnr(self.mse_d2, self.peak)


def cloud_distortion(
    original: NDArray[Any],
    restored: NDArray[Any],
    *,
    normals: NDArray[Any] | None = None,
    peak: float | None = None,
    planes: bool = True,
) -> CloudDistortion:
    """Compares two clouds; the order of their points says nothing.

    Args:
        original: positions, (N, 3).
        restored: positions, (M, 3).
        normals: of the original, (N, 3). By default they are estimated from 16 neighbours.
        peak: what PSNR is relative to, as the option `resolution` of MPEG's program; by default `peak_of`.
        planes: whether distances to planes are wanted, which take most of the time; NaN without.

    Raises:
        ValueError: a cloud is empty, a position is not finite, or shapes do not fit; or positions, or their
            mean squared distances, are beyond what floats of 64 bits hold.
    """
    if peak is None:
        peak = peak_of(original)
    if not (math.isfinite(peak) and peak > 0):
        raise ValueError(f"peak is {peak}: a positive number is needed")
    a, b = _comparable(original, restored)
    a, b, exponent = _of_moderate_size(a, b)
    (a, first), (b, _) = distinct_points(a), distinct_points(b)
    if not planes:
        one_way = (nearest_points(b, a)[0], nearest_points(a, b)[0])
        mean, most = (max(float(f(squares)) for squares in one_way) for f in (np.mean, np.max))
        d1, h1 = _unscaled(mean, 2 * exponent), _unscaled(math.sqrt(most), exponent)
        return CloudDistortion(d1, math.nan, h1, math.nan, float(peak))
    if normals is None:
        normals_a, is_oriented = normals_of_points(a), False
    else:
        normals_a, is_oriented = _checked(normals, len(original), "normals")[first], True
    forward, backward = _near(b, a), _near(a, b)
    normals_b = _normals_of_restored(normals_a, len(b), forward, backward, is_oriented=is_oriented)
    errors = [_errors(a, b, normals_b, forward), _errors(b, a, normals_a, backward)]
    (d1, d2, h1, h2) = (max(pair) for pair in zip(*errors, strict=True))
    return CloudDistortion(
        mse_d1=_unscaled(d1, 2 * exponent),
        mse_d2=_unscaled(d2, 2 * exponent),
        hausdorff=_unscaled(math.sqrt(h1), exponent),
        hausdorff_d2=_unscaled(math.sqrt(h2), exponent),
        peak=float(peak),
    )


def peak_of(positions: NDArray[Any]) -> float:
    """What PSNR is relative to, if nobody says it.

    Whole numbers lie on a grid of some bits; the peak is its last coordinate, `2^bits - 1`, for bits
    enough for the largest coordinate (or, with negative ones, for the extent). Else it is what MPEG's
    program takes by itself: the largest distance of a point to its nearest neighbour.

    Args:
        positions: (N, 3).

    Raises:
        ValueError: there are none, or one is not finite or beyond what floats of 64 bits hold.
    """
    points, low = _shifted(_checked(positions, None, "positions"))
    if np.array_equal(points, np.rint(points)) and np.array_equal(low, np.rint(low)):
        last = float((points + np.maximum(low, 0)).max())
        return float(2 ** max(1, math.ceil(math.log2(last + 1))) - 1)
    points, _, exponent = _of_moderate_size(distinct_points(points)[0])
    if len(points) == 1:
        return 1.0
    return _unscaled(math.sqrt(nearest_points(points, points, 2)[0][:, 1].max()), exponent)


def distinct_points(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The points (N, 3), each once and sorted by x, y and z, and where it stands first."""
    order = np.lexsort(points.T[::-1])
    ordered = points[order]
    is_first = np.ones(len(points), bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return np.ascontiguousarray(ordered[is_first]), order[is_first]


def measure_clouds(
    original: NDArray[Any],
    restored: NDArray[Any],
    names: Sequence[str] = CLOUD_NAMES,
    *,
    normals: NDArray[Any] | None = None,
    peak: float | None = None,
) -> dict[str, float]:
    """Measures by name; arguments and errors as of `cloud_distortion`.

    Raises:
        ValueError: also if a name is none of `CLOUD_NAMES`.
    """
    if unknown := [name for name in names if name not in CLOUD_NAMES]:
        raise ValueError(f"there is no measure {', '.join(unknown)}: there are {', '.join(CLOUD_NAMES)}")
    planes = any(name.endswith("d2") for name in names)
    found = cloud_distortion(original, restored, normals=normals, peak=peak, planes=planes)
    values = (
        found.psnr_d1,
        found.psnr_d2,
        found.mse_d1,
        found.mse_d2,
        found.hausdorff,
        found.hausdorff_d2,
    )
    return {name: value for name, value in zip(CLOUD_NAMES, values, strict=True) if name in names}


def _psnr(mse: float, peak: float) -> float:
    if mse == 0:
        return math.inf
    if _LEAST < peak < _MOST:
        return 10 * math.log10(3 * peak * peak / mse)
    return 10 * (math.log10(3) - math.log10(mse)) + 20 * math.log10(peak)


def _checked(values: NDArray[Any], count: int | None, what: str) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != 3 or not len(values) or count not in (None, len(values)):
        needed = f"({'N' if count is None else count}, 3)"
        raise ValueError(f"{what} have shape {values.shape}: {needed} is needed, of at least one point")
    if values.dtype.kind == "f" and not (finite := np.isfinite(values).all(axis=1)).all() and count is None:
        row = int(np.argmin(finite))
        raise ValueError(f"{what}: point {row} is {values[row].tolist()}, which is no place")
    return values


def _shifted(
    points: NDArray[Any], low: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Positions less the least ones, whose differences lose no digits even where positions are large."""
    low = points.min(axis=0) if low is None else low
    if points.dtype.kind in "iu":
        most = max(-int(points.min()), int(points.max()))
        if most >= _MOST_WHOLE:
            raise ValueError(f"a position is {most} from 0: whole numbers below 2^62 can be measured")
        points, low = points.astype(np.int64), low.astype(np.int64)
        return (points - low).astype(np.float64), low.astype(np.float64)
    with np.errstate(over="ignore"):
        shifted = points.astype(np.float64) - low.astype(np.float64)
    if not np.isfinite(shifted).all():
        raise ValueError(f"positions are farther apart than {np.finfo(np.float64).max:g}")
    return shifted, low.astype(np.float64)


def _comparable(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = _checked(a, None, "original"), _checked(b, None, "restored")
    low = a.min(axis=0)
    if {a.dtype.kind, b.dtype.kind} <= {"i", "u"}:
        return _shifted(a, low)[0], _shifted(b, low)[0]
    return _shifted(a.astype(np.float64), low.astype(np.float64))[0], _shifted(
        b.astype(np.float64), low.astype(np.float64)
    )[0]


def _of_moderate_size(
    a: NDArray[np.float64], b: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Clouds divided by the same power of two, whose exponent is the last result.

    It is 0 unless coordinates are so large, or all so small, that their squares would leave floats.
    """
    b = a if b is None else b
    extent = max(float(np.abs(a).max()), float(np.abs(b).max()))
    if extent == 0 or _LEAST < extent < _MOST:
        return a, b, 0
    exponent = math.frexp(extent)[1]
    return np.ldexp(a, -exponent), np.ldexp(b, -exponent), exponent


def _unscaled(value: float, exponent: int) -> float:
    """A number times a power of two.

    Raises:
        ValueError: floats of 64 bits have no such number.
    """
    try:
        scaled = math.ldexp(value, exponent)
    except OverflowError:
        scaled = math.inf
    if exponent and math.isfinite(value) and (math.isinf(scaled) or (value > 0 and scaled == 0)):
        tens = math.log10(value) + exponent * math.log10(2)
        raise ValueError(f"a distance, or its mean square, is about 10^{tens:.0f}: measure in another unit")
    return scaled


@dataclass(frozen=True)
class _Near:
    """For each query the points that are nearest to it: rows of pairs, the queries in order."""

    query: NDArray[np.int64]
    point: NDArray[np.int64]
    squares: NDArray[np.float64]
    """Of each query, not of each pair."""


def _near(points: NDArray[np.float64], queries: NDArray[np.float64]) -> _Near:
    """The nearest points of each query, all that are equally near, up to thirty."""
    rows = np.arange(len(queries))
    found, nearest = [], np.empty(len(queries))
    for k in range(_FEW, _MANY + 1, _FEW):
        squares, indexes = nearest_points(points, queries[rows], min(k, len(points)))
        is_done = (squares[:, -1] > squares[:, 0]) | (k >= min(_MANY, len(points)))
        nearest[rows[is_done]] = squares[is_done, 0]
        row, column = np.nonzero(squares[is_done] == squares[is_done, :1])
        found.append((rows[is_done][row], indexes[is_done][row, column]))
        rows = rows[~is_done]
        if not len(rows):
            break
    query, point = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(query, kind="stable")
    return _Near(query[order], point[order], nearest)


def _normals_of_restored(
    normals: NDArray[Any], count: int, forward: _Near, backward: _Near, *, is_oriented: bool
) -> NDArray[np.float64]:
    """Normals for the restored cloud from those of the original; estimated ones get a side here."""
    found = _mean_normals(normals, forward.point, forward.query, count, is_oriented=is_oriented)
    other = _mean_normals(normals, backward.query, backward.point, count, is_oriented=is_oriented)
    has_none = np.bincount(forward.point, minlength=count) == 0
    found[has_none] = other[has_none]
    return found


def _mean_normals(
    normals: NDArray[Any],
    target: NDArray[np.int64],
    source: NDArray[np.int64],
    count: int,
    *,
    is_oriented: bool,
) -> NDArray[np.float64]:
    """The mean of the normals `source` for each `target`."""
    values = np.asarray(normals, np.float64)[source]
    if not is_oriented:
        first = np.zeros(count, np.int64)
        first[target[::-1]] = source[::-1]
        side = (values * np.asarray(normals, np.float64)[first[target]]).sum(axis=1)
        values = np.where(side[:, None] < 0, -values, values)
    number = np.maximum(np.bincount(target, minlength=count), 1)
    sums = [np.bincount(target, values[:, axis], count) for axis in range(3)]
    return np.stack(sums, axis=1) / number[:, None]


def _errors(
    a: NDArray[np.float64], b: NDArray[np.float64], normals_b: NDArray[Any], near: _Near
) -> tuple[float, float, float, float]:
    """Mean and largest squared distances of the points of a, to points and to planes of b."""
    offsets = a[near.query] - b[near.point]
    normals = np.asarray(normals_b, np.float64)[near.point]
    planes = (offsets * normals).sum(axis=1) ** 2
    # Without a normal it is the distance to the point.
    planes = np.where(np.isfinite(normals).all(axis=1), planes, near.squares[near.query])
    numbers = np.bincount(near.query, minlength=len(a))
    to_planes = np.bincount(near.query, planes, len(a)) / numbers
    return (
        float(near.squares.mean()),
        float(to_planes.mean()),
        float(near.squares.max()),
        float(to_planes.max()),
    )
