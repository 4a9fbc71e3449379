"""Signals that end a program: nothing half-written stays, and whoever started it sees what ended it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def cleaning_up() -> Iterator[None]:
    """Lets signals raise `Stopped` inside, once, instead of ending the process: what is to be undone, is.

    Outside of this they end the process at once, also in the middle of native work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # A program that was started to ignore a signal (nohup) ignores it; a handler from elsewhere is unknown.
    ours = [number for number, handler in before.items() if handler not in {signal.SIG_IGN, None}]

    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:  # the first one is obeyed, and a second one must not stop that
            stopped = True
            raise Stopped(number)

    try:
        for number in ours:
            signal.signal(number, stop)
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def exit_code(error: KeyboardInterrupt) -> int:
    """The exit code of a program that a signal ended, as shells count."""
    return 128 + int(getattr(error, "number", signal.SIGINT))


def end_by_signal(code: int) -> None:
    """Ends this process by the signal of an `exit_code`: a shell's loop stops only if a program ends so."""
    if code > 128 and os.name == "posix":
        signal.signal(code - 128, signal.SIG_DFL)
        os.kill(os.getpid(), code - 128)
