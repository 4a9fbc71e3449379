"""Networks that restore clouds in training: their recipes, generated shapes and ModelNet's."""

import json
import math

import numpy as np
import pytest
import torch

from lcrs.registry import MODELS
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.data.shapes import ShapeBatches, shapes_in

SIZES = {
    "sfu2023-pcc-rec-pointnet": {
        "num_points": 32,
        "num_channels": {"g_a": [3, 8, 16], "g_s": [16, 24, 96]},
    },
    "sfu2024-pcc-rec-pointnet2-ssg": {
        "D": [0, 8, 16, 16], "P": [64, 16, 4, 1], "S": [None, 4, 4, 4], "R": [None, 0.4, 0.9, None],
        "E": [3, 8, 8, 4, 0], "M": [0, 0, 4, 6],
    },
    "hrtzxf2022-pcc-rec": {"hidden_dim": 8, "k": 4},
}  # fmt: skip
OPTIONS = {"num_points": 40, "clouds": 4, "tune_clouds": 2}


@pytest.fixture
def tiny_run(tmp_path):
    """Settings of a run of a few steps."""
    return {
        "output": str(tmp_path / "run"), "steps": 4, "minutes": None, "batch": 2, "device": "cpu",
        "threads": 1, "watch.display": "off", "watch.every": 1, "checkpoint_every": 2,
        "schedule.warm_up": 0, "data.options": OPTIONS, "validation.every": None,
    }  # fmt: skip


def write_model_net(root):
    """Three pyramids, as ModelNet has its meshes."""
    for split, number in (("train", 1), ("train", 2), ("test", 3)):
        folder = root / "bathtub" / split
        folder.mkdir(parents=True, exist_ok=True)
        corners = ["0 0 0", "1 0 0", "0 1 0", f"0 0 {number}"]
        faces = ["3 0 1 2", "3 0 1 3", "3 0 2 3", "3 1 2 3"]
        text = "\n".join(["OFF", "4 4 0", *corners, *faces, ""])
        (folder / f"bathtub_{number:04}.off").write_text(text)
    return root


@pytest.mark.parametrize("name", SIZES)
def test_a_recipe_trains_and_validates(name, tiny_run):
    result = run(load_recipe(name, tiny_run | {"model.sizes": SIZES[name]}))
    assert result.steps == 4
    (point,) = result.validation.points
    assert 0 < point.others["chamfer"] < 10
    assert math.isfinite(point.loss)
    # real strings cost what was promised, and some bytes
    assert point.estimated_bpp < point.real_bpp < point.estimated_bpp + 8 * 80 / OPTIONS["num_points"]
    log = [json.loads(line) for line in (result.output / "log.jsonl").read_text().splitlines()]
    assert any("no package" in line.get("text", "") for line in log)
    net = MODELS[name](**SIZES[name])
    state = torch.load(result.output / "model.pt", weights_only=True)
    net.load_state_dict(state.get("state_dict", state))


def test_model_net_s_meshes_are_trained_on(tiny_run, tmp_path):
    pytest.importorskip("trimesh")
    root = write_model_net(tmp_path / "ModelNet40")
    settings = tiny_run | {"data.train": str(root), "model.sizes": SIZES["sfu2023-pcc-rec-pointnet"]}
    result = run(load_recipe("sfu2023-pcc-rec-pointnet", settings))
    assert result.validation.points[0].others["chamfer"] > 0


def test_batches_follow_from_the_step(tmp_path):
    write_model_net(tmp_path / "ModelNet10")
    pytest.importorskip("trimesh")
    for place in (None, str(tmp_path / "ModelNet10")):
        shapes = shapes_in(place, "train", OPTIONS, 1)
        batches, again = (ShapeBatches(shapes, 3, 40, 1, torch.device("cpu")) for _ in range(2))
        first, second = batches.get(0, 0), batches.get(1, 0)
        assert first["pos"].shape == first["normal"].shape == (3, 40, 3)
        assert torch.equal(again.get(1, 0)["pos"], second["pos"])
        assert not torch.equal(first["pos"], second["pos"])
        assert first["pos"].norm(dim=-1).max() < 1.001
        np.testing.assert_allclose(first["normal"].norm(dim=-1), 1, atol=1e-4)
        other = ShapeBatches(shapes, 3, 40, 1, torch.device("cpu"), rank=1).get(1, 0)
        assert not torch.equal(other["pos"], second["pos"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data.options": {"points": 3}}, "data.options has no 'points'"),
        ({"data.options": {"num_points": 0}}, "num_points is 0"),
        ({"data.train": "nowhere"}, "no folder nowhere"),
        ({"loss.metric": "mse"}, "loss.metric"),
    ],
)
def test_wrong_settings_are_refused(tiny_run, settings, message):
    sizes = {"model.sizes": SIZES["sfu2023-pcc-rec-pointnet"]}
    with pytest.raises(ConfigError, match=message):
        run(load_recipe("sfu2023-pcc-rec-pointnet", tiny_run | sizes | settings))
