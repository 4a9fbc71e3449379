"""Doing jobs one after another or side by side: one bad file does not stop the rest."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module

from lcrs.cli import streams
from lcrs.cli.jobs import Job, Plan
from lcrs.cli.messages import LossWarning, named, one_line
from lcrs.cli.progress import Tally, shown
from lcrs.errors import ModelWarning


@dataclass(frozen=True)
class Done:
    """What became of a job."""

    num_read: int = 0
    """Bytes."""
    num_written: int = 0
    """Bytes."""
    is_skipped: bool = False
    """It was there already."""
    words: str = ""
    """For people who had asked for this file alone."""


@dataclass(frozen=True)
class Outcome:
    """A job that ended, well or not."""

    job: Job
    done: Done | None
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    keeps_less: bool = False
    """Something of the source does not go along, which no warning tells: `--quiet`."""


def run(plan: Plan, verb: str, arguments: argparse.Namespace) -> int:
    """Does all of a plan with the function ``work`` of a verb's module, and returns the exit code."""
    if plan.is_single:
        for failure in plan.failures:
            streams.say_line(f"lcrs {verb}: error: {failure}")
        for job in plan.jobs:
            done = work(verb, job, arguments)
            if done.words and not arguments.quiet:
                streams.say_line(done.words)
        return 1 if plan.failures else 0
    tally = Tally(total=len(plan.jobs), num_bytes=sum(job.num_bytes for job in plan.jobs))
    start, num_losing = time.monotonic(), 0
    with shown(tally, is_wanted=not arguments.quiet) as progress:
        for failure in plan.failures:
            tally.failed += 1
            progress.say(f"lcrs {verb}: error: {failure}")
        try:
            for outcome in _outcomes(plan.jobs, verb, arguments):
                for warning in outcome.warnings:
                    progress.clear()
                    warnings.warn(warning, UserWarning, stacklevel=2)
                if outcome.done is None:
                    progress.say(f"lcrs {verb}: error: {outcome.error}")
                num_losing += outcome.keeps_less
                tally.add(outcome.job.num_bytes, outcome.done)
                progress.update()
        finally:
            if num_losing:
                words = (
                    f"{num_losing} of {len(plan.jobs)} files lose something; without --quiet each says what"
                )
                progress.say(f"lcrs {verb}: warning: not kept: {words}")
            if not arguments.quiet:
                progress.say(f"lcrs {verb}: {tally.summary(time.monotonic() - start, plan.num_others)}")
    return 1 if tally.failed else 0


def work(verb: str, job: Job, arguments: argparse.Namespace) -> Done:
    """Does one job, and gives the target the time of the source on request.

    Raises:
        Exception: what went wrong, with the file's name.
    """
    done: Done = import_module(f"lcrs.cli.{verb}").work(job, arguments)
    if arguments.keep_times and not done.is_skipped and job.source.is_file() and job.target.is_file():
        status = job.source.stat()
        try:
            os.utime(job.target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError as error:
            warnings.warn(f"{job.target}: keeps its own time: {error.strerror}", UserWarning, stacklevel=2)
    return done


def attempt(verb: str, job: Job, arguments: argparse.Namespace) -> Outcome:
    """Does one job; what goes wrong is in the outcome."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            done, error = work(verb, job, arguments), ""
        except Exception as failure:
            done, error = None, one_line(named(failure, job.source))
    told = [warning.message for warning in caught if issubclass(warning.category, UserWarning)]
    losses = [warning for warning in told if arguments.quiet and isinstance(warning, LossWarning)]
    words = [_words(warning, job) for warning in told if warning not in losses]
    return Outcome(job, done, error, words, keeps_less=bool(losses))


def _words(warning: Warning | str, job: Job) -> str:
    """A warning with the file that it is about. Those of models are about all files alike."""
    if isinstance(warning, ModelWarning):
        return one_line(warning)
    return one_line(named(Warning(str(warning)), job.source))


def _outcomes(jobs: list[Job], verb: str, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """The outcome of each job, as they come."""
    num_processes = min(arguments.jobs or os.cpu_count() or 1, len(jobs))
    if num_processes <= 1:
        yield from (attempt(verb, job, arguments) for job in jobs)
        return
    from lcrs.cli.workers import outcomes

    with contextlib.closing(outcomes(jobs, verb, arguments, num_processes)) as found:
        yield from found
