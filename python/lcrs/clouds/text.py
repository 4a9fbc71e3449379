"""Tables of numbers as text: what ASCII kinds of all formats have in common."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.errors import CloudError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["exact_columns", "lines_of", "parse_columns", "parse_table", "rows_as_text"]

_CHUNK = 1 << 16
_EXACT = 2.0**53
"""All smaller whole numbers are binary64 numbers."""


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


def parse_columns(
    lines: IO[bytes], named: Sequence[tuple[str, str]], count: int, what: str
) -> dict[str, NDArray[Any]]:
    """Rows of numbers with blanks between, as columns in their types; fewer than `count` where they end.

    Args:
        lines: where they begin; can be read again from there.
        named: name and type of each column.
        count: at most so many rows.
        what: the name of a row in errors.

    Raises:
        CloudError: as `parse_table`; or an integer is none, or none of its type.
    """
    begin = lines.tell()
    table = parse_table(lines, len(named), count, what)
    types = [np.dtype(kind) for _, kind in named]
    wide = [i for i, dtype in enumerate(types) if dtype.kind != "f" and dtype.itemsize == 8]
    lines.seek(begin)
    exact = exact_columns(lines, table, wide, what)
    columns = {}
    for i, (name, _) in enumerate(named):
        values, dtype = table[:, i], types[i]
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                columns[name] = values.astype(dtype)
            continue
        limits = np.iinfo(dtype)
        if i in exact:
            odd = next((k for k, v in enumerate(exact[i]) if not limits.min <= v <= limits.max), None)
        else:
            fits = (values >= limits.min) & (values <= limits.max) & (values == np.floor(values))
            odd = None if fits.all() else int(np.argmin(fits))
        if odd is not None:
            value = exact[i][odd] if i in exact else f"{values[odd]:g}"
            legal = f"whole numbers from {limits.min} to {limits.max}"
            raise CloudError(f"{what} {odd}: {name} is {value}: {legal}")
        columns[name] = np.array(exact[i], dtype) if i in exact else values.astype(dtype)
    return columns


def exact_columns(
    lines: IO[bytes], table: NDArray[np.float64], wide: Sequence[int], what: str
) -> dict[int, list[int]]:
    """Whole numbers of columns that binary64 may have rounded: those with a value of 2^53 or more.

    Args:
        lines: where the rows of `table` begin.
        table: as `parse_table` gives them.
        wide: columns that may be such.
        what: the name of a row in errors.

    Raises:
        CloudError: one of them has a fraction, or is none of 64 bits.
    """
    with np.errstate(invalid="ignore"):
        wide = [i for i in wide if len(table) and not (np.abs(table[:, i]) < _EXACT).all()]
    if not wide:
        return {}
    # Digits alone could be of any length: what is no number of 64 bits is told by its float.
    for i in wide:
        if not (fits := (table[:, i] >= -(2.0**63)) & (table[:, i] <= 2.0**64)).all():
            row = int(np.argmin(fits))
            raise CloudError(f"{what} {row}: {table[row, i]:g} is no whole number of 64 bits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty lines
        words = np.loadtxt(
            lines, str, comments=None, ndmin=2, max_rows=len(table), encoding="latin1", usecols=tuple(wide)
        )
    found = {}
    for k, i in enumerate(wide):
        numbers = [Decimal(word) for word in words[:, k].tolist()]
        for row, number in enumerate(numbers):
            if number != number.to_integral_value():
                raise CloudError(f"{what} {row}: {table[row, i]:g} is no whole number")
        found[i] = [int(number) for number in numbers]
    return found


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
