"""What `lcrs eval` and `lcrs bench` share: pictures through a codec, in processes, row by row."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli import streams
from lcrs.cli.arguments import (
    add_frame,
    add_jobs,
    color,
    positive_number,
    refuse_options,
    whole_number,
)
from lcrs.cli.batch import Done
from lcrs.cli.cloud_metrics import has_unit
from lcrs.cli.jobs import Job, Plan, find_sources
from lcrs.cli.messages import UsageError, printable
from lcrs.cli.progress import Tally, shown
from lcrs.cli.subjects import SUBJECTS

if TYPE_CHECKING:
    from lcrs.evaluate.ladder import Ladder
    from lcrs.evaluate.protocol import Codec
    from lcrs.evaluate.results import Results, Setting
    from lcrs.evaluate.rows import Rows

__all__ = ["Point", "Row", "add_shared", "evaluate", "settings_of", "text_of", "work_on"]


@dataclass(frozen=True)
class Point(Job):
    """One picture at one setting."""

    setting: Setting = None
    name: str = ""
    """Of the picture, as result files have it."""


@dataclass(frozen=True)
class Row(Done):
    """What became of a point."""

    picture: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)


def add_shared(parser: argparse.ArgumentParser, settings: str) -> None:
    """The arguments of both verbs, but for the codec."""
    parser.add_argument(
        "inputs", metavar="IN", nargs="+", help="a picture or point cloud, a folder of them, or a pattern"
    )
    parser.add_argument("-q", "--settings", metavar="LIST", help=settings)
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=streams.location,
        help="write results; rows that are there already are kept, so that an ended run goes on; "
        "- for standard output",
    )
    parser.add_argument("--force", action="store_true", help="begin anew if FILE is of something else")
    parser.add_argument("--name", metavar="NAME", help="what the curve is called")
    parser.add_argument(
        "--metrics", metavar="LIST", help="what is measured (default: all but those of networks)"
    )
    add_jobs(parser, ", for times that others can compare")
    parser.add_argument(
        "--save",
        metavar="FOLDER",
        type=streams.location,
        help="keep files and restored pictures (PNG) in it; they are what lcrs report shows",
    )
    parser.add_argument("--quiet", action="store_true", help="say only what goes wrong")
    group = parser.add_argument_group("what is taken from pictures, which are rounded to 8 bits")
    group.add_argument(
        "--background", metavar="COLOR", type=color, help="flatten transparency on this colour"
    )
    group.add_argument("--to-srgb", action="store_true", help="convert colours to sRGB by their profiles")
    add_frame(group)
    group.add_argument(
        "--max-pixels", metavar="N", type=whole_number(1), help="refuse larger pictures (default: 2^28)"
    )
    clouds = parser.add_argument_group("point clouds, of which positions are measured")
    clouds.add_argument(
        "--peak",
        metavar="P",
        type=positive_number,
        help="what PSNR is relative to, such as 1023 on a grid of 10 bits (default: as of lcrs metrics)",
    )
    clouds.add_argument(
        "--max-points", metavar="N", type=whole_number(1), help="refuse larger clouds (default: 2^28)"
    )


def settings_of(arguments: argparse.Namespace, codec: Codec) -> list[Setting]:
    """What `-q` asks for, or the codec's ladder.

    Raises:
        UsageError: it is no list of settings of the codec.
    """
    from lcrs.evaluate.ladder import is_legal, legal

    if arguments.settings is None:
        return list(codec.settings)
    names = [setting for setting in codec.settings if isinstance(setting, str)]
    found: list[Setting] = []
    for text in arguments.settings.split(","):
        if not (word := text.strip()):
            continue
        if word in names:
            found.append(word)
            continue
        try:
            number = float(word)
        except ValueError:
            number = float("nan")
        has_numbers = codec.settings != (None,) and (not names or getattr(codec, "takes_numbers", False))
        if number != number or not has_numbers:
            allowed = f"one of {', '.join(names)}" if names else "a number"
            allowed += " or a number" if names and has_numbers else ""
            msg = f"-q {arguments.settings}: '{word}' is no setting of {codec.name}, {allowed} is needed"
            raise UsageError(msg)
        if (bounds := _bounds(codec)) is not None and not is_legal(bounds, number):
            msg = f"-q {arguments.settings}: {word} is no setting of {codec.name}, it must be {legal(bounds)}"
            raise UsageError(msg)
        found.append(int(number) if number.is_integer() else number)
    if not found:
        msg = f"-q '{arguments.settings}' names no setting"
        raise UsageError(msg)
    found = list(dict.fromkeys(found))
    if len(found) > 1 and "{setting}" not in getattr(codec, "command", "{setting}"):
        msg = f"-q {arguments.settings}: --command has no {{setting}}, so that {len(found)} would be the same"
        raise UsageError(msg)
    return found


def _bounds(codec: Any) -> Ladder | None:
    """Where the settings of a codec are known to end; programs know that by themselves."""
    is_known = hasattr(codec, "least") and not hasattr(codec, "command")
    return codec if is_known else None


def evaluate(
    verb: str, codec: Codec, arguments: argparse.Namespace, *, description: str, meta: dict[str, Any]
) -> int:
    """Measures, writes and prints; returns the exit code."""
    from lcrs.evaluate.machine import machine
    from lcrs.evaluate.rows import Rows

    found = Plan()
    subject = SUBJECTS[arguments.subject]
    for other in SUBJECTS.values():
        if other is not subject:
            refuse_options(arguments, (*other.choices, *other.measures, other.limit), other.nouns)
    sources = list(dict.fromkeys(find_sources(arguments.inputs, subject.kind, recursive=True, found=found)))
    sources = _without_kept(sources, arguments)
    if any(path == streams.STANDARD for path, _ in sources):
        raise UsageError(f"- is standard input: {subject.noun}s are measured in files")
    if not sources and not found.failures:
        raise UsageError(f"there is no {subject.noun} in {', '.join(arguments.inputs)}")
    settings, names = settings_of(arguments, codec), subject.metrics(arguments)
    arguments.names = names
    is_printed = arguments.json == streams.STANDARD
    path = None if is_printed else arguments.json
    if path is not None and not path.absolute().parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(path.parent))
    choices = {key: getattr(arguments, key) for key in (*subject.choices, *subject.measures)}
    identity = {
        "codec": codec.identity(),
        "metrics": names,
        f"{subject.noun}s": choices,
        "machine": machine(),
    }
    rows = Rows(identity, path, rate=subject.rate, force=arguments.force)
    failures = [{"name": text.partition(":")[0], "error": text} for text in found.failures]
    points = _points(sources, settings, rows, arguments)
    for failure in found.failures:
        streams.say_line(f"lcrs {verb}: error: {failure}")
    failures += _measure(verb, points, rows, arguments)
    fields = {
        "name": arguments.name or codec.name,
        "description": description,
        "meta": meta | _meta(arguments, codec, choices, names),
    }
    result = rows.finish(fields, failures, settings)
    _say_what_is_odd(verb, result, sources, arguments)
    if is_printed:
        from lcrs.evaluate.results import to_json

        streams.write_text(to_json(result))
    else:
        streams.write_text(_table(result))
    return 1 if failures or not sources else 0


def _without_kept(sources: list[tuple[Path, Path]], arguments: argparse.Namespace) -> list[tuple[Path, Path]]:
    """The sources but for what a run that was ended kept, where `--save` is a folder inside of theirs."""
    if arguments.save is None:
        return sources
    kept = arguments.save.resolve()
    if any(streams.location(text).resolve().is_relative_to(kept) for text in arguments.inputs):
        return sources
    return [(path, below) for path, below in sources if not path.resolve().is_relative_to(kept)]


def _points(
    sources: list[tuple[Path, Path]], settings: list[Setting], rows: Rows, arguments: argparse.Namespace
) -> list[Point]:
    """What is to be measured; where there are rows, what they lack.

    Raises:
        FileExistsError: there are rows of what is not asked for.
    """
    digests: dict[Path, str] = {}
    if not rows.is_empty:
        for path, _ in sources:
            with contextlib.suppress(OSError, ValueError):  # told when it is its turn
                digests[path] = SUBJECTS[arguments.subject].given(path, arguments).digest
        asked = {(digest, setting) for digest in digests.values() for setting in settings}
        if others := rows.others(asked):
            if not arguments.force:
                msg = (
                    f"{rows.path} has {len(others)} rows of {arguments.subject}s or settings that are not "
                    "asked for; ask for them, too, or --force drops them"
                )
                raise FileExistsError(msg)
            rows.drop(others)
    return [
        Point(path, streams.STANDARD, setting=setting, name=below.as_posix())
        for path, below in sources
        for setting in settings
        if path not in digests or not rows.has(digests[path], setting)
    ]


def _measure(
    verb: str, points: list[Point], rows: Rows, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Does points in processes of their own, so that a codec that ends one ends nothing else."""
    from lcrs.cli.workers import outcomes

    if not points:
        return []
    failures: list[dict[str, Any]] = []
    told: set[str] = set()
    tally = Tally(total=len(points), num_bytes=sum(point.num_bytes for point in points))
    num_processes = min(arguments.jobs or os.cpu_count() or 1, len(points))
    processes = contextlib.closing(outcomes(list(points), verb, arguments, num_processes))
    with (
        shown(tally, is_wanted=not arguments.quiet) as progress,
        contextlib.closing(rows),
        processes as ended,
    ):
        for outcome in ended:
            assert isinstance(outcome.job, Point)
            if isinstance(outcome.done, Row):
                rows.add(outcome.done.picture, outcome.done.row)
            else:
                failures.append(
                    {"name": outcome.job.name, "setting": outcome.job.setting, "error": outcome.error}
                )
                if outcome.error not in told:
                    progress.say(f"lcrs {verb}: error: {outcome.error}")
                told.add(outcome.error)
            for warning in outcome.warnings:
                if warning not in told:
                    progress.say(f"lcrs {verb}: warning: {warning}")
                told.add(warning)
            tally.add(outcome.job.num_bytes, outcome.done)
            progress.update()
    return failures


_warm: set[Any] = set()
"""Codecs that this process has warmed up, and the settings that are models of their own."""


_made: dict[str, Codec] = {}


def work_on(codec_of: Callable[[argparse.Namespace], Codec], job: Job, arguments: argparse.Namespace) -> Row:
    """Measures one point, with the codec of the arguments, which is made once a process.

    Raises:
        Exception: whatever goes wrong, with the picture's name.
    """
    assert isinstance(job, Point)
    made = repr(sorted(vars(arguments).items(), key=str))
    if made not in _made:
        _made[made] = codec_of(arguments)
    codec = _made[made]
    subject = SUBJECTS[arguments.subject]
    given = subject.given(job.source, arguments).named(job.name)
    key = (id(codec), job.setting if isinstance(job.setting, str) else None)
    if key not in _warm and getattr(codec, "is_warmed_up", True):
        _warm.add(key)
        with contextlib.suppress(Exception):  # a part may be too small; the whole tells
            subject.warm_up(codec, given, job.setting)
    row, restored, data = subject.measure(codec, given, job.setting, arguments)
    if arguments.save is not None:
        _keep(arguments.save, codec, job, subject.picture(restored), data)
    return Row(num_read=job.num_bytes, num_written=len(data), picture=given.fields(), row=row)


def _keep(folder: Path, codec: Any, job: Point, restored: tuple[bytes, str], data: bytes) -> None:
    """Writes what is to be looked at: `NAME-SETTING.png` (of clouds `.ply`), and the file beside it."""
    from lcrs.coding.files import write_atomically

    setting = "" if job.setting is None else f"-{job.setting}"
    target = folder / f"{job.name}{setting}{restored[1]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, restored[0], overwrite=True)
    if data:
        suffix = getattr(codec, "suffix", ".lcrs")
        write_atomically(target.with_suffix(suffix), data, overwrite=True)


def _meta(
    arguments: argparse.Namespace, codec: Codec, choices: dict[str, Any], names: list[str]
) -> dict[str, Any]:
    from lcrs.coding import num_threads
    from lcrs.evaluate.machine import machine, versions
    from lcrs.evaluate.protocol import Estimator

    jobs = max(arguments.jobs, 1)
    meta: dict[str, Any] = {
        "rate": "estimate" if isinstance(codec, Estimator) else "bytes",
        "protocol": SUBJECTS[arguments.subject].protocol,
        "metrics": names,
        f"{arguments.subject}s": choices,
        "codec": codec.identity(),
        "versions": versions("pillow", "imagecodecs", "av", "torch", "DracoPy"),
        "machine": machine(),
        "jobs": jobs,
        "threads": max(num_threads() // jobs, 1),
        "command": shlex.join(["lcrs", *arguments.command_line]),
    }
    if arguments.save is not None:
        meta["saved"] = str(arguments.save)
    return meta


def _say_what_is_odd(
    verb: str, result: Results, sources: list[tuple[Path, Path]], arguments: argparse.Namespace
) -> None:
    if arguments.quiet:
        return
    counted = sum(picture["counted"] for picture in result.pictures)
    left_out = [picture["name"] for picture in result.pictures if not picture["counted"]]
    failed = {failure["name"] for failure in result.failures}
    twice = len(sources) - len(result.pictures) - len(failed - set(left_out))
    if twice > 0:
        what = f"file holds a {arguments.subject}" if twice == 1 else f"files hold {arguments.subject}s"
        has = "is" if twice == 1 else "are"
        streams.say_line(f"lcrs {verb}: {twice} {what} that {has} there already: counted once")
    if left_out:
        streams.say_line(f"lcrs {verb}: not at every setting, so in no mean: {_listed(left_out)}")
    missing: dict[str, str] = {}
    for row in result.rows:
        missing |= row.get("missing", {})
    for name, why in missing.items():
        streams.say_line(f"lcrs {verb}: {name} is not measured everywhere: {why}")
    for perfect, keys in _without_loss(result).items():
        streams.say_line(
            f"lcrs {verb}: {', '.join(keys)} infinite at some setting, and means with them (null in JSON): "
            f"nothing differs there in {_listed(list(perfect))}"
        )
    noun = arguments.subject if counted == 1 else f"{arguments.subject}s"
    streams.say_line(f"lcrs {verb}: means over {counted} {noun}, {len(failed)} failed")


def _without_loss(result: Results) -> dict[tuple[str, ...], list[str]]:
    """Pictures that came back as they were, in all or in a plane, and the PSNRs that are infinite for it."""
    names = {picture["digest"]: picture["name"] for picture in result.pictures if picture["counted"]}
    found: dict[str, dict[str, None]] = {}
    for row in result.rows:
        for key, value in row.items():
            is_infinite = value is None or (isinstance(value, float) and math.isinf(value))
            if is_infinite and key.startswith("psnr") and row["digest"] in names:
                found.setdefault(key, {})[names[row["digest"]]] = None
    keys: dict[tuple[str, ...], list[str]] = {}
    for key, pictures in found.items():
        keys.setdefault(tuple(pictures), []).append(key)
    return keys


def _listed(names: list[str], most: int = 8) -> str:
    """Names in a line, so many that a person reads them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _table(result: Results) -> str:
    """The means for people."""
    columns = [
        (key, values)
        for key, values in result.results.items()
        if not key.endswith("_bytes") and any(value is not None for value in values)
    ]
    if not columns:
        return "nothing could be measured at every setting\n"
    lines = [[key for key, _ in columns]]
    for at in range(len(columns[0][1])):
        lines.append([_cell(key, values[at]) for key, values in columns])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head = f"{result.name}: {result.description}"
    rows = ("  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) for line in lines)
    return printable(head) + "\n" + "".join(f"{row}\n" for row in rows)


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value)
    plain = ".4f" if "ssim" in key or key.startswith(("bpp", "bpip")) else ".3f"
    digits = {"setting": "g", "num_bytes": ".0f"}.get(key, ".6g" if has_unit(key) else plain)
    return f"{value:{digits}}"


def text_of(identity: dict[str, Any]) -> str:
    """An identity in one line."""
    return json.dumps(identity, sort_keys=True)
