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
    "lossless=True": "--lossless",
}
_EXPECTED = (OSError, ValueError, RuntimeError, ImportError, Warning)


_NO_MEMORY = "less is needed with fewer --jobs, with LCRS_NUM_THREADS=1, or within --max-bytes N"


class UsageError(Exception):
    """The command line asks for something that does not exist."""


class LossWarning(UserWarning):
    """Something of a file does not go along to what is made of it."""


def one_line(error: BaseException) -> str:
    """An exception as one line that a terminal can show."""
    text = str(error)
    if hasattr(error, "for_command_line"):
        text = error.for_command_line()
    elif isinstance(error, ValueError):
        for ours, theirs in _OPTIONS.items():
            text = text.replace(ours, theirs)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{printable(_text(error.filename))}: {error.strerror}"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    if isinstance(error, MemoryError) or text.startswith("no memory"):
        text = f"{text or 'there is not enough memory'}; {_NO_MEMORY}"
    elif not isinstance(error, (*_EXPECTED, UsageError)):
        text = f"{type(error).__name__}: {text} (not foreseen: please report it; LCRS_DEBUG=1 shows where)"
    if not isinstance(error, (OSError, ValueError, Warning, UsageError)):
        text = collapsed(text)
    return printable(text) or type(error).__name__


def printable(text: str) -> str:
    r"""`text` on one line: what a terminal does not show, or obeys, as an escape, a newline as ``\n``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid(text))


def valid(name: str) -> str:
    r"""The name of a file as text that every program reads: bytes that are no UTF-8 as ``\xNN``."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return name.encode("utf-8", "backslashreplace").decode()


def collapsed(text: str) -> str:
    """What a library says on several lines, on one."""
    return " ".join(text.split())


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
    """`error`, or its like with a file's name in front if that is not in its words."""
    words, name = one_line(error), printable(str(path))
    if words.startswith((f"{name}:", f"{name} exists")) or f"'{name}'" in words:
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return error
    own = (type(error),) if isinstance(error, ValueError | Warning) else ()
    kind = next((kind for kind in (*own, OSError, MemoryError) if isinstance(error, kind)), RuntimeError)
    try:
        return kind(f"{name}: {words}")
    except TypeError:  # it wants other arguments, such as UnicodeDecodeError
        return ValueError(f"{name}: {words}")


def _text(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)
