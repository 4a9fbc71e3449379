"""A run from a folder to a package, stopped and resumed in every way, to the same weights."""

import json
import os
import signal
import sys

import numpy as np
import pytest
import torch
from picture_folders import RECIPE, TINY_RUN, write_pictures
from PIL import Image

import lcrs
from lcrs.train import ConfigError, TrainingError, load_recipe, run
from lcrs.train.checkpoints import load_checkpoint

SPOILING = """
from lcrs.models import MeanScaleHyperprior

class Spoiling(MeanScaleHyperprior):
    is_bad = False

    def __init__(self, N=8, M=12):
        super().__init__(N, M)
        self.h_a[0].register_forward_hook(self.spoil)

    def spoil(self, module, inputs, out):
        return out * float("nan") if self.training and self.is_bad else out
"""


@pytest.fixture(scope="module")
def undisturbed(photo, tmp_path_factory):
    """The weights that tiny runs come to where nothing happens to them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    data = {"data.train": str(write_pictures(folder / "pictures", photo)), "output": str(folder / "run")}
    return weights(run(load_recipe(RECIPE, TINY_RUN | data)).output)


def weights(folder):
    return torch.load(folder / "model.pt", weights_only=True)["state_dict"]


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        assert torch.equal(value, b[key]), key


def logged(folder, kind):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def program(settings):
    words = [f"{key}={inline(value)}" for key, value in settings.items()]
    return [sys.executable, "-m", "lcrs", "train", RECIPE, *words]


def inline(value):
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def test_a_folder_becomes_a_package(tiny, tmp_path, photo):
    settings = {**tiny, "validation.coded": 1, "validation.sheet": True}
    result = run(load_recipe("mbt2018-mean", settings))
    folder = result.output
    assert result.steps == 5
    assert result.signal == 0
    assert {path.name for path in folder.iterdir()} == {
        "model.pt", "model.lcrm", "log.jsonl", "config.toml", "checkpoints", "sheets",
    }  # fmt: skip
    data = lcrs.compress(photo, model=folder / "model.lcrm")
    assert lcrs.decompress(data, model=folder / "model.lcrm").shape == photo.shape
    saved = torch.load(folder / "model.pt", weights_only=True)
    assert saved["config"] == {"N": 8, "M": 12}
    assert saved["architecture"] == "mbt2018-mean"
    (point,) = result.validation.points
    assert point.real_bpp is not None
    with Image.open(next((folder / "sheets").iterdir())) as sheet:
        assert sheet.width >= 64


def test_the_log_is_read_by_pandas(tiny):
    import pandas as pd

    folder = run(load_recipe(RECIPE, tiny)).output
    log = pd.read_json(folder / "log.jsonl", lines=True)
    train = log[log.kind == "train"]
    assert list(train.step) == [2, 4]
    assert (train.loss > 0).all()
    assert train.images_per_s.gt(0).all()
    assert train.waiting.between(0, 1).all()
    assert set(log.kind) == {"train", "validation", "event"}


@pytest.mark.parametrize("split", [2, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 3, 4))])
def test_a_run_in_two_parts_is_the_run_in_one(tiny, tmp_path, split):
    """The first part ends at any step: what is checkpointed is that step."""
    settings = {**tiny, "loop.ema": 0.9, "schedule.type": "constant"}
    whole = run(load_recipe("mbt2018-mean", {**settings, "output": str(tmp_path / "whole")})).output
    run(load_recipe("mbt2018-mean", {**settings, "steps": split}))
    torch.manual_seed(999)
    parts = run(load_recipe("mbt2018-mean", settings)).output
    assert_same(weights(whole), weights(parts))
    of_whole, of_parts = (load_checkpoint(f / "checkpoints" / "step-000000005.pt") for f in (whole, parts))
    assert_same(of_whole["state"]["model"], of_parts["state"]["model"])
    assert [line["step"] for line in logged(parts, "train")] == [2, 4]


# Forks a process for the run that is killed once its log has so many lines of steps, and then goes on itself.
KILLER = """
import os, signal, sys, time, warnings
from pathlib import Path
import torch._dynamo  # as the first optimiser of a process does, once for both of them

import lcrs.train.loop
from lcrs.cli import main

warnings.simplefilter("ignore", DeprecationWarning)  # of forks, from Python 3.12 on
log, kill_from, *words = sys.argv[1:]
child = os.fork()
if child == 0:
    main(words)
    os._exit(100)
while not Path(log).exists() or Path(log).read_text().count('"train"') < int(kill_from):
    time.sleep(0.001)
os.kill(child, signal.SIGKILL)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
sys.exit(main(words))
"""


def test_a_killed_run_goes_on_to_the_same_weights(tiny, tmp_path, fresh_torch):
    """By SIGKILL, at whatever step that is."""
    settings = {**tiny, "steps": 20, "watch.every": 1, "checkpoint_every": 4, "batch": 1}
    whole = run(load_recipe(RECIPE, {**settings, "output": str(tmp_path / "whole")})).output
    kill_from = int(np.random.default_rng().integers(5, 16))
    fresh_torch(KILLER, str(tmp_path / "run" / "log.jsonl"), str(kill_from), *program(settings)[3:])
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    texts = [json.loads(line).get("text", "") for line in lines]
    assert any(text.startswith("goes on from step-") for text in texts)
    assert_same(weights(whole), weights(tmp_path / "run"))


# A thread sends the signal once the log has three lines of steps.
TERMINATED = """
import os, runpy, signal, sys, threading, time
from pathlib import Path

log, *words = sys.argv[1:]

def terminate():
    while not Path(log).exists() or Path(log).read_text().count('"train"') < 3:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=terminate, daemon=True).start()
sys.argv = ["lcrs", *words]
runpy.run_module("lcrs", run_name="__main__", alter_sys=True)
"""


def test_a_signal_saves_first(tiny, tmp_path, python_with_torch):
    """And ends the program as whoever sent it expects."""
    settings = {**tiny, "steps": 100_000, "checkpoint_every": 100_000, "watch.every": 1}
    words = (str(tmp_path / "run" / "log.jsonl"), *program(settings)[3:])
    done = python_with_torch.run("-c", TERMINATED, *words, cwd=tmp_path)
    assert done.returncode == -signal.SIGTERM, done.stderr
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    saved = load_checkpoint(path)
    assert saved["step"] >= 3
    assert (tmp_path / "run" / "model.pt").is_file()


@pytest.mark.parametrize("step", [3, *(pytest.param(k, marks=pytest.mark.slow) for k in (0, 4))])
def test_ctrl_c_saves_the_step_that_is_taken(tiny, undisturbed, monkeypatch, step):
    from lcrs.train import trainer

    real = trainer.Trainer.step

    def interrupted(self, x, number):
        if number == step:
            signal.raise_signal(signal.SIGINT)
        return real(self, x, number)

    monkeypatch.setattr(trainer.Trainer, "step", interrupted)
    result = run(load_recipe(RECIPE, tiny))
    assert (result.signal, result.steps) == (signal.SIGINT, step + 1)
    monkeypatch.setattr(trainer.Trainer, "step", real)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    parts = run(load_recipe(RECIPE, tiny)).output
    assert_same(undisturbed, weights(parts))


def test_checkpoints_say_what_they_are_and_are_rotated(tiny):
    folder = run(load_recipe(RECIPE, {**tiny, "checkpoint_every": 1, "checkpoint_keep": 2})).output
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == ["step-000000004.pt", "step-000000005.pt"]
    saved = torch.load(folder / "checkpoints" / names[0], weights_only=True)
    assert saved["format"] == "lcrs-train/1"
    assert saved["config"]["model"]["name"] == RECIPE
    assert saved["versions"]["torch"] == torch.__version__
    assert saved["step"] == 4


def test_a_damaged_checkpoint_is_passed_over(tiny, undisturbed):
    folder = run(load_recipe(RECIPE, {**tiny, "steps": 3, "checkpoint_every": 2})).output
    newest = max((folder / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:1000])
    run(load_recipe(RECIPE, tiny))
    assert_same(undisturbed, weights(folder))
    for path in (folder / "checkpoints").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(lcrs.CorruptError, match="is no checkpoint that can be loaded safely"):
        run(load_recipe(RECIPE, tiny))
    torch.save({"format": "lcrs-train/1", "step": 5}, newest)
    with pytest.raises(lcrs.CorruptError, match="is damaged: it lacks parts of"):
        load_checkpoint(newest)


def test_another_configuration_is_refused_and_restart_begins_anew(tiny):
    run(load_recipe(RECIPE, tiny))
    other = load_recipe(RECIPE, {**tiny, "batch": 3})
    with pytest.raises(ConfigError, match=r"begun with other batch \(batch = 2, now 3\): --restart"):
        run(other)
    assert run(other, restart=True).steps == 5
    assert run(load_recipe(RECIPE, {**tiny, "batch": 3, "steps": 6})).steps == 6


def test_a_full_disk_loses_nothing_but_the_steps_since(tiny, undisturbed, monkeypatch):
    """Writing fails from some step on, then works again."""
    from lcrs.train import checkpoints

    real, calls = checkpoints.write_atomically, []

    def full(path, data, overwrite):
        calls.append(path)
        if 2 <= len(calls) <= 3:
            raise OSError(28, os.strerror(28), str(path))
        real(path, data, overwrite=overwrite)

    monkeypatch.setattr(checkpoints, "write_atomically", full)
    folder = run(load_recipe(RECIPE, {**tiny, "checkpoint_every": 1})).output
    assert len(calls) >= 4
    assert [line["step"] for line in logged(folder, "train")] == [2, 4]
    assert_same(undisturbed, weights(folder))


def test_older_checkpoints_make_room_on_a_full_disk(tmp_path, monkeypatch):
    """There is room for two; the newest stays whatever happens."""
    from lcrs.train import checkpoints

    real = checkpoints.write_atomically

    def narrow(path, data, overwrite):
        if len(list(tmp_path.iterdir())) >= 2:
            raise OSError(28, os.strerror(28), str(path))
        real(path, data, overwrite=overwrite)

    monkeypatch.setattr(checkpoints, "write_atomically", narrow)
    folder = checkpoints.Checkpoints(tmp_path, keep=5)
    content = {"seconds": 0.0, "config": {}, "state": {"model": {}, "average": None}}
    for step in (1, 2, 3, 4):
        folder.save(content | {"step": step}, step)
        assert folder.latest()[0]["step"] == step
    assert [step for step, _ in folder.numbered()] == [3, 4]
    monkeypatch.setattr(
        checkpoints, "write_atomically", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(OSError, match="full"):
        folder.save(content | {"step": 5}, 5)
    assert folder.latest()[0]["step"] == 4


def test_steps_that_are_not_finite_are_skipped_named_and_end_the_run(tiny, tmp_path, monkeypatch):
    (tmp_path / "spoiling.py").write_text(SPOILING)
    monkeypatch.chdir(tmp_path)
    from lcrs.train import trainer

    real_step = trainer.Trainer.step

    def step(self, x, number):
        import spoiling

        spoiling.Spoiling.is_bad = number in (3, 4) or number >= 6
        return real_step(self, x, number)

    monkeypatch.setattr(trainer.Trainer, "step", step)
    settings = {**tiny, "model.import": "spoiling:Spoiling", "model.sizes": {}, "loss.lmbda": 0.01}
    folder = run(load_recipe("mbt2018-mean", {**settings, "steps": 6})).output
    skipped = [line["text"] for line in logged(folder, "event") if "skipped" in line["text"]]
    assert len(skipped) == 2
    assert all("output of h_a.0 (Conv2d)" in text for text in skipped)
    assert all(torch.isfinite(value).all() for value in weights(folder).values())
    with pytest.raises(TrainingError, match=r"3 steps in a row .* h_a\.0 .* lower optimizer\.lr"):
        run(load_recipe("mbt2018-mean", {**settings, "steps": 20, "loop.max_skipped": 3}))
