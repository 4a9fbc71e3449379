"""Pictures that no camera took: shapes, kinds, seeds, and that they are what they are called."""

import numpy as np
import pytest
import torch

from lcrs.train.graphics import GraphicsSampler, any_colour, find_fonts

KINDS = ("flat", "gradient", "dark", "pattern", "halftone", "lines", "text", "interface")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, 131, pytest.param(256, marks=pytest.mark.slow)])
def test_pictures_follow_from_the_seed(kind, size):
    first, same, other = (GraphicsSampler(seed) for seed in (7, 7, 8))
    drawn = [[sampler.draw(size, kind) for _ in range(4)] for sampler in (first, same, other)]
    for picture in drawn[0]:
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
    assert len({picture.tobytes() for picture in drawn[0]}) > 1


def test_every_kind_is_drawn():
    assert set(GraphicsSampler().kinds) == set(KINDS)
    batch = GraphicsSampler(3).sample(40, 64)
    assert batch.shape == (40, 3, 64, 64)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= batch.min() <= batch.max() <= 1
    colours = [len(torch.unique(x.reshape(3, -1), dim=1).T) for x in batch]
    assert min(colours) <= 4
    assert max(colours) > 100


def test_flat_pictures_are_flat_and_patterns_are_fine():
    sampler = GraphicsSampler(1)
    flat = [sampler.draw(64, "flat").reshape(-1, 3) for _ in range(40)]
    assert sum(len(np.unique(picture, axis=0)) == 1 for picture in flat) > 10
    finest = [sampler.draw(64, "pattern").astype(int) for _ in range(40)]
    assert any((np.abs(np.diff(picture, axis=1)).max(2) > 0).all() for picture in finest)


def test_colours_reach_the_corners_and_the_dark():
    rng = np.random.default_rng(0)
    colours = np.array([any_colour(rng) for _ in range(2000)])
    corners = {tuple(colour) for colour in colours if set(colour) <= {0, 255}}
    assert len(corners) == 8
    assert (colours.max(1) < 64).mean() > 0.1
    assert colours.min() >= 0
    assert colours.max() <= 255


def test_fonts_of_a_folder(tmp_path):
    assert find_fonts([str(tmp_path / "none")]) == []
    (tmp_path / "a").mkdir()
    for name in ("b.ttf", "a/c.ttf", "d.txt"):
        (tmp_path / name).touch()
    assert find_fonts([str(tmp_path)]) == [tmp_path / "a" / "c.ttf", tmp_path / "b.ttf"]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="size is 63; it must be at least 64"):
        GraphicsSampler().draw(63)
    with pytest.raises(ValueError, match="no kind 'photo'; there are flat, gradient"):
        GraphicsSampler().draw(64, "photo")
