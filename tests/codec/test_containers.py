"""Files as bytes, paths and file objects, read as far as their headers say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import codec


@pytest.fixture
def data(photo: np.ndarray, model_path: Path) -> bytes:
    return lcrs.compress(photo[:40, :50], quality=20, model="tiny")


class Pipe(io.RawIOBase):
    """What comes in pieces, cannot be sought in, and never ends by itself."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self.piece, self.num_read = data, piece, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        size = min(self.piece, len(buffer))
        piece = self.data[self.num_read : self.num_read + size]
        piece += bytes(size - len(piece))
        buffer[:size] = piece
        self.num_read += size
        return size


def test_bytes_paths_and_file_objects_are_one(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.lcrs"
    path.write_bytes(data)
    expected = lcrs.decompress(data)
    for source in (bytearray(data), memoryview(data), path, str(path), io.BytesIO(data)):
        np.testing.assert_array_equal(lcrs.decompress(source), expected)
    with path.open("rb") as file, path.open("rb", buffering=0) as raw:
        assert lcrs.info(file) == lcrs.info(raw) == lcrs.info(data) == lcrs.info(path)
    np.testing.assert_array_equal(codec.decompress_picture(path).pixels, expected)


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_no_more_is_read_than_the_header_announces(piece: int, data: bytes) -> None:
    pipe = Pipe(data, piece)
    with pytest.raises(lcrs.CorruptError):
        lcrs.info(pipe)  # something follows, which is read no further
    assert len(data) < pipe.num_read <= len(data) + 1
    zeros = Pipe(b"", piece)
    with pytest.raises(lcrs.CorruptError, match="not an lcrs file"):
        lcrs.decompress(zeros)
    assert zeros.num_read <= 12


def test_every_truncation_of_a_file_is_an_error(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(lcrs.LcrsError):
            lcrs.info(io.BytesIO(data[:length]))


def test_what_is_no_file_is_refused_by_its_type(data: bytes, tmp_path: Path) -> None:
    for wrong in (3, None, [data]):
        with pytest.raises(TypeError, match="bytes, a path or a binary file object is needed"):
            lcrs.info(wrong)
    with pytest.raises(TypeError, match="open it as binary"):
        lcrs.info(io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        lcrs.decompress(tmp_path / "missing.lcrs")


def test_files_are_given_to_paths_and_file_objects(data: bytes, photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.lcrs"
    for _ in range(2):  # the second time it is replaced
        assert lcrs.compress(photo[:40, :50], quality=20, model="tiny", output=path) == data
        assert path.read_bytes() == data
    file = io.BytesIO()
    lcrs.compress(photo[:40, :50], quality=20, model="tiny", output=file)
    assert file.getvalue() == data
    with pytest.raises(TypeError, match="output is a int"):
        lcrs.compress(photo[:40, :50], quality=20, model="tiny", output=3)


def test_pictures_are_given_to_paths_and_file_objects(data: bytes, tmp_path: Path) -> None:
    expected = lcrs.decompress(data)
    for name in ("a.png", "a.PPM", "a.tif", "a.webp", "without"):
        np.testing.assert_array_equal(lcrs.decompress(data, output=tmp_path / name), expected)
        with Image.open(tmp_path / name) as image:
            np.testing.assert_array_equal(np.asarray(image), expected)
    file = io.BytesIO()
    lcrs.decompress(data, output=file)
    with Image.open(file) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), expected)
    with pytest.raises(ValueError, match=r"ends in '.xyz', one of \.png"):
        lcrs.decompress(data, output=tmp_path / "a.xyz")
