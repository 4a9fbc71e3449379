"""Signals at any moment: nothing half-written, nothing left over, no process that goes on."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lcrs import coding
from lcrs.cli import stopping, workers
from lcrs.cli.jobs import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WRITES = """
import os, sys, time
from pathlib import Path
from lcrs.cli.targets import deliver
from lcrs.coding import files
from lcrs.cli import main, batch
import lcrs.cli.decode as decode

fill = files._fill
def slow(file, data, old):
    fill(file, data, old)
    Path("begun").touch()
    time.sleep(30)
files._fill = slow
if sys.argv[1] == "named":
    os.__dict__.pop("O_TMPFILE", None)
decode.work = lambda job, arguments: deliver(job.target, b"new", force=True)
sys.argv[1:] = ["decode", "in.lcrs", "-o", "out.png"]
sys.exit(main())
"""


# Every signal in one way, and every way with one signal; the rest is slow.
WRITTEN = [
    pytest.param(
        number,
        way,
        is_there,
        marks=[pytest.mark.slow] * (number != NUMBERS[0] and (way, is_there) != ("named", True)),
    )
    for number in NUMBERS
    for way in ("unnamed", "named")
    for is_there in (False, True)
]


@pytest.mark.parametrize(("number", "way", "is_there"), WRITTEN)
def test_a_signal_in_the_middle_of_a_write(number: int, way: str, is_there: bool, tmp_path: Path) -> None:
    if is_there:
        (tmp_path / "out.png").write_bytes(b"old")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, way], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    process.send_signal(number)  # an impatient one must not stop the cleaning up
    _, error = process.communicate(timeout=20)
    assert process.returncode == -number
    assert error == ""
    (tmp_path / "begun").unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == (
        {"out.png": b"old"} if is_there else {}
    )


def wait_for_a_moment(process: subprocess.Popen, first: Path, number: int, chance: random.Random) -> None:
    """For one signal while the process begins, for the others soon after it has written its first file."""
    if number == NUMBERS[0]:
        time.sleep(chance.uniform(0, 0.3))
        return
    while not first.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 0.2))


@pytest.mark.parametrize(
    ("processes", "to_all"),
    # one process alone is its whole group; a group gets what its first process gets, and more
    [
        (2, True),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, True), (1, False), (2, False))),
    ],
)
def test_a_signal_at_any_moment_of_many_files(
    processes: int, to_all: bool, pictures: Path, tmp_path: Path
) -> None:
    source = (pictures / "a.png").read_bytes()
    for at in range(200):
        (pictures / "deep" / f"{at}.png").write_bytes(source)
    out = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "lcrs", "encode", "--model", "tiny", "-r", str(pictures), "-o", str(out))
    ]
    chance = random.Random(processes)
    for number in (*NUMBERS, signal.SIGKILL):
        (out / "a.lcrs").unlink(missing_ok=True)
        process = subprocess.Popen(
            [*command, "-j", str(processes), "--force", "--quiet"],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for_a_moment(process, out / "a.lcrs", number, chance)
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, error = process.communicate(timeout=20)  # also waits until no worker holds standard error open
        assert process.returncode in (-number, 1), error
        assert "Traceback" not in error
        for path in out.rglob("*") if out.exists() else ():
            if path.is_file():
                # Between the two steps that replace a file nobody can clean up after SIGKILL; it is whole.
                assert path.suffix == ".lcrs" or (number == signal.SIGKILL and path.suffix == ".part")
                assert coding.info(path.read_bytes())["model"] == "tiny"


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with pytest.raises(stopping.Stopped) as caught, stopping.cleaning_up():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopping.exit_code(caught.value) == 143
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.cleaning_up():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, old)


def test_a_worker_whose_giver_is_gone_says_nothing(pictures: Path, tmp_path: Path) -> None:
    """SIGKILL of the giver cuts what the worker reads: before it begins, between jobs, inside of one."""
    job = Job(pictures / "a.png", tmp_path / "a.lcrs")
    said = b"".join(map(pickle.dumps, ("encode", vars(argparse.Namespace(quiet=True)), job)))
    for length in (0, 1, len(pickle.dumps("encode")), len(said) // 2, len(said) - 1):
        done = subprocess.run(
            [sys.executable, "-c", workers._START, *sys.path],
            input=said[:length],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
