"""What `lcrs eval` and `lcrs bench` measure: pictures, or point clouds, and how each is done."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.arguments import metrics_in
from lcrs.cli.endings import CLOUDS, PICTURES
from lcrs.cli.jobs import Kind
from lcrs.cli.messages import UsageError, naming
from lcrs.cli.streams import location

if TYPE_CHECKING:
    from lcrs.evaluate.results import Setting

__all__ = ["SUBJECTS", "Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """One kind of thing that is measured.

    Attributes:
        noun: one of them.
        nouns: all of them, as messages say.
        rate: what their rate is called.
        protocol: how they are measured, in words.
        kind: which files of folders they are.
        choices: arguments that say what is taken from a file.
        limit: the argument that says how large one may be.
        measures: arguments that say how what comes back is measured.
        metrics: names of measures that `--metrics` asks for.
        read: a file, as `lcrs.evaluate.protocol.Given` or `GivenCloud`.
        measure: a row, what came back, and the file, of a codec, what is given, a setting and the arguments,
            which have `names` of measures.
        warm_up: has a codec load what it needs.
        picture: the bytes of a file of what came back, and its ending.
    """

    noun: str
    nouns: str
    rate: str
    protocol: str
    kind: Kind
    choices: tuple[str, ...]
    limit: str
    measures: tuple[str, ...]
    metrics: Callable[[argparse.Namespace], list[str]]
    read: Callable[..., Any]
    measure: Callable[[Any, Any, Setting, argparse.Namespace], tuple[dict[str, Any], Any, bytes]]
    warm_up: Callable[[Any, Any, Setting], None]
    picture: Callable[[Any], tuple[bytes, str]]

    def given(self, path: Path, arguments: argparse.Namespace) -> Any:
        """What is in a file; errors have its name."""
        names = (*self.choices, self.limit)
        return _given(self.noun, path, tuple((name, getattr(arguments, name)) for name in names))


@lru_cache(maxsize=1)
def _given(noun: str, path: Path, choices: tuple[tuple[str, Any], ...]) -> Any:
    with naming(path):
        return SUBJECTS[noun].read(path, **dict(choices))


def subject_of(inputs: list[str]) -> str:
    """The noun of what the inputs hold, by their endings; of folders, clouds only where no picture is.

    Raises:
        UsageError: there are both.
    """
    kinds: dict[bool, str] = {}
    for text in inputs:
        path = location(text)
        if path.is_dir():
            endings = {below.suffix.lower() for below in path.rglob("*")}
            # .pcd is an ending of pictures, too, which few have seen.
            is_cloud = bool(endings & _IN_FOLDERS) and not endings & (PICTURES - CLOUDS)
        else:
            is_cloud = path.suffix.lower() in CLOUDS
        kinds.setdefault(is_cloud, text)
    if len(kinds) == 2:
        raise UsageError(f"{kinds[True]} is of point clouds, {kinds[False]} is not: one kind at a time")
    return "cloud" if True in kinds else "picture"


def _picture_metrics(arguments: argparse.Namespace) -> list[str]:
    from lcrs import metrics

    return metrics_in(arguments, metrics.NAMES, metrics.DEFAULT_NAMES)


def _cloud_metrics(arguments: argparse.Namespace) -> list[str]:
    from lcrs.metrics.clouds import CLOUD_NAMES

    return metrics_in(arguments, CLOUD_NAMES, CLOUD_NAMES)


def _read_picture(path: Path, **choices: Any) -> Any:
    from PIL import Image

    from lcrs.evaluate.protocol import read_picture

    Image.MAX_IMAGE_PIXELS = None  # ours is checked by the header, too
    return read_picture(path, **choices)


def _measure_picture(codec: Any, given: Any, setting: Setting, arguments: argparse.Namespace) -> Any:
    from lcrs.evaluate.protocol import measured

    return measured(codec, given, setting, arguments.names)


def _warm_up_picture(codec: Any, given: Any, setting: Setting) -> None:
    from lcrs.evaluate.protocol import warm_up

    warm_up(codec, given, setting)


def _png(restored: Any) -> tuple[bytes, str]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(restored).save(buffer, "PNG")
    return buffer.getvalue(), ".png"


def _read_cloud(path: Path, **choices: Any) -> Any:
    from lcrs.evaluate.cloud_protocol import read_given_cloud

    return read_given_cloud(path, max_points=choices["max_points"])


def _measure_cloud(codec: Any, given: Any, setting: Setting, arguments: argparse.Namespace) -> Any:
    from lcrs.evaluate.cloud_protocol import measured_cloud

    return measured_cloud(codec, given, setting, arguments.names, peak=arguments.peak)


def _warm_up_cloud(codec: Any, given: Any, setting: Setting) -> None:
    from lcrs.clouds import Cloud

    some = Cloud(given.cloud.positions[:_FEW])
    codec.decode_cloud(codec.encode_cloud(some, setting), setting)


def _ply(restored: Any) -> tuple[bytes, str]:
    from lcrs.clouds import cloud_file

    return cloud_file(restored, "ply")[0], ".ply"


_FEW = 1000
"""Points that a codec is warmed up with."""


_IN_FOLDERS = CLOUDS - {".csv", ".txt", ".npy"}
"""Files of other things have these endings, too; named themselves they count."""

SUBJECTS = {
    "picture": Subject(
        "picture",
        "pictures",
        "bpp",
        "8-bit RGB pictures; means over pictures; times of pixels to bytes and back, warmed up",
        Kind(PICTURES, str, "the pictures"),
        ("background", "to_srgb", "frame"),
        "max_pixels",
        (),
        _picture_metrics,
        _read_picture,
        _measure_picture,
        _warm_up_picture,
        _png,
    ),
    "cloud": Subject(
        "cloud",
        "point clouds",
        "bpip",
        "positions of points; means over clouds; times of points to bytes and back, warmed up",
        Kind(frozenset(_IN_FOLDERS), str, "the point clouds"),
        (),
        "max_points",
        ("peak",),
        _cloud_metrics,
        _read_cloud,
        _measure_cloud,
        _warm_up_cloud,
        _ply,
    ),
}
"""By noun."""
