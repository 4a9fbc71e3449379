"""Points in files of NumPy: a plain array (N, 3 or more), or one of named fields."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from lcrs.clouds.cloud import Cloud, check_count
from lcrs.clouds.errors import CloudError, shown
from lcrs.clouds.naming import cloud_of_columns, cloud_of_table, names_of_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_npy", "write_npy"]


def read_npy(data: bytes, max_points: int) -> Cloud:
    """An array of points; columns without names are named by custom (`names_of_columns`).

    Raises:
        CloudError: it is none, or damaged, or holds objects.
    """
    array = _array(data, max_points)
    if array.dtype.names is not None:
        if array.ndim != 1:
            raise CloudError(f"array of named fields has shape {array.shape}: (N,) is needed")
        columns = {}
        for name in array.dtype.names:
            columns[name] = _numbers(array[name], f"field {shown(name)}")
            if columns[name].ndim != 1:
                raise CloudError(
                    f"field {shown(name)} has {columns[name].shape[1:]} values in each point: 1 is needed"
                )
        return cloud_of_columns(columns)
    array = _numbers(array, "array")
    if array.ndim != 2 or array.shape[1] < 3:
        raise CloudError(f"array has shape {array.shape}: (N, 3 or more) is needed")
    return cloud_of_table(array, names_of_columns(array))


def _array(data: bytes, max_points: int) -> NDArray[Any]:
    """The array of a file, whose size is compared with that of the file first."""
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
    except ValueError:
        raise CloudError(f"array of {len(data)} bytes does not begin as a file of NumPy does") from None
    if not (1, 0) <= version <= (3, 0):
        raise CloudError(f"array is of version {version[0]}.{version[1]}: 1.0 to 3.0 are known")
    begin = 10 if version == (1, 0) else 12
    size = int.from_bytes(data[8:begin], "little")
    if begin + size > len(data):
        raise CloudError(f"array of {len(data)} bytes ends in its header of {begin + size}")
    try:
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
    except Exception:  # of the parser of Python's literals, which tells of itself
        header = shown(data[begin : begin + min(size, 99)].decode("latin1").strip())
        raise CloudError(
            f"header of the array is {header}: 'descr' (a type), 'fortran_order' and 'shape' are needed"
        ) from None
    if version == (3, 0) and dtype.names is not None:  # whose names are UTF-8, not Latin-1
        dtype = np.dtype([(_utf8(name), *dtype.descr[i][1:]) for i, name in enumerate(dtype.names)])
    if dtype.hasobject:
        raise CloudError("array holds objects of Python, which are not read")
    if shape:
        check_count(shape[0], max_points)
    at = stream.tell()
    count = math.prod(shape)
    if count < 0 or count * dtype.itemsize > len(data) - at:
        raise CloudError(f"array of shape {shape} does not fit into the {len(data) - at} bytes of the file")
    array = np.frombuffer(data, dtype, count, at) if count * dtype.itemsize else np.empty(count, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _utf8(name: str) -> str:
    return name.encode("latin-1").decode("utf-8", "surrogateescape")


def _numbers(values: NDArray[Any], what: str) -> NDArray[Any]:
    """Numbers in the order of this machine."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > 8:
        raise CloudError(f"{what} has type {values.dtype}: integers or floats of at most 64 bits are needed")
    return values.astype(values.dtype.newbyteorder("="))


def write_npy(cloud: Cloud) -> tuple[bytes, list[str]]:
    """The positions alone as (N, 3); with properties, an array (N,) with a field for each."""
    array: NDArray[Any] = np.ascontiguousarray(cloud.positions)
    if cloud.properties:
        if "" in cloud.properties:
            raise CloudError("property '' has no name: NPY has no place for it")
        kind = cloud.positions.dtype
        fields = [(axis, kind) for axis in "xyz"]
        fields += [(name, values.dtype) for name, values in cloud.properties.items()]
        array = np.empty(len(cloud), fields)
        for i, axis in enumerate("xyz"):
            array[axis] = cloud.positions[:, i]
        for name, values in cloud.properties.items():
            array[name] = values
    stream = io.BytesIO()
    # The first version that can hold the names; the last one is told apart by them alone.
    latin = all(name.isascii() for name in cloud.properties)
    npy.write_array(stream, array, version=None if latin else (3, 0), allow_pickle=False)
    return stream.getvalue(), ["comments"] if cloud.comments else []
