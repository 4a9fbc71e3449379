"""The parts of the engine: objective, schedules, average, quantisation, guard, drawing of levels."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_networks import make
from torch import nn

from lcrs.errors import LcrsError
from lcrs.losses import RateDistortionLoss
from lcrs.losses.distortions import DISTORTIONS, charbonnier, l1
from lcrs.models import JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.averaging import WeightAverage
from lcrs.train.config import LossConfig, ScheduleConfig
from lcrs.train.guard import first_guilty
from lcrs.train.objective import Objective, bits_of
from lcrs.train.quantization import MixedQuantization, harden
from lcrs.train.schedules import make_schedule
from lcrs.train.tasks import Levels, stratified, task_of


def batch(n=3, side=16):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 3, side, side, generator=generator)
    out = {
        "x_hat": x + 0.1 * torch.randn(x.shape, generator=generator),
        "likelihoods": {
            "y": torch.rand(n, 4, 2, 2, generator=generator).clamp(1e-3),
            "z": torch.rand(n, 3, 1, 1, generator=generator).clamp(1e-3),
        },
    }
    return out, x


# --- objective ---


@pytest.mark.parametrize(
    ("metric", "lmbda"),
    [("mse", 0.02), ("l1", 0.1), ("charbonnier", 0.1), ("mse+l1", {"mse": 0.01, "l1": 0.2})],
)
def test_the_objective_is_the_criterion(metric, lmbda):
    out, x = batch()
    loss, facts = Objective(LossConfig(metric=metric, lmbda=lmbda), knows_lmbda=False)(out, x)
    expected = RateDistortionLoss(lmbda, metric)(out, x)
    assert loss.item() == pytest.approx(expected["loss"].item(), rel=1e-5)
    assert facts["bpp"].item() == pytest.approx(expected["bpp_loss"].item(), rel=1e-5)
    assert facts["mse"].item() == pytest.approx((out["x_hat"] - x).square().mean().item(), rel=1e-5)


def test_distortions_are_what_their_formulas_say():
    out, x = batch()
    d = (out["x_hat"] - x).double()
    for k in range(3):
        square, absolute = 255**2 * (d[k] ** 2).mean().item(), 255 * d[k].abs().mean().item()
        assert DISTORTIONS["mse"](out["x_hat"], x)[k].item() == pytest.approx(square, rel=1e-5)
        assert l1(out["x_hat"], x)[k].item() == pytest.approx(absolute, rel=1e-5)
        expected = 255 * (torch.sqrt(d[k] ** 2 + 1e-6) - 1e-3).mean().item()
        assert charbonnier(out["x_hat"], x)[k].item() == pytest.approx(expected, rel=1e-4)
    assert charbonnier(x, x).abs().max() == 0


def test_ms_ssim_is_of_each_picture():
    ms_ssim = pytest.importorskip("pytorch_msssim").ms_ssim
    out, x = batch(2, 176)
    each = DISTORTIONS["ms-ssim"](out["x_hat"], x)
    assert each.shape == (2,)
    assert each.mean().item() == pytest.approx(1 - ms_ssim(out["x_hat"], x, data_range=1).item(), rel=1e-5)


def test_lpips_takes_its_network_from_a_file(tmp_path):
    pytest.importorskip("lpips")
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    state = torchvision.models.alexnet(weights=None).state_dict()
    torch.save(state, tmp_path / "alexnet.pt")
    config = LossConfig(
        metric="mse+lpips", lmbda={"mse": 0.01, "lpips": 2.0}, lpips_backbone=tmp_path / "alexnet.pt"
    )
    objective = Objective(config, knows_lmbda=False)
    assert torch.equal(objective.lpips.network.net.slice1[0].weight, state["features.0.weight"])
    out, x = batch(2, 64)
    distance = objective.lpips(out["x_hat"], x)
    loss, facts = objective(out, x)
    expected = facts["bpp"] + 0.01 * 255**2 * facts["mse"] + 2 * distance.mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert objective.lpips(x, x).abs().max() == 0
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="no weights of torchvision's AlexNet"):
        Objective(config.model_copy(update={"lpips_backbone": tmp_path / "other.pt"}), knows_lmbda=False)


def test_pictures_have_a_lambda_each():
    out, x = batch()
    lmbda, middle = torch.tensor([0.001, 0.01, 0.1]), torch.tensor(0.01)
    config = LossConfig(balance=-0.3)
    loss, _ = Objective(config, knows_lmbda=True)(out, x, lmbda, middle)
    bpp = bits_of(out["likelihoods"]) / 256
    mse = (out["x_hat"] - x).square().mean((1, 2, 3)) * 255**2
    expected = ((bpp + lmbda * mse) * (lmbda / middle) ** -0.3).mean()
    torch.testing.assert_close(loss, expected)


def test_clips_are_means_over_frames():
    out, x = batch()
    likelihoods = [out["likelihoods"], {"motion": out["likelihoods"]}]
    clip = {"x_hat": [out["x_hat"], out["x_hat"] + 0.1], "likelihoods": likelihoods}
    objective = Objective(LossConfig(lmbda=0.01), knows_lmbda=False)
    loss, facts = objective(clip, torch.cat((x, x), 1))
    singles = [objective({**out, "x_hat": frame}, x)[0] for frame in clip["x_hat"]]
    assert loss.item() == pytest.approx(sum(singles).item() / 2, rel=1e-5)
    assert facts["bpp"].item() == pytest.approx((bits_of(out["likelihoods"]) / 256).mean().item(), rel=1e-5)


def test_what_a_network_must_return_is_said():
    objective = Objective(LossConfig(lmbda=0.01), knows_lmbda=False)
    out, x = batch()
    for bad in (x, {"x_hat": x}, (x, x, x)):
        with pytest.raises(ValueError, match="x_hat and likelihoods, or the pair"):
            objective(bad, x)
    assert objective((out["x_hat"], out["likelihoods"]["y"]), x)[0].isfinite()
    with pytest.raises(ValueError, match="x_hat has shape"):
        objective({**out, "x_hat": out["x_hat"][..., :8]}, x)
    with pytest.raises(ConfigError, match=r"loss\.lmbda is not set"):
        Objective(LossConfig(), knows_lmbda=False)
    with pytest.raises(ConfigError, match="has a lambda for each"):
        Objective(LossConfig(lmbda=0.01), knows_lmbda=True)
    with pytest.raises(ConfigError, match="target_bpp is for models of one rate"):
        Objective(LossConfig(target_bpp=1.0), knows_lmbda=True)


def test_lambda_is_steered_to_a_rate():
    """On a model whose rate follows lambda^0.6, as networks' about do."""
    objective = Objective(LossConfig(lmbda=0.01, target_bpp=0.5), knows_lmbda=False)
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(6000):
        rates.append(0.11 * math.exp(0.6 * float(objective.log_factor)) * math.exp(rng.normal(0, 0.3)))
        objective.steer(rates[-1])
    assert np.exp(np.mean(np.log(rates[-2000:]))) == pytest.approx(0.5, rel=0.05)


def test_a_run_with_a_wanted_rate_keeps_its_lambda(tiny):
    settings = {**tiny, "loss.target_bpp": 5.0, "quality": 1}
    run(load_recipe("target-rate", {**settings, "steps": 4}))
    out = run(load_recipe("target-rate", {**settings, "steps": 8})).output
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    factors = [record["log_factor"] for record in records if record["kind"] == "train"]
    assert factors == pytest.approx([0.008, 0.016, 0.024, 0.032], rel=1e-3)


# --- schedules ---


def rates(kind, steps=100, **options):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimizer, ScheduleConfig(type=kind, **options))
    found = []
    for step in range(steps):
        schedule.before_step(step, step / steps)
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_step()
    return found, schedule, optimizer


def test_schedules_go_as_they_say():
    warm, *_ = rates("constant", warm_up=10)
    assert warm[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert set(warm[10:]) == {1.0}
    cosine, *_ = rates("cosine", last_lr=0.1)
    assert cosine == pytest.approx([0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * k / 100)) for k in range(100)])
    wsd, *_ = rates("wsd", decay_from=0.6, last_lr=0.0)
    assert set(wsd[:60]) == {1.0}
    assert wsd[80] == pytest.approx(0.5)
    assert wsd == sorted(wsd, reverse=True)
    torchs, *_ = rates("StepLR", steps=5, options={"step_size": 2, "gamma": 0.5})
    assert torchs == [1, 1, 0.5, 0.5, 0.25]


def test_a_plateau_lowers_the_rate_as_torch_does():
    losses = [1.0, 0.9, 0.9, 0.91, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8]
    options = {"patience": 2, "factor": 0.5}
    ours = rates("plateau", patience=2, last_lr=0.0)
    theirs = rates("ReduceLROnPlateau", every="validation", options=options)
    for step, loss in enumerate(losses):
        for _, schedule, _ in (ours, theirs):
            schedule.validated(loss)
            schedule.before_step(step, 0.1)
        assert ours[2].param_groups[0]["lr"] == pytest.approx(theirs[2].param_groups[0]["lr"])
    assert ours[2].param_groups[0]["lr"] == pytest.approx(0.25)


@pytest.mark.parametrize("kind", ["plateau", "ReduceLROnPlateau", "ExponentialLR", "cosine"])
def test_a_schedule_goes_on_where_it_was(kind):
    options = {"gamma": 0.9} if kind == "ExponentialLR" else {}
    _, whole, first = rates(kind, 5, patience=0, options=options)
    whole.validated(1.0)
    whole.validated(2.0)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    gone_on = make_schedule(optimizer, ScheduleConfig(type=kind, patience=0, options=options))
    optimizer.load_state_dict(first.state_dict())
    gone_on.load_state_dict(whole.state_dict())
    for step in range(5, 9):
        for schedule, stepped in ((whole, first), (gone_on, optimizer)):
            schedule.before_step(step, step / 10)
            stepped.step()
            schedule.after_step()
        assert optimizer.param_groups[0]["lr"] == first.param_groups[0]["lr"]


def test_unknown_schedules_and_optimisers_are_said(tiny):
    with pytest.raises(ConfigError, match=r"schedule\.type: 'cosin' is none of .*did you mean 'cosine'"):
        rates("cosin")
    with pytest.raises(ConfigError, match=r"schedule\.options of StepLR"):
        rates("StepLR", options={"steps": 3})
    with pytest.raises(ConfigError, match=r"optimizer\.type: 'Adamm' is none of .*did you mean 'Adam'"):
        run(load_recipe("mbt2018-mean", {**tiny, "optimizer.type": "Adamm"}))
    with pytest.raises(ConfigError, match=r"optimizer\.options of Adam, .*beta"):
        run(load_recipe("mbt2018-mean", {**tiny, "optimizer.options": {"beta": 1}}))
    for kind in ("AdamW", "RMSprop"):
        assert run(load_recipe("mbt2018-mean", {**tiny, "optimizer.type": kind, "steps": 1}), restart=True)


def test_an_average_is_one():
    net = nn.Linear(2, 1, bias=False)
    average = WeightAverage(net, 0.5)
    value = net.weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            net.weight.fill_(step)
        average.update()
        decay = min(0.5, (step + 1) / (step + 10))
        value = decay * value + (1 - decay) * step
    with average.in_place():
        torch.testing.assert_close(net.weight.detach(), value)
    assert (net.weight == 19).all()


# --- quantisation ---


def seen_by(net, name):
    """What the part `name` of a network is given, in a list that fills."""
    seen = []
    dict(net.named_modules())[name].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    return seen


@pytest.mark.parametrize("kind", [MeanScaleHyperprior, JointAutoregressiveHierarchicalPriors])
def test_mixed_quantisation_rounds_for_the_decoder_and_not_for_the_rate(kind):
    torch.manual_seed(0)
    net = kind(8, 12).train()
    with torch.no_grad():
        net.entropy_bottleneck.quantiles[:, 0, 1] = 0.25
        net.g_a[-1].weight.mul_(50)
    x = torch.rand(1, 3, 64, 64)
    of_h_s, of_g_s = seen_by(net, "h_s"), seen_by(net, "g_s")
    torch.manual_seed(1)
    plain = net(x)
    mixed = MixedQuantization(net)
    torch.manual_seed(1)
    out = net(x)
    z_hat = of_h_s[1] - 0.25
    torch.testing.assert_close(z_hat, z_hat.round())
    assert not torch.allclose(of_h_s[0] - 0.25, (of_h_s[0] - 0.25).round())
    torch.testing.assert_close(out["likelihoods"]["z"], plain["likelihoods"]["z"])
    if kind is JointAutoregressiveHierarchicalPriors:  # which rounds without means
        torch.testing.assert_close(of_g_s[1], of_g_s[1].round())
    out["x_hat"].square().sum().backward()
    assert net.g_a[0].weight.grad.abs().sum() > 0
    mixed.close()
    torch.manual_seed(1)
    torch.testing.assert_close(net(x)["x_hat"], plain["x_hat"])
    net.eval()
    before = net(x)["x_hat"]
    mixed = MixedQuantization(net)
    torch.testing.assert_close(net(x)["x_hat"], before)


def test_hard_quantisation_is_that_of_evaluation():
    torch.manual_seed(0)
    net = MeanScaleHyperprior(8, 12).train()
    x = torch.rand(1, 3, 64, 64)
    harden(net)
    out = net(x)
    out["x_hat"].sum().backward()
    assert net.g_a[0].weight.grad is None or not net.g_a[0].weight.grad.any()
    assert net.g_s[0].weight.grad.any()
    torch.testing.assert_close(out["x_hat"], net.eval()(x)["x_hat"])


# --- levels and guard ---


def test_levels_are_spread_evenly_over_the_batch_of_all_processes():
    drawn = stratified(8, 5, np.random.default_rng(0))
    assert sorted((drawn / 4 * 8).astype(int)) == list(range(8))
    net = make("gain-hyperprior")
    parts = [Levels(net, 1, rank, 2).draw(3, 4, torch.device("cpu"))["level"] for rank in (0, 1)]
    whole = task_of(net, 1).draw(3, 8, torch.device("cpu"))
    torch.testing.assert_close(torch.cat(parts), whole["level"])
    torch.testing.assert_close(whole["lmbda"], net.lmbda(whole["level"]))
    assert not torch.equal(task_of(net, 1).draw(4, 8, torch.device("cpu"))["level"], whole["level"])


class Guilty(nn.Module):
    """Two layers, of which something can be spoiled."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 1)
        self.power, self.factor, self.shift = 1.0, 1.0, 0.0

    def forward(self, x):
        return self.last(self.first(x).abs() ** self.power * self.factor) + self.shift


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda net, x: x.fill_(math.inf), "the batch itself"),
        (lambda net, x: net.last.weight.data.fill_(math.nan), "weight last.weight"),
        (lambda net, x: net.first.weight.data.fill_(3e38), "output of first (Linear)"),
        (lambda net, x: setattr(net, "factor", math.nan), "input of last (Linear), which no module gave"),
        (lambda net, x: setattr(net, "shift", math.inf), "output of Guilty as a whole"),
        (lambda net, x: setattr(net, "power", 0.5), "gradient of the output of first (Linear)"),
    ],
)
def test_the_first_guilty_tensor_is_named(spoil, named):
    torch.manual_seed(0)
    net, x = Guilty(), torch.full((4, 2), 9.0)
    with torch.no_grad():
        net.first.bias.zero_()
        net.first.weight.zero_()  # and a root has no gradient at zero
        spoil(net, x)
    net.last.bias.grad = torch.ones(1)
    assert first_guilty(net, x, lambda: net(x).sum()) == named
    assert net.last.bias.grad == 1
    assert not net.first._forward_hooks


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"optimizer.type": "Adamm"}, "optimizer.type: 'Adamm' is none of .*; did you mean 'Adam'"),
        ({"optimizer.options": {"beta": 1}}, "optimizer.options of Adam, .*beta.*; it takes lr, betas, eps"),
        (
            {"optimizer.options": {"betas": 5}},
            "optimizer.options of Adam, {'betas': 5}: .*; it takes lr, betas",
        ),
        ({"model.sizes": {"K": 8}}, "model.sizes = {.*'K': 8}: .*; it takes N, M"),
        ({"schedule.type": "plateau", "schedule.options": {"patience": 3}}, "plateau takes none: .*patience"),
        ({"schedule.type": "cosin"}, "schedule.type: 'cosin' is none of .*plateau.*; did you mean 'cosine'"),
        ({"start": "nowhere"}, "start=nowhere: there is no nowhere"),
        ({"start": "nowhere", "start_state": "all"}, "no checkpoint nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_pictures_are_read(tiny, tmp_path, wrong, said):
    unread = {"data.train": str(tmp_path / "not there")}
    with pytest.raises(LcrsError, match=said):
        run(load_recipe("mbt2018-mean", tiny | unread | wrong))
