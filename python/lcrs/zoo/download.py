"""From a published file's name to its path on this machine, hash checked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch

from lcrs.errors import CorruptError, MissingModelError
from lcrs.zoo.checkpoints import BASE_URL

__all__ = ["ROOT_VARIABLE", "cache_folder", "find_checkpoint", "hash_of"]

ROOT_VARIABLE = "LCRS_ZOO_ROOT"
"""Environment variable that names a folder of checkpoints, for machines without network."""


def cache_folder() -> Path:
    """Where downloads are kept: `checkpoints` below `torch.hub.get_dir()`, shared with other libraries."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_checkpoint(
    file_name: str, root: str | os.PathLike[str] | None = None, progress: bool = True
) -> Path:
    """The path of a published checkpoint, downloaded if need be.

    The file is looked for in `root`, in the folder that LCRS_ZOO_ROOT names, and in the cache. Where `root`
    is given nothing is downloaded.

    Args:
        file_name: Ends in `-HASH` and an extension, HASH being the first digits of the file's SHA-256.
        root: Folder of checkpoints.
        progress: Shows the download's progress on stderr.

    Raises:
        MissingModelError: the file is not there and cannot be downloaded.
        CorruptError: what is there or was downloaded is another file.
    """
    folders = [Path(folder) for folder in (root, os.environ.get(ROOT_VARIABLE)) if folder]
    for folder in (*folders, cache_folder()):
        path = folder / file_name
        if path.is_file():
            check_hash(path)
            return path
    if root is not None:
        raise MissingModelError(
            f"there is no {file_name} in {Path(root)}, and with a root nothing is downloaded"
        )
    return _download(file_name, progress)


def hash_in(file_name: str) -> str:
    """The hexadecimal digits after the last hyphen: `5c6f152b` of `x-3-5c6f152b.pth.tar`."""
    return file_name.split(".")[0].rpartition("-")[2]


def hash_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_hash(path: Path) -> None:
    """Raises `CorruptError` unless the file hashes to the digits in its name."""
    wanted, found = hash_in(path.name), hash_of(path)
    if not found.startswith(wanted):
        raise CorruptError(
            f"{path} has SHA-256 {found[: len(wanted)]}..., its name says {wanted}: cut off or another file"
        )


def _download(file_name: str, progress: bool) -> Path:
    target = cache_folder() / file_name
    url = BASE_URL + file_name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), hash_in(file_name), progress=progress)
    except OSError as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise MissingModelError(
            f"cannot download {url} ({reason}): put the file into {target.parent}, "
            f"or name a folder that has it with root= or {ROOT_VARIABLE}"
        ) from error
    except RuntimeError as error:  # the hash is another
        raise CorruptError(f"{url}: {error}") from error
    return target
