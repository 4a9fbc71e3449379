"""The recipe of the gain hyperpriors: how they begin, and that it leads to what can be packed."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lcrs.registry import MODELS
from lcrs.train import gain
from lcrs.train.crops import CropSampler
from lcrs.train.pack import network_of_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_networks import TINY

NAMES = sorted(gain.ARCHITECTURES)


@pytest.fixture
def sampler(photo):
    return CropSampler([np.tile(photo, (3, 2, 1))])


def network(name):
    torch.manual_seed(0)
    return MODELS[name](**{**TINY[name], "M": 48, "groups": [8, 12, 28]} if "space" in name else TINY[name])


@pytest.mark.parametrize("name", NAMES)
def test_it_begins_with_principal_components(name, sampler):
    net, crops = network(name), sampler.sample(4, 64)
    with torch.no_grad():
        before = net.eval()(crops, 2.0)
        gain.initialise(net, crops)
        after = net(crops, 2.0)
    errors = [(out["x_hat"] - crops).square().mean() for out in (before, after)]
    assert errors[1] < 0.1 * errors[0]
    assert errors[1] < 0.3 * crops.var()
    bits = [-out["likelihoods"]["y"].log2().mean() for out in (before, after)]
    assert bits[1] < 6
    assert all(torch.isfinite(parameter).all() for parameter in net.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_short_training_gives_a_checkpoint(name, sampler, photo, tmp_path):
    net = network(name)
    gain.initialise(net, sampler.sample(2, 64))
    steps = gain.train(net, sampler, [np.tile(photo, (2, 1, 1))], 0.02, tmp_path / "net.pt")
    assert steps > 0
    loaded, facts = network_of_checkpoint(tmp_path / "net.pt")
    assert isinstance(loaded, gain.ARCHITECTURES[name])
    assert loaded.config == net.config
    assert facts["steps"] == steps
    points = gain.evaluate(net, [np.tile(photo, (2, 1, 1))])
    assert [rate for rate, _ in points] == sorted(rate for rate, _ in points)
