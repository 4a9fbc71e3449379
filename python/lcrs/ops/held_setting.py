"""Settings of the whole process, held at a value while at least one thread needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["HeldSetting"]

_T = TypeVar("_T")


class HeldSetting(Generic[_T]):
    """A setting that the first of some overlapping blocks changes, and the last one restores.

    Each block by itself could restore what another one still needs, or keep what another one has set.

    Args:
        get: Gives the setting.
        set_to: Sets it.
    """

    def __init__(self, get: Callable[[], _T], set_to: Callable[[_T], object]) -> None:
        self._get, self._set = get, set_to
        self._lock = threading.Lock()
        self._users = 0
        self._before: list[_T] = []

    @contextmanager
    def held(self, value: _T) -> Iterator[None]:
        """The setting is `value` in this block, which is the same in all blocks."""
        with self._lock:
            if self._users == 0:
                self._before = [self._get()]
                self._set(value)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._set(self._before.pop())
