"""The geometry codec's network in training: clouds, bits a point, the run of its recipe."""

import json
import math
from functools import cache

import numpy as np
import pytest
import torch

from lcrs.models.pointcloud import OctreeOccupancy
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.checkpoints import load_checkpoint
from lcrs.train.data import octrees
from lcrs.train.data.octrees import OctreeBatches, nodes_of_cloud
from lcrs.train.octrees import OctreeBits, bits_a_point

SIZES = {"ancestors": [1], "known": 1, "trunk": [8, 6], "head": [4]}
OPTIONS = {"clouds": 2, "replace_every": 3, "max_points": 600, "nodes_a_level": 200}


@pytest.fixture(scope="module", autouse=True)
def each_cloud_once():
    """Runs of the same seed are of the same clouds, which take longer to make than to learn from."""

    @cache
    def made(*arguments):
        points = generated(*arguments)
        points.flags.writeable = False
        return points

    generated = octrees.generated_voxels
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(octrees, "generated_voxels", made)
        yield


@pytest.fixture
def tiny_run(tmp_path):
    """Settings of a run of a few steps."""
    return {
        "output": str(tmp_path / "run"), "steps": 6, "minutes": None, "batch": 64, "device": "cpu",
        "threads": 1, "watch.display": "off", "watch.every": 1, "checkpoint_every": 3,
        "schedule.type": "constant", "schedule.warm_up": 0, "model.sizes": SIZES, "data.options": OPTIONS,
    }  # fmt: skip


@pytest.fixture(scope="module")
def batches():
    torch.manual_seed(0)
    return OctreeBatches(OctreeOccupancy(**SIZES), 50, OPTIONS, 1, torch.device("cpu"))


def test_batches_follow_from_the_step(batches):
    again = OctreeBatches(batches.net, 50, OPTIONS, 1, torch.device("cpu"))
    for step in (0, 1, 3, 4):
        batch = batches.get(step, 0)
        assert batch.shape == (50, batches.net.num_features)
        assert batch[:, -8:].any(dim=1).all()
    assert torch.equal(again.get(4, 0), batch)
    assert not torch.equal(again.get(5, 0), batch)
    assert set(again._pool) == {1, 2}


def test_how_far_the_first_clouds_are_is_said(batches, monkeypatch, caplog):
    monkeypatch.setattr(octrees, "_TELL_EVERY", 0.0)
    with caplog.at_level("INFO", logger="lcrs.train"):
        OctreeBatches(batches.net, 50, OPTIONS, 3, torch.device("cpu")).get(0, 0)
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "1 of 2 clouds are made", "2 of 2 clouds are made",
    ]  # fmt: skip


def test_bits_a_point_are_those_of_all_nodes(batches):
    rng = np.random.default_rng(0)
    points = rng.integers(0, 30, (400, 3)).astype(np.uint32)
    net = batches.net.eval()
    cloud = nodes_of_cloud(net, points, 10**6, rng)
    assert cloud.num_points == len(np.unique(points, axis=0))
    with torch.no_grad():
        nodes = cloud.tensor(np.arange(len(cloud.flags)))
        out = net(nodes)
        bits = -torch.log2(out["likelihoods"]["occupancy"]).sum()
        loss, facts = OctreeBits()(out, nodes)
    assert bits_a_point(net, cloud) == pytest.approx(float(bits) / cloud.num_points, rel=1e-5)
    assert float(loss) == pytest.approx(float(bits) / len(nodes), rel=1e-5)
    assert float(facts["bpp"]) == pytest.approx(float(bits) / float(nodes[:, -8:].sum()), rel=1e-5)
    some = nodes_of_cloud(net, points, 40, rng)
    assert len(some.flags) < len(cloud.flags)
    assert some.weights.sum() == pytest.approx(len(cloud.flags))


def test_the_recipe_trains_resumes_and_packs(tiny_run, tmp_path):
    for name, steps in (("whole", [6]), ("parts", [4, 6])):
        for last in steps:
            result = run(load_recipe("geometry", tiny_run | {"output": str(tmp_path / name), "steps": last}))
    a, b = (load_checkpoint(tmp_path / n / "checkpoints" / "step-000000006.pt") for n in ("whole", "parts"))
    for key, value in a["state"]["model"].items():
        assert torch.equal(b["state"]["model"][key], value)
    (point,) = result.validation.points
    assert 0 < point.bpp < 60
    assert math.isfinite(point.others["lidar"])
    lines = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert not any("no package" in line.get("text", "") for line in lines)


def test_it_learns(tiny_run):
    settings = tiny_run | {"steps": 40, "optimizer.lr": 2e-2, "checkpoint_every": 1000, "loop.ema": 0.5}
    settings |= {"data.options": OPTIONS | {"replace_every": 10}}
    result = run(load_recipe("geometry", settings))
    lines = [json.loads(line) for line in (result.output / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data.train": "clouds"}, "data.train is set, but octrees are of generated clouds"),
        ({"data.options": {"colour": 1}}, "data.options has no 'colour': there are clouds, replace_every"),
        ({"data.options": {"clouds": 0}}, "data.options.clouds is 0, must be a whole number from 1"),
    ],
)
def test_settings_that_cannot_be(tiny_run, settings, message):
    with pytest.raises(ConfigError, match=message):
        run(load_recipe("geometry", tiny_run | settings))
