"""One job of a verb, and what became of it."""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from lcrs.cli.jobs import Job
from lcrs.cli.messages import LossWarning, named, one_line
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
    target: Path | None = None
    """What was written, if it is not what the job says."""


@dataclass(frozen=True)
class Outcome:
    """A job that ended, well or not."""

    job: Job
    done: Done | None
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    keeps_less: bool = False
    """Something of the source does not go along, which no warning tells: `--quiet`."""


def work(verb: str, job: Job, arguments: argparse.Namespace) -> Done:
    """Does one job, and gives the target the time of the source on request.

    Raises:
        Exception: what went wrong, with the file's name.
    """
    done: Done = import_module(f"lcrs.cli.{verb}").work(job, arguments)
    target = done.target or job.target
    if arguments.keep_times and not done.is_skipped and job.source.is_file() and target.is_file():
        status = job.source.stat()
        try:
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError as error:
            warnings.warn(f"{target}: keeps its own time: {error.strerror}", UserWarning, stacklevel=2)
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
