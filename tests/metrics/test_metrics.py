"""Measures against independent implementations, and against their definitions."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lcrs import coding, metrics
from lcrs.metrics import perceptual

PHOTO = "photo.png"
NEAR = 1e-4


@pytest.fixture(scope="module", params=[(0, 0, 300, 215), (10, 20, 171, 181)], ids=str)
def pair(request, data_dir_of_module):
    """A part of a photo with odd sides, and what JPEG makes of it."""
    with Image.open(data_dir_of_module / PHOTO) as image:
        original = image.convert("RGB").crop(request.param)
    file = io.BytesIO()
    original.save(file, "JPEG", quality=30)
    return np.asarray(original), np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def data_dir_of_module():
    from pathlib import Path

    return Path(__file__).parents[1] / "data"


def nchw(array):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(np.moveaxis(array.astype(np.float32), 2, 0).copy())[None]


def test_psnr_and_ssim_agree_with_scikit_image(pair):
    skimage = pytest.importorskip("skimage.metrics")
    a, b = pair
    assert metrics.psnr(a, b) == pytest.approx(skimage.peak_signal_noise_ratio(a, b), abs=NEAR)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    # Its range of data is the difference of the ends of its type's.
    expected = skimage.structural_similarity(a, b, data_range=255, **options)
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=NEAR)


def test_structure_agrees_with_pytorch_msssim(pair):
    theirs = pytest.importorskip("pytorch_msssim")
    a, b = pair
    x, y = nchw(a), nchw(b)
    assert metrics.ms_ssim(a, b) == pytest.approx(float(theirs.ms_ssim(x, y, data_range=255)), abs=NEAR)
    assert metrics.ssim(a, b) == pytest.approx(float(theirs.ssim(x, y, data_range=255)), abs=NEAR)


def ffmpeg_psnr(a, b, pixel_format):
    """What the filter psnr of ffmpeg says of two frames, by component and as a whole."""
    av = pytest.importorskip("av")
    graph = av.filter.Graph()
    sources = []
    for _ in range(2):
        size = {"width": a.shape[-1], "height": a.shape[-2]}
        sources.append(graph.add_buffer(format=pixel_format, time_base="1/25", **size))
    compared, sink = graph.add("psnr"), graph.add("buffersink")
    for at, source in enumerate(sources):
        source.link_to(compared, 0, at)
    compared.link_to(sink)
    graph.configure()
    for source, planes in zip(sources, (a, b), strict=True):
        frame = av.VideoFrame(a.shape[-1], a.shape[-2], pixel_format)
        for plane, values in zip(frame.planes, planes, strict=True):
            padded = np.zeros((values.shape[0], plane.line_size), np.uint8)
            padded[:, : values.shape[1]] = values
            plane.update(padded.tobytes())
        frame.pts = 0
        source.push(frame)
    told = dict(sink.pull().metadata)
    return {key.removeprefix("lavfi.psnr."): float(value) for key, value in told.items()}


def test_psnr_agrees_with_ffmpegs_filter(pair):
    a, b = pair
    order = (1, 2, 0)  # ffmpeg's planes are G, B, R
    told = ffmpeg_psnr(*(np.stack([x[..., c] for c in order]) for x in (a, b)), "gbrp")
    assert metrics.psnr(a, b) == pytest.approx(told["psnr_avg"], abs=NEAR)
    planes = [np.stack([np.rint(p) for p in planes_by_formula(x)]) for x in (a, b)]
    rounded = [(p + np.reshape([0, 128, 128], (3, 1, 1))).astype(np.uint8) for p in planes]
    told = ffmpeg_psnr(*rounded, "yuv444p")
    for at, name in enumerate("yuv"):
        assert metrics.psnr(rounded[0][at], rounded[1][at]) == pytest.approx(told[f"psnr.{name}"], abs=NEAR)


def planes_by_formula(rgb):
    r, g, b = np.moveaxis(rgb.astype(np.float64), 2, 0)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return y, (b - y) / 1.8556, (r - y) / 1.5748


def test_psnr_of_planes_is_that_of_converted_pictures(pair):
    a, b = pair
    values, missing = metrics.measure(a, b)
    assert not missing
    expected = [
        10 * math.log10(255**2 / np.mean((x - y) ** 2))
        for x, y in zip(planes_by_formula(a), planes_by_formula(b), strict=True)
    ]
    assert [values[f"psnr-{c}"] for c in ("y", "cb", "cr")] == pytest.approx(expected, abs=NEAR)
    assert values["psnr-yuv"] == pytest.approx(np.average(expected, weights=(6, 1, 1)), abs=NEAR)
    assert values["ms-ssim-rgb-db"] == pytest.approx(-10 * math.log10(1 - values["ms-ssim-rgb"]))


def test_planes_are_those_of_the_transform_of_this_package(pair):
    torch = pytest.importorskip("torch")
    from lcrs.transforms.functional import rgb2ycbcr

    a = pair[0]
    ours = torch.stack([torch.from_numpy(plane) for plane in planes_by_formula(a)]) / 255
    theirs = rgb2ycbcr(nchw(a)[0].double() / 255)
    offset = torch.tensor([0.0, 0.5, 0.5]).reshape(3, 1, 1)
    assert torch.allclose(ours + offset, theirs, atol=1e-6)


@given(st.integers(0, 255), st.integers(1, 30), st.integers(1, 30))
def test_psnr_of_a_constant_difference(step, height, width):
    a = np.zeros((height, width, 3), np.uint8)
    error = metrics.squared_error(a, a + np.uint8(step))
    expected = math.inf if step == 0 else 20 * math.log10(255 / step)
    assert error.psnr == pytest.approx(expected, abs=NEAR)
    if step:
        # A grey difference is one of Y alone.
        y, cb, cr = error.psnr_ycbcr
        assert y == pytest.approx(expected, abs=NEAR)
        assert min(cb, cr) > 100


def test_equal_pictures_have_no_error(pair):
    values, missing = metrics.measure(pair[0], pair[0])
    assert not missing
    for name, value in values.items():
        assert value == (1.0 if name in ("ssim-rgb", "ms-ssim-rgb") else math.inf)


def test_what_needs_larger_pictures_is_named(pair):
    small = [x[:100, :120] for x in pair]
    values, missing = metrics.measure(*small)
    assert set(missing) == {"ms-ssim-rgb", "ms-ssim-rgb-db"}
    assert "161" in missing["ms-ssim-rgb"]
    assert "100" in missing["ms-ssim-rgb"]
    assert "ssim-rgb" in values
    tiny = [x[:10, :120] for x in pair]
    values, missing = metrics.measure(*tiny)
    assert "11" in missing["ssim-rgb"]
    assert set(values) == {"psnr-rgb", "psnr-y", "psnr-cb", "psnr-cr", "psnr-yuv"}


def test_grey_is_measured_as_three_equal_components(pair):
    a, b = (x[..., 1] for x in pair)
    grey, _ = metrics.measure(a, b)
    color, _ = metrics.measure(*(np.repeat(x[..., None], 3, axis=2) for x in (a, b)))
    for name in ("psnr-rgb", "psnr-y", "ssim-rgb", "ms-ssim-rgb"):
        assert grey[name] == pytest.approx(color[name], abs=1e-6)


def test_deeper_components(pair):
    deep = [x.astype(np.uint16) * 257 for x in pair]
    for name, value in metrics.measure(*deep)[0].items():
        assert value == pytest.approx(metrics.measure(*pair)[0][name], abs=NEAR)


def test_types_and_layouts_do_not_matter(pair):
    a, b = pair
    expected = metrics.ms_ssim(a, b)
    assert metrics.ms_ssim(a, b.astype(np.float64), 255) == pytest.approx(expected, abs=1e-7)
    assert metrics.ms_ssim(a.astype(np.int32), b.astype(np.int64), 255) == pytest.approx(expected, abs=1e-7)
    assert metrics.ms_ssim(np.asfortranarray(a), b) == expected
    upright = [np.moveaxis(x, 0, 1) for x in pair]
    assert metrics.ssim(*upright) == pytest.approx(metrics.ssim(a, b), abs=1e-7)


WINDOW = ([1 / 11] * 6, (1e-4, 9e-4))


@pytest.mark.parametrize(
    ("a", "b", "peak", "scales", "words"),
    [
        (np.zeros((11, 12), np.uint8), np.zeros((11, 13), np.uint8), 255, 1, r"b has shape \(11, 13\)"),
        (np.zeros((11, 12), np.uint8), np.zeros((11, 12), np.uint16), 255, 1, "b has dtype uint16"),
        (np.zeros((11, 12)), np.zeros((11, 12)), 1, 1, "a has dtype float64"),
        (np.zeros((11, 12, 3, 1), np.uint8),) * 2 + (255, 1, r"\(H, W, C\) is needed"),
        (np.zeros((11, 12), np.uint8),) * 2 + (255, 2, "11 of a window at scale 1 of 2"),
        (np.zeros((11, 12), np.uint8),) * 2 + (-1, 1, "peak=-1"),
    ],
)
def test_the_kernel_says_what_it_needs(a, b, peak, scales, words):
    with pytest.raises(ValueError, match=words):
        coding.structural_similarity(a, b, peak, *WINDOW, scales)


def test_the_kernel_has_a_number_for_each_component_and_scale(pair):
    one, three = (coding.structural_similarity(*pair, 255, *WINDOW, 3, threads) for threads in (1, 3))
    assert one.shape == (3, 3, 2)
    assert np.array_equal(one, three)
    alone = coding.structural_similarity(*(np.ascontiguousarray(x[..., 1]) for x in pair), 255, *WINDOW, 3)
    assert np.array_equal(alone[0], one[1])


def test_tensors_are_measured_alike(pair):
    pytest.importorskip("torch")
    from lcrs.metrics import tensors

    a, b = pair
    x, y = nchw(a) / 255, nchw(b) / 255
    assert float(tensors.psnr(x, y)) == pytest.approx(metrics.psnr(a, b), abs=NEAR)
    assert float(tensors.ssim(x, y)) == pytest.approx(metrics.ssim(a, b), abs=NEAR)
    assert float(tensors.ms_ssim(x, y)) == pytest.approx(metrics.ms_ssim(a, b), abs=NEAR)


def test_tensors_have_gradients_and_batches(pair):
    torch = pytest.importorskip("torch")
    from lcrs.metrics import tensors

    a, b = pair
    x = torch.cat([nchw(a), nchw(b)]) / 255
    y = torch.cat([nchw(b), nchw(a)]) / 255
    y.requires_grad_()
    values = tensors.ms_ssim(x, y)
    assert values.shape == (2,)
    values.sum().backward()
    assert bool(torch.isfinite(y.grad).all())
    assert float(y.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((3, 4, 3), np.uint8), np.zeros((3, 5, 3), np.uint8), "shapes"),
        (np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4, 3), np.uint16), "types"),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8), "shapes"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        metrics.psnr(a, b)


def test_unknown_names_are_refused():
    a = np.zeros((3, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="no measure vmaf"):
        metrics.measure(a, a, ["vmaf"])


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_networks_that_are_not_here_are_named(name, pair, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    perceptual._network.cache_clear()
    values, missing = metrics.measure(*pair, names=["psnr-rgb", name])
    assert set(values) == {"psnr-rgb"}
    assert missing[name].startswith(f"{name} needs")
    assert "pip install" in missing[name] or str(tmp_path) in missing[name]
    _, missing = metrics.measure(*(picture[:15] for picture in pair), names=[name])
    assert "this picture has 15" in missing[name]
