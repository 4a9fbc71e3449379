"""Encode, decode and measure many pictures as functions of a batch of rows: for corpora beyond one machine.

Each function takes columns and gives columns, keeps nothing between calls, and fails for no row alone: a
picture that cannot be coded has an `error` in its row, and every row that goes in comes out, once. A model
goes by its name or file; a process loads it once. So they are what `map_batches` of Ray Data takes, and
what a pool of processes, Spark's `mapInPandas` or Dask's `map_partitions` do with a line around them
(docs/evaluation.md).

Example:
    >>> import numpy as np
    >>> from lcrs.codec import batch
    >>> rows = {"name": ["a", "b"], "image": [np.full((20, 30, 3), 90, np.uint8), b"no picture"]}
    >>> coded = batch.encode(rows, quality=30)
    >>> coded["name"], [len(data) > 0 for data in coded["lcrs"]]
    (['a', 'b'], [True, False])
    >>> batch.decode(coded)["image"][0].shape
    (20, 30, 3)
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs import codec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["decode", "encode", "evaluate", "read_paths"]

Columns = Mapping[str, Sequence[Any]]


def read_paths(rows: Columns, *, column: str = "path", to: str = "image") -> dict[str, list[Any]]:
    """Adds the bytes of files whose paths are a column; empty, with an `error`, where there is none."""

    def read(path: Any) -> dict[str, Any]:
        return {to: Path(os.fspath(path)).read_bytes()}

    return _mapped(rows, column, read, {to: b""}, drop=None)


def encode(
    rows: Columns, *, column: str = "image", to: str = "lcrs", keep: bool = False, **options: Any
) -> dict[str, list[Any]]:
    """Compresses the pictures of a batch.

    Args:
        rows: Columns of equal length.
        column: That of the pictures: bytes of files, arrays (H, W, 3) or (H, W) of uint8 or uint16, or paths.
        to: The new column, of the bytes of .lcrs files; empty where there is an `error`.
        keep: Whether the pictures stay.
        **options: As `lcrs.compress` takes them: `quality`, `lossless`, `model` and so on. A call has
            one thread unless told otherwise, since processes are many.

    Returns:
        The columns, with `to`, `num_bytes` and `error`, which is empty for a picture that went well.
    """
    options = {"threads": 1} | options

    def compress(picture: Any) -> dict[str, Any]:
        data = codec.compress(_picture(picture), **options)
        return {to: data, "num_bytes": len(data)}

    return _mapped(rows, column, compress, {to: b"", "num_bytes": 0}, drop=None if keep else column)


def decode(
    rows: Columns,
    *,
    column: str = "lcrs",
    to: str = "image",
    form: str = "array",
    keep: bool = False,
    **options: Any,
) -> dict[str, list[Any]]:
    """Restores the pictures of a batch.

    Args:
        rows: Columns of equal length.
        column: That of the bytes of .lcrs files.
        to: The new column, of pictures; None where there is an `error`.
        form: `array`, or what Pillow writes: `png`, `jpeg` and so on, as bytes.
        keep: Whether the files stay.
        **options: As `lcrs.decompress` takes them.
    """
    options = {"threads": 1} | options

    def restore(data: Any) -> dict[str, Any]:
        if not len(data):
            raise ValueError("there is no file")
        pixels = codec.decompress(bytes(data), **options)
        return {to: pixels if form == "array" else _file_of(pixels, form)}

    return _mapped(rows, column, restore, {to: None}, drop=None if keep else column)


def evaluate(
    rows: Columns,
    *,
    column: str = "image",
    names: Sequence[str] = ("psnr-rgb", "ms-ssim-rgb"),
    keep: bool = False,
    **options: Any,
) -> dict[str, list[Any]]:
    """Compresses, restores and measures the pictures of a batch; files and restored pictures are let go.

    Args:
        rows: Columns of equal length.
        column: That of the pictures, as `encode` takes them.
        names: Of measures (`lcrs.metrics.NAMES`).
        keep: Whether the pictures stay.
        **options: As `lcrs.compress` takes them; but a model codes every picture, `DEFAULT_MODEL` if none is
            named, unless `lossless=None` allows the choice.

    Returns:
        The columns, with `num_bytes`, `bpp`, `encoding_time`, `decoding_time` and the measures: NaN
        where there is an `error`, or a picture is too small for one.
    """
    from lcrs.metrics import measure

    options = {"threads": 1, "lossless": False} | options
    decoding = {key: options[key] for key in ("threads", "model", "runtime", "device") if key in options}
    keys = ("bpp", "encoding_time", "decoding_time", *names)
    absent: dict[str, Any] = {"num_bytes": 0} | dict.fromkeys(keys, float("nan"))

    def run(picture: Any) -> dict[str, Any]:
        pixels = codec.to_picture(_picture(picture), **_choices(options)).pixels
        start = time.perf_counter()
        data = codec.compress(pixels, **{k: v for k, v in options.items() if k not in _CHOICES})
        between = time.perf_counter()
        restored = codec.decompress(data, **decoding)
        end = time.perf_counter()
        values, _ = measure(pixels, restored, names)
        return (
            absent
            | values
            | {
                "num_bytes": len(data),
                "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
                "encoding_time": between - start,
                "decoding_time": end - between,
            }
        )

    return _mapped(rows, column, run, absent, drop=None if keep else column)


_CHOICES = ("background", "to_8bit", "to_srgb", "frame")


def _choices(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: options[key] for key in _CHOICES if key in options}


def _mapped(
    rows: Columns,
    column: str,
    work: Callable[[Any], dict[str, Any]],
    absent: dict[str, Any],
    drop: str | None,
) -> dict[str, list[Any]]:
    """Does the work of each row; what goes wrong is in its own `error`.

    Raises:
        KeyError: there is no such column.
        ValueError: columns have different lengths.
    """
    if column not in rows:
        msg = f"there is no column {column!r}: there are {', '.join(map(str, rows)) or 'none'}"
        raise KeyError(msg)
    lengths = {len(values) for values in rows.values()}
    if len(lengths) != 1:
        msg = f"the columns have {', '.join(map(str, sorted(lengths)))} rows: one number is needed"
        raise ValueError(msg)
    made: dict[str, list[Any]] = {key: [] for key in (*absent, "error")}
    before = rows.get("error", [""] * len(rows[column]))
    for value, told in zip(rows[column], before, strict=True):
        found: dict[str, Any] = dict(absent)
        if not (error := str(told)):
            try:
                found = work(value)
            except Exception as failure:  # a row's own trouble, of whatever kind, ends no other row
                error = f"{type(failure).__name__}: {failure}"
        for key in absent:
            made[key].append(found[key])
        made["error"].append(error)
    kept = {name: list(values) for name, values in rows.items() if name not in (drop, "error")}
    return kept | made


def _picture(value: Any) -> Any:
    """What `lcrs.compress` takes of a cell: frameworks hand over bytes as various types."""
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    tolist = getattr(value, "tobytes", None)
    if tolist is not None and getattr(getattr(value, "dtype", None), "kind", "") == "S":
        return value.tobytes()
    return value


def _file_of(pixels: NDArray[np.uint8], form: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form.upper())
    return buffer.getvalue()
