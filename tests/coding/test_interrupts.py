"""Ctrl-C while native code works: it answers at once, and the process goes on as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lcrs import coding
from tiny_package import description, tensors

SLOW = 2000
"""Functions of every element that a transform is slowed down by: a picture of 2 megapixels takes minutes."""


def slow_package(path: Path, name: str) -> Path:
    """The tiny model, with graph ``name`` made slow."""
    model = description()
    graph = model["graphs"][name]
    value = graph["outputs"][0][1]
    for i in range(SLOW):
        node = {"op": "tanh", "in": [value + i], "place": f"slow {i}"}
        graph["nodes"].append(node)
    graph["outputs"][0][1] = value + SLOW
    coding.write_package(path, model, tensors())
    return path


PRELUDE = """
    import os, signal, sys, threading, time
    import numpy as np
    from lcrs import coding

    package = coding.Package.from_file(sys.argv[1])
    direction, delay, threads = sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    small = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)

    def job(pixels, data):
        if direction == "compress":
            return package.compress(pixels, 50.0, threads=threads)
        return package.decompress(data, threads=threads).tobytes()

    def send(number, delay):
        threading.Timer(delay, lambda: os.kill(os.getpid(), number)).start()
"""


def run(script: str, *arguments: object) -> list[str]:
    """The lines that a new process prints, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("slow")
    return {
        "compress": slow_package(folder / "g_a.lcrm", "g_a"),
        "decompress": slow_package(folder / "g_s.lcrm", "g_s"),
    }


@pytest.mark.parametrize(
    ("direction", "delay", "threads"),
    [
        ("compress", 0.1, 1),
        ("decompress", 0.1, 2),
        *(pytest.param("compress", delay, 2, marks=pytest.mark.slow) for delay in (0.01, 0.1)),
    ],
)
def test_an_interrupt_ends_a_job(
    packages: dict[str, Path], direction: str, delay: float, threads: int
) -> None:
    # a job of minutes: that it ends within the time that the process has means that it was interrupted
    script = """
        wanted = job(small, package.compress(small, 50.0))
        large = np.zeros((8000, 250, 3), np.uint8)  # narrow: the rows that are worked on at a time are short
        data = package.compress(large, 50.0) if direction == "decompress" else b""
        try:
            send(signal.SIGINT, delay)
            job(large, data)
            print("not interrupted")
        except KeyboardInterrupt:
            print("interrupted")
        print(job(small, package.compress(small, 50.0)) == wanted)
    """
    lines = run(script, packages[direction], direction, delay, threads)
    assert lines == ["interrupted", "True"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals and forks")
def test_handlers_run_in_the_middle_of_a_job_and_may_call_another(packages: dict[str, Path]) -> None:
    script = """
        medium = np.arange(64 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 64, 3)
        wanted, light = job(medium, None), job(small, None)
        seen = []

        def handler(*_):
            if len(seen) >= 3:
                return
            place = len(seen)
            seen.append(None)  # the job below runs handlers too
            seen[place] = job(small, None) == light
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)

        signal.signal(signal.SIGUSR1, handler)
        stop = threading.Event()

        def pester():
            while not stop.wait(0.01):
                os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=pester)
        thread.start()
        print(job(medium, None) == wanted, len(seen) > 1, all(seen))
        stop.set()
        thread.join()
    """
    assert run(script, packages["compress"], "compress", 0, 2) == ["True True True"]


def test_threads_of_python_are_not_disturbed(packages: dict[str, Path]) -> None:
    """Only the main thread is interrupted, whatever other threads do."""
    script = """
        medium = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)
        wanted, results = job(medium, None), []
        thread = threading.Thread(target=lambda: results.append(job(medium, None) == wanted))
        thread.start()
        try:
            send(signal.SIGINT, 0.02)
            while not results:
                time.sleep(0.01)
        except KeyboardInterrupt:
            print("interrupted")
        while not results:
            time.sleep(0.01)
        print(results)
    """
    lines = run(script, packages["compress"], "compress", 0, 2)
    assert lines == ["interrupted", "[True]"]


@pytest.mark.parametrize("threads", [1, 2])
def test_batches_of_a_graph_are_interrupted(packages: dict[str, Path], threads: int) -> None:
    script = f"""
        import json
        nodes = [{{"op": "tanh", "in": [i], "place": ""}} for i in range({SLOW})]
        graph = {{"version": 1, "inputs": ["x"], "outputs": [["y", {SLOW}]], "nodes": nodes}}
        graph = coding.Graph(json.dumps(graph), {{}})
        values = [np.zeros((4, 1, 1000, 2000), np.float32)]
        try:
            send(signal.SIGINT, 0.1)
            graph.run(values, threads=threads)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert run(script, packages["compress"], "", 0, threads) == ["interrupted"]
