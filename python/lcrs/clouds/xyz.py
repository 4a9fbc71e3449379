"""Points as lines of text: .xyz and .txt, with a comment that names the columns, and .csv, with a line."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError, cut, shown
from lcrs.clouds.naming import cloud_of_table, names_of_columns
from lcrs.clouds.text import exact_columns, lines_of, parse_table, rows_as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_csv", "read_xyz", "write_csv", "write_xyz"]

_AXES = ("x", "y", "z")
_ODD = ",;\"'#/"
_COMMENT = re.compile(rb"^[ \t]*(?:#|//)[^\r\n]*", re.MULTILINE)
_NOTHING = re.compile(rb"(?:^|[,;\r\n])[ \t]*([,;])")
_BETWEEN_DIGITS = re.compile(rb"[0-9],[0-9]")
_DECIMAL_COMMAS = re.compile(
    rb"^[ \t]*(?=[^\n]*[0-9],[0-9])"
    rb"[-+0-9.eE]+(?:,[0-9eE]+)?(?:(?:[ \t]*;[ \t]*|,?[ \t]+)[-+0-9.eE]+(?:,[0-9eE]+)?){2,}[ \t;\r]*$",
    re.MULTILINE,
)
"""A line of three or more numbers with something else between than a comma, and a comma in one of them."""
_SEPARATORS = bytes.maketrans(b",;\r", b"  \n")
_WHOLE = b"0123456789+- \t\n"


def read_xyz(data: bytes, max_points: int) -> Cloud:
    """Lines of at least three numbers, between them blanks, commas or semicolons.

    A comment `# x y z ...` with as many words as there are numbers names them, or a first line of such words;
    else they are named by custom (`names_of_columns`). Without a single decimal point positions are whole
    numbers.

    Raises:
        CloudError: a line is of something else, or its commas may be decimal ones.
    """
    data = lines_of(data.removeprefix(codecs.BOM_UTF8))
    comments = [text.strip() for text in _COMMENT.findall(data)]
    plain = _COMMENT.sub(b"", data) if comments else data
    body = plain.translate(_SEPARATORS)
    first = body.lstrip().split(b"\n", 1)[0].split()
    said = [text.lstrip(b"#/ \t").decode("utf-8", "surrogateescape") for text in comments]
    titles = [_title(word) for word in first]
    if _names(titles, len(first)):
        said.insert(0, " ".join(titles))
        body = body.lstrip().partition(b"\n")[2]
        first = body.lstrip().split(b"\n", 1)[0].split() or first
    names = next((text.split() for text in said if _names(text.split(), len(first))), None)
    if not body.strip():
        others = {name: np.empty(0) for name in names or () if name not in _AXES}
        rest = tuple(text for text in said if text.split() not in (list(names or ()), [*_AXES]))
        return Cloud(np.empty((0, 3)), others, rest)
    if len(first) < 3:
        raise CloudError(f"point 0 has {len(first)} numbers: at least 3 are needed")
    if found := _NOTHING.search(data):
        line = data.count(b"\n", 0, found.start(1)) + 1
        raise CloudError(f"line {line}: nothing stands before '{found[1].decode()}', a number is needed")
    is_mixed = any(blank in plain for blank in (b";", b" ", b"\t")) and _BETWEEN_DIGITS.search(plain)
    if is_mixed and (found := _DECIMAL_COMMAS.search(plain)):
        line = plain.count(b"\n", 0, found.start()) + 1
        text = cut(found[0].strip().decode("latin1"))
        raise CloudError(
            f"line {line}: commas of '{text}' may be decimal or between numbers: decimal points are needed"
        )
    # Only as many as are allowed, and one that shows that there are more; NumPy takes memory for all of them
    # at once, so no more than there are bytes for.
    most = min(max_points + 1, (len(body) + 1) // (2 * len(first)) + 1)
    if not any(_is_number(word) for word in first):
        words = b" ".join(first).decode("utf-8", "surrogateescape")
        raise CloudError(f"the first line, {shown(words)}, has no numbers, and no names with x, y and z")
    table: NDArray[Any] = parse_table(io.BytesIO(body), len(first), most, "point")
    check_count(len(table), max_points)
    kept = tuple(text for text in said if names is None or text.split() != names)
    names = list(names or names_of_columns(table))
    cloud = cloud_of_table(table, names, kept)
    if not body.translate(None, _WHOLE):
        cloud = _in_whole_numbers(cloud, table, names, body)
    return cloud


read_csv = read_xyz


def _title(word: bytes) -> str:
    """The name of a column: without quotes, axes in small letters."""
    text = word.decode("utf-8", "surrogateescape").strip("\"'")
    return text.lower() if text.lower() in _AXES else text


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _names(words: list[str], width: int) -> bool:
    return len(words) == width == len(set(words)) and {"x", "y", "z"} <= set(words)


def _in_whole_numbers(cloud: Cloud, table: NDArray[np.float64], names: Sequence[str], body: bytes) -> Cloud:
    """A cloud of digits alone as whole numbers, to the last; as floats where no type of 64 bits has them."""
    wide = [i for i in range(len(names)) if -(2.0**63) <= table[:, i].min() <= table[:, i].max() <= 2.0**64]
    exact = exact_columns(io.BytesIO(body), table, wide, "point")
    numbers = {names[i]: column for i, column in exact.items()}
    axes: list[Any] = [numbers.get(axis, table[:, names.index(axis)]) for axis in _AXES]
    return Cloud(
        np.stack(_whole(axes), 1),
        {name: _whole([numbers.get(name, values)])[0] for name, values in cloud.properties.items()},
        cloud.comments,
    )


def _whole(columns: Sequence[Any]) -> list[NDArray[Any]]:
    """Columns in one type, which is that of bytes where they are such."""
    if all(getattr(column, "dtype", None) == np.uint8 for column in columns):
        return list(columns)
    ends = [(c.min(), c.max()) if isinstance(c, np.ndarray) else (min(c), max(c)) for c in columns]
    least, most = min(int(a) for a, _ in ends), max(int(b) for _, b in ends)
    kind = np.int64 if least >= -(1 << 63) and most < 1 << 63 else np.uint64
    if kind == np.uint64 and not 0 <= least <= most < 1 << 64:
        return [np.array(column, np.float64) for column in columns]
    return [np.array(column, kind) for column in columns]


def write_xyz(cloud: Cloud) -> tuple[bytes, list[str]]:
    """A line for each point, and before them their names where there are more than the axes."""
    comments = [line for text in cloud.comments for line in text.splitlines() or [""]]
    if cloud.properties:
        if odd := [name for name in cloud.properties if name.split() != [name]]:
            raise CloudError(f"property {shown(odd[0])} is no word: .xyz has no place for it")
        comments.append(" ".join(("x", "y", "z", *cloud.properties)))
    head = "".join(f"# {line}\n" for line in comments).encode("utf-8", "surrogateescape")
    return head + _rows(cloud), []


def write_csv(cloud: Cloud) -> tuple[bytes, list[str]]:
    """Names in the first line, then a line for each point, between the numbers commas."""
    odd = [name for name in cloud.properties if name.split() != [name] or set(name) & set(_ODD)]
    if odd:
        raise CloudError(f"property {shown(odd[0])} is no plain word: .csv has no place for it")
    head = ",".join(("x", "y", "z", *cloud.properties)).encode("utf-8", "surrogateescape") + b"\n"
    return head + _rows(cloud, ","), ["comments"] if cloud.comments else []


def _rows(cloud: Cloud, separator: str = " ") -> bytes:
    """Lines of numbers; floats that happen to be whole get a decimal point, which says that they are such."""
    text = rows_as_text([*cloud.positions.T, *cloud.properties.values()], separator)
    is_whole = cloud.positions.dtype.kind == "f" and np.array_equal(cloud.positions, np.rint(cloud.positions))
    if not is_whole or b"." in text or b"e" in text:
        return text
    return re.sub(rb"^(-?\d+)", rb"\1.0", text, count=1)
