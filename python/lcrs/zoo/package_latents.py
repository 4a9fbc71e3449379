"""Decoding CompressAI's strings with a package, without torch, where exact arithmetic agrees with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lcrs import coding
from lcrs.errors import CorruptError, DesyncError, LcrsError, MissingModelError

__all__ = ["latents_of_package"]

Latent: TypeAlias = NDArray[np.float32]


def latents_of_package(
    path: Path, strings: Sequence[bytes], shape: tuple[int, int]
) -> tuple[Latent, Latent | None]:
    """Y and z (None without a hyperprior), each (C, H, W), that `strings` code.

    Args:
        path: A package.
        strings: That of y, then that of z if the model has it.
        shape: (height, width) of the last string's latent.

    Raises:
        MissingModelError: the model has a context or a variable rate, or other latents.
        DesyncError: the strings do not decode with exact parameters.
    """
    coding.Package.from_file(path)  # verifies the digests
    description, tensors = _read(path)
    tree = description["codec"]
    if tree["type"] == "factorized" and len(strings) == 1:
        return _factorized(tree, tensors, strings[0], shape), None
    if _is_plain_hyperprior(tree) and len(strings) == 2:
        z = _factorized(tree["hyper"], tensors, strings[1], shape)
        graph = coding.Graph(json.dumps(description["graphs"][tree["synthesis"]]), tensors)
        try:
            return _gaussian(tree["y"], tensors, strings[0], graph.run([z])), z
        except LcrsError as error:
            raise DesyncError(
                f"exact parameters do not decode the string of y ({error}); torch's may: "
                "give the checkpoint instead of the package"
            ) from error
    raise MissingModelError(
        f"{path} decodes these strings only with its checkpoint: give that instead of the package"
    )


def _is_plain_hyperprior(tree: dict[str, Any]) -> bool:
    types = tree["type"], tree.get("hyper", {}).get("type"), tree.get("y", {}).get("type")
    return types == ("hyperprior", "factorized", "gaussian") and "gain" not in tree["y"]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if "lcrs" not in metadata:
            raise CorruptError(f"{path} is no package")
        return json.loads(metadata["lcrs"]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _table(node: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> coding.CdfTable:
    names = node["table"]
    cdfs, lengths, offsets = (tensors[names[part]] for part in ("cdf", "lengths", "offsets"))
    return coding.CdfTable(cdfs, lengths, offsets, names["precision"])


def _factorized(
    node: dict[str, Any], tensors: dict[str, NDArray[Any]], string: bytes, shape: tuple[int, int]
) -> Latent:
    medians = tensors[node["medians"]].astype(np.float32).reshape(-1, 1, 1)
    whole = (len(medians), *shape)
    rows = np.arange(len(medians), dtype=np.int32).reshape(-1, 1, 1)
    symbols = coding.decode(
        string, np.ascontiguousarray(np.broadcast_to(rows, whole)), _table(node, tensors), kind="ans"
    )
    return coding.dequantize(symbols, np.ascontiguousarray(np.broadcast_to(medians, whole)))


def _gaussian(
    node: dict[str, Any], tensors: dict[str, NDArray[Any]], string: bytes, outputs: dict[str, Latent]
) -> Latent:
    rows = coding.indexes(outputs["scales"], tensors[node["thresholds"]].astype(np.float32))
    symbols = coding.decode(string, rows, _table(node, tensors), kind="ans")
    return coding.dequantize(symbols, outputs["means"] if node["means"] else None)
