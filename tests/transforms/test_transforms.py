"""Colour by the matrices of BT.709, chroma by direct sums, and what is refused."""

import pickle

import pytest
import torch

from lcrs.registry import TRANSFORMS
from lcrs.transforms import RGB2YCbCr, YCbCr2RGB, YUV420To444, YUV444To420
from lcrs.transforms.functional import rgb2ycbcr, ycbcr2rgb, yuv_420_to_444, yuv_444_to_420

# BT.709 in its usual rounded form.
MATRIX = torch.tensor(
    [[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]], dtype=torch.float64
)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5)])
def test_rgb_to_ycbcr_is_the_matrix(shape):
    rgb = torch.rand(shape, dtype=torch.float64)
    expected = torch.einsum("ij,...jhw->...ihw", MATRIX, rgb) + torch.tensor([0, 0.5, 0.5]).reshape(3, 1, 1)
    torch.testing.assert_close(rgb2ycbcr(rgb), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_colour_round_trips(dtype):
    x = torch.rand(1, 3, 8, 9, dtype=dtype)
    torch.testing.assert_close(ycbcr2rgb(rgb2ycbcr(x)), x, rtol=0, atol=1e-5)
    torch.testing.assert_close(rgb2ycbcr(ycbcr2rgb(x)), x, rtol=0, atol=1e-5)


def test_grey_and_primaries():
    grey = rgb2ycbcr(torch.full((3, 1, 1), 0.25))
    torch.testing.assert_close(grey.flatten(), torch.tensor([0.25, 0.5, 0.5]))
    blue = rgb2ycbcr(torch.tensor([0.0, 0.0, 1.0]).reshape(3, 1, 1))
    assert blue[1].item() == pytest.approx(1.0)


@pytest.mark.parametrize("func", [rgb2ycbcr, ycbcr2rgb])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(1, 3).numpy(), "is ndarray"),
        (torch.rand(1, 3), r"has shape \(1, 3\)"),
        (torch.rand(1, 4, 4, 4), r"has shape \(1, 4, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int32), r"has type torch\.int32"),
    ],
)
def test_colour_refuses_other_inputs(func, x, message):
    with pytest.raises(ValueError, match=message):
        func(x)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (1, 1)])
def test_444_to_420_averages_what_exists(height, width):
    x = torch.rand(2, 3, height, width)
    y, u, v = yuv_444_to_420(x)
    assert torch.equal(y, x[:, :1])
    for plane, full in ((u, x[:, 1:2]), (v, x[:, 2:])):
        assert plane.shape == (2, 1, (height + 1) // 2, (width + 1) // 2)
        for i in range(plane.shape[2]):
            for j in range(plane.shape[3]):
                block = full[:, 0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                torch.testing.assert_close(plane[:, 0, i, j], block.mean(dim=(1, 2)))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_420_to_444_keeps_luma_and_the_size(mode, size):
    planes = yuv_444_to_420(torch.rand(2, 3, *size))
    full = yuv_420_to_444(planes, mode=mode)
    assert full.shape == (2, 3, *size)
    assert torch.equal(full[:, :1], planes[0])
    parts = yuv_420_to_444(planes, mode=mode, return_tuple=True)
    assert torch.equal(torch.cat(parts, dim=1), full)


def test_the_mode_is_used():
    planes = yuv_444_to_420(torch.rand(1, 3, 8, 8))
    nearest = YUV420To444(mode="nearest")(planes)
    assert torch.equal(nearest[0, 1], planes[1][0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert not torch.equal(nearest, YUV420To444(mode="bilinear")(planes))
    with pytest.raises(ValueError, match="mode is 'lanczos'"):
        YUV420To444(mode="lanczos")(planes)
    with pytest.raises(ValueError, match="mode is 'max_pool'"):
        YUV444To420(mode="max_pool")(torch.rand(1, 3, 8, 8))


def test_planes_without_a_batch_and_planes_as_input():
    x = torch.rand(3, 4, 6)
    planes = yuv_444_to_420(x.split(1))
    assert [tuple(plane.shape) for plane in planes] == [(1, 4, 6), (1, 2, 3), (1, 2, 3)]
    assert yuv_420_to_444(planes).shape == (3, 4, 6)


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        ([torch.rand(1, 1, 4, 4)] * 2, "got 2 planes"),
        ([torch.rand(1, 3, 4, 4)] * 3, "y is torch.float32 of shape"),
        ([torch.rand(1, 1, 4, 4)] * 3, "u has shape"),
    ],
)
def test_planes_are_checked(planes, message):
    with pytest.raises(ValueError, match=message):
        yuv_420_to_444(planes)


def test_callables_equal_functions_pickle_and_are_registered():
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(RGB2YCbCr()(x), rgb2ycbcr(x))
    assert torch.equal(YCbCr2RGB()(x), ycbcr2rgb(x))
    for name in ("RGB2YCbCr", "YCbCr2RGB", "YUV444To420", "YUV420To444"):
        transform = TRANSFORMS.create(name)
        assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)
