"""The last phase of the shipped model: what it measures, what it leaves alone, and that it learns."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lcrs.models import GainSpaceChannelHyperprior
from lcrs.train import finetune
from lcrs.train.crops import CropSampler
from lcrs.train.graphics import GraphicsSampler
from lcrs.train.pack import network_of_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_networks import TINY, make

NAME = "gain-space-channel-hyperprior"


@pytest.fixture
def net():
    return make(NAME)


@pytest.fixture
def tuner(photo):
    torch.manual_seed(0)
    net = GainSpaceChannelHyperprior(**TINY[NAME])
    return finetune.Finetuner(net, CropSampler([np.tile(photo, (3, 2, 1))]), GraphicsSampler(1), 1, crop=64)


def test_the_loss_is_that_of_the_model_in_evaluation(net, photo):
    """But for what is cut off."""
    net.requires_grad_(True)
    side = 16 * (min(photo.shape[:2]) // 16)
    x = torch.from_numpy(photo[:side, :side].copy()).permute(2, 0, 1)[None].float() / 255
    level = torch.tensor([1.3])
    with torch.no_grad():
        x_hat = net(x, level)["x_hat"]
    loss = finetune.losses(net, x, level, 1e9)
    mse = (x_hat.clamp(0, 1) - x).square().mean() + 0.02 * (x_hat - x_hat.clamp(-0.02, 1.02)).square().mean()
    lmbda = net.lmbda(level)
    weight = (lmbda / net.log_lmbda.mean().exp()) ** finetune.LEVEL_WEIGHT
    assert loss.item() == pytest.approx((weight * lmbda * 255**2 * mse).item(), rel=1e-4)
    loss.sum().backward()
    frozen = (net.g_a, net.h_a, net.h_s, net.latent_codec)
    assert all(p.grad is None for part in frozen for p in part.parameters())
    assert all(p.grad is not None for part in (net.g_s, net.y_log_scale) for p in part.parameters())


def test_no_picture_counts_more_than_the_cap(net):
    x = torch.rand(2, 3, 64, 64)
    level = torch.tensor([0.5, 1.9])
    assert (finetune.losses(net, x, level, 0.01) <= 0.01 * 1.0001).all()


def test_a_tile_stands_for_a_picture_without_borders(net):
    """Far from the borders of a large flat picture y is what it is everywhere on a small endless one."""
    colour = torch.tensor([0.1, 0.9, 0.4])[None, :, None, None]
    level = torch.tensor([1.0])
    with torch.no_grad():
        with finetune.endless(net):
            tile = net._analysis(colour.expand(1, 3, 64, 64), level)
        large = net._analysis(colour.expand(1, 3, 512, 512), level)
        bordered = net._analysis(colour.expand(1, 3, 64, 64), level)
    assert tile.std((2, 3)).max() < 1e-4
    torch.testing.assert_close(large[..., 14:18, 14:18], tile, rtol=1e-3, atol=1e-4)
    assert (bordered - tile).abs().max() > 1e-3
    assert {m.padding_mode for m in net.modules() if isinstance(m, nn.Conv2d)} == {"zeros"}


def test_gradients_are_limited(tuner):
    x, level = torch.rand(1, 3, 64, 64), torch.tensor([1.0])

    def norm(factor, limit):
        loss = factor * finetune.losses(tuner.net, x, level, 1e9).mean()
        return math.sqrt(sum(float(g.double().square().sum()) for g in tuner.gradient(loss, limit)))

    assert norm(1e6, 0.5) == pytest.approx(0.5, rel=1e-4)
    assert norm(1e-6, 0.5) < 0.5
    assert norm(math.nan, 0.5) == 0


def test_patterns_have_steps_of_a_pixel():
    rng = np.random.default_rng(0)
    made = torch.cat([finetune.patterns(rng) for _ in range(50)])
    assert made.shape == (100, 3, 64, 64)
    finest = (made[..., 1:] != made[..., :-1]).any(1).all((1, 2)) & (
        made[..., 1:, :] != made[..., :-1, :]
    ).any(1).all((1, 2))
    assert finest.sum() > 20


def test_sensitive_weights_move_less(tuner):
    tuner.feel(3)
    assert all(f.shape == p.shape for f, p in zip(tuner.factors, tuner.parameters, strict=True))
    assert all(0 < f.min() <= f.max() <= 2 for f in tuner.factors)
    assert any(f.max() > 2 * f.min() for f in tuner.factors)
    before = [p.detach().clone() for p in tuner.parameters]
    tuner._move([torch.ones_like(p) for p in tuner.parameters], 0.0)
    for old, new, factor in zip(before, tuner.parameters, tuner.factors, strict=True):
        torch.testing.assert_close(old - new, 1e-5 * factor, rtol=0.1, atol=1e-7)


def test_steps_learn_and_leave_symbols_alone(tuner, tmp_path):
    tuner.learning_rate = 1e-2
    stays = [p for p in tuner.net.parameters() if not p.requires_grad]
    assert len(stays) > 50
    before = [p.detach().clone() for p in stays]
    x, level = tuner.photographs.sample(4, 64), tuner.levels(4)

    def loss():
        with torch.no_grad():
            return finetune.losses(tuner.net, x, level, 1e9).mean().item()

    first = loss()
    for _ in range(12):
        assert 0 < tuner.step(0.0) <= finetune.PHOTO_CAP * 1.001
    assert loss() < 0.9 * first
    assert all(torch.equal(a, p) for a, p in zip(before, stays, strict=True))
    pairs = zip(tuner.average.g_s.parameters(), tuner.net.g_s.parameters(), strict=True)
    assert any(not torch.equal(a, p) for a, p in pairs)
    finetune.save(tuner.average, tmp_path / "net.pt", steps=tuner.num_steps)
    loaded, facts = network_of_checkpoint(tmp_path / "net.pt")
    assert loaded.config == tuner.net.config
    assert facts["steps"] == 12
