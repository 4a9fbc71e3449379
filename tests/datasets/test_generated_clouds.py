"""Clouds made up for training: what they promise, from a seed."""

import numpy as np
import pytest
import torch

from lcrs.datasets import GeneratedClouds
from lcrs.datasets.generated_clouds import KINDS, generated_scan, generated_shape, generated_voxels
from lcrs.datasets.generated_clouds.scenes import Body, Scene
from lcrs.datasets.generated_clouds.solids import box, superquadric, torus, union
from lcrs.datasets.generated_clouds.surfaces import sample_surface, surface_cells

LOW, HIGH = np.zeros(3, np.float32), np.ones(3, np.float32)
MIDDLE = np.full(3, 0.5, np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_are_whole_each_once_sorted_and_follow_from_the_seed(kind):
    first, again = (generated_voxels(3, kind, max_points=3000) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.int32
    assert first.min(axis=0).tolist() == [0, 0, 0]
    np.testing.assert_array_equal(np.unique(first, axis=0), first)
    assert not np.array_equal(generated_voxels(4, kind, max_points=3000), first)


def test_shapes_fill_the_unit_sphere_and_have_unit_normals():
    for seed in range(4):
        cloud = generated_shape(seed, 500, with_normals=True)
        assert cloud.shape == (500, 6)
        assert cloud.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(cloud[:, :3], axis=1).max(), 1, rtol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(cloud[:, 3:], axis=1), 1, rtol=1e-2)
        np.testing.assert_allclose(cloud[:, :3].mean(axis=0), 0, atol=1e-4)


def sphere(points):
    return superquadric(np.full(3, 0.3, np.float32), 2)(points - MIDDLE)


def test_samples_lie_on_the_surface_and_evenly():
    rng = np.random.default_rng(0)
    points, normals = sample_surface(sphere, rng, 6, 5.0, LOW, HIGH)
    outward = points / 64 - 0.5
    radius = np.linalg.norm(outward, axis=1)
    np.testing.assert_allclose(radius, 0.3, atol=0.003)
    np.testing.assert_allclose(np.sum(normals * outward, axis=1) / radius, 1, atol=0.02)
    area = 4 * np.pi * (0.3 * 64) ** 2
    assert abs(len(points) / (5 * area) - 1) < 0.05
    above = np.mean(outward[:, 2] > 0.15)  # a cap of half the radius is a quarter of the area
    assert abs(above - 0.25) < 0.02


def test_cells_of_a_surface_leave_no_gap():
    cells = surface_cells(sphere, 6, LOW, HIGH, thickness=1.8)
    directions = np.random.default_rng(0).normal(size=(4000, 3))
    on_it = 0.5 + 0.3 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    held = {tuple(cell) for cell in cells.tolist()}
    assert all(tuple(cell) in held for cell in np.floor(on_it * 64).astype(int).tolist())


def test_distances_are_those_of_the_bodies():
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype(np.float32)
    ring = np.linalg.norm(points[:, :2], axis=1)
    np.testing.assert_allclose(torus(0.5, 0.1)(points), np.hypot(ring - 0.5, points[:, 2]) - 0.1, atol=1e-6)
    outside = np.linalg.norm(np.maximum(np.abs(points) - 0.3, 0), axis=1)
    found = box(np.full(3, 0.3, np.float32), 0)(points)
    np.testing.assert_allclose(np.maximum(found, 0), outside, atol=1e-6)
    both = union([torus(0.5, 0.1), box(np.full(3, 0.3, np.float32), 0)], 0)(points)
    np.testing.assert_array_equal(both, np.minimum(torus(0.5, 0.1)(points), found))


def test_rays_end_where_bodies_begin():
    half = np.array([1, 2, 1], np.float32)
    scene = Scene(
        [
            Body("box", np.array([5, 0, 1], np.float32), half),
            Body("cylinder", np.array([0, 5, 1], np.float32), half),
        ]
    )
    rays = np.array([[0, -1, 0], [1, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32)
    reached = scene.cast(np.array([0, 0, 1.5], np.float32), rays, np.random.default_rng(0))
    np.testing.assert_allclose(reached[1:], [4, 4, 1.5], rtol=1e-4)
    assert reached[0] > 1e6


@pytest.mark.slow
def test_scans_are_in_metres():
    lidar, cameras = generated_scan(7), generated_scan(1, "cameras")
    assert 20 < np.linalg.norm(lidar, axis=1).max() < 130
    assert np.abs(cameras).max() < 12
    with pytest.raises(ValueError, match="kind is 'sonar'"):
        generated_scan(1, "sonar")


def test_the_data_set_gives_clouds_by_place():
    shapes = GeneratedClouds(num_points=64, length=3, seed=5)
    assert len(shapes) == 3
    item = shapes[2]
    assert item["pos"].shape == item["normal"].shape == (64, 3)
    assert torch.equal(item["pos"], shapes[-1]["pos"])
    assert not torch.equal(item["pos"], shapes[1]["pos"])
    assert GeneratedClouds("cameras", transform=lambda cloud: cloud["pos"].dtype)[0] == torch.int32
    with pytest.raises(IndexError):
        shapes[3]
    with pytest.raises(ValueError, match="kind is 'mesh'; it must be one of shape, scan, voxels, sampled"):
        GeneratedClouds("mesh")
