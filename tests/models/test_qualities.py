"""Every model of a variable rate takes a quality, and its strings are those of files of that quality."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exact_twins import exact_twin
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_networks import TINY, make

from lcrs import coding
from lcrs.models.packing import pack
from lcrs.models.variable_rate.levels import level_of

VARIABLE = [name for name in TINY if "gain" in name or name.endswith("-vbr")]
# What each can be told instead of a quality.
OTHER_WAYS = {"gain": [{"level": 1}], "vbr": [{"s": 3}, {"inputscale": 0.5}, {"stage": 1}]}


def way_of(name):
    return "vbr" if name.endswith("-vbr") else "gain"


@pytest.fixture
def x():
    pixels = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def test_all_are_looked_at():
    assert len(VARIABLE) == 6


@pytest.mark.parametrize("name", VARIABLE)
def test_a_quality_is_that_of_files(name, x):
    net = make(name)
    package = coding.Package.from_bytes(coding.package_bytes(*pack(net, "tiny")))
    if not name.startswith("gain-"):  # whose networks run on the exact engine anyway
        net = exact_twin(net)
    pixels = np.ascontiguousarray((x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())
    for quality in (0, 43.7, 100):
        data = package.compress(pixels, quality)
        out = net.compress(x, quality=quality)
        assert out["strings"][-1][0] in data
        if name != "mbt2018-mean-gain":  # whose analysis of z is given y times its gain and over it
            assert all(string in data for (string,) in out["strings"])
        restored = net.decompress(out["strings"], out["shape"], quality=quality, size=out["size"])["x_hat"]
        assert restored.shape == x.shape


@pytest.mark.parametrize("name", VARIABLE)
def test_two_ways_at_once_are_refused(name, x):
    net = make(name)
    for other in OTHER_WAYS[way_of(name)]:
        with pytest.raises(ValueError, match="are given, one"):
            net.compress(x, quality=50, **other)
        with pytest.raises(ValueError, match="are given, one"):
            net.decompress([[b""], [b""]], (1, 1), quality=50, **other)
    for quality in (-1, 100.5, float("nan")):
        with pytest.raises(ValueError, match=r"quality is .* \(0 to 100\)"):
            net.compress(x, quality=quality)


@pytest.mark.parametrize("name", [name for name in VARIABLE if way_of(name) == "gain"])
def test_a_level_is_as_good_as_its_quality(name, x):
    net = make(name)
    last = net.num_levels - 1
    for level in (0, 0.5 * last, last):
        by_level = net.compress(x, level=level)["strings"]
        assert by_level == net.compress(x, quality=100 * level / last)["strings"]


def reference(quality, num_levels):
    """What the specification says: quality as binary32, then over 100 and times the levels, in binary64."""
    kept = np.float32(quality)
    kept = np.float32(0) if quality < np.finfo(np.float32).tiny else kept
    return float(np.float32(np.float64(kept) / 100 * (num_levels - 1)))


@given(st.floats(0, 100), st.integers(2, 1000))
@example(1e-40, 8)
@example(np.nextafter(100, 0), 7)
def test_levels_are_those_of_the_specification(quality, num_levels):
    assert level_of(quality, num_levels) == coding.level_of(quality, num_levels)
    assert coding.level_of(quality, num_levels) == reference(quality, num_levels)
