"""One look-up for files and for networks, and one way from a network to its package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lcrs import coding
from lcrs.codec import load_package
from lcrs.errors import MissingModelError
from lcrs.packages.from_network import package_of
from lcrs.train.pack import pack_checkpoint
from lcrs.zoo import load_model, package_of_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_networks import make


@pytest.fixture
def net():
    """A network whose convolutions hold what binary16 can say."""
    net = make("gain-hyperprior")
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.copy_(module.weight.half().float())
    return net


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_network_is_found_wherever_its_package_is(net, folder):
    coding.write_package(folder / "file.lcrm", *package_of(net, "inside"))
    # the name inside, that of the file, its path, and what was loaded
    for model in ("inside", "file", folder / "file.lcrm", load_package("inside")):
        package, found = load_package(model), load_model(model)
        assert package.name == "inside"
        assert not found.training
        for (name, parameter), (known, expected) in zip(
            found.named_parameters(), net.named_parameters(), strict=True
        ):
            assert name == known
            assert torch.equal(parameter, expected)


def test_both_say_alike_that_there_is_none(folder):
    said = []
    for load in (load_package, load_model):
        with pytest.raises(MissingModelError) as caught:
            load("nowhere")
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert str(folder) in said[0]


def test_a_network_has_one_package_however_it_is_made(net, tmp_path):
    checkpoint, output = tmp_path / "net.pt", tmp_path / "net.lcrm"
    torch.save(
        {"architecture": "gain-hyperprior", "state_dict": net.state_dict(), "config": net.config}, checkpoint
    )
    card = pack_checkpoint(checkpoint, output, "tiny", {})
    description, tensors = package_of_checkpoint(checkpoint, architecture="gain-hyperprior", name="tiny")
    assert description["card"]["checkpoint"] == "net.pt"
    config = json.loads(coding.Package.from_file(output).description)["config"]
    assert config == description["config"]
    data = coding.package_bytes({**description, "card": card}, tensors)
    assert data == output.read_bytes()
    assert data == coding.package_bytes(*package_of(net, "tiny", card))


def test_looking_up_loads_neither_torch_nor_numpy(fresh_python):
    code = """
import sys
import lcrs.packages
lcrs.packages.package_names(), lcrs.packages.shipped_models()
print({"torch", "numpy"} & set(sys.modules))
"""
    assert fresh_python(code) == "set()"
