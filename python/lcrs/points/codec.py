"""Point clouds to .lcrs files and back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs import coding
from lcrs.clouds import Cloud, read
from lcrs.clouds.errors import cut, shown
from lcrs.codec.containers import Container, Output, give, read_container
from lcrs.coding import CloudPackage
from lcrs.errors import LcrsError, MissingModelError
from lcrs.packages import load_cloud_package, load_cloud_packages, missing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["DEFAULT_MODEL", "compress", "decompress", "info"]

DEFAULT_MODEL = "geometry"
"""The model that `compress` uses when told nothing."""

_MOST_BITS = 32


def compress(
    points: ArrayLike | Cloud | str | os.PathLike[str],
    attributes: Mapping[str, NDArray[Any]] | None = None,
    *,
    voxel: float | None = None,
    bits: int | None = None,
    keep_duplicates: bool = False,
    drop: str | Iterable[str] = (),
    model: str | os.PathLike[str] | CloudPackage = DEFAULT_MODEL,
    threads: int | None = None,
    max_bytes: int | None = None,
    output: Output | None = None,
) -> bytes:
    """Compresses points to the bytes of an .lcrs file. Their order is not kept.

    Args:
        points: (N, 3), of any integer or floating type of at most 64 bits, N from 0 on; or a cloud, whose
            properties go along; or the path of a file that `lcrs.clouds.read` knows.
        attributes: of an array of points what is known of each: for every name an array (N,) of such a type.
            Attributes are kept to the bit, NaN included.
        voxel: the size of voxels that positions are rounded to: a coordinate comes back no further away than
            half of that and the distance of two floats there. Of whole coordinates it is a whole number.
        bits: in place of a voxel size: bits of a coordinate, 1 to 32, along the longest side of the cloud.
            Without either, positions come back as they are (a -0.0 as 0.0), which takes whole numbers,
            decimal fractions (of 1e-9 and coarser, below 1e9) or others that lie on a grid, of at most 32
            bits an axis; whole numbers are below 2^63.
        keep_duplicates: whether points at one place (after rounding) all stay. Otherwise the first of them
            does, with its attributes.
        drop: names of attributes that are left out, or one name.
        model: a model's name, an .lcrm file, or a loaded `lcrs.coding.CloudPackage`.
        threads: how many to use; by default `lcrs.coding.num_threads`. The bytes do not depend on it.
        max_bytes: that the call may hold at a time, beside the model and what is given; by default 2^31.
        output: where to write the file, too: a path, whose file is replaced if it is there, or a binary file
            object that is open for writing.

    Raises:
        ValueError: an array or an option is not as above, a coordinate is not finite, or positions lie on
            no grid and neither `voxel` nor `bits` is given.
        CloudError: the file of points is damaged or none.
        MissingModelError: there is no such model here.
        LimitError: the cloud needs more than `max_bytes`.

    Warns:
        UserWarning: of points that were left out because another one is at their place.
    """
    if bits is not None and not 1 <= index(bits) <= _MOST_BITS:
        raise ValueError(f"{bits} bits a coordinate (1 to {_MOST_BITS})")
    cloud = _cloud(points, attributes)
    names = {drop} if isinstance(drop, str) else set(drop)
    if unknown := names - set(cloud.properties):
        known = ", ".join(map(cut, cloud.properties)) or "none"
        named = ", ".join(sorted(cut(str(name)) for name in unknown))
        raise ValueError(f"drop names {named}, the attributes are {known}")
    kept = {name: _plain(values) for name, values in cloud.properties.items() if name not in names}
    for name in kept:
        # Lone surrogates stand for bytes of a file's header that are no UTF-8.
        if not isinstance(name, str) or any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ValueError(f"attribute {shown(name)}: a name of UTF-8 letters is needed, or it is dropped")
    package = load_cloud_package(model)
    data, num_merged = package.compress(
        _plain(cloud.positions),
        kept,
        voxel=voxel,
        bits=bits,
        keep_duplicates=keep_duplicates,
        threads=threads,
        max_bytes=max_bytes,
    )
    if num_merged:
        msg = f"{num_merged} of {len(cloud)} points are where another one is, and left out"
        warnings.warn(msg, UserWarning, stacklevel=2)
    if output is not None:
        give(data, output)
    return data


def decompress(
    data: Container,
    model: str | os.PathLike[str] | CloudPackage | None = None,
    *,
    threads: int | None = None,
    max_bytes: int | None = None,
) -> Cloud:
    """Restores the points of an .lcrs file, in Morton order of their voxels.

    Args:
        data: the file: its bytes, its path, or a binary file object that is open for reading.
        model: as in `compress`; by default the model that the file names.
        threads: how many to use; the points do not depend on it.
        max_bytes: that the call may hold at a time, beside the model; by default 2^31.

    Returns:
        A cloud: `positions` (N, 3) of the type that `compress` was given, half floats as 32 bits, and
        `properties`, an array (N,) for each attribute.

    Raises:
        MissingModelError: the model is not at hand, or another one goes by its name.
        LcrsError: the file is cut off, damaged, of a later version, no point cloud, or above the limit.
    """
    content = read_container(data, max_bytes=max_bytes)
    limits = {"threads": threads, "max_bytes": max_bytes}
    if model is not None:
        return Cloud(*load_cloud_package(model).decompress(content, **limits))
    fields = info(content, max_bytes=max_bytes)
    failed: LcrsError | None = None
    for package in load_cloud_packages(fields):
        try:
            return Cloud(*package.decompress(content, **limits))
        except MissingModelError as error:
            failed = failed or error
    raise failed or missing(fields["model"])


def info(data: Container, *, max_bytes: int | None = None) -> dict[str, Any]:
    """What an .lcrs file of a point cloud says of itself, without its model.

    Returns:
        Among others `num_bytes, num_points, bits_per_point, model, dtype, lossless, voxel, depth,
        attributes, parts`; each part says its bits a point.

    Raises:
        LcrsError: the file is cut off, damaged, of a later version, or no point cloud.
    """
    fields = coding.info(read_container(data, max_bytes=max_bytes), max_bytes=max_bytes)
    if "num_points" not in fields:
        raise LcrsError(f"the file holds a picture, made with model '{fields['model']}', no point cloud")
    return fields


def _cloud(points: Any, attributes: Mapping[str, NDArray[Any]] | None) -> Cloud:
    if isinstance(points, (str, os.PathLike)):
        points = read(points)
    if not isinstance(points, Cloud):
        if isinstance(points, (list, np.ndarray)) and np.shape(points) == (0,):
            points = np.empty((0, 3))
        return Cloud(points, attributes or {})
    if attributes is not None:
        raise ValueError("attributes are for an array of points: a cloud has its own")
    return points


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers one after the other, in this machine's order of bytes; half floats as floats."""
    array = np.asarray(values)
    dtype = np.dtype(np.float32) if array.dtype == np.float16 else array.dtype.newbyteorder("=")
    return np.require(array, dtype, ["C", "A"])  # a mapped file may begin at any byte
