"""CompressAI's checkpoints, outputs and strings, model by model."""

import numpy as np
import pytest
import torch

from lcrs import coding
from lcrs.models.packing import pack
from lcrs.registry import MODELS


@pytest.fixture(scope="session")
def loaded(reference):
    torch.set_num_threads(1)
    return MODELS[reference.name].from_state_dict(reference.state_dict).eval()


@pytest.fixture
def net(loaded):
    """The network, of which tests set the coder and nothing else."""
    loaded.entropy_coder = "lcrs"
    return loaded


def test_state_dict_loads_strictly_and_comes_back(reference, net):
    state = net.state_dict()
    assert state.keys() == reference.state_dict.keys()
    assert all(torch.equal(state[key], reference.state_dict[key]) for key in state)


def test_forward_gives_compressais_picture_and_likelihoods(reference, net):
    with torch.no_grad():
        out = net(reference.x, **reference.meta["forward_kwargs"])
    x_hat = reference.arrays["forward.x_hat"]
    assert np.abs(out["x_hat"].numpy() - x_hat).max() <= 1e-5 * np.abs(x_hat).max()
    assert out["likelihoods"].keys() == reference.likelihoods.keys()
    for name, expected in reference.likelihoods.items():
        np.testing.assert_allclose(out["likelihoods"][name].numpy(), expected, rtol=1e-3, atol=1e-6)


def test_compressais_strings_decode_to_its_picture(reference, net):
    net.entropy_coder = "ans"
    out = net.decompress(reference.strings, reference.meta["shape"], **reference.meta["compress_kwargs"])
    assert np.abs(out["x_hat"].numpy() - reference.restored).max() <= 1e-4


def test_our_ans_strings_are_as_long_as_compressais(reference, net):
    net.entropy_coder = "ans"
    out = net.compress(reference.x, **reference.meta["compress_kwargs"])
    ours = sum(len(string) for (string,) in out["strings"])
    theirs = sum(len(string) for (string,) in reference.strings)
    assert abs(ours - theirs) <= 1e-3 * theirs + 8
    restored = net.decompress(out["strings"], out["shape"], **reference.meta["compress_kwargs"])
    assert np.abs(restored["x_hat"].numpy() - reference.restored).max() <= 1e-4


def test_checkpoints_become_packages(reference, net, tmp_path):
    """A file holds the strings of the model, and restores its picture."""
    coding.write_package(tmp_path / "reference.lcrm", *pack(net, "peer"))
    package = coding.Package.from_file(tmp_path / "reference.lcrm")
    rate = reference.meta["compress_kwargs"]
    quality = 100 * rate["s"] / (package.levels - 1) if package.levels else None
    data = package.compress(reference.arrays["image"], quality)
    out = net.compress(reference.x, **rate)
    for (string,) in out["strings"]:
        assert string in data
    restored = net.decompress(out["strings"], out["shape"], **rate)["x_hat"][0].permute(1, 2, 0)
    assert np.array_equal(package.decompress(data), np.round(restored.numpy() * np.float32(255)))
