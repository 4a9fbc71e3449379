"""Gain hyperpriors that begin as principal components restore pictures before they have learned anything."""

import numpy as np
import pytest
import torch
from tiny_networks import TINY

from lcrs.registry import MODELS
from lcrs.train import principal_components
from lcrs.train.crops import CropSampler

NAMES = ("gain-hyperprior", "gain-space-channel-hyperprior")


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
        principal_components.initialise(net, crops)
        after = net(crops, 2.0)
    errors = [(out["x_hat"] - crops).square().mean() for out in (before, after)]
    assert errors[1] < 0.1 * errors[0]
    assert errors[1] < 0.3 * crops.var()
    bits = [-out["likelihoods"]["y"].log2().mean() for out in (before, after)]
    assert bits[1] < 6
    assert all(torch.isfinite(parameter).all() for parameter in net.parameters())
