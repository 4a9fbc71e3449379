"""Threads, processes and the GIL: results never depend on them, and nothing waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from coder_cases import draw, gaussian_pmf_table

from lcrs import coding

KINDS = ["lcrs", "ans"]


@pytest.fixture(scope="module")
def long_message() -> tuple[np.ndarray, np.ndarray]:
    """A message that takes milliseconds."""
    return draw(gaussian_pmf_table(), (4, 500_000), np.random.default_rng(1))


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_do_not_depend_on_the_number_of_threads(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (6, 20_000), rng)
    streams = {
        threads: coding.encode_batch(symbols, indexes, table, kind, threads) for threads in (1, 2, 3, 8)
    }
    assert all(other == streams[1] for other in streams.values())
    for threads in streams:
        decoded = coding.decode_batch(streams[1], indexes, table, kind, threads)
        np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LCRS_SIMD", "mmx", "LCRS_SIMD: unknown SIMD path 'mmx'"),
        ("LCRS_NUM_THREADS", "0", "LCRS_NUM_THREADS is '0', a number in 1..=1024 is needed"),
        ("LCRS_NUM_THREADS", "many", "LCRS_NUM_THREADS is 'many'"),
    ],
)
def test_wrong_settings_are_named(variable: str, value: str, message: str, fresh_python) -> None:
    code = """
from lcrs import coding
try:
    coding.num_threads()
except ValueError as error:
    print(error)
"""
    assert message in fresh_python(code, **{variable: value})


def test_the_gil_is_released(long_message, table) -> None:
    """While one thread encodes, another one runs Python: it sees time pass in small steps."""
    symbols, indexes = (array.ravel() for array in long_message)
    window: list[float] = []

    def work() -> None:
        for _ in range(20):
            start = time.perf_counter()
            coding.encode(symbols, indexes, table, "ans", 1)
            window[:] = [start, time.perf_counter()]
            if inside.is_set():
                return

    inside = threading.Event()
    worker = threading.Thread(target=work)
    old = sys.getswitchinterval()
    sys.setswitchinterval(10)  # nobody is made to let go: only a released GIL lets both run
    try:
        worker.start()
        ticks = []
        while worker.is_alive():
            ticks.append(time.perf_counter())
            if window and any(window[0] < tick < window[1] for tick in ticks[-100:]):
                inside.set()
            time.sleep(0.0002)
        worker.join()
    finally:
        sys.setswitchinterval(old)
    assert inside.is_set()


@pytest.mark.parametrize("kind", KINDS)
def test_python_threads_share_the_pool(kind: str, table, rng) -> None:
    symbols, indexes = draw(table, (4, 9_000), rng)
    expected = coding.encode_batch(symbols, indexes, table, kind)

    def work(i: int) -> bool:
        streams = coding.encode_batch(symbols, indexes, table, kind, 1 + i % 3)
        return streams == expected and np.array_equal(
            coding.decode_batch(streams, indexes, table, kind, 1 + (i + 1) % 3), symbols
        )

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(work, range(48)))


def code_once(threads: int | None = None) -> int:
    """Codes a batch and returns the number of threads of this process."""
    table = gaussian_pmf_table()
    symbols, indexes = draw(table, (4, 9_000), np.random.default_rng(3))
    streams = coding.encode_batch(symbols, indexes, table, threads=threads)
    assert np.array_equal(coding.decode_batch(streams, indexes, table, threads=threads), symbols)
    return coding.num_threads()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("threads", [None, 3])
def test_a_forked_child_codes_on(threads: int | None) -> None:
    code_once(threads)  # the parent has threads now
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map_async(code_once, [threads] * 4).get(timeout=60) == [coding.num_threads()] * 4
    code_once(threads)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_during_a_job_is_safe(long_message, table) -> None:
    symbols, indexes = long_message
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            coding.encode_batch(symbols, indexes, table, threads=3)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=code_once, args=(3,)) for _ in range(6)]
        for child in children:
            time.sleep(0.003)
            child.start()
        for child in children:
            child.join(timeout=60)
        assert [child.exitcode for child in children] == [0] * 6
    finally:
        stop.set()
        worker.join()


FORK_AND_COUNT = """
import os, sys, threading, time, warnings
import numpy as np
from lcrs import coding

warnings.simplefilter("ignore")
table = coding.gaussian_table(coding.default_scale_table())
symbols, stop, ticks, forks = np.zeros((64, 1 << 18), np.int32), threading.Event(), [], []

def work():
    while not stop.is_set():
        coding.encode_batch(symbols, symbols, table, threads=1)

def tick():
    while not stop.is_set():
        ticks.append(time.monotonic())
        time.sleep(0.001)

def mark():
    forks.append(time.monotonic())

os.register_at_fork(before=mark, after_in_parent=mark)
threads = [threading.Thread(target=target) for target in (work, work, tick)]
[thread.start() for thread in threads]
for _ in range(5):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(coding.encode(symbols[0], symbols[0], table) == b"")
    assert os.waitpid(child, 0)[1] == 0
stop.set()
[thread.join() for thread in threads]
print(sum(begin < tick < end for begin, end in zip(forks[::2], forks[1::2]) for tick in ticks))
"""


@pytest.mark.slow
@needs_fork
def test_other_threads_go_on_while_a_fork_waits_for_a_job(fresh_python) -> None:
    """Five forks wait for nearly half a second each. Under the GIL a few ticks would come through."""
    assert int(fresh_python(FORK_AND_COUNT)) > 60


WORKERS = """
import sys
import torch.utils.data as data
sys.path.insert(0, sys.argv[1])
from test_runtime import code_once

class Threads(data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return code_once()

if __name__ == "__main__":
    before = code_once()
    loader = data.DataLoader(Threads(), num_workers=2, multiprocessing_context=sys.argv[2])
    print(before, [int(n) for n in loader])
"""


@needs_fork
def test_a_data_loader_worker_has_one_thread(tmp_path, python_with_torch) -> None:
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    words = (script, Path(__file__).parent, "fork")
    done = python_with_torch.run(*words, cwd=tmp_path, environment={"LCRS_NUM_THREADS": ""}, is_strict=False)
    assert done.returncode == 0, done.stderr
    out = done.stdout.strip()
    before, _, inside = out.partition(" ")
    assert int(before) == len(os.sched_getaffinity(0))
    assert inside == "[1, 1, 1, 1]"


FIRST_USES = """
import os, threading, time, warnings
import numpy as np
from lcrs import coding

warnings.simplefilter("ignore")
prepared = coding.gaussian_table(coding.scale_table(0.11, 1000, 64))
arrays = prepared.cdfs, prepared.lengths, prepared.offsets
indexes = np.arange(8192, dtype=np.int32) % 64
data = coding.encode(np.zeros(8192, np.int32), indexes, prepared)
children = []
for delay in np.linspace(0, 0.002, 30):
    table = coding.CdfTable(*arrays)
    worker = threading.Thread(target=coding.decode, args=(data, indexes, table))
    worker.start()
    time.sleep(delay)
    child = os.fork()
    if child == 0:
        try:
            os._exit(int(coding.decode(data, indexes, table).any()))
        finally:
            os._exit(2)
    children.append(child)
    worker.join()
deadline = time.monotonic() + 20
codes = dict.fromkeys(children)
while None in codes.values() and time.monotonic() < deadline:
    for child in [child for child, code in codes.items() if code is None]:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            codes[child] = os.waitstatus_to_exitcode(status)
    time.sleep(0.01)
for child in [child for child, code in codes.items() if code is None]:
    os.kill(child, 9)
    os.waitpid(child, 0)
print(list(codes.values()))
"""


@needs_fork
def test_a_fork_during_the_first_use_of_a_table_is_safe(fresh_python) -> None:
    """What a table prepares on first use is never left half done in a child."""
    assert fresh_python(FIRST_USES) == str([0] * 30)
