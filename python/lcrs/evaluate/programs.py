"""Programs that are run for their files: templates of command lines, their time, memory and last words."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lcrs.evaluate.memory import PeakMemory

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["Programs"]

_MOST_READ, _MOST_SAID = 1 << 16, 300
"""Bytes of what a program says that are looked at, and characters of its last line that are told."""


@dataclass(frozen=True)
class Programs:
    """Two programs by templates of their command lines, of which one makes files and the other reads them.

    Attributes:
        name: What curves call them.
        command: Encodes: `{input}` and `{output}` are files, `{setting}` the setting; a codec says what else
            is put in. No shell sees it.
        decode_command: Decodes, with the same names.
        settings: What `{setting}` may stand for by default, from low rates to high ones.
        suffix: Of files.
    """

    name: str
    command: str
    decode_command: str
    settings: tuple[Setting, ...]
    suffix: str = ".bin"

    is_warmed_up = False
    names: ClassVar[tuple[str, ...]] = ("input", "output", "setting")
    """What templates may have in braces."""

    def __post_init__(self) -> None:
        if Path(f"x{self.suffix}").suffix != self.suffix:
            msg = f"suffix is {self.suffix!r}, must be like .bin"
            raise ValueError(msg)
        for template in (self.command, self.decode_command):
            _words_of(template)
            unknown = [name for name in re.findall(r"\{(\w+)\}", template) if name not in self.names]
            if unknown:
                known = ", ".join(f"{{{name}}}" for name in self.names)
                msg = f"the command {template!r} has {{{unknown[0]}}}, and there are {known}"
                raise ValueError(msg)

    def programs_identity(self, colors: str) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        words = dict.fromkeys(shlex.split(template)[0] for template in (self.command, self.decode_command))
        return {
            "kind": "program",
            "by": {word: _told_version(word) for word in words},
            "settings": {"encode": self.command, "decode": self.decode_command},
            "setting": "put for {setting}",
            "colors": colors,
        }

    def run(
        self, template: str, source: Path, target: Path, setting: Setting, timeout: float, **more: Any
    ) -> None:
        """One of the two commands, from file to file; it and all that it started end with us."""
        shown = f"{setting:g}" if isinstance(setting, float) else str(setting)
        _run(template, {"input": source, "output": target, "setting": shown, **more}, timeout)


def _words_of(template: str) -> list[str]:
    """The words of a template of a command line.

    Raises:
        FileNotFoundError: its program is not on the path.
        ValueError: it cannot be read, or lacks `{input}` or `{output}`.
    """
    try:
        words = shlex.split(template)
    except ValueError as error:
        msg = f"the command {template!r} cannot be read: {error}"
        raise ValueError(msg) from error
    if not any("{input}" in word for word in words) or not any("{output}" in word for word in words):
        msg = f"the command {template!r} has no {{input}} or no {{output}}"
        raise ValueError(msg)
    if shutil.which(words[0]) is None:
        raise FileNotFoundError(2, "there is no such program on the path", words[0])
    return words


def _run(template: str, values: dict[str, Any], timeout: float) -> None:
    """Runs a program; it and all that it started end with us.

    Args:
        template: its command line, in which `{name}` stands for one of `values`. No shell sees it.
        values: `output`, a path, among them.
        timeout: in seconds.

    Raises:
        OSError: it fails, takes too long, or writes nothing.
    """
    words = [_filled(word, values) for word in shlex.split(template)]
    code, output = _ended(words, timeout)
    if code == 0 and values["output"].is_file():
        return
    lines = output.strip().splitlines()
    said = lines[-1].strip()[:_MOST_SAID] if lines else "without a word"
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    if code == 0:
        ended = "wrote no file, though it ended well"
    raise OSError(f"{words[0]} {ended}: {said}")


def _ended(words: list[str], timeout: float) -> tuple[int, str]:
    """Runs a program: its code, and what it said. How much memory it took is told to `PeakMemory`.

    Raises:
        OSError: there is none, or it takes too long.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=os.name == "posix"
        )
        is_late = threading.Event()

        def end() -> None:
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()

        def late() -> None:
            is_late.set()
            end()

        timer = threading.Timer(timeout, late)
        timer.daemon = True
        timer.start()
        try:
            if hasattr(os, "wait4"):
                # What it started and left ends, too, while its number cannot be that of another one.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                timer.cancel()
                end()
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                unit = 1 if sys.platform == "darwin" else 1024
                PeakMemory.program = max(PeakMemory.program, usage.ru_maxrss * unit)
            else:
                process.wait()
        except BaseException:
            end()
            raise
        finally:
            timer.cancel()
        if is_late.is_set():
            msg = f"{words[0]} took more than {timeout:g} seconds"
            raise TimeoutError(msg)
        said.seek(max(said.seek(0, os.SEEK_END) - _MOST_READ, 0))
        return process.returncode, said.read().decode(errors="replace")


def _filled(word: str, values: dict[str, Any]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", str(value))
    return word


@lru_cache
def _told_version(program: str) -> str:
    """The first line that a program says of its version."""
    for flag in ("--version", "-h"):
        try:
            done = subprocess.run(
                [program, flag],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        if lines:
            return lines[0]
    return "says no version"
