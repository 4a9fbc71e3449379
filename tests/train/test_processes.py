"""Two processes take the steps that one takes with twice the batch."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest
import torch

from lcrs.train import load_recipe, run
from lcrs.train.checkpoints import load_checkpoint
from lcrs.train.processes import OtherProcessError, Processes


@pytest.fixture(autouse=True, scope="module")
def _accelerate():
    pytest.importorskip("accelerate")


QUIET = """
import atexit
import os
from pathlib import Path

import torch
from torch import nn
from lcrs.ops import quantize_ste


class Quiet(nn.Module):
    \"\"\"Adds no noise, so that its gradient is one of the batch alone, and of the level.\"\"\"

    num_levels = 3

    def __init__(self):
        super().__init__()
        self.g_a, self.g_s = nn.Conv2d(3, 6, 8, 8), nn.ConvTranspose2d(6, 3, 8, 8)
        self.scale = nn.Parameter(torch.ones(6, 1, 1))

    def lmbda(self, level):
        return 0.001 * 4.0**level

    def forward(self, x, level):
        y = self.g_a(x) * (1 + level)[:, None, None, None]
        likelihoods = torch.exp(-y.abs() / self.scale.abs()).clamp(1e-6) * 0.9
        return self.g_s(quantize_ste(y)), {"y": likelihoods}


def note_threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").glob("*")]
    Path(f"threads.{os.environ['RANK']}").write_text("\\n".join(names))


if "RANK" in os.environ:
    atexit.register(note_threads)
"""


def environments(processes):
    """What torchrun tells each process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        {
            "WORLD_SIZE": str(processes), "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_WORLD_SIZE": str(processes),
        }
        for rank in range(processes)
    ]  # fmt: skip


# Forks them from one that has loaded what they share; nothing of it knows that there will be several.
FORKER = """
import json, os, runpy, sys, warnings
import torch._dynamo
import accelerate
import lcrs.train.loop

warnings.simplefilter("ignore", DeprecationWarning)  # of forks, from Python 3.12 on
environments, *words = sys.argv[1:]
children = []
for rank, environment in enumerate(json.loads(environments)):
    children.append(os.fork())
    if children[-1] == 0:
        os.environ.update(environment)
        os.dup2(os.open(f"errors.{rank}", os.O_WRONLY | os.O_CREAT), 2)
        sys.argv = ["-m", *words]
        runpy.run_module("lcrs.train", run_name="__main__", alter_sys=True)
        sys.exit(0)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


@pytest.fixture(params=["forked", pytest.param("begun", marks=pytest.mark.slow)])
def launch(request, tmp_path, python_with_torch):
    """Runs the processes of a run, as torchrun starts them; gives what they said."""

    def forked(words, environments):
        orders = ["-c", FORKER, json.dumps(environments), *words]
        done = python_with_torch.run(*orders, cwd=tmp_path, is_strict=False, timeout=200)
        assert done.returncode == 0, done.stderr
        errors = [(tmp_path / f"errors.{rank}").read_text() for rank in range(len(environments))]
        return json.loads(done.stdout), errors

    def begun(words, environments):
        command = [sys.executable, "-m", "lcrs.train", *words]
        started = [
            subprocess.Popen(command, cwd=tmp_path, env=os.environ | e, stderr=subprocess.PIPE, text=True)
            for e in environments
        ]
        errors = [process.communicate(timeout=200)[1] for process in started]
        return [process.returncode for process in started], errors

    def launch(settings, processes, code=0):
        words = ["mbt2018-mean", *(f"{key}={json.dumps(value)}" for key, value in settings.items())]
        way = forked if request.param == "forked" else begun
        codes, errors = way(words, environments(processes))
        assert codes == [code] * processes, errors
        return errors

    return launch


def test_two_processes_are_one_with_twice_the_batch(tiny, tmp_path, monkeypatch, launch):
    (tmp_path / "quiet.py").write_text(QUIET)
    monkeypatch.chdir(tmp_path)
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"} | {
        "model.import": "quiet:Quiet", "steps": 6, "optimizer.type": "SGD",
        "optimizer.lr": 1e-3, "optimizer.clip": 0.0, "watch.every": 1, "checkpoint_every": 4,
    }  # fmt: skip
    two = {**settings, "output": str(tmp_path / "two"), "batch": 2}
    launch(two, 2)
    # The group ends before the interpreter does, so that its threads cannot clash with that.
    for rank in range(2):
        left = (tmp_path / f"threads.{rank}").read_text().split()
        assert not [name for name in left if "gloo" in name or "tcpstore" in name]
    one = {**settings, "output": str(tmp_path / "one"), "batch": 4}
    run(load_recipe("mbt2018-mean", one))
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    of_one, of_two = ([entry for entry in log if entry["kind"] == "train"] for log in logs)
    assert [entry["step"] for entry in of_two] == [1, 2, 3, 4, 5, 6]
    # Plain steps, not clipped: the norm and the weights say that gradients are equal to rounding.
    for a, b in zip(of_one, of_two, strict=True):
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)
    a, b = (load_checkpoint(tmp_path / n / "checkpoints" / "step-000000006.pt") for n in ("one", "two"))
    for key, value in a["state"]["model"].items():
        torch.testing.assert_close(b["state"]["model"][key], value, rtol=1e-5, atol=1e-6)


def test_nothing_holds_the_group_when_it_has_ended(monkeypatch):
    """What takes the group for a default is loaded before there is one: it would keep it, and its threads."""
    import accelerate

    class Group:
        process_index, num_processes, device = 0, 2, "cpu"

        def __init__(self, **_):
            seen.append("torch.distributed.nn" in sys.modules)

    seen = []
    monkeypatch.setattr(torch.distributed, "nn", None, raising=False)  # as it is put back afterwards
    for name in [name for name in sys.modules if name.startswith("torch.distributed.nn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(accelerate, "Accelerator", Group)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Processes("cpu").world == 2
    assert seen == [True]


def test_what_one_process_finds_wrong_ends_all(tiny, tmp_path, launch):
    (tmp_path / "run").write_text("a file")
    said = "output=.*: .*run is a file, a folder is needed"
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"}
    errors = launch(settings, 2, code=1)  # only the main one looks at the folder
    assert re.fullmatch(f"lcrs train: error: {said}\n", errors[0])
    assert re.fullmatch(f"lcrs train: error: process 0 of 2 failed: {said}\n", errors[1])


def test_processes_fail_together(monkeypatch):
    processes = Processes("cpu")
    with pytest.raises(ValueError, match="mine"), processes.together():
        raise ValueError("mine")
    processes.world = 2
    monkeypatch.setattr(processes, "of_all", lambda text: [text, "theirs"])
    with pytest.raises(OtherProcessError, match=r"process 1 of 2 failed: theirs"), processes.together():
        pass
    with pytest.raises(ValueError, match="mine"), processes.together():
        raise ValueError("mine")
    monkeypatch.setattr(processes, "of_all", lambda text: [text, None])
    with processes.together():
        pass


def test_a_process_that_is_gone_is_told_of():
    class Gone:
        def reduce(self, *_):
            raise RuntimeError("Connection closed by peer")

    processes = Processes("cpu")
    processes.world, processes._accelerator = 2, Gone()
    with pytest.raises(
        OtherProcessError, match=r"another process .* is gone, .* \(Connection closed by peer\)"
    ):
        processes.from_main(1.0)
