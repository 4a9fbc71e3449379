"""Arguments that are of the wrong kind are named, with what is legal, before anything is done."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest

import lcrs

PIXELS = np.zeros((8, 9, 3), np.uint8)
FIVE = Path(__file__).parents[1] / "golden" / "samples" / "five-floats.lcrm"


@pytest.mark.parametrize(
    ("given", "legal"),
    [
        ({"quality": "x"}, "a number from 0 to 100"),
        ({"quality": True}, "a number from 0 to 100"),
        ({"target_bpp": "x"}, "a number above 0"),
        ({"target_psnr": [30]}, "a number above 0"),
        ({"target_size": 10.5}, "a whole number from 1"),
        ({"max_pixels": 1.5}, "a whole number from 1"),
        ({"max_bytes": "1"}, "a whole number from 1"),
        ({"threads": "all"}, "a whole number from 1 to 1024"),
        ({"frame": "first"}, "a whole number from 0"),
        ({"bit_depth": 8.0}, "a whole number from 1 to 16"),
    ],
)
def test_what_is_no_number_is_named(given: dict, legal: str) -> None:
    ((name, value),) = given.items()
    words = re.escape(f"{name} is {value!r}, {legal} is needed")
    with pytest.raises(TypeError, match=words):
        lcrs.compress(PIXELS, **given)
    if name in ("max_pixels", "max_bytes", "threads"):
        with pytest.raises(TypeError, match=words):
            lcrs.decompress(b"", **given)
    if name in ("max_pixels", "max_bytes"):
        with pytest.raises(TypeError, match=words):
            lcrs.info(b"", **given)


def test_numbers_of_other_kinds_count(model_path: Path) -> None:
    data = lcrs.compress(PIXELS, quality=10, model="tiny")
    assert lcrs.compress(PIXELS, quality=np.float32(10), model="tiny", max_bytes=1 << 80) == data
    assert lcrs.compress(PIXELS, quality=np.int64(10), model="tiny", max_pixels=np.int64(72)) == data
    with pytest.raises(ValueError, match=r"max_bytes is -9223372036854775808, must be 1 or more"):
        lcrs.decompress(data, max_bytes=-(1 << 80))
    with pytest.raises(ValueError, match="max_pixels is 0, must be 1 or more"):
        lcrs.info(data, max_pixels=0)


def test_files_open_as_text_are_told_as_that(tmp_path: Path, model_path: Path) -> None:
    file = tmp_path / "a.lcrs"
    file.write_bytes(lcrs.compress(PIXELS, quality=10, model="tiny"))
    for read in (lcrs.decompress, lcrs.info, lcrs.compress):
        with file.open() as text, pytest.raises(TypeError, match=r"open as text: open it as binary \('rb'\)"):
            read(text)
    for write in (
        lambda output: lcrs.compress(PIXELS, quality=10, model="tiny", output=output),
        lambda output: lcrs.decompress(file, output=output),
    ):
        with pytest.raises(TypeError, match=r"output is a file that is open as text.*\('wb'\)"):
            write(io.StringIO())


def test_addresses_are_not_fetched() -> None:
    for call in (lcrs.compress, lcrs.decompress, lcrs.info):
        with pytest.raises(FileNotFoundError, match="is a URL, which is not fetched") as caught:
            call("https://example.org/a.png")
        assert caught.value.filename == "https://example.org/a.png"


def test_models_of_arrays_say_what_they_take() -> None:
    words = r"image is a {}, but model 'five-floats' codes arrays: float32, \(H, W, 5\), is needed"
    for image, kind in (("a.png", "str"), (b"", "bytes"), (None, "NoneType"), (io.BytesIO(), "BytesIO")):
        with pytest.raises(TypeError, match=words.format(kind)):
            lcrs.compress(image, model=FIVE)


def test_what_is_no_model_is_named() -> None:
    for model in (3, b"tiny"):
        with pytest.raises(TypeError, match=f"model is a {type(model).__name__}; a name, an .lcrm file"):
            lcrs.compress(PIXELS, model=model)
