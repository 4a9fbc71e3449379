"""Runs that are killed or interrupted while they write or validate: nothing broken stays, nothing is lost."""

import json
import signal
from pathlib import Path

import pytest
import torch
from picture_folders import RECIPE, TINY_RUN, write_pictures

from lcrs.cli import main
from lcrs.coding import files
from lcrs.train import load_recipe, run, signals
from lcrs.train.checkpoints import load_checkpoint
from lcrs.train.data.batches import AheadBatches
from lcrs.train.validation import Validator

SHORT = {"steps": 6, "checkpoint_every": 2, "validation.every": 3, "batch": 1, "loop.ema": 0.9}

# Forks a process for each of a list of places, in which `_die` is called there; all do the same command.
KILLER = """
import json, os, signal, sys, warnings
from pathlib import Path
import torch._dynamo  # as the first optimiser of a process does, once for all of them

import lcrs
import lcrs.train.export
import lcrs.train.loop
from lcrs.cli import main
from lcrs.coding import files
from lcrs.train.records import Records
from lcrs.train.validation import Validator
from lcrs.zoo.state_dicts import read_checkpoint

warnings.simplefilter("ignore", DeprecationWarning)  # of forks, from Python 3.12 on
folder, *orders = sys.argv[1:]
words, places = map(json.loads, orders)


def _die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def arm(name, moment):
    if moment == "validation":
        Validator._estimated = _die
    elif moment == "line":
        write = Records.write
        def half(self, kind, step, **values):
            if kind == "train" and step == name:
                self._file.write('{"kind": "train", "st')
                self._file.flush()
                _die()
            write(self, kind, step, **values)
        Records.write = half
    else:
        replace, create, fill = files._replace, files._create, files._fill
        now = []
        def writing(function):
            def write(target, data):
                now[:] = [target.name]
                function(target, data)
            return write
        files._replace, files._create = writing(replace), writing(create)
        if moment.startswith("named"):  # as on file systems that know no files without names
            files._write_unnamed = lambda *_: False
        def filling(file, data, old):
            if now == [name] and moment.endswith("half"):
                file.write(data[: len(data) // 2])
                file.flush()
                _die()
            fill(file, data, old)
        files._fill = filling
        renamed = Path.replace
        def renaming(self, target):
            if now == [name]:
                _die()
            return renamed(self, target)
        Path.replace = renaming


for place in places:
    child = os.fork()
    if child == 0:
        arm(*place)
        main(words)
        os._exit(100)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, place
    for path in Path(folder).rglob("*.pt"):
        assert read_checkpoint(path)
    for path in Path(folder).rglob("*.lcrm"):
        lcrs.codec.load_package(path)
    print(len(list(Path(folder).rglob(".lcrs-*.part"))), end=" ")
"""


def words_of(settings):
    """A command line that runs what `run(load_recipe(RECIPE, settings))` runs."""
    plain = {key: json.dumps(value) for key, value in settings.items() if not isinstance(value, dict)}
    return [
        "train",
        RECIPE,
        *(f"{key}={value}" for key, value in plain.items()),
        "model.sizes={N = 8, M = 12}",
    ]


def assert_same_weights(*folders):
    first, *others = (torch.load(f / "model.pt", weights_only=True)["state_dict"] for f in folders)
    for other in others:
        for key, value in first.items():
            assert torch.equal(value, other[key]), key


@pytest.fixture(scope="module")
def whole(photo, tmp_path_factory):
    """The folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    data = {"data.train": str(write_pictures(folder / "pictures", photo)), "output": str(folder / "whole")}
    return run(load_recipe(RECIPE, TINY_RUN | SHORT | data)).output


@pytest.fixture
def settings(whole, tmp_path):
    """Of a run that is to become the same."""
    data = {"data.train": str(whole.parent / "pictures"), "output": str(tmp_path / "run")}
    return TINY_RUN | SHORT | data


# One of each kind: before there is a checkpoint, with a part left behind, in a line, and at the very end.
PLACES = [("config.toml", "half"), ("step-000000002.pt", "named half"), (4, "line"), ("model.lcrm", "half")]
EVERY_PLACE = [
    ("config.toml", "half"), ("step-000000002.pt", "half"), ("step-000000002.pt", "named half"),
    ("step 3", "validation"), ("config.toml", "half"), ("model.pt", "named whole"), (4, "line"),
    ("step-000000004.pt", "whole"), ("step-000000006.pt", "named half"), ("model.lcrm", "half"),
]  # fmt: skip


@pytest.mark.parametrize("places", [PLACES, pytest.param(EVERY_PLACE, marks=pytest.mark.slow)])
def test_the_same_command_goes_on_wherever_it_was_killed(settings, whole, fresh_torch, places):
    """One run, killed again and again."""
    left = fresh_torch(KILLER, settings["output"], json.dumps(words_of(settings)), json.dumps(places))
    assert max(map(int, left.split())) == 1  # or nothing was there to be removed
    folder = run(load_recipe(RECIPE, settings)).output
    assert_same_weights(whole, folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}
    kept = [{path.name for path in (f / "checkpoints").iterdir()} for f in (whole, folder)]
    assert kept[0] == kept[1] == {"step-000000004.pt", "step-000000006.pt"}
    logs = [
        [json.loads(line) for line in (f / "log.jsonl").read_text().splitlines()] for f in (whole, folder)
    ]
    steps = [[line["step"] for line in log if line["kind"] == "train"] for log in logs]
    assert steps[0] == steps[1] == [2, 4, 6]


def test_an_export_that_is_killed_leaves_the_package_before(whole, tmp_path, fresh_torch):
    out = tmp_path / "out" / "net.lcrm"
    out.parent.mkdir()
    words = ["export", str(whole), "-o", str(out)]
    assert main(words) == 0
    before = out.read_bytes()
    places = [("net.lcrm", "half"), ("net.lcrm", "whole")]
    fresh_torch(KILLER, str(out.parent), json.dumps([*words, "--force"]), json.dumps(places))
    assert out.read_bytes() == before
    assert main([*words, "--force"]) == 0


def while_saving(interrupt, monkeypatch):
    real = files._fill

    def fill(file, data, old):
        if data.startswith(b"PK"):  # a checkpoint, the first of them
            file.write(data[:100])
            interrupt()
            file.seek(0)
        real(file, data, old)

    monkeypatch.setattr(files, "_fill", fill)


def while_reading(interrupt, monkeypatch):
    real = AheadBatches.get

    def get(self, step, size):
        if step == 1:
            interrupt()
            pytest.fail("a batch is waited for")
        return real(self, step, size)

    monkeypatch.setattr(AheadBatches, "get", get)


def while_validating(interrupt, monkeypatch, *, last=False):
    real = Validator._estimated
    calls = []

    def estimated(self, net):
        calls.append(net)
        if len(calls) == (2 if last else 1):
            interrupt()
            pytest.fail("a validation goes on")
        return real(self, net)

    monkeypatch.setattr(Validator, "_estimated", estimated)


def while_validating_at_the_end(interrupt, monkeypatch):
    while_validating(interrupt, monkeypatch, last=True)


@pytest.mark.parametrize(
    ("place", "step", "validated"),
    [
        (while_saving, 2, 0),
        (while_reading, 1, 0),
        (while_validating, 3, 0),
        (while_validating_at_the_end, 6, 3),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_what_is_written_is_ended_and_a_validation_is_not(
    settings, whole, monkeypatch, place, step, validated, number
):
    numbers = [number]

    def interrupt():
        if numbers:
            signal.raise_signal(numbers.pop())

    with monkeypatch.context() as patched:
        place(interrupt, patched)
        result = run(load_recipe(RECIPE, settings))
    assert (result.signal, result.steps) == (number, step)
    saved = load_checkpoint(result.output / "checkpoints" / f"step-{step:09d}.pt")
    assert saved["validated_step"] == validated
    assert not (result.output / "model.lcrm").exists()
    assert_same_weights(whole, run(load_recipe(RECIPE, settings)).output)
    assert (result.output / "model.lcrm").exists()


def test_a_second_signal_ends_it_at_once_and_breaks_nothing(settings, whole, monkeypatch):
    monkeypatch.setattr(signals, "_ONE_ASK", 0.0)

    def interrupt():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        while_saving(interrupt, patched)
        with pytest.raises(KeyboardInterrupt):
            run(load_recipe(RECIPE, settings))
    folder = Path(settings["output"])
    assert not list((folder / "checkpoints").iterdir())
    assert_same_weights(whole, run(load_recipe(RECIPE, settings)).output)


def test_signals_that_come_together_are_one(settings, whole, monkeypatch):
    """As of a terminal that is closed, and of the shell in it."""
    monkeypatch.setattr(signals, "_SIGNALS", [signal.SIGHUP, signal.SIGTERM])
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    try:
        with monkeypatch.context() as patched:

            def interrupt():
                if not asked:
                    asked.append(1)
                    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
                        signal.raise_signal(number)

            asked = []
            while_saving(interrupt, patched)
            result = run(load_recipe(RECIPE, settings))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (result.signal, result.steps) == (signal.SIGHUP, 2)
    assert_same_weights(whole, run(load_recipe(RECIPE, settings)).output)
