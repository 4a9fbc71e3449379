"""LAS and LAZ files, by laspy and lazrs (the extra `points`)."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, Grid, check_count
from lcrs.clouds.errors import CloudError, library, shown
from lcrs.clouds.laz import check_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_las", "read_laz", "write_las", "write_laz"]

_CHUNK = 1 << 20
_COUNTS_AT = 100
"""Where a header has its number of records, (which this build will not walk through by the billion)."""
_FINEST = -9
"""Positions without a grid are rounded to a power of ten, not below this one."""
_EXACT = 1 << 52
"""Sums of whole numbers below it and of those of 32 bits are floats."""


def read_las(data: bytes, max_points: int) -> Cloud:
    """The points, their positions in floats of 64 bits.

    They are the floats next to `whole * scale + offset` where these are decimal fractions, as in most files,
    so that they are decimal fractions, too; elsewhere product and sum are rounded one after the other.

    Every field is a property under the name that the format has for it, fields of single bits included.

    Raises:
        CloudError: the file is damaged, too large, or laspy is not installed.
    """
    laspy = library("laspy", "LAS")
    _check_records(data)
    try:
        with laspy.open(io.BytesIO(data)) as reader:
            header = reader.header
            check_count(header.point_count, max_points)
            if header.are_points_compressed:
                # Threads take memory for whole chunks, of whatever size the file speaks of.
                backends = laspy.LazBackend
                is_small = check_chunks(data, header)
                reader.laz_backend = (backends.LazrsParallel if is_small else backends.Lazrs,)
            if not header.are_points_compressed and (
                header.point_count * header.point_format.size > len(data) - header.offset_to_point_data
            ):
                raise CloudError(f"LAS file ends before the last of its {header.point_count} points")
            losses = [f"a record of {record.user_id} {record.record_id}"[:60] for record in header.vlrs]
            chunks = [chunk.array for chunk in reader.chunk_iterator(_CHUNK)]
            points = laspy.ScaleAwarePointRecord(
                np.concatenate(chunks) if chunks else np.zeros(0, header.point_format.dtype()),
                header.point_format,
                header.scales,
                header.offsets,
            )
            if len(points) < header.point_count:
                raise CloudError(f"LAS file ends in point {len(points)} of {header.point_count}")
            columns = {
                name: _numbers(points[name])
                for name in header.point_format.dimension_names
                if name not in ("X", "Y", "Z")
            }
            columns, more = _single(columns)
            whole = np.stack([np.asarray(points[axis]) for axis in "XYZ"], axis=1)
            grid = Grid(_three(header.scales), _three(header.offsets))
            positions = _positions(whole, grid)
    except CloudError:
        raise
    except BaseException as error:  # of laspy, NumPy and the Rust decoder, which panics
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        text = " ".join(str(error).split())[:120]
        raise CloudError(f"LAS file cannot be read: {text or type(error).__name__}") from None
    return Cloud(positions, columns, losses=(*losses, *more), grid=grid)


read_laz = read_las


def _check_records(data: bytes) -> None:
    """Raises if the header speaks of more variable records than there is room for."""
    records = int.from_bytes(data[_COUNTS_AT : _COUNTS_AT + 4], "little")
    extended = int.from_bytes(data[243:247], "little") if data[25:26] == b"\4" else 0
    if (records + extended) * 54 > len(data):
        raise CloudError(f"LAS file of {len(data)} bytes speaks of {records + extended} records")


def _numbers(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    return array.astype(array.dtype.newbyteorder("="))


def _single(columns: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Columns of one number, those of several split; names of those that are no numbers."""
    found: dict[str, NDArray[Any]] = {}
    losses = []
    for name, values in columns.items():
        if values.dtype.kind not in "iufb":
            losses.append(f"the field {name}")
        elif values.ndim == 1:
            found[name] = values.astype(np.uint8) if values.dtype.kind == "b" else values
        else:
            found |= {f"{name}_{i}": values[:, i] for i in range(values.shape[1])}
    return found, losses


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _positions(whole: NDArray[Any], grid: Grid) -> NDArray[np.float64]:
    """Positions (N, 3) of whole numbers on a grid."""
    return np.stack([_on_axis(whole[:, i], grid.scale[i], grid.offset[i]) for i in range(3)], axis=1)


def _on_axis(whole: NDArray[Any], scale: float, offset: float) -> NDArray[np.float64]:
    for digits in range(-_FINEST + 1):
        steps = 10.0**digits  # exact
        start = round(offset * steps) if abs(offset) * steps < _EXACT else None
        if scale == 1 / steps and start is not None and start / steps == offset:
            found: NDArray[np.float64] = (whole.astype(np.int64) + start) / steps
            return found
    with np.errstate(over="ignore"):
        return whole * scale + offset


def write_las(cloud: Cloud, *, compressed: bool = False) -> tuple[bytes, list[str]]:
    """A LAS file of version 1.4, and what of the cloud is not in it.

    Properties with the name of a field of the format go there, others become extra bytes.

    Raises:
        CloudError: positions are no numbers or too far apart for a grid of 32 bits, or laspy is missing.
    """
    laspy = library("laspy", "LAS")
    losses = ["comments"] if cloud.comments else []
    header = laspy.LasHeader(version="1.4", point_format=7)
    names = set(header.point_format.dimension_names) - {"X", "Y", "Z"}
    placed = {name: values for name, values in cloud.properties.items() if name in names}
    extra = {name: values for name, values in cloud.properties.items() if name not in names}
    for name, values in extra.items():
        if len(name.encode("utf-8", "surrogateescape")) > 32 or not name.isascii():
            raise CloudError(f"property {shown(name)}: LAS has 32 letters of ASCII for a name")
        kind = np.float32 if values.dtype == np.float16 else values.dtype
        header.add_extra_dim(laspy.ExtraBytesParams(name, kind))
    whole, grid = _on_grid(cloud, losses)
    header.scales, header.offsets = np.asarray(grid.scale), np.asarray(grid.offset)
    points = laspy.LasData(header)
    points.points = laspy.ScaleAwarePointRecord.zeros(len(cloud), header=header)
    for i, axis in enumerate("XYZ"):
        points[axis] = whole[:, i]
    for name, values in (placed | extra).items():
        try:
            points[name] = values
            held = np.array_equal(np.asarray(points[name]), values, equal_nan=values.dtype.kind == "f")
        except (OverflowError, ValueError):
            held = False
        if not held:
            raise CloudError(f"property {shown(name)} has numbers that this field of LAS has no place for")
    stream = io.BytesIO()
    if compressed:
        library("lazrs", "LAZ")
    points.write(stream, do_compress=compressed)
    return stream.getvalue(), losses


def write_laz(cloud: Cloud) -> tuple[bytes, list[str]]:
    """The same, compressed."""
    return write_las(cloud, compressed=True)


def _on_grid(cloud: Cloud, losses: list[str]) -> tuple[NDArray[np.int32], Grid]:
    """Positions as multiples of a step."""
    positions = cloud.positions.astype(np.float64)
    if not np.isfinite(positions).all():
        row = int(np.argmin(np.isfinite(positions).all(axis=1)))
        raise CloudError(f"point {row} is {positions[row].tolist()}: LAS has no place for what is no number")
    if not len(cloud):
        return np.zeros((0, 3), np.int32), cloud.grid or Grid((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    if (grid := cloud.grid) is None:
        grid = _decimal_grid(positions)
    with np.errstate(over="ignore"):
        whole = np.rint((positions - np.asarray(grid.offset)) / np.asarray(grid.scale))
    if np.abs(whole).max() >= 1 << 31:
        raise CloudError("positions are too far apart for whole numbers of 32 bits, as LAS has them")
    # Other programs round the product, too.
    twice = whole * np.asarray(grid.scale) + np.asarray(grid.offset)
    if not any(np.array_equal(back, positions) for back in (_positions(whole, grid), twice)):
        steps = " x ".join(f"{step:g}" for step in sorted(set(grid.scale)))
        losses.append(f"positions in full (rounded to multiples of {steps})")
    return whole.astype(np.int32), grid


def _decimal_grid(positions: NDArray[np.float64]) -> Grid:
    """The coarsest decimal grid that positions lie on; if there is none, the finest that has room."""
    low = np.floor(positions.min(axis=0))
    with np.errstate(over="ignore"):
        extent = float((positions.max(axis=0) - low).max())
    if not math.isfinite(extent):
        raise CloudError("positions are too far apart for whole numbers of 32 bits, as LAS has them")
    finest = max(_FINEST, math.ceil(math.log10(max(extent, 1e-300) / 2**31)))
    for digits in range(max(0, finest), finest - 1, -1):
        step = 1 / 10.0**-digits if digits < 0 else 10.0**digits
        grid = Grid((step, step, step), _three(low))
        if np.array_equal(_positions(np.rint((positions - low) / step), grid), positions):
            break
    return grid
