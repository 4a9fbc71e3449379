"""CompressAI's checkpoints, outputs and strings, model by model."""

import numpy as np
import pytest
import torch

from lcrs import coding
from lcrs.models.packing import pack
from lcrs.registry import MODELS


@pytest.fixture
def net(peer):
    torch.set_num_threads(1)
    return MODELS[peer.name].from_state_dict(peer.state_dict).eval()


def test_state_dict_loads_strictly_and_comes_back(peer, net):
    state = net.state_dict()
    assert state.keys() == peer.state_dict.keys()
    assert all(torch.equal(state[key], peer.state_dict[key]) for key in state)


def test_forward_gives_the_peers_picture_and_likelihoods(peer, net):
    with torch.no_grad():
        out = net(peer.x, **peer.meta["forward_kwargs"])
    x_hat = peer.arrays["forward.x_hat"]
    assert np.abs(out["x_hat"].numpy() - x_hat).max() <= 1e-5 * np.abs(x_hat).max()
    assert out["likelihoods"].keys() == peer.likelihoods.keys()
    for name, expected in peer.likelihoods.items():
        np.testing.assert_allclose(out["likelihoods"][name].numpy(), expected, rtol=1e-3, atol=1e-6)


def test_the_peers_strings_decode_to_its_picture(peer, net):
    net.entropy_coder = "ans"
    out = net.decompress(peer.strings, peer.meta["shape"], **peer.meta["compress_kwargs"])
    assert np.abs(out["x_hat"].numpy() - peer.restored).max() <= 1e-4


def test_our_ans_strings_are_as_long_as_the_peers(peer, net):
    net.entropy_coder = "ans"
    out = net.compress(peer.x, **peer.meta["compress_kwargs"])
    ours = sum(len(string) for (string,) in out["strings"])
    theirs = sum(len(string) for (string,) in peer.strings)
    assert abs(ours - theirs) <= 1e-3 * theirs + 8
    restored = net.decompress(out["strings"], out["shape"], **peer.meta["compress_kwargs"])
    assert np.abs(restored["x_hat"].numpy() - peer.restored).max() <= 1e-4


def test_checkpoints_become_packages(peer, net, tmp_path):
    """A file holds the strings of the model, and restores its picture."""
    coding.write_package(tmp_path / "peer.lcrm", *pack(net, "peer"))
    package = coding.Package.from_file(tmp_path / "peer.lcrm")
    rate = peer.meta["compress_kwargs"]
    quality = 100 * rate["s"] / (package.levels - 1) if package.levels else None
    data = package.compress(peer.arrays["image"], quality)
    out = net.compress(peer.x, **rate)
    for (string,) in out["strings"]:
        assert string in data
    restored = net.decompress(out["strings"], out["shape"], **rate)["x_hat"][0].permute(1, 2, 0)
    assert np.array_equal(package.decompress(data), np.round(restored.numpy() * np.float32(255)))
