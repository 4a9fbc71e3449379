"""Blurs and warping of the video model, against what must hold of any."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lcrs.models.scale_space import (
    gaussian_blur,
    gaussian_kernel1d,
    gaussian_kernel2d,
    gaussian_volume,
    meshgrid2d,
    warp_volume,
)


@given(size=st.integers(1, 31), sigma=st.floats(0.3, 8))
def test_kernels_are_even_fall_from_the_centre_and_sum_to_one(size, sigma):
    kernel = gaussian_kernel1d(size, sigma, None, torch.float64)
    assert kernel.shape == (size,)
    torch.testing.assert_close(kernel.sum(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(kernel, kernel.flip(0))
    assert (kernel[: (size + 1) // 2].diff() >= 0).all()
    torch.testing.assert_close(
        gaussian_kernel2d(size, sigma, None, torch.float64), kernel[:, None] * kernel[None, :]
    )


def test_a_blur_is_a_mean_over_a_neighbourhood_that_keeps_what_is_flat():
    flat = torch.full((2, 3, 9, 7), 0.25)
    torch.testing.assert_close(gaussian_blur(flat, kernel_size=5, sigma=1.0), flat)
    spike = torch.zeros(1, 2, 15, 15)
    spike[0, 1, 7, 7] = 1
    blurred = gaussian_blur(spike, kernel_size=5, sigma=1.0)
    assert not blurred[0, 0].any()
    torch.testing.assert_close(blurred[0, 1, 5:10, 5:10], gaussian_kernel2d(5, 1.0, None, None))
    with pytest.raises(RuntimeError, match="kernel_size and sigma"):
        gaussian_blur(spike, sigma=1.0)


@pytest.mark.parametrize("num_levels", [1, 3, 5])
def test_levels_start_sharp_and_lose_detail(num_levels):
    torch.manual_seed(0)
    x = torch.rand(2, 3, 32, 48)
    volume = gaussian_volume(x, 1.5, num_levels)
    assert volume.shape == (2, 3, num_levels + 1, 32, 48)
    torch.testing.assert_close(volume[:, :, 0], x)
    spread = volume.std(dim=(0, 1, 3, 4))
    assert (spread.diff() < 0).all()
    torch.testing.assert_close(volume.mean(dim=(3, 4))[:, :, -1], x.mean(dim=(2, 3)), atol=0.05, rtol=0)


@pytest.mark.parametrize("level", [0, 2, 4])
def test_without_flow_a_sample_stays_where_it_is_at_the_level_asked_for(level):
    torch.manual_seed(1)
    volume = torch.rand(2, 3, 5, 8, 6)
    flow = torch.zeros(2, 2, 8, 6)
    centre = torch.full((2, 1, 8, 6), (2 * level + 1) / 5 - 1)
    torch.testing.assert_close(warp_volume(volume, flow, centre), volume[:, :, level], atol=1e-5, rtol=0)


@given(dx=st.integers(-3, 3), dy=st.integers(-3, 3))
def test_flow_counts_in_halves_of_the_sides(dx, dy):
    volume = torch.arange(8 * 6.0).reshape(1, 1, 1, 8, 6)
    flow = torch.tensor([2 * dx / 6, 2 * dy / 8]).reshape(1, 2, 1, 1).expand(1, 2, 8, 6)
    rows, columns = (torch.arange(8) + dy).clamp(0, 7), (torch.arange(6) + dx).clamp(0, 5)
    moved = warp_volume(volume, flow, torch.zeros(1, 1, 8, 6))[0, 0]
    torch.testing.assert_close(moved, volume[0, 0, 0][rows][:, columns], atol=1e-3, rtol=0)


def test_warping_is_in_single_precision_inside_autocast_too():
    volume, flow = torch.rand(1, 3, 2, 8, 8), torch.zeros(1, 2, 8, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        out = warp_volume(volume, flow, torch.full((1, 1, 8, 8), -1.0))
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, volume[:, :, 0], atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"\(1, 3, 8, 8\)"):
        warp_volume(volume[:, :, 0], flow, flow[:, :1])


def test_places_are_centres_of_samples():
    grid = meshgrid2d(2, 3, 4, 5, "cpu")
    assert grid.shape == (2, 4, 5, 2)
    torch.testing.assert_close(grid[1, 0, :, 0], (torch.arange(5) * 2 + 1) / 5 - 1)
    torch.testing.assert_close(grid[1, :, 0, 1], (torch.arange(4) * 2 + 1) / 4 - 1)
