"""Models of point clouds learn from generated clouds, from ModelNet's layout and from files of points."""

import json

import numpy as np
import pytest
import torch

from lcrs import clouds
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.checkpoints import load_checkpoint
from lcrs.train.data import clouds as sources
from lcrs.train.data.clouds import CloudBatches, find_clouds
from lcrs.train.data.pictures import LeftOut

SIZES = {
    "sfu2023-pcc-rec-pointnet": {"num_points": 32, "num_channels": {"g_a": [3, 8, 16], "g_s": [16, 16, 96]}},
    "sfu2024-pcc-rec-pointnet2-ssg": {
        "num_points": 32, "D": [0, 8, 8, 16], "P": [32, 16, 4, 1], "S": [None, 2, 4, 4],
        "E": [3, 8, 8, 8, 0], "M": [0, 0, 4, 4],
    },
    "hrtzxf2022-pcc-rec": {"hidden_dim": 8, "k": 4, "candidate_upsample_rate": [4, 4, 4], "feat_dim": 4},
}  # fmt: skip
OPTIONS = {"points": 32, "clouds": 4}


@pytest.fixture
def small_shapes(monkeypatch):
    """Spheres in place of generated shapes, which take a while."""

    def sphere(seed, count, *, with_normals):
        normals = np.random.default_rng(seed).normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return np.concatenate([3 * normals + seed % 7, normals], 1).astype(np.float32)

    monkeypatch.setattr(sources, "generated_shape", sphere)


def settings_of(name, tiny, tmp_path):
    return {key: value for key, value in tiny.items() if key not in ("data.train", "crop")} | {
        "model.sizes": SIZES[name], "data.options": OPTIONS, "steps": 4, "validation.every": 3,
        "validation.coded": 1, "watch.every": 1, "output": str(tmp_path / "run"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name != "sfu2024-pcc-rec-pointnet2-ssg"))
        for name in SIZES
    ],
)
def test_a_recipe_of_clouds_trains_and_resumes(name, tiny, tmp_path, small_shapes):
    settings = settings_of(name, tiny, tmp_path)
    result = run(load_recipe(name, settings))
    (point,) = result.validation.points
    assert point.others["chamfer"] > 0
    assert point.real_bpp > 0
    log = [json.loads(line) for line in (result.output / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["kind"] == "train"] == [1, 2, 3, 4]
    assert any("geometry codec" in line.get("text", "") for line in log)
    parts = settings | {"output": str(tmp_path / "parts")}
    for steps in (2, 4):
        run(load_recipe(name, parts | {"steps": steps, "schedule.type": "constant"}))
    whole = run(load_recipe(name, settings | {"schedule.type": "constant"}), restart=True).output
    a, b = (load_checkpoint(f / "checkpoints" / "step-000000004.pt") for f in (whole, tmp_path / "parts"))
    for key, value in a["state"]["model"].items():
        assert torch.equal(b["state"]["model"][key], value)


def test_processes_share_the_clouds_of_a_step(small_shapes):
    train, _ = find_clouds([], [], OPTIONS, 1, LeftOut())
    whole = CloudBatches(train, 4, 32, 1, torch.device("cpu"), 0, 1).get(3, 0)
    parts = [CloudBatches(train, 2, 32, 1, torch.device("cpu"), rank, 2).get(3, 0) for rank in (0, 1)]
    assert whole["pos"].shape == whole["normal"].shape == (4, 32, 3)
    for key, value in whole.items():
        assert torch.equal(torch.cat([part[key] for part in parts]), value)
    assert whole["pos"].norm(dim=2).max() <= 1 + 1e-6


def test_meshes_of_modelnet_are_sampled_and_tested_on_their_own(tmp_path):
    pytest.importorskip("trimesh")
    corners = "0 0 0\n2 0 0\n0 2 0\n0 0 2\n"
    for split, count in (("train", 2), ("test", 1)):
        folder = tmp_path / "chair" / split
        folder.mkdir(parents=True)
        for k in range(count):
            text = f"OFF\n4 4 0\n{corners}3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n"
            (folder / f"chair_{k:04d}.off").write_text(text)
    (tmp_path / "chair" / "train" / "chair_0009.off").write_text("OFF\nno mesh")
    left_out = LeftOut()
    train, held = find_clouds([str(tmp_path)], [], OPTIONS, 1, left_out)
    assert (train.count, held.count) == (3, 1)
    assert train.read(0).shape == held.read(0).shape == (128, 6)
    assert train.read(2) is None
    assert left_out.counts == {"not readable": 1}


def test_files_of_points_are_clouds(tmp_path):
    for k in range(3):
        points = np.random.default_rng(k).normal(size=(20 + k, 3)).astype(np.float32)
        clouds.write(tmp_path / f"{k}.ply", clouds.Cloud(points))
    held_out = set()
    for seed in range(9):
        train, held = find_clouds([str(tmp_path)], [], OPTIONS, seed, LeftOut())
        sizes = [len(part.read(k)) for part in (train, held) for k in range(part.count)]
        assert sorted(sizes) == [20, 21, 22]
        assert (train.count, held.count) == (2, 1)
        held_out.add(sizes[-1])
    assert len(held_out) > 1
    batch = CloudBatches(train, 2, 32, 1, torch.device("cpu"), 0, 1).get(0, 0)
    assert list(batch) == ["pos"]
    assert batch["pos"].shape == (2, 32, 3)


def test_large_files_are_kept_in_part_and_far_ones_keep_their_shape(tmp_path):
    grid = np.stack(np.meshgrid(*[np.arange(7.0)] * 3), -1).reshape(-1, 3)
    for k, away in enumerate((0.0, 1e9)):
        clouds.write(tmp_path / f"{k}.ply", clouds.Cloud(grid + away))
    train, held = find_clouds([str(tmp_path)], [], OPTIONS, 1, LeftOut())
    near, far = (part.read(0) for part in (train, held))
    assert near.shape == (4 * 32, 3)
    assert near.dtype == np.float32
    assert len(np.unique(near, axis=0)) == 4 * 32
    np.testing.assert_allclose(near, far, atol=1e-6)


def test_an_epoch_is_put_in_order_once(small_shapes, monkeypatch):
    train, _ = find_clouds([], [], OPTIONS, 1, LeftOut())
    batches = CloudBatches(train, 2, 32, 1, torch.device("cpu"), 0, 1)
    made = []
    monkeypatch.setattr(sources, "generator", lambda *n, of=sources.generator: made.append(n) or of(*n))
    for step in range(4):
        batches.get(step, 0)
    assert [numbers for numbers in made if numbers[1] == 8] == [(1, 8, 0), (1, 8, 1)]


@pytest.mark.parametrize("seed", [1, 2])
def test_validation_is_a_sample_by_the_seed(tiny, tmp_path, small_shapes, monkeypatch, seed):
    from lcrs.train.clouds import CLOUDS

    asked = []
    whole = sources.Clouds.read
    monkeypatch.setattr(sources.Clouds, "read", lambda self, k: asked.append(k) or whole(self, k))
    settings = settings_of("sfu2023-pcc-rec-pointnet", tiny, tmp_path) | {"seed": seed}
    config = load_recipe("sfu2023-pcc-rec-pointnet", settings)
    first = CLOUDS.open_data(config, torch.device("cpu"))
    numbers, asked[:] = list(asked), []
    again = CLOUDS.open_data(config, torch.device("cpu"))
    assert asked == numbers == sorted(set(numbers))
    assert numbers != list(range(len(numbers)))
    assert all(torch.equal(a["pos"], b["pos"]) for a, b in zip(first.tune, again.tune, strict=True))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss.metric": "mse"}, "loss.metric is 'mse', of clouds it is 'chamfer'"),
        ({"data.options": {"ponits": 3}}, "data.options has no 'ponits': there are points, clouds"),
        ({"data.options": {"points": 0}}, "data.options.points is 0, must be a whole number from 1"),
        ({"loss.lmbda": None}, "loss.lmbda is not set: a number"),
        ({"data.train": "."}, "data.train=. has no clouds: ModelNet"),
    ],
)
def test_what_does_not_fit_clouds_is_said(tiny, tmp_path, monkeypatch, small_shapes, settings, said):
    monkeypatch.chdir(tmp_path)
    name = "sfu2023-pcc-rec-pointnet"
    with pytest.raises(ConfigError, match=said):
        run(load_recipe(name, settings_of(name, tiny, tmp_path) | settings))
