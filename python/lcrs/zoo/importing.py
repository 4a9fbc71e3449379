"""From a checkpoint to a package, with which files are coded without torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from lcrs.packages.from_network import package_of
from lcrs.zoo.download import hash_of
from lcrs.zoo.state_dicts import load_checkpoint

__all__ = ["package_name_of", "package_of_checkpoint", "package_of_network"]

_EXTENSIONS = re.compile(r"(\.(pth|pt|tar|ckpt|bin|safetensors))+$", re.IGNORECASE)
_PUBLISHED_HASH = re.compile(r"-[0-9a-f]{8}$")
_MAX_NAME_LENGTH = 64


def package_name_of(path: str | Path) -> str:
    """What files call the model of a checkpoint when told nothing: its file name without extension and hash.

    Example:
        >>> package_name_of("models/mbt2018-mean-4-6dba02a3.pth.tar")
        'mbt2018-mean-4'
    """
    stem = _PUBLISHED_HASH.sub("", _EXTENSIONS.sub("", Path(path).name))
    return re.sub(r"[^A-Za-z0-9._-]", "-", stem).lstrip(".")[:_MAX_NAME_LENGTH] or "model"


def package_of_checkpoint(
    path: str | Path, *, architecture: str | None = None, name: str | None = None, **options: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Description and tensors of the package of a checkpoint, as `lcrs.coding.write_package` takes them.

    Tables that are stored in the checkpoint are kept; others are made from its parameters.

    Args:
        path: As `lcrs.zoo.state_dicts.read_state_dict` takes it.
        architecture: Registered name; by default told by the keys.
        name: What files will call the model; by default `package_name_of(path)`.
        **options: `stage` and `scales`, for models of variable rate; see
            `lcrs.models.ScaleHyperpriorVbr.package_parts`.

    Raises:
        MissingModelError: there is no such file.
        CorruptError: it is no checkpoint.
        ValueError: it is of no architecture that is known, or of one that takes no such option.
        NotPortableError: the architecture has no form without torch.
    """
    net = load_checkpoint(path, architecture)
    try:
        return package_of_network(net, path, name, **options)
    except ValueError as error:
        raise type(error)(f"{path}: {error}") from error


def package_of_network(
    net: nn.Module, path: str | Path, name: str | None = None, **options: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """`package_of_checkpoint` for the network that was read from `path`."""
    card = {"checkpoint": Path(path).name, "checkpoint_sha256": hash_of(Path(path))}
    return package_of(net, name or package_name_of(path), card, **options)
