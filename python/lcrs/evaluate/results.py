"""The form of result files, and its checks.

A file is one JSON object::

    {
      "schema": "lcrs-results/1",
      "name": "WebP", "description": "...",
      "results": {"setting": [10, 50], "bpp": [0.24, 0.55], "psnr-rgb": [28.4, 32.1], ...},
      "meta": {"rate": "bytes", "codec": {...}, "versions": {...}, "machine": {...}, "command": "...", ...},
      "pictures": [{"name": "kodim01.png", "digest": "...", "width": 768, "height": 512, "counted": true}],
      "rows": [{"digest": "...", "setting": 10, "num_bytes": 9000, "bpp": 0.18, "psnr-rgb": 27.1, ...}, ...],
      "failures": [{"name": "broken.png", "error": "..."}, ...]
    }

`results` has the means over `pictures`, one number a setting, in the order of rates: arithmetic means of
what each row has, but `ms-ssim-rgb-db`, which is the decibels of the mean MS-SSIM. JSON has no infinity:
a measure in decibels (`psnr-...`, `...-db`) is null where nothing differs, in rows and, if that is so of one
picture, in the mean; other measures are null where there is no number.

`name`, `description` and `results` alone are what CompressAI writes and reads, and are all that has to be
there; so are bare `results`. `digest` is the SHA-256 of a picture's pixels
(`lcrs.evaluate.protocol.digest_of`); pictures that are not `counted` lack a row of some setting, and are in
no mean. `rate` is `bytes` of files, or `estimate`.

Results of point clouds have `bpip`, bits a point of the original, in place of `bpp`, and `num_points`
in place of `width` and `height` (`lcrs.evaluate.cloud_protocol`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lcrs.metrics import decibels

__all__ = ["RATES", "SCHEMA", "Results", "means", "read_results", "results_of", "to_json"]

SCHEMA = "lcrs-results/1"
RATES = ("bpp", "bpip", "bitrate")
"""What the rate of a curve is called: bits a pixel, bits a point of the original, or kilobits a second."""
_PER_SETTING = frozenset({"setting", "quality", "q", "qp"})
"""What of results is no measure, and may be words."""
_ROW_KEYS = frozenset({"digest", "setting"})
_NO_NUMBERS = frozenset({*_ROW_KEYS, "picture", "missing"})
"""What rows have besides numbers."""

Setting = float | str | None


@dataclass
class Results:
    """What one codec did."""

    name: str
    description: str = ""
    results: dict[str, list[Any]] = field(default_factory=dict)
    """Means over pictures, by measure: one a setting; None where there is none, and, where a file was read,
    of what is infinite."""
    meta: dict[str, Any] = field(default_factory=dict)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """That the means are over."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """One a picture and setting."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    source: str = ""
    """The file that it was read from."""

    @property
    def rate(self) -> str:
        """The name of its rate: one of `RATES`."""
        return next(name for name in RATES if name in self.results)

    @property
    def usual_measure(self) -> str:
        """What its curve is drawn and compared by unless told otherwise."""
        return "psnr-d1" if self.rate == "bpip" else "psnr-rgb"

    @property
    def digests(self) -> frozenset[str]:
        """Of the pictures that count; empty where nothing is known of them."""
        return frozenset(p["digest"] for p in self.pictures if p.get("counted", True))

    @property
    def settings(self) -> list[Setting]:
        """Of the rows, in their order."""
        return list(dict.fromkeys(row["setting"] for row in self.rows))


def read_results(path: str | Path) -> Results:
    """Reads a result file, ours or CompressAI's.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none, with what is wrong and where.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors put a mark in front
    except (ValueError, RecursionError) as error:  # also numbers of more digits than Python reads
        msg = f"{path}: is no JSON file: {str(error).partition(chr(10))[0]}"
        raise ValueError(msg) from error
    found = results_of(content, str(path), path.name.split(".")[0])
    found.source = str(path)
    return found


def results_of(content: Any, where: str, name: str = "") -> Results:
    """Checks what a result file holds.

    Args:
        content: As JSON has it.
        where: What errors call it.
        name: What a curve without a name is called.

    Raises:
        ValueError: something is not as it should be.
    """
    if not isinstance(content, dict):
        raise _wrong(where, "the file", f"is of type {type(content).__name__}, an object is needed")
    schema = content.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise _wrong(where, "schema", f"is {schema!r}, {SCHEMA!r} is read here")
    has_rates = any(rate in content for rate in RATES)
    table = content if "results" not in content and has_rates else content.get("results")
    if not isinstance(table, dict) or not any(rate in table for rate in RATES):
        raise _wrong(where, "results", f"has no {', '.join(RATES[:-1])} or {RATES[-1]}: it is no result file")
    columns = {key: _column(where, key, values) for key, values in table.items() if isinstance(values, list)}
    rate = next((rate for rate in RATES if rate in columns), None)
    if rate is None:
        raise _wrong(where, "results", "has a rate that is no list")
    length = len(columns[rate])
    for key, values in columns.items():
        if len(values) != length:
            raise _wrong(where, f"results.{key}", f"has {len(values)} values, {rate} has {length}")
    if table is content:
        content = {"results": table}
    for key, kind in (("name", str), ("description", str), ("meta", dict)):
        if not isinstance(content.get(key) or kind(), kind):
            raise _wrong(where, key, f"is of type {type(content[key]).__name__}, not {kind.__name__}")
    lists = {key: _objects(where, key, content.get(key, [])) for key in ("pictures", "rows", "failures")}
    for at, picture in enumerate(lists["pictures"]):
        if not isinstance(picture.get("digest"), str):
            raise _wrong(where, f"pictures[{at}]", "has no digest")
        picture["name"] = str(picture.get("name") or picture["digest"][:12])
    known = {picture["digest"] for picture in lists["pictures"]}
    for at, row in enumerate(lists["rows"]):
        _check_row(f"{where}: rows[{at}]", row, known, rate)
    return Results(
        name=content.get("name") or name,
        description=content.get("description") or "",
        results=columns,
        meta=content.get("meta") or {},
        pictures=lists["pictures"],
        rows=lists["rows"],
        failures=lists["failures"],
    )


def to_json(results: Results) -> str:
    """The text of a result file."""
    content = {"schema": SCHEMA} | {
        key: getattr(results, key)
        for key in ("name", "description", "results", "meta", "pictures", "rows", "failures")
    }
    return json.dumps(_finite(content), indent=1, allow_nan=False) + "\n"


def means(rows: Sequence[Mapping[str, Any]], digests: frozenset[str]) -> dict[str, list[Any]]:
    """What `results` has of rows: means over some pictures, a value a setting, in the order of rates.

    Settings that not all of these pictures have a row of are left out, and measures that not all rows have.
    """
    by_setting: dict[Setting, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["digest"] in digests:
            by_setting.setdefault(row["setting"], {})[row["digest"]] = row
    whole = {
        setting: list(found.values()) for setting, found in by_setting.items() if len(found) == len(digests)
    }
    if not whole:
        return {}
    some = next(iter(whole.values()))[0]
    all_rows = [row for found in whole.values() for row in found]
    keys = [key for key in some if key not in _NO_NUMBERS and all(key in row for row in all_rows)]
    points = []
    for setting, found in whole.items():
        point: dict[str, Any] = {"setting": setting} | {key: _mean(key, found) for key in keys}
        if (similarity := point.get("ms-ssim-rgb")) is not None and "ms-ssim-rgb-db" in point:
            point["ms-ssim-rgb-db"] = decibels(similarity)
        points.append(point)
    rate = next((name for name in RATES if name in points[0]), "setting")
    points.sort(key=lambda point: math.inf if point[rate] is None else point[rate])
    return {key: [point[key] for point in points] for key in points[0]}


def _mean(key: str, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The mean of what rows have; of decibels infinite if one is, which JSON has as null."""
    absent = math.inf if key.startswith("psnr") or key.endswith("-db") else math.nan
    total = math.fsum(absent if row[key] is None else row[key] for row in rows)
    return None if math.isnan(total) else total / len(rows)


def _column(where: str, key: str, values: list[Any]) -> list[Any]:
    if key in _PER_SETTING:
        return values
    return [_number(where, f"results.{key}[{at}]", value) for at, value in enumerate(values)]


def _number(where: str, place: str, value: Any) -> float | None:
    """A finite number, or None.

    Raises:
        ValueError: it is something else.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(where, place, f"is {_clipped(value)}, a number is needed")
    if abs(value) > _MOST:
        raise _wrong(where, place, f"is {_clipped(value)}, no number that a codec has")
    return value


_MOST = 1e100
"""No rate, time or measure is larger; sums and squares of smaller numbers stay finite."""


def _clipped(value: Any) -> str:
    """Something as Python writes it, its beginning."""
    if isinstance(value, int) and abs(value) > _MOST:
        return f"of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_row(place: str, row: dict[str, Any], digests: set[str], rate: str) -> None:
    """Checks a row, and takes out of it what is not finite.

    Raises:
        ValueError: it is of no picture or setting, or has something else where numbers are.
    """
    if not row.keys() >= _ROW_KEYS or not isinstance(row["digest"], str) or row["digest"] not in digests:
        raise ValueError(f"{place} has no setting, or the digest of no picture")
    if isinstance(row["setting"], bool) or not isinstance(row["setting"], int | float | str | None):
        raise ValueError(f"{place}.setting is {_clipped(row['setting'])}, a number or a name is needed")
    if rate not in row:
        raise ValueError(f"{place} has no {rate}")
    for key in row.keys() - _NO_NUMBERS:
        row[key] = _number(place, key, row[key])
    if not isinstance(row.get("missing", {}), dict):
        raise ValueError(f"{place}.missing is {_clipped(row['missing'])}, an object is needed")


def _objects(where: str, key: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong(where, key, "is no list of objects")
    return value


def _finite(value: Any) -> Any:
    """The same, with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _wrong(where: str, place: str, what: str) -> ValueError:
    return ValueError(f"{where}: {place} {what}")
