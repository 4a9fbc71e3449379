"""Doing jobs one after another or side by side: one bad file does not stop the rest."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import warnings
from collections.abc import Iterator

from lcrs.cli import streams
from lcrs.cli.jobs import Job, Plan
from lcrs.cli.outcome import Done as Done
from lcrs.cli.outcome import Outcome, attempt, work
from lcrs.cli.progress import Tally, shown


def run(plan: Plan, verb: str, arguments: argparse.Namespace) -> int:
    """Does all of a plan with the function `work` of a verb's module, and returns the exit code."""
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


def _outcomes(jobs: list[Job], verb: str, arguments: argparse.Namespace) -> Iterator[Outcome]:
    """The outcome of each job, as they come."""
    num_processes = min(arguments.jobs or os.cpu_count() or 1, len(jobs))
    if num_processes <= 1:
        yield from (attempt(verb, job, arguments) for job in jobs)
        return
    from lcrs.cli.workers import outcomes

    with contextlib.closing(outcomes(jobs, verb, arguments, num_processes)) as found:
        yield from found
