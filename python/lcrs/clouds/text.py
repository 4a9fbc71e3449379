"""Tables of numbers as text: what ASCII kinds of all formats have in common."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.errors import CloudError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["lines_of", "parse_table", "rows_as_text", "typed_columns"]

_CHUNK = 1 << 16


def lines_of(data: bytes) -> bytes:
    """Text whose lines end as NumPy reads them, also where all end in a carriage return, as on old Macs."""
    return data if b"\n" in data else data.replace(b"\r", b"\n")


def parse_table(lines: IO[bytes], width: int, count: int | None, what: str) -> NDArray[np.float64]:
    """Rows of numbers with blanks between, (rows, width).

    Args:
        lines: where they begin. Empty lines count for nothing.
        width: numbers in a row.
        count: at most so many rows; all, where None.
        what: the name of a row in errors.

    Raises:
        CloudError: something is no number, or a row has more or fewer of them.
    """
    if count == 0:
        return np.empty((0, width))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there may be no rows
            table = np.loadtxt(
                lines,
                np.float64,
                comments=None,
                ndmin=2,
                max_rows=count,
                encoding="latin1",
            )
    except (ValueError, OverflowError) as error:
        raise CloudError(_place(str(error), what)) from None
    if not table.size:
        return np.empty((0, width))
    if table.shape[1] != width:
        raise CloudError(f"{what} 0 has {table.shape[1]} numbers: {width} are needed")
    return table


def _place(message: str, what: str) -> str:
    """What NumPy says of a line, which it counts from one or from zero, by our name for a row."""
    if found := re.search(r"string (.*) to float64 at row (\d+), column (\d+)", message):
        return f"{what} {found[2]}, column {found[3]}: {found[1][:60]} is no number"
    if found := re.search(r"changed from (\d+) to (\d+) at row (\d+)", message):
        return f"{what} {int(found[3]) - 1} has {found[2]} numbers, those before it {found[1]}"
    return f"{what}: {message.splitlines()[0][:120]}"


def typed_columns(
    table: NDArray[np.float64], named: Sequence[tuple[str, str]], what: str
) -> dict[str, NDArray[Any]]:
    """Columns of a table in their types.

    Args:
        table: (rows, columns).
        named: name and type of each column.
        what: the name of a row in errors.

    Raises:
        CloudError: an integer is none, or none of its type.
    """
    columns = {}
    for i, (name, kind) in enumerate(named):
        values, dtype = table[:, i], np.dtype(kind)
        if dtype.kind != "f":
            limits = np.iinfo(dtype)
            # As floats, whose comparison with the largest of 64 bits is with the power of two beyond it.
            fits = (
                (values >= float(limits.min))
                & (values < float(limits.max) + 1)
                & (values == np.floor(values))
            )
            if not fits.all():
                row = int(np.argmin(fits))
                legal = f"whole numbers from {limits.min} to {limits.max}"
                raise CloudError(f"{what} {row}: {name} is {values[row]:g}: {legal}")
        with np.errstate(over="ignore"):
            columns[name] = values.astype(dtype)
    return columns


def rows_as_text(columns: Sequence[NDArray[Any]], separator: str = " ") -> bytes:
    """Numbers as text that reads back as the same numbers, a line for each row."""
    pattern = separator.join(_pattern(values) for values in columns) + "\n"
    length = len(columns[0])
    parts = [
        _lines(pattern, [values[at : at + _CHUNK].tolist() for values in columns])
        for at in range(0, length, _CHUNK)
    ]
    return b"".join(parts)


def _lines(pattern: str, columns: Iterable[list[Any]]) -> bytes:
    return "".join([pattern % row for row in zip(*columns, strict=True)]).encode()


def _pattern(values: NDArray[Any]) -> str:
    if values.dtype.kind != "f":
        return "%d"
    return {2: "%.5g", 4: "%.9g"}.get(values.dtype.itemsize, "%.17g")
