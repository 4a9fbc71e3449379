"""What is wrong with the arguments of a call, by their names, before anything is done."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Any

__all__ = ["check_choice", "check_numbers", "refuse_text", "refuse_url"]

_REAL = {
    "quality": "a number from 0 to 100",
    "target_bpp": "a number above 0",
    "target_psnr": "a number above 0",
}
_WHOLE = {
    "target_size": "a whole number from 1",
    "max_pixels": "a whole number from 1",
    "max_bytes": "a whole number from 1",
    "threads": "a whole number from 1 to 1024",
    "frame": "a whole number from 0",
    "bit_depth": "a whole number from 1 to 16",
}


def check_numbers(**given: Any) -> None:
    """Refuses what is no number where one is needed; None is always legal.

    Raises:
        TypeError: with the argument's name, its value and the legal range.
    """
    for name, value in given.items():
        if value is not None and not (_is_whole(value) if name in _WHOLE else _is_real(value)):
            msg = f"{name} is {value!r}, {_WHOLE.get(name) or _REAL[name]} is needed"
            raise TypeError(msg)


def check_choice(**given: Any) -> None:
    """Refuses what is neither yes nor no where that is asked; None says neither.

    Raises:
        TypeError: with the argument's name, its value and what there is.
    """
    for name, value in given.items():
        is_bool = isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"  # NumPy's, too
        if value is not None and not is_bool:
            msg = f"{name} is {value!r}, True, False or None is needed"
            raise TypeError(msg)


def refuse_url(source: object) -> None:
    """Raises `FileNotFoundError` if `source` is an address in place of a path: nothing is fetched here."""
    if isinstance(source, str) and "://" in source and not Path(source).exists():
        raise FileNotFoundError(2, "is a URL, which is not fetched: download it first", source)


def refuse_text(stream: Any, name: str, mode: str) -> None:
    """Raises `TypeError` if a file object gives or takes text in place of bytes."""
    if hasattr(stream, "encoding") and not isinstance(stream, (str, bytes, os.PathLike)):
        msg = f"{name} is a file that is open as text: open it as binary ('{mode}')"
        raise TypeError(msg)


def _is_whole(value: Any) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    if isinstance(value, (str, bytes, bytearray, bool)):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
