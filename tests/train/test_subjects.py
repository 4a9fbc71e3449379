"""Networks of something else than pictures: their own batches, loss, validation and packing."""

import json

import pytest
import torch

from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.checkpoints import load_checkpoint

NUMBERS = '''
import math
from types import SimpleNamespace

import torch
from torch import nn

from lcrs.errors import NotPortableError
from lcrs.train.data.opening import Data
from lcrs.train.data.pictures import LeftOut
from lcrs.train.tasks import OneRate
from lcrs.train.validation import Point, Validation


class Batches:
    """Points on a sphere, in a mapping, a function of the step alone."""

    def __init__(self, config, rank, world):
        self.seed, self.batch, self.count = config.seed, config.batch, config.data.options["points"]

    def get(self, step, size):
        generator = torch.Generator().manual_seed(1000 * self.seed + step)
        pos = torch.randn(self.batch, self.count, 3, generator=generator)
        return {"pos": pos / pos.norm(dim=2, keepdim=True)}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def close(self):
        pass


class Loss(nn.Module):
    target_bpp = None

    def __init__(self):
        super().__init__()
        self.register_buffer("log_factor", torch.zeros(()))

    def forward(self, out, batch, lmbda=None, middle=None):
        bits = -torch.log2(out["likelihoods"]).sum() / batch["pos"].shape[:2].numel()
        chamfer = torch.cdist(out["pos"], batch["pos"]).min(2).values.mean()
        loss = bits + 10 * chamfer
        return loss, {"loss": loss.detach(), "bpp": bits.detach(), "chamfer": chamfer.detach()}


class Subject:
    rate_unit = "bits a point"

    def task(self, net, config, rank=0, world=1):
        return OneRate()

    def open_data(self, config, device, *, rank=0, world=1):
        batches = Batches(config, rank, world)
        tune = [batches.get(10**6, 0)]
        return Data(batches, tune, None, "spheres", LeftOut(), "points on a sphere")

    def objective(self, config, task):
        return Loss()

    def validator(self, config, task, objective, data):
        @torch.no_grad()
        def validate(net):
            net.eval()
            _, facts = objective(net(data.tune[0]), data.tune[0])
            net.train()
            point = Point(None, float(facts["bpp"]), None, float(facts["loss"]))
            point.others["chamfer"] = float(facts["chamfer"])
            return Validation([point], point.loss)

        return validate

    def pack(self, checkpoint, output, name, card):
        raise NotPortableError("spheres have no package")


class Net(nn.Module):
    trains_on = Subject()

    def __init__(self, channels=6):
        super().__init__()
        self.up, self.down = nn.Linear(3, channels), nn.Linear(channels, 3)
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, batch):
        y = self.up(batch["pos"])
        y = y + (torch.rand_like(y) - 0.5 if self.training else 0)
        return {"pos": self.down(y), "likelihoods": torch.exp(-y.abs() / self.scale.abs()).clamp(1e-6) * 0.9}


class Later(Net):
    trains_on = "spheres:SUBJECT"


class Nowhere(Net):
    trains_on = "spheres:NOTHING"


SUBJECT = Subject()
'''


@pytest.fixture
def spheres(tmp_path, tiny, monkeypatch):
    """Settings of a run of a network that is not of pictures."""
    (tmp_path / "spheres.py").write_text(NUMBERS)
    monkeypatch.chdir(tmp_path)
    left = {key: value for key, value in tiny.items() if key not in ("model.sizes", "data.train", "output")}
    return left | {"model.import": "spheres:Net", "data.options": {"points": 20}, "loss.metric": "none"}


@pytest.mark.parametrize("named", ["Net", "Later"])
def test_a_subject_of_ones_own_trains_and_resumes(spheres, tmp_path, named):
    settings = spheres | {"model.import": f"spheres:{named}"}
    for name, steps in (("whole", [8]), ("parts", [5, 8])):
        for last in steps:
            run(load_recipe("mbt2018-mean", settings | {"output": str(tmp_path / name), "steps": last}))
    a, b = (load_checkpoint(tmp_path / n / "checkpoints" / "step-000000008.pt") for n in ("whole", "parts"))
    for key, value in a["state"]["model"].items():
        assert torch.equal(b["state"]["model"][key], value)
    lines = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert {"bpp", "chamfer", "grad_norm"} <= set(lines[2])
    assert lines[2]["psnr"] is None
    (validation,) = (line for line in lines if line["kind"] == "validation" and line["step"] == 8)
    assert validation["chamfer"] > 0
    assert any("spheres have no package" in line.get("text", "") for line in lines)


def test_a_subject_that_is_not_there_is_said(spheres):
    with pytest.raises(ConfigError, match=r"'spheres:NOTHING', which cannot be loaded: .*NOTHING"):
        run(load_recipe("mbt2018-mean", spheres | {"model.import": "spheres:Nowhere"}))


def test_metrics_of_other_subjects_are_not_of_pictures(tiny):
    with pytest.raises(ConfigError, match=r"loss.metric is 'chamfer', of pictures mse, "):
        run(load_recipe("mbt2018-mean", {**tiny, "loss.metric": "chamfer", "loss.lmbda": 1.0}))
