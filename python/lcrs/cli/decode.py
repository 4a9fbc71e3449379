"""`lcrs decode`: pictures from .lcrs files."""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli import batch, clouds
from lcrs.cli.arguments import add_limits, add_model, add_runtime, check_runtime, limits, whole_number
from lcrs.cli.endings import CLOUD_FORMATS, CLOUDS
from lcrs.cli.jobs import Job, Kind, add_files, plan
from lcrs.cli.messages import LossWarning, UsageError, naming
from lcrs.cli.own_model import add_import, any_model_of, check_import, model_of
from lcrs.cli.streams import title
from lcrs.cli.targets import check_output, deliver, is_whole
from lcrs.cli.writing import FORMATS, encode_picture, format_of

if TYPE_CHECKING:
    from lcrs.codec import Picture

NAME = "decode"
SUMMARY = "Restore pictures and point clouds from .lcrs files"

_ENDING = ".lcrs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs decode`."""
    add_files(
        parser,
        "an .lcrs file, a pattern, or with -r a folder",
        "the picture or points to write, - for standard output; for several IN, or ending in /, a folder "
        "(default: beside IN, a .png or .ply)",
    )
    parser.add_argument(
        "--format",
        type=str.lower,
        choices=(*FORMATS, *CLOUD_FORMATS),
        help="of the pictures or clouds, where OUT does not say it; WebP is lossless; default png, ply",
    )
    parser.add_argument(
        "--max-side",
        metavar="N",
        type=whole_number(1, 65_535),
        help="shrink the picture until no side is longer: a thumbnail",
    )
    add_limits(parser)
    model = parser.add_argument_group("model")
    add_model(model, "default: the one that the file names")
    add_import(model)
    add_runtime(model, "pixels are")


def run(arguments: argparse.Namespace) -> int:
    """Finds the files, and decodes each."""
    check_runtime(arguments.runtime, arguments.device)
    check_import(arguments)
    ending = f".{arguments.format or 'png'}"

    def rename(name: str) -> str:
        stem = name[: -len(_ENDING)] if name.lower().endswith(_ENDING) else name
        return stem if stem.lower().endswith(ending) and stem != name else f"{stem}{ending}"

    todo = plan(arguments, Kind(frozenset({_ENDING}), rename, "the .lcrs files"))
    for job in todo.jobs:
        if not _is_for_clouds(job.target, arguments.format):
            _check_format(job, arguments.format)
    if any(not _is_for_clouds(job.target, arguments.format) for job in todo.jobs):
        any_model_of(arguments)  # what is wrong with it is said once
    return batch.run(todo, NAME, arguments)


def work(job: Job, arguments: argparse.Namespace) -> batch.Done:
    """Reads, decompresses, writes."""
    from lcrs import codec, coding
    from lcrs.cli.reading import read_stream

    is_for_clouds = _is_for_clouds(job.target, arguments.format)
    if not arguments.skip_existing and not job.is_named_here:
        check_output(job.source, job.target, force=arguments.force)
    data = read_stream(job.source, limits(arguments))
    with naming(title(job.source)):
        is_cloud = "num_points" in coding.info(data, **limits(arguments))
    if is_cloud:
        return clouds.decode(job, data, arguments)
    if is_for_clouds:
        raise UsageError(
            f"{title(job.source)} holds a picture, which no {job.target.suffix or arguments.format} file is"
        )
    extension = format_of(job.target, arguments.format)
    if not arguments.skip_existing and job.is_named_here:
        check_output(job.source, job.target, force=arguments.force, makes_folders=True)
    with naming(title(job.source)):
        fields = codec.info(data, model_of(arguments), **limits(arguments))
        size = _scaled(fields["width"], fields["height"], arguments.max_side)
    if arguments.skip_existing:
        check = partial(_check_picture, size=size, max_pixels=arguments.max_pixels)
        if is_whole(job.target, check, force=arguments.force):
            return batch.Done(is_skipped=True, words=f"{job.target}: is there already")
        check_output(job.source, job.target, force=arguments.force, makes_folders=job.is_named_here)
    with naming(title(job.source)):
        options = {"runtime": arguments.runtime, "device": arguments.device, **limits(arguments)}
        picture = codec.decompress_picture(data, model_of(arguments), **options)
    with naming(job.target_text):
        written, lost = encode_picture(_shrunk(picture, size), extension)
    if lost:
        them = "it" if len(lost) == 1 else "them"
        words = f"not kept: {', '.join(lost)}: lcrs cannot write {them} to {extension} files"
        warnings.warn(f"{job.target_text}: {words}", LossWarning, stacklevel=2)
    deliver(job.target, written, force=arguments.force, makes_folders=job.is_named_here)
    return batch.Done(len(data), len(written))


def _check_format(job: Job, format: str | None) -> None:
    """Raises `UsageError` if the ending of a target says no format: of pictures, or of clouds for a cloud."""
    try:
        format_of(job.target, format)
    except UsageError as error:
        if format is not None or clouds.coded_cloud(job.source) is None:
            raise
        from lcrs.clouds import format_of as cloud_format_of

        try:
            cloud_format_of(job.target)
        except ValueError as said:
            raise UsageError(str(said)) from error


def _is_for_clouds(target: Path, format: str | None) -> bool:
    """Whether only a point cloud can be what is written."""
    return format in CLOUD_FORMATS or (format is None and target.suffix.lower() in CLOUDS)


def _scaled(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height with no side above `max_side`, in the same proportion."""
    longest = max(width, height)
    if max_side is None or longest <= max_side:
        return width, height

    def scale(side: int) -> int:
        return max(1, (2 * side * max_side + longest) // (2 * longest))

    return scale(width), scale(height)


def _shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture of another width and height; each pixel is a Lanczos mean of those that it stands for."""
    if size == picture.size[::-1]:
        return picture
    from lcrs.pictures.scaling import resized

    return resized(picture, size)


def _check_picture(path: Path, size: tuple[int, int], max_pixels: int | None) -> None:
    """Raises `OSError` or `ValueError` if `path` is no whole picture of a width and height."""
    from lcrs.cli.reading import open_picture

    with open_picture(path, max_pixels) as image:
        if image.size != size:
            width, height = size
            msg = f"it is {image.width} x {image.height}, not {width} x {height}"
            raise ValueError(msg)
        try:
            image.verify()
        except Exception as error:  # Pillow's readers raise all sorts of things on damaged files
            msg = f"it is damaged: {error}"
            raise ValueError(msg) from error
