"""How far the work on many files is: on a terminal, and only there."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lcrs.cli import streams
from lcrs.cli.messages import printable

if TYPE_CHECKING:
    from lcrs.cli.outcome import Done

_WIDTH = 79


@dataclass
class Tally:
    """What has been done of a number of jobs."""

    total: int
    """Jobs."""
    num_bytes: int
    """Of all sources."""
    written: int = 0
    skipped: int = 0
    failed: int = 0
    bytes_seen: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> int:
        """Jobs that were worked on."""
        return self.written + self.skipped + self.failed

    def add(self, num_bytes: int, done: Done | None) -> None:
        """Counts a job whose source has `num_bytes`; None if it failed."""
        self.bytes_seen += num_bytes
        if done is None:
            self.failed += 1
        elif done.is_skipped:
            self.skipped += 1
        else:
            self.written += 1
            self.bytes_read += done.num_read
            self.bytes_written += done.num_written

    def seconds_left(self) -> float | None:
        """At the rate so far; None as long as there is none. What was skipped took no time."""
        elapsed, worked = time.monotonic() - self.started, self.bytes_seen
        if not worked or elapsed < 0.5:
            return None
        return elapsed * max(self.num_bytes - worked, 0) / worked

    def line(self) -> str:
        """The state of things, in less than a terminal's width."""
        left = self.seconds_left()
        parts = [f"{self.ended} of {self.total}", f"{size(self.bytes_read)} -> {size(self.bytes_written)}"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{duration(left)} left"] if left is not None else []
        return ", ".join(parts)

    def summary(self, seconds: float, num_others: int) -> str:
        """What came of it all."""
        counts = f"{self.written} written, {self.skipped} skipped, {self.failed} failed"
        if self.ended < self.total:
            counts += f", {self.total - self.ended} not begun"
        sizes = f"{size(self.bytes_read)} became {size(self.bytes_written)} in {duration(seconds)}"
        others = f"; left alone, being of other kinds: {num_others}" if num_others else ""
        return f"{counts}; {sizes}{others}"


class Progress:
    """Shows nothing: for what is no terminal."""

    def update(self) -> None:
        """After each job."""

    def clear(self) -> None:
        """Before something else is written."""

    def say(self, text: str) -> None:
        """A line that stays."""
        streams.say_line(text)


class _Plain(Progress):
    """One line that is written over and over."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._shown, self._last = tally, 0, 0.0

    def update(self) -> None:
        now = time.monotonic()
        if now - self._last >= 0.1:
            self._last = now
            self._write(self._tally.line()[:_WIDTH])

    def clear(self) -> None:
        self._write("")

    def say(self, text: str) -> None:
        self.clear()
        streams.say_line(text)

    def _write(self, text: str) -> None:
        if text or self._shown:
            streams.say(f"\r{text:<{self._shown}}" + ("" if text else "\r"))
        self._shown = len(text)


class _Rich(Progress):
    """A bar of the library rich."""

    def __init__(self, tally: Tally, bar: Any) -> None:
        self._tally, self._bar = tally, bar
        self._task = bar.add_task("", total=tally.num_bytes or None)

    def update(self) -> None:
        self._bar.update(self._task, completed=self._tally.bytes_seen, description=self._tally.line())

    def say(self, text: str) -> None:
        self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def shown(tally: Tally, *, is_wanted: bool) -> Iterator[Progress]:
    """Shows how far `tally` is, with rich where that is installed."""
    if not is_wanted or not sys.stderr.isatty():
        yield Progress()
        return
    try:
        console, bars = (import_module(f"rich.{name}") for name in ("console", "progress"))
    except ImportError:
        yield _Plain(tally)
        return
    columns = (bars.BarColumn(), bars.TextColumn("{task.description}", markup=False))
    with bars.Progress(*columns, console=console.Console(stderr=True), transient=True) as bar:
        yield _Rich(tally, bar)


def size(num_bytes: int) -> str:
    """A number of bytes for people."""
    number = float(num_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "bytes" or number >= 99.95 else f"{number:.1f} {unit}"


def duration(seconds: float) -> str:
    """A time for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
