"""Whether data sets refuse pictures that hold what nobody says what to do with, or warn and take them."""

from __future__ import annotations

__all__ = ["is_lenient", "set_lenient"]

_is_lenient = False


def is_lenient() -> bool:
    """Whether such pictures are taken."""
    return _is_lenient


def set_lenient(is_wanted: bool) -> None:
    """Sets what `is_lenient` returns, for this process.

    Code that was written for CompressAI, whose loader drops whatever RGB cannot hold, has no argument for it.
    """
    global _is_lenient
    _is_lenient = is_wanted
