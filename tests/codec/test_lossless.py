"""Pictures to the bit: all of them come back, and they are chosen where a model's file is larger."""

from __future__ import annotations

import inspect
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw

import lcrs
import lcrs.pillow
import tiny_package
from lcrs import codec, coding
from lcrs.codec import batch
from lcrs.packages import lookup
from lcrs.pictures import PictureError


def drawn(width: int, height: int) -> np.ndarray:
    """Words on white, a frame and a bar, uint8 (H, W, 3)."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((1, 1, width - 2, height - 2), outline="navy")
    draw.rectangle((0, height // 2, width // 2, height // 2 + 6), fill="#20c040")
    for line in range(height // 14):
        draw.text((6, 3 + 14 * line), f"line {line} of a page", fill="black")
    return np.asarray(image)


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    return drawn(140, 90)


@pytest.fixture
def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (40, 50, 3), np.uint8)


@pytest.fixture
def default_is_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_path: Path) -> None:
    """A tiny model in place of the default one, `tiny` beside it."""
    tiny_package.write(tmp_path / "models.lcrm", codec.DEFAULT_MODEL)
    monkeypatch.setenv("LCRS_MODEL_PATH", os.pathsep.join([str(tmp_path), str(model_path)]))
    monkeypatch.setattr(lookup, "_SHIPPED", tmp_path / "none")


def same(restored: np.ndarray, pixels: np.ndarray) -> None:
    assert (restored.dtype, restored.shape) == (pixels.dtype, pixels.shape)
    np.testing.assert_array_equal(restored, pixels)


# What comes back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", range(1, 17))
@pytest.mark.parametrize("shape", [(23, 31, 3), (23, 31), (23, 31, 1)])
def test_every_depth_and_colour_comes_back(rng: np.random.Generator, depth: int, shape: tuple) -> None:
    dtype = np.uint8 if depth <= 8 else np.uint16
    pixels = rng.integers(0, 2**depth, shape).astype(dtype)
    pixels[5:15, 4:20] = 2**depth - 1
    data = lcrs.compress(pixels, bit_depth=depth, lossless=True)
    same(lcrs.decompress(data), pixels)
    fields = lcrs.info(data)
    assert (fields["lossless"], fields["bit_depth"], fields["shape"]) == (True, depth, list(shape))
    assert (fields["model"], fields["quality"], fields["portable"]) == ("lossless", None, True)
    picture = codec.decompress_picture(data)
    assert (picture.bit_depth, picture.channels) == (depth, shape[2] if len(shape) == 3 else 1)
    np.testing.assert_array_equal(picture.pixels.reshape(shape), pixels)


@st.composite
def small_pictures(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """A picture of few colours, noise, steps or one colour, and its bits."""
    height, width = draw(st.sampled_from([(1, 1), (1, 40), (40, 1), (2, 3), (17, 9), (12, 33)]))
    depth, channels = draw(st.integers(1, 16)), draw(st.sampled_from([1, 3]))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (height, width, channels)
    kind = draw(st.sampled_from(["flat", "few", "noise", "steps", "rows"]))
    if kind == "noise":
        pixels = numbers.integers(0, 2**depth, shape)
    elif kind == "steps":
        pixels = (np.arange(height)[:, None, None] * 7 + np.arange(width)[None, :, None] * 3) * np.ones(shape)
    else:
        colours = numbers.integers(0, 2**depth, (1 if kind == "flat" else 4, channels))
        pixels = colours[numbers.integers(0, len(colours), (1 if kind == "rows" else height, width))]
        pixels = np.broadcast_to(pixels, shape)
    pixels = (pixels.astype(np.int64) % 2**depth).astype(np.uint8 if depth <= 8 else np.uint16)
    return np.ascontiguousarray(pixels if channels == 3 or draw(st.booleans()) else pixels[..., 0]), depth


@given(small_pictures())
def test_small_pictures_come_back(given: tuple[np.ndarray, int]) -> None:
    pixels, depth = given
    data = coding.compress_lossless(pixels, bit_depth=depth)
    assert data is not None
    same(coding.decompress_lossless(data), pixels)
    samples, shape, dtype, bits = coding.decompress_lossless_bytes(data)
    assert (shape, dtype, bits) == (pixels.shape, str(pixels.dtype), depth)
    assert samples == pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    assert coding.bytes_needed(data[:200]) == len(data)


CODE = """
import hashlib, sys
import numpy as np
from lcrs import coding
pixels, found = np.load(sys.argv[1]), set()
for threads in (1, 2, 5):
    data = coding.compress_lossless(pixels, threads=threads)
    assert np.array_equal(coding.decompress_lossless(data, threads=threads), pixels)
    found.add(hashlib.sha256(data).hexdigest())
print(*found)
"""


def hashes(pixels: np.ndarray, folder: Path, fresh_python) -> set[str]:
    np.save(folder / "a.npy", pixels)
    path = str(folder / "a.npy")
    return {fresh_python(CODE, path, LCRS_SIMD=simd, LCRS_NUM_THREADS="3") for simd in coding.simd_paths()}


def test_fresh_processes_write_the_same_bytes(page: np.ndarray, tmp_path: Path, fresh_python) -> None:
    (one,) = hashes(page, tmp_path, fresh_python)
    assert len(one) == 64


@pytest.mark.slow
def test_bands_are_the_same_for_any_number_of_threads(tmp_path: Path, fresh_python) -> None:
    pixels = np.tile(drawn(700, 300)[..., 1], (7, 3))  # two bands
    (one,) = hashes(pixels[:-7], tmp_path, fresh_python)
    assert len(one) == 64


def test_what_travels_with_a_picture_is_kept(page: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "ACME"
    path = tmp_path / "a.png"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(page).save(path, icc_profile=icc, exif=exif, dpi=(300, 300))
    for keep, has_exif in ((False, False), (True, True)):
        data = lcrs.compress(path, lossless=True, keep_exif=keep)
        found = coding.metadata(data)
        assert (found["icc"], found["exif"] is not None) == (icc, has_exif)
        assert found["resolution"] == pytest.approx((300, 300), abs=0.1)
        picture = codec.decompress_picture(data)
        assert (picture.icc, picture.exif) == (found["icc"], found["exif"])
        same(picture.pixels, page)


# Where it is chosen -------------------------------------------------------------------------------


def test_text_and_flat_pictures_are_lossless_and_others_where_the_model_writes_no_less(
    page: np.ndarray, photo: np.ndarray, noise: np.ndarray, default_is_tiny: None
) -> None:
    flat = np.full((256, 256, 3), (90, 140, 7), np.uint8)
    for pixels in (page, page[..., 0].copy(), flat, page.astype(np.uint16) * 257):
        data = lcrs.compress(pixels)
        assert data == lcrs.compress(pixels, lossless=True)
        same(lcrs.decompress(data), pixels)
        assert len(data) <= len(lcrs.compress(pixels, lossless=False))
    assert 8 * len(lcrs.compress(flat)) / 256**2 < 0.01
    for pixels in (photo, noise):
        itself, models = (lcrs.compress(pixels, lossless=lossless) for lossless in (True, False))
        assert lcrs.compress(pixels) == (itself if len(itself) <= len(models) else models)
        assert lcrs.info(models)["model"] == codec.DEFAULT_MODEL


def test_the_shipped_model_writes_more_of_a_page_and_less_of_others(
    photo: np.ndarray, noise: np.ndarray
) -> None:
    text = drawn(256, 192)
    data = lcrs.compress(text)
    assert lcrs.info(data)["lossless"]
    assert 3 * len(data) < len(lcrs.compress(text, lossless=False))
    for pixels in (photo, noise):
        data = lcrs.compress(pixels)
        assert data == lcrs.compress(pixels, lossless=False)
        assert lcrs.info(data)["model"] == codec.DEFAULT_MODEL


def test_a_model_that_is_named_is_used(page: np.ndarray, default_is_tiny: None) -> None:
    default = lcrs.compress(page, model=codec.DEFAULT_MODEL)
    assert lcrs.info(default)["lossless"] is False
    assert default == lcrs.compress(page, lossless=False)
    loaded = lcrs.compress(page, model=codec.load_package("tiny"))
    assert lcrs.info(loaded)["model"] == lcrs.info(lcrs.compress(page, model="tiny"))["model"] == "tiny"
    assert lcrs.info(lcrs.compress(page, model="tiny", lossless=None))["model"] == "tiny"
    assert inspect.signature(lcrs.compress).parameters["model"].default is None


def test_sizes_that_are_asked_for(page: np.ndarray, default_is_tiny: None) -> None:
    whole = len(lcrs.compress(page, lossless=True))
    least = len(lcrs.compress(page, lossless=False, quality=0))
    assert whole < least
    bits = page.shape[0] * page.shape[1] / 8
    for options in (
        {"target_size": least + 300},
        {"target_size": whole},
        {"target_size": 10**7},
        {"target_size": 10**15},
        {"target_bpp": (least + 300) / bits},
        {"target_bpp": (whole + 0.01) / bits},
        {"target_psnr": 27.5},
        {"target_psnr": 200},
        {"quality": 0},
        {"quality": 100},
    ):
        data = lcrs.compress(page, **options)  # a warning is an error
        assert lcrs.info(data)["lossless"], options
    with pytest.warns(
        lcrs.TargetWarning, match=rf"asked for {whole - 1} bytes: the file has {whole}, lossless"
    ):
        data = lcrs.compress(page, target_size=whole - 1)
    assert len(data) == whole
    with pytest.warns(
        lcrs.TargetWarning, match=r"asked for 0.001 bits a pixel: the file has \d\.\d+, lossless"
    ):
        lcrs.compress(page, target_bpp=0.001)
    with pytest.warns(lcrs.TargetWarning, match="the least that the model gives"):
        lcrs.compress(page, target_size=whole, lossless=False)


def test_a_size_above_all_that_the_model_gives_leaves_room_for_the_picture_itself(
    page: np.ndarray, photo: np.ndarray
) -> None:
    mixed = np.concatenate([page, np.pad(photo[:60], ((0, 0), (0, 18), (0, 0)))])
    best, whole = (len(lcrs.compress(mixed, **options)) for options in ({"quality": 100}, {"lossless": True}))
    assert best < whole
    assert lcrs.info(lcrs.compress(mixed, target_size=whole))["lossless"]
    with pytest.warns(lcrs.TargetWarning, match="the most that the model gives"):
        data = lcrs.compress(mixed, target_size=whole - 1)
    assert data == lcrs.compress(mixed, quality=100, lossless=False)


# What does not go together ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "tiny"}, "model is 'tiny'"),
        ({"model": codec.DEFAULT_MODEL}, f"model is '{codec.DEFAULT_MODEL}'"),
        ({"quality": 0}, "quality is 0"),
        ({"target_bpp": 0.5}, "target_bpp is 0.5"),
        ({"target_size": 900}, "target_size is 900"),
        ({"target_psnr": 30}, "target_psnr is 30"),
        ({"allow_not_portable": True}, "allow_not_portable is True"),
        ({"runtime": "torch"}, "runtime is 'torch'"),
        ({"device": "cpu"}, "device is 'cpu'"),
    ],
)
def test_what_only_models_have_is_refused(page: np.ndarray, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}, but lossless=True takes none: leave one of them out$"):
        lcrs.compress(page, lossless=True, **options)


def test_other_refusals(page: np.ndarray, default_is_tiny: None) -> None:
    with pytest.raises(ValueError, match="model is 'tiny', but lossless=True"):
        lcrs.compress(page, lossless=True, model=codec.load_package("tiny"))
    for wrong in ("yes", 1, 0.0, page[0, 0]):
        with pytest.raises(TypeError, match=r"lossless is .*, True, False or None is needed"):
            lcrs.compress(page, lossless=wrong)
    assert lcrs.compress(page, lossless=np.bool_(True)) == lcrs.compress(page, lossless=True)
    for array in (np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4), np.uint8)):
        with pytest.raises(PictureError, match="is needed"):
            lcrs.compress(array, lossless=True)
    with pytest.raises(ValueError, match="bit_depth is 9"):
        lcrs.compress(page, bit_depth=9, lossless=True)
    with pytest.raises(ValueError, match="pixels"):
        coding.compress_lossless(page, bit_depth=2)


# Reading ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(page: np.ndarray) -> bytes:
    return lcrs.compress(page, lossless=True)


def test_no_model_is_needed_or_in_the_way(
    data: bytes, page: np.ndarray, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_SHIPPED", tmp_path / "none")
    for options in ({}, {"model": "tiny"}, {"model": "missing"}, {"runtime": "torch"}, {"threads": 3}):
        same(lcrs.decompress(data, **options), page)
        same(codec.decompress_picture(data, **options).pixels, page)
    assert lcrs.info(data) == lcrs.info(data, model="tiny") == coding.info(data)
    monkeypatch.delenv("LCRS_MODEL_PATH")
    same(lcrs.decompress(data), page)
    same(lcrs.decompress(io.BytesIO(data), output=tmp_path / "a.png"), page)
    same(np.asarray(Image.open(tmp_path / "a.png")), page)
    with pytest.raises(ValueError, match="runtime is 'other', must be"):
        lcrs.decompress(data, runtime="other")
    with pytest.raises(ValueError, match="device is 'cuda', but the native runtime has none"):
        lcrs.decompress(data, device="cuda")


def test_each_kind_is_told_from_the_other(data: bytes, photo: np.ndarray, model_path: Path) -> None:
    package = codec.load_package("tiny")
    for decode in (package.decompress, package.decompress_bytes, package.decompress_latent):
        with pytest.raises(lcrs.CorruptError, match=r"lossless picture: .*decompress_lossless does"):
            decode(data)
    other = lcrs.compress(photo, model="tiny")
    for decode in (coding.decompress_lossless, coding.decompress_lossless_bytes):
        with pytest.raises(lcrs.CorruptError, match="not lossless: it was made with model 'tiny'"):
            decode(other)
    cloud = (Path(__file__).parents[1] / "golden" / "clouds" / "products.lcrs").read_bytes()
    with pytest.raises(lcrs.CorruptError, match="not lossless"):
        coding.decompress_lossless(cloud)


def test_damage_is_one_line(data: bytes) -> None:
    for length in range(0, len(data), 3):
        with pytest.raises(lcrs.LcrsError) as caught:
            lcrs.decompress(data[:length])
        assert "\n" not in str(caught.value)
    for at in range(0, len(data), 2):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(lcrs.LcrsError) as caught:
            lcrs.decompress(bytes(flipped))
        assert "\n" not in str(caught.value)
    with pytest.raises(lcrs.CorruptError, match="goes on after"):
        lcrs.decompress(data + b"\0")


def test_limits_hold(data: bytes, page: np.ndarray) -> None:
    for call in (
        lambda n: lcrs.compress(page, lossless=True, max_pixels=n),
        lambda n: lcrs.decompress(data, max_pixels=n),
    ):
        call(140 * 90)
        with pytest.raises(lcrs.LimitError, match=r"at most 12599 (pixels )?are allowed"):
            call(140 * 90 - 1)
    for call in (
        lambda n: lcrs.compress(page, lossless=True, max_bytes=n),
        lambda n: lcrs.decompress(data, max_bytes=n),
    ):
        call(1 << 24)
        with pytest.raises(lcrs.LimitError, match="max_bytes"):
            call(100_000)


def test_what_fits_into_memory_with_the_model_alone_is_the_model_s(default_is_tiny: None) -> None:
    flat = np.full((16, 16, 3), 9, np.uint8)
    assert lcrs.info(lcrs.compress(flat))["lossless"]
    assert lcrs.compress(flat, max_bytes=1 << 20) == lcrs.compress(flat, lossless=False)


def test_what_is_written_is_whole_or_not_there(
    page: np.ndarray, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.lcrs"
    path.write_bytes(b"before")
    with pytest.raises(lcrs.LimitError):
        lcrs.compress(page, lossless=True, max_bytes=100_000, output=path)
    assert path.read_bytes() == b"before"
    assert lcrs.compress(page, lossless=True, output=path) == data
    assert path.read_bytes() == data
    assert [found.name for found in tmp_path.iterdir()] == ["a.lcrs"]


def test_batches(page: np.ndarray, photo: np.ndarray, default_is_tiny: None) -> None:
    rows = batch.encode({"picture": [page, photo]}, column="picture")
    assert [lcrs.info(row)["lossless"] for row in rows["lcrs"]] == [True, False]
    same(batch.decode(rows)["image"][0], page)
    assert batch.encode({"image": [photo]}, lossless=True)["error"] == [""]
    found = batch.evaluate({"image": [page]}, lossless=None)
    assert (found["error"], found["psnr-rgb"]) == ([""], [np.inf])


def test_pillow_saves_and_opens_them(page: np.ndarray, photo: np.ndarray, default_is_tiny: None) -> None:
    lcrs.pillow.register()
    for pixels in (page, photo):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "LCRS", lossless=True)
        with Image.open(file) as image:
            assert image.info["lossless"] is True
            assert not {"model", "quality"} & set(image.info)
            same(np.asarray(image), pixels)
    file = io.BytesIO()
    Image.fromarray(page).save(file, "LCRS", lossless=False)
    assert Image.open(file).info["model"] == codec.DEFAULT_MODEL
    with pytest.raises(ValueError, match="quality is 80, but lossless=True"):
        Image.fromarray(page).save(file, "LCRS", lossless=True, quality=80)


@pytest.mark.parametrize("picture", ["hatch", "other hatch", "ramp", "tiles", "one pixel"])
def test_whatever_is_no_larger_is_lossless(
    rng: np.random.Generator, default_is_tiny: None, picture: str
) -> None:
    """No look at the picture decides, but the file."""
    y, x = np.mgrid[0:64, 0:64]
    pixels = {
        "hatch": (x + y) % 8 * 30,
        "other hatch": (x - y) % 8 * 30,
        "ramp": x + y,
        "tiles": np.tile(rng.integers(0, 256, (8, 8)), (8, 8)),
        "one pixel": np.full((1, 1), 9),
    }[picture].astype(np.uint8)
    most = len(lcrs.compress(pixels, lossless=False))
    data = lcrs.compress(pixels)
    assert lcrs.info(data)["lossless"]
    assert len(data) == len(lcrs.compress(pixels, lossless=True)) <= most


def test_the_name_of_lossless_files_is_no_model_s(page: np.ndarray) -> None:
    with pytest.raises(lcrs.MissingModelError, match="'lossless' is no model: lossless=True, or --lossless"):
        lcrs.compress(page, model="lossless")
    with pytest.raises(ValueError, match="max_size is -1, must be 0 or more"):
        coding.compress_lossless(page, max_size=-1)


@pytest.mark.parametrize(("depth", "channels"), [(9, 1), (10, 3), (12, 3), (15, 1), (16, 3)])
def test_components_of_pnm_files_come_back_as_they_were(
    rng: np.random.Generator, tmp_path: Path, depth: int, channels: int
) -> None:
    letter, ending = ("P5", "pgm") if channels == 1 else ("P6", "ppm")
    pixels = rng.integers(0, 2**depth, (7, 5, channels)).astype(">u2")
    given, restored = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    given.write_bytes(f"{letter}\n5 7\n{2**depth - 1}\n".encode() + pixels.tobytes())
    lcrs.decompress(lcrs.compress(given, lossless=True), output=restored)
    assert restored.read_bytes() == given.read_bytes()
