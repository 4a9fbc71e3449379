"""The hyperprior with gain units: rates between its levels, with torch and without."""

import numpy as np
import pytest
import torch
from exact_twins import exact_twin
from tiny_networks import make, shared

from lcrs import coding
from lcrs.models import GainedMeanScaleHyperprior
from lcrs.models.packing import pack


@pytest.fixture
def net():
    """Not to be changed, but for its `entropy_coder`."""
    with shared(varied) as net:
        yield net


def varied():
    net = make("mbt2018-mean-gain")
    torch.manual_seed(3)
    with torch.no_grad():  # channels that differ, so that a wrong axis shows
        for table in (net.y_gain, net.y_gain_inv, net.z_gain, net.z_gain_inv):
            table.values.add_(0.3 * torch.randn_like(table.values))
    return net


def pixels_of(rng, height=64, width=128):
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return pixels, torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("level", [0, 0.4, 1.0, 2])
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_round_trip_at_any_level(net, level, kind, rng):
    net.entropy_coder = kind
    _, x = pixels_of(rng, 17, 33)
    out = net.compress(x, level)
    restored = net.decompress(out["strings"], out["shape"], level, size=out["size"])["x_hat"]
    with torch.no_grad():
        expected = net(x, level)["x_hat"].clamp(0, 1)
    assert restored.shape == x.shape
    assert (restored - expected).abs().mean() < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (128, 192)])
def test_files_hold_the_strings_of_the_model(size, tmp_path, rng):
    net = varied()
    coding.write_package(tmp_path / "tiny.lcrm", *pack(net, "tiny"))
    package = coding.Package.from_file(tmp_path / "tiny.lcrm")
    assert package.levels == 3
    pixels, x = pixels_of(rng, *size)
    exact_twin(net)
    # What y is multiplied and divided by again is not what it was: the gains are given to the analysis of z.
    hyper = net.latent_codec.hyper
    for quality in (0, 50, 62.5, 100):
        level = net.level_of(quality)
        data = package.compress(pixels, quality)
        gain = net._exact_gains(level, x)["y_gain"]
        plain = hyper.h_a.forward
        hyper.h_a.forward = lambda y, plain=plain, gain=gain: plain(y * gain * (1 / gain))
        out = net.compress(x, level)
        hyper.h_a.forward = plain
        assert out["strings"][1][0] in data
        assert out["strings"][0][0] in data
        restored = package.decompress(data)
        expected = net.decompress(out["strings"], out["shape"], level, size=size)["x_hat"]
        expected = np.round(255 * expected[0].permute(1, 2, 0).numpy())
        assert np.abs(restored - expected).max() <= 1


def test_rate_rises_with_the_level(rng):
    net = make("mbt2018-mean-gain")
    _, x = pixels_of(rng)
    sizes = []
    for level in (0, 0.3, 0.9, 1.4, 2):
        out = net.compress(x, level)
        sizes.append(sum(len(string) for (string,) in out["strings"]))
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.9 * sizes[-1]


def test_pictures_of_a_batch_have_levels_of_their_own(net, rng):
    _, x = pixels_of(rng)
    with torch.no_grad():
        both = net(x.repeat(2, 1, 1, 1), torch.tensor([0.25, 1.75]))
        for i, level in enumerate((0.25, 1.75)):
            alone = net(x, level)
            torch.testing.assert_close(both["x_hat"][i : i + 1], alone["x_hat"], rtol=1e-4, atol=1e-4)


def test_gains_between_levels_are_geometric_means(net):
    low, high = (net._exact_gains(level, net.log_lmbda)["y_gain"] for level in (0.0, 1.0))
    middle = net._exact_gains(0.5, net.log_lmbda)["y_gain"]
    torch.testing.assert_close(middle, (low * high).sqrt())


def test_training_reaches_the_gains_of_its_levels(rng):
    net = varied().train()
    _, x = pixels_of(rng, 64, 64)
    out = net(x, torch.tensor([1.5]))
    rate = -sum(likelihoods.log2().sum() for likelihoods in out["likelihoods"].values()) / 1e4
    (rate + net.lmbda(torch.tensor([1.5])) * ((out["x_hat"] - x) ** 2).mean()).sum().backward()
    for table in (net.y_gain, net.y_gain_inv, net.z_gain, net.z_gain_inv):
        sums = table.values.grad.abs().sum(1)
        assert sums[0] == 0
        assert (sums[1:] > 0).all()


def test_state_dict_holds_the_levels(net):
    other = GainedMeanScaleHyperprior.from_state_dict(net.state_dict())
    assert other.num_levels == 3
    assert torch.equal(other.lmbda(torch.arange(3.0)), net.lmbda(torch.arange(3.0)))


@pytest.mark.parametrize("level", [-0.1, 2.1, float("nan")])
def test_levels_outside_are_refused(net, level, rng):
    _, x = pixels_of(rng)
    for call in (net, net.compress):
        with pytest.raises(ValueError, match="must be 0 to 2"):
            call(x, level)
    with pytest.raises(ValueError, match="must be 0 to 2"):
        net.decompress([[b""], [b""]], {}, level)
    with pytest.raises(ValueError, match="num_levels is 1"):
        GainedMeanScaleHyperprior(8, 12, 1)
