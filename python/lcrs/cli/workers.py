"""Processes that do jobs side by side.

Each is a fresh interpreter that takes jobs from its standard input until that ends: so none of them outlives
the process that gave it work, whatever ended that.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import Any

from lcrs.cli.jobs import Job
from lcrs.cli.messages import one_line
from lcrs.cli.outcome import Outcome, attempt
from lcrs.cli.stopping import cleaning_up

_START = """
import sys
sys.path[:] = sys.argv[1:]
from lcrs.cli.workers import serve
serve()
"""


def outcomes(
    jobs: list[Job], verb: str, arguments: argparse.Namespace, num_processes: int
) -> Generator[Outcome, None, None]:
    """Does jobs in processes, and gives what became of each as they end."""
    from lcrs.coding import num_threads

    environment = os.environ | {"LCRS_NUM_THREADS": str(max(num_threads() // num_processes, 1))}
    settings = {key: value for key, value in vars(arguments).items() if not callable(value)}
    waiting, ended = iter(jobs), queue.Queue[Outcome]()
    lock, workers, is_over = threading.Lock(), list[_Worker](), threading.Event()

    def drive() -> None:
        if hasattr(signal, "pthread_sigmask"):
            # Processes that a thread starts block what it blocks: Ctrl-C, which goes to all, is not for them.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        while True:
            with lock:
                job = None if is_over.is_set() else next(waiting, None)
                if job is None:
                    break
                try:
                    if worker is None:
                        workers.append(worker := _Worker(verb, settings, environment))
                except OSError as error:
                    reason = f"no process could be started: {one_line(error)}"
                    ended.put(Outcome(job, None, f"{job.source}: {reason}"))
                    continue
            outcome = worker.do(job)
            if outcome is None:
                outcome, worker = Outcome(job, None, f"{job.source}: {worker.end()}"), None
            ended.put(outcome)
        if worker is not None:
            worker.finish()

    threads = [threading.Thread(target=drive, daemon=True) for _ in range(num_processes)]
    with cleaning_up():
        try:
            for thread in threads:
                thread.start()
            for _ in jobs:
                yield _wait(ended)
        finally:
            with lock:
                is_over.set()
                for worker in workers:
                    worker.stop()
            for thread in threads:
                thread.join()


def _wait(ended: queue.Queue[Outcome]) -> Outcome:
    """The next outcome. Without a limit to the waiting Windows would not hear Ctrl-C."""
    while True:
        try:
            return ended.get(timeout=0.5)
        except queue.Empty:
            continue


class _Worker:
    """A process that does one job at a time."""

    def __init__(self, verb: str, settings: dict[str, Any], environment: dict[str, str]) -> None:
        command = [sys.executable, "-c", _START, *sys.path]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=-1
        )
        self._send(verb, settings)

    def _send(self, *values: object) -> None:
        assert self._process.stdin is not None
        for value in values:
            pickle.dump(value, self._process.stdin)
        self._process.stdin.flush()

    def do(self, job: Job) -> Outcome | None:
        """What became of a job; None if the process ended over it."""
        assert self._process.stdout is not None
        try:
            self._send(job)
            outcome: Outcome = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return outcome

    def end(self) -> str:
        """How a process ended that should not have."""
        if self._process.poll() is None:
            self._process.kill()
        code = self._process.wait()
        self._close()
        how = (
            f"was killed by signal {-code}, perhaps for want of memory"
            if code < 0
            else f"ended with code {code}"
        )
        return f"the process that worked on it {how}"

    def finish(self) -> None:
        """Lets the process end, there being no more work."""
        self._close()
        self._process.wait()

    def stop(self) -> None:
        """Asks the process to end now."""
        if self._process.poll() is None:
            self._process.terminate()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def serve() -> None:
    """The life of a worker: settings, then jobs, from standard input; outcomes to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: whoever gives the work decides
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    requests = sys.stdin.buffer
    try:
        verb, settings = pickle.load(requests), argparse.Namespace(**pickle.load(requests))
        while True:
            pickle.dump(attempt(verb, pickle.load(requests), settings), replies)
            replies.flush()
    except (EOFError, pickle.UnpicklingError, BrokenPipeError):  # the giver's end, perhaps within a job
        os._exit(0)
    except KeyboardInterrupt as error:
        os._exit(128 + int(getattr(error, "number", 2)))
