"""Point clouds from Python: what goes in comes out, in any type, and what cannot is said in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lcrs import clouds, coding, errors, points

DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def rows(positions: np.ndarray, *columns: np.ndarray) -> list[tuple[bytes, ...]]:
    """Points with their attributes as bytes, in an order of their own."""
    return sorted(
        zip(map(np.ndarray.tobytes, positions), *(map(bytes, c[:, None]) for c in columns), strict=True)
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whole_coordinates_and_attributes_of_any_bits_come_back(
    package: coding.CloudPackage, data: st.DataObject
) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    low, high = (-100, 100) if dtype.kind != "u" else (0, 200)
    number = st.integers(low, min(high, 127 if dtype == "i1" else high))
    count = data.draw(st.integers(0, 40))
    positions = data.draw(arrays.arrays(dtype, (count, 3), elements=number))
    columns = {
        name: np.frombuffer(data.draw(st.binary(min_size=count * size, max_size=count * size)), kind)
        for name, kind, size in [("red", "u1", 1), ("nx", "f4", 4), ("time", "f8", 8), ("class", "i2", 2)]
    }
    file = points.compress(positions, columns, keep_duplicates=True, model=package)
    cloud = points.decompress(file, package)
    assert cloud.positions.dtype == dtype
    assert [values.dtype for values in cloud.properties.values()] == [v.dtype for v in columns.values()]
    plain = positions + dtype.type(0)  # -0.0 comes back as 0.0
    assert rows(cloud.positions, *cloud.properties.values()) == rows(plain, *columns.values())


# binary32 that is too coarse for the last decimal of a step, and that is near to a coarser decimal grid
COARSE = np.array([[9, 321_788, 0]] * 12, np.int32)
LARGE = np.array([[597_406, -909_638, 218_833], [834, 222_329, 958_688]] * 6, np.int32)


@settings(max_examples=40, deadline=None)
@example(wholes=COARSE, step=2.5e-4, dtype="f4")
@example(wholes=LARGE, step=2.5e-4, dtype="f4")
@given(
    wholes=arrays.arrays(np.int32, (12, 3), elements=st.integers(-(10**6), 10**6)),
    step=st.sampled_from([0.1, 0.02, 0.05, 1e-3, 2.5e-4, 1e-9]),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_products_with_a_decimal_step_come_back_to_the_bit(
    package: coding.CloudPackage, wholes: np.ndarray, step: float, dtype: str
) -> None:
    positions = wholes.astype(dtype) * np.dtype(dtype).type(step) + np.dtype(dtype).type(0)
    file = points.compress(positions, keep_duplicates=True, model=package)
    assert rows(points.decompress(file, package).positions) == rows(positions)
    assert points.info(file)["lossless"]


@settings(max_examples=30, deadline=None)
@given(
    positions=arrays.arrays(np.float64, (20, 3), elements=st.floats(-1, 1)),
    exponent=st.integers(-9, 9),
    voxel=st.floats(1e-4, 0.5),
)
def test_floats_come_back_within_half_a_voxel(
    package: coding.CloudPackage, positions: np.ndarray, exponent: int, voxel: float
) -> None:
    positions, size = positions * 10.0**exponent, voxel * 10.0**exponent
    file = points.compress(positions, {"i": np.arange(20)}, voxel=size, keep_duplicates=True, model=package)
    cloud = points.decompress(file, package)
    given_back = positions[cloud.properties["i"]]
    assert np.all(
        np.abs(cloud.positions - given_back) <= size / 2 + np.spacing(np.abs(given_back)) + size * 1e-9
    )
    assert points.info(file)["voxel"] == size


def test_any_array_of_three_columns_is_taken(package: coding.CloudPackage) -> None:
    for given_ in (
        [[1, 2, 3]],
        np.array([[1, 2, 3]], ">i4"),
        np.asfortranarray([[1.0, 2.0, 3.0]]),
        np.float16([[1, 2, 3]]),
    ):
        assert points.decompress(points.compress(given_, model=package), package).positions.tolist() == [
            [1, 2, 3]
        ]
    assert points.decompress(points.compress([], model=package), package).positions.shape == (0, 3)


def test_duplicates_are_told(package: coding.CloudPackage) -> None:
    given_ = np.array([[5, 5, 5], [0, 0, 0], [5, 5, 5]])
    with pytest.warns(UserWarning, match="1 of 3 points are where another one is"):
        file = points.compress(given_, {"i": np.arange(3)}, model=package)
    cloud = points.decompress(file, package)
    assert cloud.properties["i"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("positions", "options", "words"),
    [
        ([[0.0, np.nan, 1.0]], {}, "point 0: y is NaN, must be finite"),
        ([[0.0, 1.0, 1.0], [np.inf, 0, 0]], {"voxel": 1.0}, "point 1: x is inf, must be finite"),
        ([[0, 0, 0]], {"voxel": 0.0}, "voxel size is 0"),
        ([[0, 0, 0]], {"voxel": 1.5}, "voxel size is 1.5, of whole coordinates"),
        ([[0, 0, 0]], {"bits": 33}, r"33 bits a coordinate \(1 to 32\)"),
        ([[0, 0, 0]], {"bits": -1}, r"-1 bits a coordinate \(1 to 32\)"),
        ([[0, 0, 0]], {"bits": 1 << 40}, r"1099511627776 bits a coordinate \(1 to 32\)"),
        ([[0, 0, 0]], {"voxel": 1.0, "bits": 3}, "both given"),
        ([[0, 0]], {}, r"positions have shape \(1, 2\): \(N, 3\) is needed"),
        ([[0, 0, 1j]], {}, "positions have type complex128"),
        ([[0, 0, 0]], {"drop": ["red"]}, "drop names red, the attributes are none"),
        ([[1 / 3, 1e9, 0.0], [0.1, 0.0, 0.0]], {}, "give a voxel size or a number of bits"),
    ],
)
def test_what_cannot_be_is_said(package: coding.CloudPackage, positions, options, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        points.compress(np.array(positions), model=package, **options)


def test_tensors_are_taken_as_what_they_hold_and_names_are_cut(package: coding.CloudPackage) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6.0).reshape(2, 3).requires_grad_()
    file = points.compress(tensor, {"i": tensor[:, 0]}, model=package)
    assert points.decompress(file, package).properties["i"].tolist() == [0, 3]
    with pytest.raises(ValueError, match=r"positions cannot be read as an array of numbers: .*BFloat16"):
        points.compress(tensor.bfloat16(), model=package)
    with pytest.raises(ValueError, match=r"property 'i' cannot be read as an array of numbers: .*Sparse"):
        points.compress(tensor, {"i": tensor[:, 0].to_sparse()}, model=package)
    long = "n" * 10_000
    for attributes, drop in [
        ({long: np.zeros(2)}, []), ({long: np.zeros(3)}, []), ({long: np.zeros(2, complex)}, []),
        ({f"{long}\ud800": np.zeros(2)}, []), ({"i": np.zeros(2)}, long),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=r"^.{1,200}$"):
            points.compress(tensor, attributes, drop=drop, model=package)
    with pytest.raises(ValueError, match="properties are a list: arrays by name are needed"):
        points.compress(tensor, [1], model=package)  # type: ignore[arg-type]


def test_one_name_is_dropped_and_odd_ones_are_refused(package: coding.CloudPackage) -> None:
    values = np.arange(1)
    file = points.compress([[1, 2, 3]], {"red": values, "i": values}, drop="red", model=package)
    assert list(points.decompress(file, package).properties) == ["i"]
    for name in ("gr\udcf6n", 5):
        with pytest.raises(ValueError, match="a name of UTF-8 letters is needed"):
            points.compress([[1, 2, 3]], {name: values}, model=package)  # type: ignore[dict-item]


def test_pictures_and_clouds_are_not_mixed_up(package: coding.CloudPackage, package_file: Path) -> None:
    import lcrs

    file = points.compress([[1, 2, 3]], model=package)
    with pytest.raises(errors.LcrsError, match="holds a point cloud, no picture"):
        lcrs.decompress(file)
    picture = lcrs.compress(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(errors.LcrsError, match="holds a picture"):
        points.decompress(picture)
    with pytest.raises(errors.CorruptError, match="holds a picture"):
        package.decompress(picture)
    with pytest.raises(ValueError, match="'tiny-cloud' codes point clouds, not pictures"):
        lcrs.compress(np.zeros((8, 8, 3), np.uint8), model=package_file)
    with pytest.raises(ValueError, match="'photo-2' codes pictures, not point clouds"):
        points.compress([[1, 2, 3]], model="photo-2")


def test_a_fresh_process_finds_the_model_and_decodes(
    package: coding.CloudPackage, package_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_ = np.random.default_rng(1).integers(-50, 50, (200, 3), np.int32)
    cloud = clouds.Cloud(given_, {"red": np.arange(200, dtype=np.uint8)})
    (tmp_path / "cloud.lcrs").write_bytes(points.compress(cloud, keep_duplicates=True, model=package))
    monkeypatch.setenv("LCRS_MODEL_PATH", str(package_file.parent))
    code = (
        "import sys; from lcrs import clouds, points; cloud = points.decompress('cloud.lcrs'); "
        "clouds.write('again.ply', cloud); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    again = clouds.read(tmp_path / "again.ply")
    assert rows(again.positions, again.properties["red"]) == rows(given_, cloud.properties["red"])


def test_memory_at_any_address_is_taken(tmp_path):
    """As of a file that is mapped behind a head of some bytes."""
    positions = np.arange(60, dtype=np.int32).reshape(20, 3)
    (tmp_path / "raw").write_bytes(b"abc" + positions.tobytes())
    mapped = np.memmap(tmp_path / "raw", np.int32, "r", offset=3, shape=(20, 3))
    assert not mapped.flags.aligned
    assert points.compress(mapped, {"n": mapped[:, 0]}) == points.compress(positions, {"n": positions[:, 0]})
