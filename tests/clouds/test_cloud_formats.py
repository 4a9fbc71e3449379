"""Every format but PLY: there and back, against other readers, and what hostile files say."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc

import numpy as np
import pytest

from lcrs import clouds
from lcrs.cli.endings import CLOUDS
from lcrs.clouds import Cloud, CloudError, Grid

generator = np.random.default_rng(5)
BYTES = {name: generator.integers(0, 256, 40).astype(np.uint8) for name in ("red", "green", "blue")}
FLOATS = generator.normal(size=(40, 3)).astype(np.float32)
COLORED = Cloud(FLOATS, BYTES, ("by hand",))
SCAN = Cloud(FLOATS, {"intensity": generator.random(40, np.float32)})
NORMALS = {f"n{axis}": FLOATS[:, i] for i, axis in enumerate("xyz")}
ODD = Cloud(
    FLOATS.astype(np.float64) * 1e9,
    {"odd-name!": np.arange(40, dtype=np.int16), "label": np.arange(40, dtype=np.uint32) * 99, **NORMALS},
)
WHOLE = Cloud(generator.integers(-(1 << 30), 1 << 30, (40, 3)).astype(np.int32))
NONE = Cloud(np.zeros((0, 3), np.float32))


def again(cloud: Cloud, kind: str, encoding: str | None = None) -> tuple[Cloud, list[str]]:
    data, losses = clouds.cloud_file(cloud, kind, encoding)
    return clouds.read(data, format=kind), losses


def alike(a: Cloud, b: Cloud) -> None:
    """The same but for types of which a format has one."""
    np.testing.assert_array_equal(a.positions.astype(b.positions.dtype), b.positions)
    assert list(a.properties) == list(b.properties)
    for name, values in a.properties.items():
        np.testing.assert_array_equal(values.astype(b.properties[name].dtype), b.properties[name])


@pytest.mark.parametrize("encoding", clouds.ENCODINGS["pcd"])
@pytest.mark.parametrize(
    "cloud", [COLORED, SCAN, ODD, WHOLE, NONE], ids=["colored", "scan", "odd", "whole", "none"]
)
def test_pcd_keeps_everything(cloud, encoding):
    restored, losses = again(cloud, "pcd", encoding)
    assert (restored, losses) == (cloud, [])


def test_pcd_of_other_programs():
    lines = [
        "# .PCD v.7 - Point Cloud Data file format", "VERSION .7", "FIELDS x y z _ rgb normal_x fpfh",
        "SIZE 4 4 4 1 4 4 4", "TYPE F F F U F F F", "COUNT 1 1 1 4 1 1 2", "WIDTH 1", "HEIGHT 2",
        "VIEWPOINT 1 0 0 1 0 0 0", "POINTS 2",
    ]  # fmt: skip
    packed = struct.unpack("<f", struct.pack("<I", 0x00804020))[0]
    head = "".join(f"{line}\n" for line in lines).encode()
    expected = {"red": [128] * 2, "green": [64] * 2, "blue": [32] * 2, "nx": [0.5, 0.25]}
    row = np.dtype([("a", "<f4", 3), ("b", "u1", 4), ("c", "<f4", 2), ("d", "<f4", 2)])
    rows = np.array(
        [((1, 2, 3), (9,) * 4, (packed, 0.5), (7, 8)), ((4, 5, 6), (9,) * 4, (packed, 0.25), (9, 10))], row
    )
    text = "".join(
        f"{p} 9 9 9 9 {packed!r} {n} {h}\n" for p, n, h in (("1 2 3", 0.5, "7 8"), ("4 5 6", 0.25, "9 10"))
    )
    for data in (b"DATA binary\n" + rows.tobytes(), b"DATA ascii\n" + text.encode()):
        cloud = clouds.read(head + data)
        assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert {name: values.tolist() for name, values in cloud.properties.items()} == expected | {
            "fpfh_0": [7, 9],
            "fpfh_1": [8, 10],
        }
        assert cloud.properties["red"].dtype == np.uint8
        assert cloud.losses == ("the order in 2 rows of 1", "the viewpoint (1 0 0 1 0 0 0)")


@pytest.mark.parametrize("cloud", [COLORED, SCAN, ODD, WHOLE], ids=["colored", "scan", "odd", "whole"])
def test_xyz_keeps_every_number(cloud):
    restored, losses = again(cloud, "xyz")
    alike(restored, cloud)
    assert losses == []
    assert restored.comments == cloud.comments
    assert restored.positions.dtype.kind == cloud.positions.dtype.kind
    data = clouds.cloud_file(cloud, "xyz")[0]
    np.testing.assert_array_equal(
        np.loadtxt(io.BytesIO(data), ndmin=2)[:, :3].astype(np.float64), restored.positions
    )


def test_xyz_takes_memory_for_the_lines_it_has():
    wide = Cloud(FLOATS, {f"p{i}": FLOATS[:, 0] for i in range(100)})
    data = clouds.cloud_file(wide, "xyz")[0]
    tracemalloc.start()
    try:
        restored = clouds.read(data, format="xyz")
        assert tracemalloc.get_traced_memory()[1] < 100 * len(data)
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(restored.positions.astype(np.float32), FLOATS)
    assert list(restored.properties) == list(wide.properties)
    with pytest.raises(CloudError, match="2 are allowed"):
        clouds.read(data, format="xyz", max_points=2)


def test_npy_has_no_field_without_a_name():
    with pytest.raises(CloudError, match="NPY has no place"):
        clouds.cloud_file(Cloud(FLOATS, {"": FLOATS[:, 0]}), "npy")


def test_xyz_of_a_windows_editor():
    assert clouds.read(b"\xef\xbb\xbf1 2 3\r\n", format="xyz").positions.tolist() == [[1, 2, 3]]


def test_xyz_columns_without_names():
    assert list(clouds.read(b"1 2 3.5\n", format="xyz").properties) == []
    assert list(clouds.read(b"1,2,3.5, 4\r\n", format="xyz").properties) == ["intensity"]
    colored = clouds.read(b"1;2;3.5;4;5;255\n\n\n1 2 3 0 0 0", format="txt")
    assert list(colored.properties) == ["red", "green", "blue"]
    assert colored.properties["blue"].tolist() == [255, 0]
    assert colored.properties["blue"].dtype == np.uint8
    assert list(clouds.read(b"1 2 3 0 0 -1\n", format="xyz").properties) == ["nx", "ny", "nz"]
    assert list(clouds.read(b"1 2 3 -9.5 4 5 255\n", format="xyz").properties) == [
        "intensity",
        "red",
        "green",
        "blue",
    ]
    assert list(clouds.read(b"1 2 3 4 5 6 0 0 1\n", format="xyz").properties)[-1] == "nz"
    assert list(clouds.read(b"1 2 3 4 5\n", format="xyz").properties) == ["column3", "column4"]
    assert len(clouds.read(b"", format="xyz")) == len(clouds.read(b"# x y z\n", format="xyz")) == 0


def test_floats_that_happen_to_be_whole_stay_floats():
    whole = Cloud(np.array([[-1, 2, 3], [4, 5, 6]], np.float64))
    restored, _ = again(whole, "xyz")
    assert restored == whole


@pytest.mark.parametrize(
    "cloud", [COLORED, SCAN, ODD, WHOLE, NONE], ids=["colored", "scan", "odd", "whole", "none"]
)
def test_npy_keeps_everything_but_comments(cloud):
    restored, losses = again(cloud, "npy")
    assert restored == Cloud(cloud.positions, cloud.properties)
    assert losses == ["comments"] * bool(cloud.comments)
    array = np.load(io.BytesIO(clouds.cloud_file(cloud, "npy")[0]))
    np.testing.assert_array_equal(array["y"] if array.dtype.names else array[:, 1], cloud.positions[:, 1])


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_npy_of_others():
    table = np.arange(12, dtype=">f8").reshape(3, 4)
    for array in (table, np.asfortranarray(table)):
        cloud = clouds.read(saved(array))
        assert cloud.positions.tolist() == table[:, :3].tolist()
        assert cloud.properties["intensity"].tolist() == [3, 7, 11]
        assert cloud.positions.dtype == np.float64
    named = np.zeros(2, [("z", "f4"), ("ä", "?"), ("y", "f4"), ("x", "f4")])
    with contextlib.suppress(UserWarning):
        assert list(clouds.read(saved_named(named)).properties) == ["ä"]


def saved_named(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(3, 0))
    return stream.getvalue()


def test_a_scan_is_four_floats_a_point():
    restored, losses = again(SCAN, "bin")
    assert (restored, losses) == (SCAN, [])
    restored, losses = again(COLORED, "bin")
    assert restored.properties["intensity"].tolist() == [0] * 40
    assert losses == ["property red", "property green", "property blue", "comments"]
    with pytest.raises(CloudError, match=r"beyond 3\.40282e"):
        again(Cloud(np.full((1, 3), 1e39)), "bin")
    assert again(Cloud(np.full((1, 3), 0.1)), "bin")[1] == [
        "positions in full (rounded to floats of 32 bits)"
    ]


@pytest.mark.parametrize("kind", ["las", "laz"])
def test_las_keeps_positions_on_a_grid_and_all_fields(kind):
    pytest.importorskip("laspy")
    pytest.importorskip("lazrs")
    whole = generator.integers(-(1 << 29), 1 << 29, (30, 3))
    grid = Grid((0.001, 0.001, 0.01), (5e5, 1e6, -3.0))
    properties = {
        "intensity": generator.integers(0, 1 << 16, 30).astype(np.uint16),
        "classification": generator.integers(0, 32, 30).astype(np.uint8),
        "gps_time": generator.random(30) * 1e9,
        "red": generator.integers(0, 1 << 16, 30).astype(np.uint16),
        "reflectance": generator.random(30, np.float32),
    }
    cloud = Cloud(whole * np.array(grid.scale) + np.array(grid.offset), properties, grid=grid)
    restored, losses = again(cloud, kind)
    assert losses == []
    assert restored.grid == grid
    steps = np.array([1000, 1000, 100])
    np.testing.assert_array_equal(restored.positions, (whole + np.array(grid.offset) * steps) / steps)
    np.testing.assert_array_equal(np.rint((restored.positions - grid.offset) / grid.scale), whole)
    near = (whole % 100_000 + np.array(grid.offset) * steps) / steps
    once_more, losses = again(Cloud(near), kind)  # no grid is said
    np.testing.assert_array_equal(once_more.positions, near)
    assert (losses, once_more.grid.scale) == ([], (0.001, 0.001, 0.001))
    for name, values in properties.items():
        np.testing.assert_array_equal(restored.properties[name], values)
        assert restored.properties[name].dtype == values.dtype
    rounded, losses = again(ODD, kind)
    assert losses == ["positions in full (rounded to multiples of 10)"] or losses[0].startswith(
        "positions in full"
    )
    step = rounded.grid.scale[0]
    assert np.abs(rounded.positions - ODD.positions).max() <= step / 2 * (1 + 1e-9)
    np.testing.assert_array_equal(rounded.properties["odd-name!"], ODD.properties["odd-name!"])
    exact, losses = again(WHOLE, kind)
    np.testing.assert_array_equal(exact.positions, WHOLE.positions)
    assert losses == []
    assert len(again(NONE, kind)[0]) == 0
    fine, losses = again(Cloud(whole * 2.0**-20, grid=Grid((2.0**-20,) * 3, (0.0, 0.0, 0.0))), kind)
    np.testing.assert_array_equal(fine.positions, whole * 2.0**-20)
    assert losses == []
    with pytest.raises(CloudError, match="point 1 is"):
        again(Cloud(np.array([[0, 0, 0], [0, np.nan, 0]])), kind)
    with pytest.raises(CloudError, match="positions are too far apart"):
        again(Cloud(np.array([[1.7e308, 0, 0], [-1.7e308, 0, 0]])), kind)
    with pytest.raises(CloudError, match="property 'classification' has numbers"):
        again(Cloud(np.zeros((1, 3)), {"classification": np.array([999])}), kind)


def test_obj_vertices_that_no_face_uses_are_points_too():
    data = b"# box\nvn 0 0 1\n v 0.1 2 3\nv 4 5 6 # last\r\nv 7 8 9\nf 1 2 3\n"
    cloud = clouds.read(data, format="obj")
    assert cloud.positions.tolist() == [[0.1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert cloud.losses == ("faces (1)", "normals (1)")
    restored, losses = again(COLORED, "obj")
    np.testing.assert_array_equal(restored.positions.astype(np.float32), COLORED.positions)
    np.testing.assert_array_equal(restored.colors * 255, COLORED.colors)
    assert losses == ["colours as whole numbers (they become fractions)"]
    assert clouds.read(b"v 1 2 3 0.5\n", format="obj").losses == ("weights",)
    assert len(clouds.read(b"# nothing\n", format="obj")) == 0
    assert len(again(NONE, "obj")[0]) == 0


def test_obj_vertices_with_and_without_colours_and_long_lines():
    mixed = b"v 1 2 3\nv 4 5 6 0.5 1 0\nv 7 8 \\\n 9 1 \\\r\n0 0 1\n# C:\\\nv 1 1 1 2\n"
    cloud = clouds.read(mixed, format="obj")
    assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]]
    np.testing.assert_array_equal(cloud.colors, [[np.nan] * 3, [0.5, 1, 0], [0, 0, 1], [np.nan] * 3])
    assert cloud.losses == ("weights",)
    with pytest.raises(CloudError, match="vertex 1 has 5 numbers"):
        clouds.read(b"v 1 2 3\nv 1 2 3 4 5\n", format="obj")


@pytest.mark.parametrize(
    "line", [b"1,5 2,5 3,5", b"1,5;2;3", b"1,5\t2,5\t3", b"1,5, 2,5, 3,5", b"-1e3 2,5 3.5 7"]
)
def test_commas_that_may_be_decimal_are_refused(line):
    for data in (line, b"# x y z\n0 0 0\n" + line + b"\n", b"x;y;z\r\n" + line + b"\r\n1;2;3\r\n"):
        with pytest.raises(CloudError, match=r"line \d: commas of .* may be decimal"):
            clouds.read(data, format="xyz")


@pytest.mark.parametrize(
    "line",
    [
        b"1,2,3",
        b"1, 2, 3",
        b"1 ,2 ,3",
        b"1, 2,3",
        b"1,2,3 0,9,0",
        b"1;2;3;",
        b"1.5,2,3;7",
    ],
)
def test_commas_between_numbers_are_none(line):
    assert clouds.read(line, format="csv").positions.tolist()[0][1:] == [2, 3]


def test_sizes_in_a_laz_file_are_compared_with_it_before_memory_is_taken():
    pytest.importorskip("lazrs")
    data = las("laz")
    begin = int.from_bytes(data[96:100], "little")
    record = data.rindex(b"laszip encoded", 0, begin) + 52
    table = int.from_bytes(data[begin : begin + 8], "little")
    point = int.from_bytes(data[105:107], "little")
    for at, value, size in [
        (record + 12, 0, 4),  # points of a chunk
        (record + 12, 7, 4),
        (record + 36, 0xFFFF, 2),  # bytes of an item
        (record + 32, 0xFFFF, 2),  # items
        (begin, 1 << 40, 8),
        (begin, 1 << 63, 8),
        (table + 4, 1 << 31, 4),  # chunks
        (table + 8, 0xFFFF_FFFF, 4),  # bytes of the chunk, coded
        (begin + 8 + point + 4, 1 << 31, 4),  # bytes of a layer
    ]:
        with pytest.raises(CloudError, match=r"LA[SZ] file"):
            clouds.read(patched(data, at, value, size))
    # One chunk is one, however many points it might have; lazrs would take memory for all of them.
    assert clouds.read(patched(data, record + 12, 1 << 31)) == clouds.read(data)


def test_what_off_has_beside_vertices_is_said():
    cloud = clouds.read(b"COFF\n1 0 0\n1 2 3 255 0 0 255\n", format="off")
    assert cloud.positions.tolist() == [[1, 2, 3]]
    assert cloud.losses == ("colours",)


def test_off_vertices_keep_every_digit():
    pytest.importorskip("trimesh")
    restored, losses = again(ODD, "off")
    np.testing.assert_array_equal(restored.positions, ODD.positions)
    assert losses == [f"property {name}" for name in ODD.properties]
    cloud = clouds.read(b"OFF\n# by hand\n4 1 0\n0 0 0\n1 0 0\n0 1 0\n9 9 9\n3 0 1 2\n")
    assert cloud.positions.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]]
    assert cloud.losses == ("faces (1)",)
    glued = clouds.read(b"OFF3 0 0\n0 0 0\n1 0 0\n0 1 0\n")  # as some files of ModelNet begin
    assert len(glued) == 3
    assert len(again(NONE, "off")[0]) == 0


def test_stl_vertices_are_there_once():
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box()
    for kind in ("stl", "stl_ascii"):
        data = box.export(file_type=kind)
        cloud = clouds.read(data if isinstance(data, bytes) else data.encode(), format="stl")
        assert sorted(map(tuple, cloud.positions)) == sorted(map(tuple, box.vertices))
        assert cloud.losses == ("faces (12)",)
    restored, losses = again(Cloud(FLOATS), "stl")
    assert restored == Cloud(FLOATS, losses=("faces (40)",))
    assert losses == []
    assert again(Cloud(np.zeros((2, 3), np.float32)), "stl")[1] == ["points that are there several times"]
    assert (
        len(trimesh.load_mesh(io.BytesIO(clouds.cloud_file(Cloud(FLOATS), "stl")[0]), file_type="stl").faces)
        <= 40
    )


def las(kind: str = "las") -> bytes:
    pytest.importorskip("laspy")
    return clouds.cloud_file(Cloud(FLOATS), kind)[0]


def patched(data: bytes, at: int, value: int, size: int = 4) -> bytes:
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


PCD = clouds.cloud_file(WHOLE, "pcd")[0]
PACKED = clouds.cloud_file(WHOLE, "pcd", "binary_compressed")[0]
ONES = saved(np.ones((2, 3)))
HUGE = b"(1099511627776, 3), }"


def claiming(data: bytes, points: int) -> bytes:
    return data.replace(b"WIDTH 40", b"WIDTH %d" % points).replace(b"POINTS 40", b"POINTS %d" % points)


HOSTILE = {
    "pcd cut": ("pcd", lambda: PCD[:-5], "ends in point 39 of 40"),
    "pcd text cut": ("pcd", lambda: clouds.cloud_file(WHOLE, "pcd", "ascii")[0][:-40], "ends|has . numbers"),
    "pcd huge": ("pcd", lambda: claiming(PCD, 999_999_999), "999999999 points"),
    "pcd huger": ("pcd", lambda: PCD.replace(b"WIDTH 40", b"WIDTH 1099511627776"), "WIDTH is '10995"),
    "pcd negative": ("pcd", lambda: PCD.replace(b"WIDTH 40", b"WIDTH -4"), "WIDTH is '-4'"),
    "pcd unlike": ("pcd", lambda: PCD.replace(b"WIDTH 40", b"WIDTH 41"), "40 points, but 41 x 1"),
    "pcd type": ("pcd", lambda: PCD.replace(b"TYPE I", b"TYPE Q"), "field 'x' has type Q of size 4"),
    "pcd counts": ("pcd", lambda: PCD.replace(b"COUNT 1", b"COUNT 99999"), "100001 values a point"),
    "pcd twice": ("pcd", lambda: PCD.replace(b"FIELDS x", b"FIELDS y"), "two fields 'y'"),
    "pcd no axis": ("pcd", lambda: PCD.replace(b"FIELDS x", b"FIELDS w"), "no x"),
    "pcd endless": ("pcd", lambda: b"# .PCD" + b"\n#" * 99, "no line DATA"),
    "pcd bad packing": ("pcd", lambda: PACKED[:-99] + b"\xff" * 99, "cannot be unpacked|unpacks to"),
    "pcd cut packing": ("pcd", lambda: PACKED[:-20], "ends too early"),
    "pcd unlike packing": ("pcd", lambda: claiming(PACKED, 41), "41 points need"),
    "xyz word": ("xyz", lambda: b"1 2 3\n1 2 x\n", "point 1, column 3: 'x' is no number"),
    "xyz short": ("xyz", lambda: b"1 2\n", "point 0 has 2 numbers"),
    "xyz ragged": ("xyz", lambda: b"1 2 3\n1 2 3\n1 2 3 4\n", "point 2 has 4 numbers"),
    "xyz nothing": ("xyz", lambda: b"1,2,3\n1,,2,3\n", "line 2: nothing stands before ','"),
    "xyz nothing first": ("xyz", lambda: b"1;2;3\n ;2;3\n", "line 2: nothing stands before ';'"),
    "csv word": ("csv", lambda: b"x,y,z\n1,2,3\n1,2,a b\n", "point 1"),
    "csv titles": ("csv", lambda: b"a,b,c\n1,2,3\n", "the first line, 'a b c', has no numbers"),
    "xyz binary": ("xyz", lambda: bytes(range(256)), "point 0"),
    "npy objects": ("npy", lambda: saved(np.array([{}], object)), "objects of Python"),
    "npy text": ("npy", lambda: saved(np.zeros((2, 3), "U4")), "array has type <U4"),
    "npy flat": ("npy", lambda: saved(np.zeros(6)), r"shape \(6,\)"),
    "npy cut": ("npy", lambda: saved(np.zeros((2, 3)))[:-1], r"\(2, 3\) does not fit into the 47 bytes"),
    "npy huge": ("npy", lambda: ONES.replace(b"(2, 3), }" + b" " * 12, HUGE), "1099511627776 points"),
    "npy negative": ("npy", lambda: ONES.replace(b"(2, 3)", b"(-2,3)"), "does not fit|cannot"),
    "npy names": ("npy", lambda: saved(np.zeros(2, [("x", "f4"), ("y", "f4")])), "no z"),
    "npy nested": ("npy", lambda: saved(np.zeros(2, [("x", "f4", 2), ("y", "f4"), ("z", "f4")])), "'x' has"),
    "npy junk": ("npy", lambda: b"\x93NUMPY\x01\x00\xff\xff{", "ends in its header of 65545"),
    "bin odd": ("bin", lambda: bytes(17), "16 bytes a point, these are 17"),
    "las short": ("las", lambda: las()[:90], "cannot be read|records"),
    "las cut": ("las", lambda: las()[:-5], "ends before the last of its 40 points"),
    "las huge": ("las", lambda: patched(las(), 247, 1 << 40, 8), "1099511627776 points"),
    "las records": ("las", lambda: patched(las(), 100, 1 << 31), "speaks of 2147483648 records"),
    "laz cut": ("laz", lambda: las("laz")[:-50], "LA[SZ] file"),
    "laz many": ("laz", lambda: patched(las("laz"), 247, 1 << 27, 8), "LAZ file has 1 chunks of 50000"),
    "npy keys": ("npy", lambda: ONES.replace(b"descr", b"desks"), "header of the array is .*'desks'"),
    "npy header cut": ("npy", lambda: ONES[:40], "40 bytes ends in its header of 128"),
    "npy version": ("npy", lambda: patched(ONES, 6, 9, 1), "version 9.0"),
    "obj short": ("obj", lambda: b"v 1 2\n", "vertex 0 has 2 numbers"),
    "obj word": ("obj", lambda: b"v 1 2 3\nv 1 2 b\n", "vertex 1, column 3"),
    "off none": ("off", lambda: b"PLY", "no OFF file"),
    "off huge": ("off", lambda: b"OFF\n1099511627776 0 0\n", "1099511627776 points"),
    "off many": ("off", lambda: b"OFF\n100 0 0\n1 2 3\n", "100 vertices do not fit"),
    "off cut": ("off", lambda: b"OFF\n2 0 0\n1 2 3.25 1 1\n", "cannot be read"),
    "off face": ("off", lambda: b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n", "a face of vertex 9|cannot"),
    "stl cut": ("stl", lambda: clouds.cloud_file(Cloud(FLOATS), "stl")[0][:-9], "triangles need"),
    "stl words": ("stl", lambda: b"solid x\nvertex 1 2\n", "0 triangles, but 0 corners"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_with_a_file_is_one_line(name):
    kind, data, message = HOSTILE[name]
    if kind in ("off", "stl"):
        pytest.importorskip("trimesh")
    with pytest.raises(CloudError, match=message) as caught:
        clouds.read(data(), format=kind)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_columns_with_a_line_of_names():
    for cloud in (COLORED, SCAN, WHOLE, NONE, Cloud(np.zeros((2, 3)), {"label": np.arange(2)})):
        restored, losses = again(cloud, "csv")
        alike(restored, Cloud(cloud.positions, cloud.properties))
        assert restored.positions.dtype.kind == cloud.positions.dtype.kind
        assert losses == (["comments"] if cloud.comments else [])
    table = b'\xef\xbb\xbf"X";"Y";"Z";"height"\r\n1;2;3;0.5\r\n4;5;6;1.5\r\n'
    cloud = clouds.read(table, format="csv")
    assert cloud.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert {name: values.tolist() for name, values in cloud.properties.items()} == {"height": [0.5, 1.5]}
    named = clouds.read(b"label x y z\n7 1 2 3\n", format="txt")
    assert (named.positions.tolist(), named.properties["label"].tolist()) == ([[1, 2, 3]], [7])
    with pytest.raises(CloudError, match="'a,b' is no plain word"):
        clouds.cloud_file(Cloud(np.zeros((1, 3)), {"a,b": np.zeros(1)}), "csv")


@pytest.mark.parametrize("kind", ["ply", "pcd", "xyz", "csv", "obj", "off"])
def test_lines_of_old_macs_end_in_a_carriage_return(kind):
    if kind == "off":
        pytest.importorskip("trimesh")
    encoding = "ascii" if kind in clouds.ENCODINGS else None
    data, _ = clouds.cloud_file(Cloud(FLOATS[:7], comments=("here",)), kind, encoding)
    whole = clouds.read(data, format=kind)
    for ending in (b"\r", b"\r\n"):
        assert clouds.read(data.replace(b"\n", ending), format=kind) == whole


def test_bytes_after_a_bare_carriage_return_are_points():
    positions = np.frombuffer(b"\n\r\n\0" * 6, "<f4").reshape(2, 3)  # the first byte is an end of a line, too
    head, _ = clouds.cloud_file(Cloud(positions[:0]), "ply")
    head = head.replace(b"vertex 0", b"vertex 2").replace(b"\n", b"\r")
    assert clouds.read(head + positions.tobytes()) == Cloud(positions)


@pytest.mark.parametrize("kind", ["pcd", "npy", "las", "laz", "off", "stl", "obj", "xyz"])
def test_flipped_and_cut_files_are_errors_or_clouds(kind):
    whole = las(kind) if kind in ("las", "laz") else clouds.cloud_file(Cloud(FLOATS[:5]), kind)[0]
    for _ in range(40):
        damaged = bytearray(whole)
        for at in generator.integers(0, min(len(whole), 400), 2):
            damaged[at] ^= generator.integers(1, 256)
        del damaged[generator.integers(len(whole) // 2, 2 * len(whole)) :]
        with contextlib.suppress(CloudError):
            assert clouds.read(bytes(damaged), format=kind, max_points=10_000).positions.shape[1] == 3


def test_limits_hold_for_every_format(tmp_path):
    for kind in clouds.FORMATS:
        path = tmp_path / f"a.{kind}"
        clouds.write(path, Cloud(FLOATS))
        with pytest.raises(CloudError, match=r"a\.\w+: cloud has \d+ points: \d+ are allowed \(max_points\)"):
            clouds.read(path, max_points=9)
        assert len(clouds.read(path, max_points=120)) == 40


def test_the_kind_is_told_by_the_first_bytes_or_the_ending(tmp_path):
    data = clouds.cloud_file(WHOLE, "pcd")[0]
    (tmp_path / "a.ply").write_bytes(data)
    assert clouds.read(tmp_path / "a.ply") == clouds.read(io.BytesIO(data)) == WHOLE
    with pytest.raises(CloudError, match="pass format="):
        clouds.read(b"1 2 3")
    (tmp_path / "a.txt").write_bytes(b"1 2 3")
    assert clouds.read(tmp_path / "a.txt").positions.tolist() == [[1, 2, 3]]
    (tmp_path / "a").write_bytes(b"1 2 3")
    with pytest.raises(CloudError, match="has no ending"):
        clouds.read(tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        clouds.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        clouds.read(tmp_path / "b.ply")


def test_every_format_is_one_for_the_command_line():
    assert {f".{kind}" for kind in (*clouds.FORMATS, "txt")} == CLOUDS


def test_what_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr("lcrs.clouds.files._MAX_BYTES", 1000)
    monkeypatch.setattr("lcrs.clouds.files._CHUNK", 300)
    for source in ("/dev/zero", io.BytesIO(bytes(2000))):
        with pytest.raises(CloudError, match="more than 1000 bytes"):
            clouds.read(source, format="bin")


@pytest.mark.parametrize(
    ("kind", "package"), [("las", "laspy"), ("laz", "lazrs"), ("off", "trimesh"), ("stl", "trimesh")]
)
def test_a_missing_package_is_named(monkeypatch, kind, package):
    pytest.importorskip("laspy")
    pytest.importorskip("trimesh")
    data = clouds.cloud_file(Cloud(FLOATS), kind)[0]
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(
        CloudError, match=rf"needs {package}: pip install '\.\[points\]' in the sources of lcrs"
    ):
        clouds.read(data, format=kind)
