"""Model packages (.lcrm): a model's graphs, tables and description in one safetensors file.

`Package` loads, checks and runs one of pictures, `CloudPackage` one of point clouds;
`write_package` makes one; `transcode` writes files of given latents;
`RateSearch` finds the quality for a size where networks run elsewhere; `level_of` is the level of a quality.
The format and the digests are specified in the README of the crate `lcrs-codec`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from lcrs._lcrs import CloudPackage, Package, RateSearch, codes_clouds, level_of, package_digests, transcode
from lcrs.coding.files import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CloudPackage",
    "Package",
    "RateSearch",
    "codes_clouds",
    "level_of",
    "package_bytes",
    "package_digests",
    "transcode",
    "write_package",
]


def write_package(
    path: str | os.PathLike[str],
    description: dict[str, Any],
    tensors: dict[str, NDArray[Any]],
    *,
    overwrite: bool = True,
) -> None:
    """Writes a model package, after checking that it can be loaded.

    Args:
        path: the file, by custom NAME.lcrm.
        description: as in `package_bytes`.
        tensors: as in `package_bytes`.
        overwrite: whether an existing file may be replaced.

    Raises:
        ValueError: an array has another dtype or layout.
        LcrsError: the description and the tensors do not make a package.
        FileExistsError: the file exists and `overwrite` is false.
    """
    data = package_bytes(description, tensors)
    codec = description.get("codec")
    is_of_clouds = isinstance(codec, dict) and codec.get("type") == "occupancy"
    (CloudPackage if is_of_clouds else Package).from_bytes(data)
    write_atomically(path, data, overwrite=overwrite)


def package_bytes(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> bytes:
    """The bytes of a model package, which `Package.from_bytes` checks and loads.

    Args:
        description: what the package's JSON says, without digests: they are computed here.
        tensors: float32, float16 or int32 arrays by name, C-contiguous.

    Raises:
        ValueError: an array has another dtype or layout.
        LcrsError: the description and the tensors do not make a package.
    """
    from safetensors.numpy import save

    complete = description | package_digests(_json(description), tensors)
    return save(tensors, metadata={"lcrs": _json(complete)})


def _json(description: dict[str, Any]) -> str:
    """Sorted and compact: one description has one text."""
    return json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False)
