"""The model that ships with lcrs, as a torch model: what it codes is what its package codes, to the bit."""

import numpy as np
import pytest
import torch
from tiny_networks import make, shared
from torch import nn

from lcrs import coding
from lcrs.models.packing import pack


@pytest.fixture
def net():
    """Not to be changed, but for its `entropy_coder`."""
    with shared(varied) as net:
        yield net


@pytest.fixture
def own_net():
    return varied()


def varied():
    net = make("gain-hyperprior")
    torch.manual_seed(3)
    with torch.no_grad():  # levels and channels that differ, so that a wrong axis shows
        for name, parameter in net.named_parameters():
            if "log_gain" in name or name.startswith("z_"):
                parameter.add_(0.2 * torch.randn_like(parameter))
    return net


def pixels_of(rng, *size):
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return pixels, torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (128, 192)])
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_files_hold_the_strings_of_the_model(net, size, kind, tmp_path, rng):
    coding.write_package(tmp_path / "tiny.lcrm", *pack(net, "tiny"))
    package = coding.Package.from_file(tmp_path / "tiny.lcrm")
    pixels, x = pixels_of(rng, *size)
    net.entropy_coder = kind
    for quality in (0, 43.7, 100):
        data = package.compress(pixels, quality, kind=kind)
        out = net.compress(x, quality)
        for (string,) in out["strings"]:
            assert string in data or kind == "ans"  # the model's are in CompressAI's order
        restored = net.decompress(out["strings"], out["shape"], quality, size=out["size"])["x_hat"]
        expected = np.round(restored[0].permute(1, 2, 0).numpy() * np.float32(255))
        assert np.array_equal(package.decompress(data), expected)


def test_coding_agrees_with_forward(net, rng):
    _, x = pixels_of(rng, 70, 90)
    out = net.compress(x, 50)
    restored = net.decompress(out["strings"], out["shape"], 50, size=out["size"])["x_hat"]
    with torch.no_grad():
        expected = net(x, torch.tensor([net.level_of(50)]))["x_hat"].clamp(0, 1)
    assert (restored - expected).abs().mean() < 1e-3


def test_changed_parameters_are_taken(own_net, rng):
    _, x = pixels_of(rng, 64, 64)
    before = own_net.compress(x, 50)
    with torch.no_grad():
        own_net.y_log_gain.values.add_(0.5)
    after = own_net.compress(x, 50)
    assert len(after["strings"][0][0]) > len(before["strings"][0][0])


def test_transforms_that_do_not_lower_run_in_torch(own_net, rng):
    _, x = pixels_of(rng, 33, 20)
    own_net.g_a.append(nn.Hardswish())
    out = own_net.compress(x, 50)
    restored = own_net.decompress(out["strings"], out["shape"], 50, size=out["size"])["x_hat"]
    with torch.no_grad():
        expected = own_net(x, torch.tensor([own_net.level_of(50)]))["x_hat"].clamp(0, 1)
    assert (restored - expected).abs().mean() < 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types_decode_alike(own_net, dtype, rng):
    _, x = pixels_of(rng, 40, 50)
    out = own_net.compress(x, 70)
    restored = own_net.decompress(out["strings"], out["shape"], 70, size=out["size"])["x_hat"]
    if dtype == torch.float64:
        own_net = own_net.to(dtype)
        assert torch.equal(
            own_net.decompress(out["strings"], out["shape"], 70, size=(40, 50))["x_hat"], restored
        )
    else:
        coded = own_net.to(dtype).compress(x.to(dtype), 70)
        assert coded["shape"] == out["shape"]
        own_net.decompress(coded["strings"], coded["shape"], 70, size=(40, 50))
