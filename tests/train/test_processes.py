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


def launch(settings, folder, processes, code=0):
    """The processes of a run, as torchrun starts them; returns what they said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    started = []
    for rank in range(processes):
        environment = {
            "WORLD_SIZE": str(processes), "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_WORLD_SIZE": str(processes),
        }  # fmt: skip
        command = [sys.executable, "-m", "lcrs.train", "mbt2018-mean", *words]
        started.append(
            subprocess.Popen(
                command, cwd=folder, env=os.environ | environment, stderr=subprocess.PIPE, text=True
            )
        )
    errors = [process.communicate(timeout=200)[1] for process in started]
    assert [process.returncode for process in started] == [code] * processes, errors
    return errors


def test_two_processes_are_one_with_twice_the_batch(tiny, tmp_path, monkeypatch):
    (tmp_path / "quiet.py").write_text(QUIET)
    monkeypatch.chdir(tmp_path)
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"} | {
        "model.import": "quiet:Quiet", "steps": 6, "optimizer.type": "SGD",
        "optimizer.lr": 1e-3, "optimizer.clip": 0.0, "watch.every": 1, "checkpoint_every": 4,
    }  # fmt: skip
    two = {**settings, "output": str(tmp_path / "two"), "batch": 2}
    launch(two, tmp_path, 2)
    for rank in range(
        2
    ):  # the group ends before the interpreter does, so that its threads cannot clash with that
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


def test_what_one_process_finds_wrong_ends_all(tiny, tmp_path):
    (tmp_path / "run").write_text("a file")
    said = "output=.*: .*run is a file, a folder is needed"
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"}
    errors = launch(settings, tmp_path, 2, code=1)  # only the main one looks at the folder
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
