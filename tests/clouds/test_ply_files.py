"""PLY files: every kind of body and property, there and back, and what hostile ones say."""

from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lcrs import clouds
from lcrs.clouds import Cloud, CloudError

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def head(*lines: str, kind: str = "ascii") -> list[str]:
    return ["ply", f"format {kind} 1.0", *lines]


VERTEX = ["property float x", "property float y", "property float z"]


@st.composite
def any_cloud(draw):
    count = draw(st.integers(0, 6))
    position_type = draw(st.sampled_from(TYPES))
    names = draw(st.lists(st.from_regex(r"[!-~]{1,9}", fullmatch=True), unique=True, max_size=4))

    def column(kind, shape):
        return draw(arrays.arrays(kind, shape))

    properties = {
        name: column(draw(st.sampled_from(TYPES)), (count,)) for name in names if name not in ("x", "y", "z")
    }
    comments = draw(st.lists(st.from_regex(r"[!-~]([ -~]{0,8}[!-~])?", fullmatch=True), max_size=2))
    return Cloud(column(position_type, (count, 3)), properties, tuple(comments))


@given(any_cloud(), st.sampled_from(clouds.ENCODINGS["ply"]))
def test_whatever_it_holds_comes_back(cloud, encoding):
    data, losses = clouds.cloud_file(cloud, "ply", encoding)
    assert losses == []
    restored = clouds.read(data)
    if encoding == "ascii":  # a NaN has one text, whatever its bits
        np.testing.assert_array_equal(restored.positions, cloud.positions)
        assert restored.positions.dtype == cloud.positions.dtype
        for name, values in cloud.properties.items():
            np.testing.assert_array_equal(restored.properties[name], values)
            assert restored.properties[name].dtype == values.dtype
        assert restored.comments == cloud.comments
    else:
        assert restored == cloud


@given(any_cloud(), st.sampled_from(clouds.ENCODINGS["ply"]), st.data())
def test_cut_and_flipped_files_are_errors_or_clouds(cloud, encoding, data):
    whole = bytearray(clouds.cloud_file(cloud, "ply", encoding)[0])
    cut = data.draw(st.integers(0, len(whole)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(whole[:cut]), bytes(whole)):
        with contextlib.suppress(CloudError):
            assert clouds.read(damaged, format="ply", max_points=1000).positions.shape[1] == 3


def test_another_reader_reads_the_same():
    plyfile = pytest.importorskip("plyfile")
    generator = np.random.default_rng(1)
    cloud = Cloud(
        generator.normal(size=(50, 3)),
        {"red": generator.integers(0, 256, 50).astype(np.uint8), "q": np.arange(50, dtype=np.int16)},
    )
    for encoding in clouds.ENCODINGS["ply"]:
        vertex = plyfile.PlyData.read(io.BytesIO(clouds.cloud_file(cloud, "ply", encoding)[0]))["vertex"]
        for i, axis in enumerate("xyz"):
            np.testing.assert_array_equal(vertex[axis], cloud.positions[:, i])
        np.testing.assert_array_equal(vertex["red"], cloud.properties["red"])
        np.testing.assert_array_equal(vertex["q"], cloud.properties["q"])


def test_faces_and_lists_are_left_out_and_said():
    lines = head(
        "comment made by hand",
        "element odd 2",
        "property list uchar int of",
        "element vertex 2",
        *VERTEX,
        "property list uchar short near",
        "property uchar red",
        "element face 1",
        "property list uchar int vertex_indices",
        "end_header",
    )
    body = ["0", "2 5 6", "1 2 3 2 7 8 9", "", "4 5 6 0 10", "3 0 1 1"]
    cloud = clouds.read(text(*lines, *body))
    assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.properties["red"].tolist() == [9, 10]
    assert cloud.properties["red"].dtype == np.uint8
    assert cloud.comments == ("made by hand",)
    assert cloud.losses == ("the element odd (2)", "faces (1)", "the list near of every point")
    for order, kind in ((">", "binary_big_endian"), ("<", "binary_little_endian")):
        rows = struct.pack(f"{order}BBii", 0, 2, 5, 6)
        rows += struct.pack(f"{order}3fB2hB", 1, 2, 3, 2, 7, 8, 9)
        rows += struct.pack(f"{order}3fBB", 4, 5, 6, 0, 10)
        rows += struct.pack(f"{order}B3i", 3, 0, 1, 1)
        assert clouds.read(text("ply", f"format {kind} 1.0", *lines[2:]) + rows) == cloud


def test_line_ends_of_other_systems():
    for end in ("\r\n", "\r"):
        lines = head("element vertex 1", *VERTEX, "end_header", kind="binary_little_endian")
        data = "".join(line + end for line in lines).encode() + struct.pack("<3f", 10.5, 2, 3)
        assert clouds.read(data).positions.tolist() == [[10.5, 2, 3]]


def test_axes_of_different_types_and_places():
    lines = head(
        "element vertex 1", "property double z", "property int a", "property uchar x", "property uchar y"
    )
    cloud = clouds.read(text(*lines, "end_header", "0.1 7 3 4"))
    assert cloud.positions.tolist() == [[3, 4, 0.1]]
    assert list(cloud.properties) == ["a"]


def points(count: int, *rows: str) -> bytes:
    return text(*head(f"element vertex {count}", *VERTEX, "end_header"), *rows)


BAD = {
    "no PLY file": (b"solid", "begin with 'ply'"),
    "no end": (text(*head()), "no end_header"),
    "huge": (text(*head(f"element vertex {1 << 40}", *VERTEX, "end_header")), "1099511627776 points"),
    "many": (text(*head("element vertex 900", *VERTEX, "end_header"), "1 2 3"), "900 points do not fit"),
    "negative": (text(*head("element vertex -1", *VERTEX, "end_header")), r"line 3: 'vertex' has '-1' rows"),
    "long": (text(*head(f"element vertex {'9' * 9000}", *VERTEX, "end_header")), "line 3.*0 to 10"),
    "no axis": (text(*head("element vertex 1", *VERTEX[:2], "end_header"), "1 2"), "no z"),
    "list axis": (
        text(*head("element vertex 1", "property list uchar int x", *VERTEX[1:], "end_header"), "1 1 2 3"),
        "have no x",
    ),
    "twice": (text(*head("element vertex 1", *VERTEX, "property int x", "end_header")), "two properties 'x'"),
    "type": (text(*head("element vertex 1", "property quad x", "end_header")), "type 'quad'"),
    "float list": (text(*head("element face 1", "property list float int x", "end_header")), "counted in"),
    "stray": (text(*head("property float x", "end_header")), "line 3: a property before"),
    "format": (text("ply", "format ascii 2.0", "end_header"), "format 'ascii 2.0'"),
    "no format": (text("ply", "element vertex 0", *VERTEX, "end_header"), "does not say its format"),
    "no vertex": (text(*head("end_header")), "no element 'vertex'"),
    "word": (
        points(2, "1 2 3", "1 b 3"),
        "vertex 1, column 2: 'b'",
    ),
    "width": (points(2, "1 2 3.5", "1.5 2"), "vertex 1 has 2 numbers"),
    "all wide": (points(1, "1 2 3 4 "), "vertex 0 has 4 numbers"),
    "cut": (points(2, "1 2 3 ", "     "), "ends in vertex 1 of 2"),
    "range": (
        text(*head("element vertex 1", *VERTEX, "property uchar red", "end_header"), "1 2 3 256"),
        "vertex 0: red is 256: whole numbers from 0 to 255",
    ),
    "NaN": (
        text(*head("element vertex 1", *VERTEX, "property int red", "end_header"), "1 2 3 nan"),
        "red is nan",
    ),
    "cut rows": (
        text(*head("element vertex 3", *VERTEX, "end_header", kind="binary_little_endian")) + bytes(30),
        "ends in vertex 2 of 3",
    ),
    "huge rows": (
        text(*head(f"element face {10**18 - 1}", "property int a", "element vertex 1", *VERTEX, "end_header",
                   kind="binary_big_endian")) + bytes(40),
        "ends in face 10 of 999999999999999999",
    ),
    "negative list": (
        text(*head("element face 1", "property list char int a", "element vertex 1", *VERTEX, "end_header",
                   kind="binary_big_endian")) + b"\xff" * 40,
        "face 0: list 'a' has -1 values",
    ),
    "long list": (
        text(*head("element vertex 1", "property list uint int a", *VERTEX, "end_header",
                   kind="binary_big_endian")) + b"\xff" * 40,
        "ends in vertex 0 of 1",
    ),
    "long text list": (
        text(*head("element vertex 1", "property list uint int a", *VERTEX, "end_header"), "9999999 1 2 3"),
        "vertex 0 has 4 words",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_one_line(name):
    data, message = BAD[name]
    with pytest.raises(CloudError, match=message) as caught:
        clouds.read(data, format="ply")
    assert "\n" not in str(caught.value)


def test_rows_without_bytes_take_no_time():
    lines = head(
        "element vertex 0", *VERTEX, f"element nothing {10**17}", "end_header", kind="binary_big_endian"
    )
    assert len(clouds.read(text(*lines))) == 0
    lines = [
        *head(
            f"element nothing {10**17}", "element vertex 1", *VERTEX, "end_header", kind="binary_big_endian"
        )
    ]
    assert len(clouds.read(text(*lines) + bytes(12))) == 1


def test_whole_numbers_of_64_bits_are_kept_or_refused():
    for values, kind in (([5, -7], np.int32), ([5, 1 << 31], np.uint32), ([-1, 1 << 53], np.float64)):
        positions = np.tile(np.array(values, np.int64)[:, None], 3)
        restored = clouds.read(clouds.cloud_file(Cloud(positions), "ply")[0]).positions
        assert restored.dtype == kind
        np.testing.assert_array_equal(restored, positions)
    for values in ([-1, (1 << 53) + 1], [1, (1 << 63) - 1]):
        with pytest.raises(CloudError, match=r"positions has whole numbers beyond 2\^53"):
            clouds.cloud_file(Cloud(np.tile(np.array(values, np.int64)[:, None], 3)), "ply")


def test_files_are_named_and_never_clobbered(tmp_path):
    path = tmp_path / "a.ply"
    cloud = Cloud(np.zeros((2, 3), np.float32))
    assert clouds.write(path, cloud) == []
    with pytest.raises(FileExistsError):
        clouds.write(path, cloud)
    clouds.write(path, Cloud(np.ones((1, 3))), overwrite=True, encoding="ascii")
    assert clouds.read(path).positions.tolist() == [[1, 1, 1]]
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CloudError, match=r"a\.ply: PLY"):
        clouds.read(path)
    with pytest.raises(ValueError, match=r"ends in '\.doc'"):
        clouds.write(tmp_path / "a.doc", cloud)
    with pytest.raises(ValueError, match="encoding 'utf'"):
        clouds.write(tmp_path / "b.ply", cloud, encoding="utf")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ply"]


def test_clouds_that_fit_no_file():
    with pytest.raises(CloudError, match=r"property 'a b' is no word"):
        clouds.cloud_file(Cloud(np.zeros((1, 3)), {"a b": np.zeros(1)}), "ply")
    with pytest.raises(ValueError, match=r"positions have shape \(3,\)"):
        Cloud(np.zeros(3))
    with pytest.raises(ValueError, match="property 'x' is an axis"):
        Cloud(np.zeros((1, 3)), {"x": np.zeros(1)})
    with pytest.raises(ValueError, match=r"'red' has shape \(2,\): \(1,\) is needed"):
        Cloud(np.zeros((1, 3)), {"red": np.zeros(2)})
    with pytest.raises(ValueError, match="have type complex128"):
        Cloud(np.zeros((1, 3), complex))
