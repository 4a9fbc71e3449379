"""Checkpoints: whole or not at all, the last few kept, self-describing, loaded without running code."""

from __future__ import annotations

import errno
import io
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lcrs.coding.files import write_atomically
from lcrs.errors import CorruptError
from lcrs.zoo.state_dicts import read_checkpoint

__all__ = [
    "FORMAT",
    "Checkpoints",
    "fill_averages",
    "load_checkpoint",
    "load_run",
    "of_run",
    "save_tensors",
]

log = logging.getLogger("lcrs.train")

FORMAT = "lcrs-train/1"
_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NAME = re.compile(r"step-(\d+)\.pt")


def save_tensors(content: dict[str, Any], path: Path) -> None:
    """Writes what `torch.save` makes of `content`, replacing `path` when it is whole.

    Raises:
        OSError: the disk is full, or the like; nothing is left of the attempt.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue(), overwrite=True)


def of_run(content: Any, path: str | Path) -> dict[str, Any] | None:
    """What `read_checkpoint` gave for a file, if it is a checkpoint of a run; None if it is of another kind.

    Raises:
        CorruptError: it says that it is one, and lacks what they have.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    state = content.get("state")
    is_whole = isinstance(state, dict) and isinstance(state.get("model"), Mapping) and "average" in state
    numbers = [content.get(key) for key in ("step", "seconds")]
    if not (is_whole and isinstance(content.get("config"), dict)) or not all(
        isinstance(number, int | float) for number in numbers
    ):
        raise CorruptError(f"{path} is damaged: it lacks parts of a checkpoint of a run")
    return content


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of a run.

    Raises:
        MissingModelError: there is no such file.
        CorruptError: it is damaged, or of another kind.
        OSError: it cannot be read.
    """
    content = read_checkpoint(path, is_strict=True)
    if (saved := of_run(content, path)) is None:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise CorruptError(f"{path} is no checkpoint of a run ({FORMAT}; found {found!r})")
    return saved


@torch.no_grad()
def fill_averages(net: nn.Module, saved: Mapping[str, Any]) -> None:
    """Gives a network that has the weights of a run's checkpoint the averaged ones, if there are."""
    average = saved["state"]["average"]
    if average is not None:
        for parameter, value in zip(net.parameters(), average["values"], strict=True):
            parameter.copy_(value)


class Checkpoints:
    """The folder of a run's checkpoints.

    Args:
        folder: Where they are; made when it is needed.
        keep: How many of the numbered ones stay.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def numbered(self) -> list[tuple[int, Path]]:
        """Steps and files, ascending."""
        if not self.folder.is_dir():
            return []
        found = [(_NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        return sorted((int(match[1]), path) for match, path in found if match)

    def save(self, content: dict[str, Any], step: int, name: str | None = None) -> Path:
        """Writes a checkpoint, under its step or a name, and removes what is too old.

        Raises:
            OSError: it cannot be written; the ones before stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / (name or f"step-{step:09d}.pt")
        try:
            save_tensors({"format": FORMAT, **content}, path)
        except OSError as error:
            older = self.numbered()[:-1]
            if error.errno not in _NO_SPACE or not older:
                raise
            # The newest is enough to go on from; the others make room.
            for _, old in older:
                old.unlink(missing_ok=True)
            save_tensors({"format": FORMAT, **content}, path)
        for _, old in self.numbered()[: -self.keep]:
            old.unlink(missing_ok=True)
        return path

    def latest(self) -> tuple[dict[str, Any], Path] | None:
        """The newest that is whole; damaged ones are told of.

        Raises:
            CorruptError: there are some, and all are damaged.
        """
        damaged: CorruptError | None = None
        for _, path in reversed(self.numbered()):
            try:
                return load_checkpoint(path), path
            except CorruptError as error:
                log.warning("%s; the one before it is tried", error)
                damaged = error
        if damaged is not None:
            raise damaged
        return None


def load_run(start: str | Path) -> tuple[dict[str, Any], Path]:
    """A checkpoint, or the newest one of a run's folder, with the file that it is in.

    Raises:
        CorruptError: it is damaged, or holds weights alone.
        FileNotFoundError: there is none.
    """
    path = Path(start)
    if not path.is_dir():
        return load_checkpoint(path), path
    found = Checkpoints(path / "checkpoints", 1).latest()
    if found is None:
        raise FileNotFoundError(f"start={start} has no checkpoint in {path / 'checkpoints'}")
    return found
