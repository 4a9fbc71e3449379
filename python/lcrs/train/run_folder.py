"""The folder of a run: one run at a time has it, and what a run wrote there can be forgotten."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from lcrs.coding.files import remove_parts
from lcrs.train.config import ConfigError

__all__ = ["RunFolder", "is_of_a_run"]

_OURS = ("model.pt", "model.lcrm", "log.jsonl", "checkpoints", "sheets", "tensorboard", "config.toml")
"""In the order in which they are removed: config.toml, by which the folder is known as one of a run, last."""
_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


def is_of_a_run(path: Path) -> bool:
    """Whether the configuration in a folder is one that a run wrote, of whatever version."""
    try:
        return (path / "config.toml").read_bytes().startswith(b"recipe = ")
    except OSError:
        return False


class RunFolder:
    """A folder that may not be there yet.

    Where the system knows locks on folders, it is held until `leave` or the end of the process, however that
    ends; nothing stays behind.

    Args:
        path: The folder.

    Raises:
        ConfigError: it cannot be one, cannot be written, another run has it, or files are there that have the
            names of ours, and that no run wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        nearest = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        if not nearest.is_dir():
            raise ConfigError(f"output={path}: {nearest} is a file, a folder is needed")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise ConfigError(f"output={path}: nothing can be written to {nearest}")
        if path.is_dir():
            self._refuse_others()
            self._hold()

    def enter(self, *, forget: bool) -> None:
        """Makes it, and removes what a run that was killed left unfinished there, or all that runs wrote if
        that is to be forgotten.

        Raises:
            ConfigError: it cannot be made, or in the meantime another run has it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"output={self.path}: it cannot be made: {error.strerror}") from error
        if self._lock is None:
            self._refuse_others()
            self._hold()
        if self._lock is not None:  # nobody else is writing
            for folder in (self.path, self.path / "checkpoints", self.path / "sheets"):
                remove_parts(folder)
        if forget:
            self._forget()

    def _refuse_others(self) -> None:
        """Has no file replaced that only has the name of one of ours."""
        there = [name for name in _OURS if os.path.lexists(self.path / name)]
        if there and not is_of_a_run(self.path):
            raise ConfigError(
                f"{self.path} has {', '.join(there)}, but no config.toml of a run: these are not touched, "
                "output=FOLDER writes elsewhere"
            )

    def _hold(self) -> None:
        with contextlib.suppress(ImportError):  # no such locks on Windows
            import fcntl

            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in _HELD:
                    raise ConfigError(
                        f"another run is writing to {self.path}: wait for it, or output=FOLDER begins another"
                    ) from None
                return  # a file system without locks
            self._lock = descriptor

    def _forget(self) -> None:
        for name in _OURS:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Lets others have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
