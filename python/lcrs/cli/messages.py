"""What went wrong, in one line for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What functions call what the command line has an option for.
_OPTIONS = {
    "(max_pixels)": "(--max-pixels)",
    "(max_bytes)": "(--max-bytes)",
    "pass model=FILE": "--model FILE",
    "pass runtime='torch'": "--runtime torch",
    "pass model=NET, the model in torch": "--model CHECKPOINT --import MODULE:CLASS",
    "allow_not_portable=True": "--allow-not-portable",
}
_EXPECTED = (OSError, ValueError, RuntimeError, ImportError, Warning)


class UsageError(Exception):
    """The command line asks for something that does not exist."""


def one_line(error: BaseException) -> str:
    """An exception as one line that a terminal can show."""
    text = str(error)
    if hasattr(error, "for_command_line"):
        text = error.for_command_line()
    elif isinstance(error, ValueError):
        for ours, theirs in _OPTIONS.items():
            text = text.replace(ours, theirs)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{_text(error.filename)}: {error.strerror}"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    if isinstance(error, MemoryError):
        text = text or "there is not enough memory"
    elif not isinstance(error, (*_EXPECTED, UsageError)):
        text = f"{type(error).__name__}: {text} (not foreseen: please report it; LCRS_DEBUG=1 shows where)"
    return printable(text) or type(error).__name__


def printable(text: str) -> str:
    """``text`` on one line, without what would move a terminal's cursor."""
    words = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in words
    )


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """What is wrong with a file is said with its name, unless it is said already.

    Raises:
        Exception: what was raised inside, or its like with the name in front.
    """
    try:
        yield
    except (UsageError, BrokenPipeError):
        raise
    except Exception as error:
        raise named(error, path) from error


def named(error: Exception, path: Path | str) -> Exception:
    """``error``, or its like with a file's name in front if that is not in its words."""
    words, name = one_line(error), printable(str(path))
    if words.startswith((f"{name}:", f"{name} exists")) or f"'{name}'" in words:
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return error
    own = (type(error),) if isinstance(error, ValueError | Warning) else ()
    kind = next((kind for kind in (*own, OSError, MemoryError) if isinstance(error, kind)), RuntimeError)
    try:
        return kind(f"{path}: {words}")
    except TypeError:  # it wants other arguments, such as UnicodeDecodeError
        return ValueError(f"{path}: {words}")


def _text(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
