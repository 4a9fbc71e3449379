"""Signals that ask a run to end: the step that is taken is finished and saved first, a validation is not."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["Signals", "StoppedError"]

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_ONE_ASK = 1.0
"""Seconds within which signals are one: a terminal that is closed sends one, and the shell in it another."""


class StoppedError(BaseException):
    """A signal came in the middle of what can be done again. No `Exception`: much code catches those."""


class Signals:
    """Within, the first signal is only noted, and a second one, a moment later, ends the run at once.

    Attributes:
        number: Of the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self._is_given_up = False
        self._came = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler not in {signal.SIG_IGN, None}:  # whoever started it may want it to go on (nohup)
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if not self.number:
            self.number, self._came = number, time.monotonic()
            if self._is_given_up:
                raise StoppedError
        elif time.monotonic() - self._came > _ONE_ASK:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def give_up(self) -> Iterator[None]:
        """Within, the first signal does not wait until the end.

        Raises:
            StoppedError: one comes, or has come.
        """
        self._is_given_up = True
        try:
            if self.number:
                raise StoppedError
            yield
        finally:
            self._is_given_up = False

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
