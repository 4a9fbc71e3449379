"""Points as lines of text, with no word on what the numbers are but in a comment: .xyz and .txt."""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError
from lcrs.clouds.naming import cloud_of_table, names_of_columns
from lcrs.clouds.text import parse_table, rows_as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_xyz", "write_xyz"]

_COMMENT = re.compile(rb"^[ \t]*(?:#|//)[^\r\n]*", re.MULTILINE)
_NOTHING = re.compile(rb"(?:^|[,;\r\n])[ \t]*([,;])")
_SEPARATORS = bytes.maketrans(b",;\r", b"  \n")
_WHOLE = b"0123456789+- \t\n"


def read_xyz(data: bytes, max_points: int) -> Cloud:
    """Lines of at least three numbers, between them blanks, commas or semicolons.

    A comment `# x y z ...` with as many words as there are numbers names them; else they are named by
    custom (`names_of_columns`). Without a single decimal point positions are whole numbers.

    Raises:
        CloudError: a line is of something else.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    comments = [text.strip() for text in _COMMENT.findall(data)]
    body = (_COMMENT.sub(b"", data) if comments else data).translate(_SEPARATORS)
    first = body.lstrip().split(b"\n", 1)[0].split()
    said = [text.lstrip(b"#/ \t").decode("utf-8", "surrogateescape") for text in comments]
    names = next((text.split() for text in said if _names(text.split(), len(first))), None)
    if not first:
        return Cloud(
            np.empty((0, 3)), comments=tuple(text for text in said if text.split() != ["x", "y", "z"])
        )
    if len(first) < 3:
        raise CloudError(f"point 0 has {len(first)} numbers: at least 3 are needed")
    if found := _NOTHING.search(data):
        line = data.count(b"\n", 0, found.start(1)) + 1
        raise CloudError(f"line {line}: nothing stands before '{found[1].decode()}', a number is needed")
    # Only as many as are allowed, and one that shows that there are more; NumPy takes memory for all of them
    # at once, so no more than there are bytes for.
    most = min(max_points + 1, (len(body) + 1) // (2 * len(first)) + 1)
    table: NDArray[Any] = parse_table(io.BytesIO(body), len(first), most, "point")
    check_count(len(table), max_points)
    kept = tuple(text for text in said if names is None or text.split() != names)
    cloud = cloud_of_table(table, names or names_of_columns(table), kept)
    if not body.translate(None, _WHOLE) and np.abs(cloud.positions).max() < 1 << 53:
        whole = {name: _whole(values) for name, values in cloud.properties.items()}
        cloud = Cloud(cloud.positions.astype(np.int64), whole, kept)
    return cloud


def _names(words: list[str], width: int) -> bool:
    return len(words) == width == len(set(words)) and {"x", "y", "z"} <= set(words)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    return (
        values.astype(np.int64) if values.dtype.kind == "f" and (np.abs(values) < 1 << 53).all() else values
    )


def write_xyz(cloud: Cloud) -> tuple[bytes, list[str]]:
    """A line for each point, and before them their names where there are more than the axes."""
    comments = [line for text in cloud.comments for line in text.splitlines() or [""]]
    if cloud.properties:
        if odd := [name for name in cloud.properties if name.split() != [name]]:
            raise CloudError(f"property {odd[0]!r} is no word: .xyz has no place for it")
        comments.append(" ".join(("x", "y", "z", *cloud.properties)))
    head = "".join(f"# {line}\n" for line in comments).encode("utf-8", "surrogateescape")
    positions = list(cloud.positions.T)
    if cloud.positions.dtype.kind == "f" and np.array_equal(cloud.positions, np.rint(cloud.positions)):
        return head + _pointed(positions, list(cloud.properties.values())), []
    return head + rows_as_text([*positions, *cloud.properties.values()]), []


def _pointed(positions: list[NDArray[Any]], others: list[NDArray[Any]]) -> bytes:
    """Floats that happen to be whole get a decimal point, which says that they are floats."""
    text = rows_as_text([*positions, *others])
    if b"." in text or b"e" in text:
        return text
    return re.sub(rb"^(-?\d+)", rb"\1.0", text, count=1)
