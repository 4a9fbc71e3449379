"""The folder of a run: held by one run at a time, and nothing in it replaced that no run wrote."""

import errno
import json
import os

import pytest
import torch
from picture_folders import RECIPE

from lcrs.coding import Package
from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.checkpoints import load_checkpoint
from lcrs.train.pack import network_of_checkpoint
from lcrs.train.run_folder import RunFolder


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_runs_do_not_share_a_folder(tiny, tmp_path):
    pytest.importorskip("fcntl")
    folder = tmp_path / "run"
    folder.mkdir()
    held = RunFolder(folder)
    with pytest.raises(ConfigError, match=r"another run is writing to .*run: wait for it, or output="):
        run(load_recipe(RECIPE, tiny))
    held.leave()
    assert run(load_recipe(RECIPE, tiny | {"steps": 1})).steps == 1
    RunFolder(folder).leave()  # and it is free afterwards


@pytest.mark.parametrize("name", ["config.toml", "model.pt", "checkpoints"])
@pytest.mark.parametrize("restart", [False, True])
def test_files_of_others_stay(tiny, tmp_path, name, restart):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / name).write_text("mine = true\n")
    with pytest.raises(ConfigError, match=f"has {name}, but no config.toml of a run"):
        run(load_recipe(RECIPE, tiny), restart=restart)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "mine = true\n"


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_an_output_that_is_a_file_is_said(tiny, tmp_path, output):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match=r"output=.*: .*file is a file, a folder is needed"):
        run(load_recipe(RECIPE, tiny | {"output": str(tmp_path / output)}))


def test_an_output_that_cannot_be_written_is_said(tiny, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ConfigError, match=r"output=.*: nothing can be written to "):
        run(load_recipe(RECIPE, tiny))


def test_an_output_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    def refused(path, *_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(os, "mkdir", refused)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"output=.*run: it cannot be made: Read-only file system"):
        folder.enter(forget=False)


def test_restart_forgets_only_once_all_else_fits(tiny, tmp_path):
    run(load_recipe(RECIPE, tiny | {"steps": 2}))
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    with pytest.raises(FileNotFoundError):
        run(load_recipe(RECIPE, tiny | {"data.train": str(tmp_path / "typo")}), restart=True)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before
    start = {"start": str(tmp_path / "run"), "start_state": "all"}  # what is forgotten may be where it begins
    assert run(load_recipe(RECIPE, tiny | start | {"steps": 3}), restart=True).steps == 3
    texts = [line.get("text", "") for line in log_of(tmp_path / "run")]
    assert any("goes on from" in text and text.endswith("step 2") for text in texts)


def test_a_package_of_older_weights_is_made_anew(tiny, tmp_path):
    def steps_of_package():
        return json.loads(Package.from_file(package).description)["card"]["steps"]

    package = tmp_path / "run" / "model.lcrm"
    run(load_recipe(RECIPE, tiny | {"steps": 2}))
    old = package.read_bytes()
    assert run(load_recipe(RECIPE, tiny | {"steps": 2})).package is None  # nothing to do
    run(load_recipe(RECIPE, tiny | {"steps": 3}))
    assert steps_of_package() == 3
    package.write_bytes(old)  # as if it had been killed before it packed
    os.utime(package, ns=(0, 0))
    assert run(load_recipe(RECIPE, tiny | {"steps": 3})).package == package
    assert steps_of_package() == 3


@pytest.mark.parametrize("split", [5, pytest.param(4, marks=pytest.mark.slow)])
def test_a_plateau_is_the_same_wherever_the_run_was_stopped(tiny, tmp_path, split):
    settings = tiny | {
        "validation.every": 2, "schedule.type": "plateau", "schedule.patience": 0,
        "optimizer.lr": 1e-6, "schedule.last_lr": 0.0, "schedule.factor": 0.5, "loop.ema": 0.9,
    }  # fmt: skip
    for name, stops in (("whole", [6]), ("parts", [split, 6])):
        for steps in stops:
            run(load_recipe(RECIPE, settings | {"output": str(tmp_path / name), "steps": steps}))
    a, b = (load_checkpoint(tmp_path / n / "checkpoints" / "step-000000006.pt") for n in ("whole", "parts"))
    assert a["state"]["schedule"] == b["state"]["schedule"]
    assert a["state"]["schedule"]["factor"] < 1  # or the test would show nothing
    for key, value in a["state"]["model"].items():
        assert torch.equal(b["state"]["model"][key], value)


def test_validations_by_the_clock_do_not_move_a_plateau(tiny, tmp_path):
    settings = tiny | {"schedule.type": "plateau", "steps": 4, "validation.every": 2}
    settings |= {"validation.minutes": 1e-9}
    run(load_recipe(RECIPE, settings))
    log = log_of(tmp_path / "run")
    assert [line["step"] for line in log if line["kind"] == "validation"] == [1, 2, 3, 4]
    schedule = load_checkpoint(tmp_path / "run" / "checkpoints" / "step-000000004.pt")["state"]["schedule"]
    assert schedule["best"] == pytest.approx(
        min(line["loss"] for line in log if line["kind"] == "validation" and line["step"] == 2), rel=1e-5
    )


def test_a_checkpoint_on_the_way_is_packed_as_the_model_is(tiny, tmp_path):
    run(load_recipe(RECIPE, tiny | {"steps": 3, "loop.ema": 0.5}))
    nets = [
        network_of_checkpoint(tmp_path / "run" / name)
        for name in ("model.pt", "checkpoints/step-000000003.pt")
    ]
    assert nets[0][1]["steps"] == nets[1][1]["steps"] == 3
    for key, value in nets[0][0].state_dict().items():
        assert torch.equal(nets[1][0].state_dict()[key], value)
