"""Grey and deep pictures, arrays of any channels, and the limits of a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lcrs
import tiny_package
from lcrs import codec, coding
from lcrs.packages import lookup

RUNTIMES = ["native", "torch"]
CHANNELS = 5


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param == "torch":
        pytest.importorskip("torch")
    return str(request.param)


@pytest.fixture
def grey(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo[:80, :70, 1])


def array_package(path: Path, samples: dict[str, Any], name: str = "arrays") -> Path:
    """A package for arrays: an orthogonal turn of blocks, one table a channel, and back."""
    block, channels = tiny_package.BLOCK, samples["channels"] * tiny_package.BLOCK**2
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(channels, channels)))[0]
    table = coding.gaussian_table(np.full(channels, 8, np.float32))
    arrays = {"turn": turn[..., None, None], "back": turn.T[..., None, None], "medians": np.zeros(channels)}
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    tensors |= {"cdf": table.cdfs, "lengths": table.lengths, "offsets": table.offsets}

    def conv(weight: str, value: int) -> dict[str, Any]:
        sides = {"stride": [1, 1], "padding": [0, 0], "groups": 1}
        return {"op": "conv2d", "in": [value], "weight": weight, "bias": None} | sides

    g_a = [
        {"op": "pixel_unshuffle", "in": [0], "factor": block},
        conv("turn", 1),
        {"op": "mul_scalar", "in": [2], "value": 50.0},
    ]
    g_s = [
        {"op": "mul_scalar", "in": [0], "value": 0.02},
        conv("back", 1),
        {"op": "pixel_shuffle", "in": [2], "factor": block},
    ]
    names = {"cdf": "cdf", "lengths": "lengths", "offsets": "offsets", "precision": 16}
    description = tiny_package.description(name) | {
        "graphs": {
            "g_a": tiny_package.graph(["x"], g_a, y=3),
            "g_s": tiny_package.graph(["y"], g_s, x=3),
        },
        "codec": {"type": "factorized", "latent": "y", "table": names, "medians": "medians"},
        "strides": {"y": block},
        "levels": None,
        "samples": samples,
    }
    coding.write_package(path, description, tensors)
    return path


@pytest.fixture
def floats(tmp_path: Path) -> Path:
    samples = {"type": "float32", "channels": CHANNELS, "minimum": -1.0, "maximum": 3.0}
    return array_package(tmp_path / "floats.lcrm", samples)


def test_grey_comes_back_as_it_was_given(grey: np.ndarray, model_path: Path, runtime: str) -> None:
    sizes = set()
    for image in (grey, grey[..., None], Image.fromarray(grey)):
        data = lcrs.compress(image, quality=90, model="tiny", runtime=runtime)
        restored = lcrs.decompress(data, runtime=runtime)
        assert restored.dtype == np.uint8
        assert restored.shape == np.shape(image)
        assert np.abs(restored.reshape(grey.shape) - grey.astype(float)).mean() < 6
        info = lcrs.info(data)
        assert (info["color"], info["bit_depth"], info["channels"]) == ("grey", 8, 1)
        assert info["shape"] == list(np.shape(image))
        sizes.add(len(data))
    assert max(sizes) - min(sizes) == 3  # an axis of its own takes three bytes


def test_grey_and_colour_code_the_same_symbols(grey: np.ndarray, model_path: Path) -> None:
    thrice = np.repeat(grey[..., None], 3, 2)
    for quality in (10, 80):
        alone = lcrs.compress(grey, quality=quality, model="tiny")
        color = lcrs.compress(thrice, quality=quality, model="tiny")
        assert len(alone) == len(color) + 4
        assert alone[-200:] == color[-200:]
        # the mean of three roundings is the rounded mean, up to one
        mean = lcrs.decompress(color).astype(float).mean(2)
        assert np.abs(lcrs.decompress(alone) - mean).max() < 1


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_deep_pictures_are_data(
    photo: np.ndarray, model_path: Path, channels: int | None, runtime: str
) -> None:
    deep = photo[:50, :60].astype(np.uint16) * 257 + np.arange(60, dtype=np.uint16)[:, None]
    deep = deep[..., 0] if channels is None else deep[..., :channels]
    data = lcrs.compress(np.ascontiguousarray(deep), quality=100, model="tiny", runtime=runtime)
    restored = lcrs.decompress(data, runtime=runtime)
    assert (restored.shape, restored.dtype) == (deep.shape, np.uint16)
    assert np.abs(restored - deep.astype(float)).mean() < 6 * 257
    assert len(np.unique(restored)) > 256
    assert lcrs.info(data)["bit_depth"] == 16


@pytest.mark.parametrize("bit_depth", [1, 5, 9, 12])
def test_fewer_bits_than_the_type_has(
    grey: np.ndarray, model_path: Path, bit_depth: int, runtime: str
) -> None:
    dtype = np.uint8 if bit_depth <= 8 else np.uint16
    given = np.rint(grey / 255 * (2**bit_depth - 1)).astype(dtype)
    data = lcrs.compress(given, quality=100, model="tiny", bit_depth=bit_depth, runtime=runtime)
    restored = lcrs.decompress(data, runtime=runtime)
    assert (restored.shape, restored.dtype) == (given.shape, dtype)
    assert restored.max() <= 2**bit_depth - 1
    assert lcrs.info(data)["bit_depth"] == bit_depth
    error = np.abs(restored - given.astype(float)).mean()
    assert error < max(0.02 * 2**bit_depth, 0.3)


def test_bits_that_do_not_fit_are_refused(grey: np.ndarray, model_path: Path) -> None:
    for image, bits, message in (
        (grey, 7, r"component \d+ is \d+ \(0 to 127\)"),
        (grey, 9, r"bit_depth is 9 \(1 to 8 for uint8\)"),
        (grey.astype(np.uint16), 8, r"bit_depth is 8 \(9 to 16 for uint16\)"),
        (Image.fromarray(grey), 8, "image is no array"),
    ):
        with pytest.raises(ValueError, match=message):
            lcrs.compress(image, model="tiny", bit_depth=bits)
    with pytest.raises(ValueError, match="to_8bit"):
        lcrs.compress(grey, model="tiny", bit_depth=8, to_8bit=True)


def test_arrays_of_many_channels(floats: Path, runtime: str, rng: np.random.Generator) -> None:
    smooth = np.cumsum(rng.normal(0, 0.02, (41, 66, CHANNELS)), 1).astype(np.float32) + 1
    data = lcrs.compress(smooth, model=floats, runtime=runtime)
    restored = lcrs.decompress(data, floats, runtime=runtime)
    assert (restored.shape, restored.dtype) == (smooth.shape, np.float32)
    assert np.abs(restored - smooth).max() < 0.2
    info = lcrs.info(data)
    assert (info["shape"], info["dtype"]) == ([41, 66, CHANNELS], "float32")
    assert (info["channels"], info["color"], info["bit_depth"]) == (CHANNELS, None, None)
    np.testing.assert_array_equal(
        lcrs.decompress(lcrs.compress(smooth[::-1], model=floats), floats),
        lcrs.decompress(lcrs.compress(smooth[::-1].copy(), model=floats), floats),
    )


def test_numbers_outside_of_the_range_are_its_ends(floats: Path, runtime: str) -> None:
    wide = np.zeros((16, 16, CHANNELS), np.float32)
    wide[:, :8], wide[:, 8:] = -7, 1e30
    ends = np.clip(wide, -1, 3)
    assert lcrs.compress(wide, model=floats, runtime=runtime) == lcrs.compress(
        ends, model=floats, runtime=runtime
    )
    restored = lcrs.decompress(lcrs.compress(wide, model=floats), floats, runtime=runtime)
    assert restored.min() >= -1
    assert restored.max() <= 3


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1)])
def test_shape_and_type_come_back(dtype: str, shape: tuple[int, ...], tmp_path: Path, runtime: str) -> None:
    low, high = (0, 1) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    samples = {"type": dtype, "channels": 1, "minimum": low, "maximum": high}
    file = array_package(tmp_path / "arrays.lcrm", samples)
    ramp = np.linspace(low, high, 600).reshape(shape).astype(dtype)
    restored = lcrs.decompress(lcrs.compress(ramp, model=file, runtime=runtime), file, runtime=runtime)
    assert (restored.shape, restored.dtype) == (shape, np.dtype(dtype))
    assert np.abs(restored - ramp.astype(float)).max() < 0.05 * (float(high) - low)
    assert coding.Package.from_file(file).samples == (dtype, 1)


def test_torch_tensors_are_arrays(floats: Path) -> None:
    torch = pytest.importorskip("torch")
    x = torch.rand(17, 19, CHANNELS)
    assert lcrs.compress(x, model=floats) == lcrs.compress(x.numpy(), model=floats)


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), {}, ValueError, "dtype uint8, float32 is needed"),
        (
            np.zeros((4, 4, 4), np.float32),
            {},
            ValueError,
            "4 channels of float32 given, model 'arrays' codes 5",
        ),
        (np.zeros((4, 4), np.float32), {}, ValueError, "1 channels of float32 given"),
        (np.zeros((1, 4, 4, 5), np.float32), {}, ValueError, r"\(H, W\) or \(H, W, C\) is needed"),
        (np.zeros((0, 4, 5), np.float32), {}, ValueError, "0 bytes for a picture"),
        (np.full((4, 4, 5), np.nan, np.float32), {}, ValueError, "sample 0 is NaN, must be finite"),
        (np.full((4, 4, 5), -np.inf, np.float32), {}, ValueError, "sample 0 is -inf, must be finite"),
        (np.zeros((4, 4, 5), np.float32), {"to_8bit": True}, ValueError, "to_8bit is for pictures"),
        (np.zeros((4, 4, 5), np.float32), {"background": "red"}, ValueError, "background is for pictures"),
        (np.zeros((4, 4, 5), np.float32), {"bit_depth": 8}, ValueError, "bit_depth is for pictures"),
        (Image.new("RGB", (4, 4)), {}, ValueError, "dtype uint8"),
        ("a.png", {}, TypeError, r"image is a str, but model .*codes arrays: float32, \(H, W, 5\)"),
    ],
)
def test_what_is_no_array_of_the_model_is_refused(
    floats: Path, image: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        lcrs.compress(image, model=floats, **options)


def test_pictures_and_arrays_are_not_mixed_up(floats: Path, model_path: Path, photo: np.ndarray) -> None:
    data = lcrs.compress(np.zeros((8, 8, CHANNELS), np.float32), model=floats)
    with pytest.raises(
        ValueError, match=r"5 channels of float32, no picture: lcrs\.decompress gives the array"
    ):
        codec.decompress_picture(data, floats)
    with pytest.raises(lcrs.MissingModelError):
        lcrs.decompress(data, "tiny")


def test_limits_are_named(photo: np.ndarray, model_path: Path, runtime: str) -> None:
    part = np.ascontiguousarray(photo[:64, :64])
    data = lcrs.compress(part, model="tiny", max_pixels=64 * 64, runtime=runtime)
    with pytest.raises(lcrs.LimitError, match=r"at most 4095 (pixels )?are allowed \(max_pixels\)"):
        lcrs.compress(part, model="tiny", max_pixels=64 * 64 - 1, runtime=runtime)
    with pytest.raises(lcrs.LimitError, match=r"\(max_pixels\)"):
        lcrs.decompress(data, max_pixels=4095, runtime=runtime)
    with pytest.raises(lcrs.LimitError, match=r"\(max_pixels\)"):
        codec.decompress_picture(data, max_pixels=4095, runtime=runtime)
    with pytest.raises(lcrs.LimitError, match=r"\(max_pixels\)"):
        lcrs.info(data, max_pixels=4095)
    with pytest.raises(lcrs.LimitError, match=r"\(max_bytes\)"):
        lcrs.decompress(data, max_bytes=10_000, runtime=runtime)
    with pytest.raises(lcrs.LimitError, match=r"\(max_bytes\)"):
        lcrs.compress(part, model="tiny", max_bytes=10_000, runtime=runtime)
    assert lcrs.decompress(data, max_pixels=4096, max_bytes=1 << 24, runtime=runtime).shape == part.shape
    for name in ("max_pixels", "max_bytes"):
        with pytest.raises(ValueError, match=f"{name} is 0, must be 1 or more"):
            lcrs.decompress(data, **{name: 0})
        with pytest.raises(ValueError, match=f"{name} is -1, must be 1 or more"):
            lcrs.compress(part, model="tiny", **{name: -1})


def test_bytes_do_without_numpy(grey: np.ndarray, model_path: Path) -> None:
    package = codec.load_package("tiny")
    data = package.compress(grey.tobytes(), 40, shape=grey.shape)
    assert data == package.compress(grey, 40)
    samples, shape, dtype, bits = package.decompress_bytes(data)
    assert (shape, dtype, bits) == (grey.shape, "uint8", 8)
    assert samples == package.decompress(data).tobytes()
    deep = (grey.astype("<u2") * 257)[..., None]
    data = package.compress(deep.tobytes(), 40, shape=deep.shape, dtype="uint16")
    assert package.decompress_bytes(data)[1:] == (deep.shape, "uint16", 16)
    for options, message in (
        ({"shape": (3,)}, r"shape \(3,\), \(H, W\) or \(H, W, C\) is needed"),
        ({"shape": (80, 70, 2)}, r"\(H, W, 3\), \(H, W, 1\) or \(H, W\) is needed"),
        ({"shape": (80, 71)}, "5600 bytes for a picture of 71 x 80 x 1 uint8"),
        ({"shape": (80, 70), "dtype": "float64"}, "dtype is 'float64' "),
        ({"shape": (80, 70), "dtype": "float32"}, "uint8 or uint16 is needed for pictures"),
    ):
        with pytest.raises(ValueError, match=message):
            package.compress(grey.tobytes(), 40, **options)
    with pytest.raises(ValueError, match="dtype is for pixels that are given as bytes"):
        package.compress(grey, 40, dtype="uint8")


def test_arrays_are_never_lossless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {"type": "uint8", "channels": 3, "minimum": 0.0, "maximum": 255.0}
    array_package(tmp_path / "default.lcrm", samples, codec.DEFAULT_MODEL)
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path))
    monkeypatch.setattr(lookup, "_SHIPPED", tmp_path / "none")
    flat = np.zeros((16, 16, 3), np.uint8)
    assert lcrs.info(lcrs.compress(flat))["lossless"] is False
    assert lcrs.info(lcrs.compress(flat, lossless=True))["lossless"] is True
