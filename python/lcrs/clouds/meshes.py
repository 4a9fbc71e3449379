"""The vertices of mesh files: OBJ, OFF and STL.

trimesh reads OFF and STL. It does not read OBJ here, since it leaves out vertices that no face uses, and does
not write OBJ and OFF, since it rounds them to a few digits.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError, library
from lcrs.clouds.naming import as_float32
from lcrs.clouds.text import lines_of, parse_table, rows_as_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["faces_of_off", "read_obj", "read_off", "read_stl", "write_obj", "write_off", "write_stl"]

_VERTEX = re.compile(rb"^[ \t]*v[ \t]+([^#\r\n]*)", re.MULTILINE)
_GOES_ON = re.compile(rb"^([^#\n]*?)\\[ \t]*\r?\n", re.MULTILINE)
_OTHERS = {"faces": b"f", "normals": b"vn", "texture coordinates": b"vt", "lines": b"l"}
_COLORS = ("red", "green", "blue")


def read_obj(data: bytes, max_points: int) -> Cloud:
    """The lines `v` of an OBJ file, whether a face uses them or not.

    Six numbers are a position and a colour, in fractions; the last of four is a weight, which is left out.
    Where some vertices have a colour, that of the others is NaN. A backslash goes on in the next line.

    Raises:
        CloudError: there are none, or one is damaged.
    """
    data = lines_of(data)
    if _GOES_ON.search(data):
        data = _GOES_ON.sub(rb"\1 ", data)
    rows = _VERTEX.findall(data)
    check_count(len(rows), max_points)
    counts = [len(row.split()) for row in rows]
    widths = set(counts) or {3}
    if odd := widths - {3, 4, 6, 7}:
        row, count = next((i, count) for i, count in enumerate(counts) if count in odd)
        raise CloudError(f"vertex {row} has {count} numbers: 3, 4, 6 or 7 are needed")
    width = max(widths)
    if len(widths) > 1:
        rows, width = [_filled(row.split()) for row in rows], 7
    table = parse_table(io.BytesIO(b"\n".join(rows)), width, None, "vertex")
    losses = [
        f"{what} ({count})"
        for what, word in _OTHERS.items()
        if (count := len(re.findall(rb"^[ \t]*" + word + rb"[ \t]", data, re.MULTILINE)))
    ]
    if widths & {4, 7}:
        losses.append("weights")
    colors = {name: table[:, i - 3] for i, name in enumerate(_COLORS)} if max(widths) > 4 else {}
    return Cloud(table[:, :3], colors, losses=tuple(losses))


def _filled(words: list[bytes]) -> bytes:
    """A vertex with a weight and a colour, whichever it has."""
    colors = words[-3:] if len(words) > 4 else [b"nan"] * 3
    return b" ".join([*words[:3], b"1", *colors])


def write_obj(cloud: Cloud) -> tuple[bytes, list[str]]:
    """Lines `v`; colours of whole numbers as fractions of the largest of their type."""
    losses = [f"property {name}" for name in cloud.properties if name not in _COLORS]
    columns: list[NDArray[Any]] = list(cloud.positions.T)
    if (colors := cloud.colors) is not None:
        if colors.dtype.kind != "f":
            losses.append("colours as whole numbers (they become fractions)")
            colors = colors / np.iinfo(colors.dtype).max
        columns += list(colors.T)
    else:
        losses += [f"property {name}" for name in cloud.properties if name in _COLORS]
    text = rows_as_text(columns)
    head = "".join(f"# {line}\n" for text in cloud.comments for line in text.splitlines())
    return head.encode("utf-8", "surrogateescape") + re.sub(
        rb"^(?=.)", b"v ", text, flags=re.MULTILINE
    ), losses


def read_off(data: bytes, max_points: int) -> Cloud:
    """The vertices of an OFF file.

    Raises:
        CloudError: it is damaged, or trimesh is not installed.
    """
    vertices, faces = faces_of_off(data, max_points)
    said = {b"ST": "texture coordinates", b"C": "colours", b"N": "normals"}
    kind = data.lstrip().partition(b"OFF")[0]
    losses = [what for letters, what in said.items() if letters in kind]
    return Cloud(vertices, losses=(*losses, *([f"faces ({len(faces)})"] if len(faces) else [])))


def faces_of_off(data: bytes, max_points: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (N, 3) and triangles (M, 3) of an OFF file; errors as of `read_off`."""
    data = lines_of(data)
    head = re.match(rb"\s*[A-Z4]*OFF\s*(?:#[^\n]*\n\s*)*(\d+)", data)
    if head is None:
        raise CloudError("cloud is no OFF file: it does not begin with 'OFF' and a number")
    if len(head[1]) > 18:
        raise CloudError(f"OFF file speaks of a number of {len(head[1])} digits of vertices")
    check_count(int(head[1]), max_points)
    if int(head[1]) * 6 > len(data):
        raise CloudError(
            f"OFF file ends too early: {int(head[1])} vertices do not fit into {len(data)} bytes"
        )
    if not int(head[1]):
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    mesh = _by_trimesh(data, "off")
    vertices = np.asarray(mesh.vertices, np.float64)
    faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    if len(faces) and not (faces.min() >= 0 and faces.max() < len(vertices)):
        raise CloudError(f"OFF file has a face of vertex {faces.max()}, there are {len(vertices)}")
    return vertices, faces


def write_off(cloud: Cloud) -> tuple[bytes, list[str]]:
    """Vertices without faces."""
    losses = [f"property {name}" for name in cloud.properties]
    head = "".join(f"# {line}\n" for text in cloud.comments for line in text.splitlines())
    text = f"OFF\n{head}{len(cloud)} 0 0\n".encode("utf-8", "surrogateescape")
    return text + rows_as_text(list(cloud.positions.T)), losses


def read_stl(data: bytes, max_points: int) -> Cloud:
    """The corners of the triangles of an STL file, each once, in the order in which they first come.

    Raises:
        CloudError: it is damaged, or trimesh is not installed.
    """
    triangles = int.from_bytes(data[80:84], "little")
    is_binary = len(data) >= 84 and len(data) - 84 == 50 * triangles
    if not is_binary:
        if data.lstrip()[:5].lower() != b"solid":
            raise CloudError(
                f"STL file has {len(data)} bytes: {triangles} triangles need {84 + 50 * triangles}"
            )
        triangles = len(re.findall(rb"(?i)\bendfacet\b", data))
    check_count(triangles, 3 * max_points)
    corners = np.asarray(_by_trimesh(data, "stl").vertices) if triangles else np.empty((0, 3))
    if len(corners) != 3 * triangles or (not is_binary and not triangles and b"vertex" in data):
        raise CloudError(f"STL file has {triangles} triangles, but {len(corners)} corners")
    if is_binary:
        corners = corners.astype(np.float32)
    _, first = np.unique(corners, axis=0, return_index=True)
    check_count(len(first), max_points)
    return Cloud(corners[np.sort(first)], losses=(f"faces ({triangles})",) if triangles else ())


def write_stl(cloud: Cloud) -> tuple[bytes, list[str]]:
    """A binary STL file, which has triangles alone: every point is one whose three corners are the same."""
    losses = [f"property {name}" for name in cloud.properties] + (["comments"] if cloud.comments else [])
    rows = np.zeros(len(cloud), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows["corners"] = as_float32("positions", cloud.positions, losses)[:, None]
    if len(np.unique(rows["corners"][:, 0], axis=0)) < len(cloud):
        losses.append("points that are there several times")
    return bytes(80) + len(cloud).to_bytes(4, "little") + rows.tobytes(), losses


def _by_trimesh(data: bytes, kind: str) -> Any:
    """What trimesh makes of a file, its vertices as they are."""
    trimesh = library("trimesh", kind.upper())
    try:
        mesh = trimesh.load_mesh(io.BytesIO(data), file_type=kind, process=False)
    except Exception as error:  # its parsers raise all sorts of things on damaged files
        text = " ".join(str(error).split())[:120]
        raise CloudError(f"{kind.upper()} file cannot be read: {text}") from None
    if not hasattr(mesh, "vertices"):
        raise CloudError(f"{kind.upper()} file has no vertices")
    return mesh
