"""Checkpoints as they are published: present key names, tables filled, the hash in the name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from lcrs.zoo.checkpoints import ARCHITECTURES
from lcrs.zoo.download import hash_of
from lcrs.zoo.state_dicts import load_checkpoint

__all__ = ["architecture_names", "update_checkpoint"]

_HASH_DIGITS = 8
_OLDER_NAMES = {
    "factorized-prior": "bmshj2018-factorized",
    "scale-hyperprior": "bmshj2018-hyperprior",
    "mean-scale-hyperprior": "mbt2018-mean",
    "jarhp": "mbt2018",
    "bmshj2018_factorized_relu": "bmshj2018-factorized-relu",
}


def architecture_names() -> list[str]:
    """Names that `update_checkpoint` takes: registered ones, and those of CompressAI's command."""
    return [*ARCHITECTURES, *_OLDER_NAMES]


def update_checkpoint(
    path: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    name: str | None = None,
    architecture: str | None = None,
    fill_tables: bool = True,
) -> Path:
    """Writes the state dict of a checkpoint to NAME-HASH and the checkpoint's extension.

    The checkpoint itself stays; CompressAI's command loses it where the new file goes to its folder.

    Args:
        path: As `lcrs.zoo.state_dicts.read_state_dict` takes it.
        folder: Of the new file, made if need be; by default the current one.
        name: How its name begins; by default as that of `path`.
        architecture: One of `architecture_names`; by default told by the keys.
        fill_tables: Fills the tables anew.

    Returns:
        The new file: HASH is the first 8 digits of its SHA-256.

    Raises:
        MissingModelError: there is no such file.
        CorruptError: it is no checkpoint.
        ValueError: it is of no architecture that is known, or not of that one.
    """
    path = Path(path)
    net: Any = load_checkpoint(path, _OLDER_NAMES.get(architecture or "", architecture))
    if fill_tables:
        net.update(force=True)
    stem, dot, extension = path.name.partition(".")
    target_folder = Path(folder or ".")
    target_folder.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".update", suffix=".part", dir=target_folder)
    os.close(handle)
    try:
        torch.save(net.state_dict(), part)
        target = target_folder / f"{name or stem}-{hash_of(Path(part))[:_HASH_DIGITS]}{dot}{extension}"
        Path(part).replace(target)
    finally:
        Path(part).unlink(missing_ok=True)
    return target
