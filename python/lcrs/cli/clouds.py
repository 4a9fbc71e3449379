"""Point clouds on the command line: which files are such, and what `encode` and `decode` do with them."""

from __future__ import annotations

import argparse
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from lcrs.cli import batch
from lcrs.cli.arguments import positive_number, refuse_options, whole_number
from lcrs.cli.endings import CLOUDS
from lcrs.cli.messages import LossWarning, UsageError, naming
from lcrs.cli.streams import STANDARD, standard_input, title
from lcrs.cli.targets import check_output, check_stream, deliver, is_whole

if TYPE_CHECKING:
    from lcrs.cli.jobs import Job

__all__ = ["ONLY_CLOUDS", "ONLY_PICTURES", "add_cloud", "coded_cloud", "decode", "encode", "is_cloud"]

ONLY_CLOUDS = ("voxel", "bits", "keep_duplicates", "drop")
"""Options of `encode` that pictures have no use for."""
ONLY_PICTURES = (
    "quality", "scale", "target_bpp", "target_size", "target_psnr", "background", "to_8bit", "to_srgb",
    "frame", "keep_exif", "keep_metadata", "max_side", "import_", "allow_not_portable", "runtime", "device",
)  # fmt: skip
"""Options of `encode`, `decode` and `metrics` that point clouds have no use for. --max-pixels is none of
them: a limit of what there is none of is kept.
"""

_BEGINNINGS = (b"ply\n", b"ply\r", b"# .PCD", b"VERSION ", b"\x93NUMPY", b"LASF", b"OFF")
"""Those of `lcrs.clouds`, which is not imported to parse a command line."""
_FIRST_BYTES = 16
_CODED = b"\x8cLCS"


def add_cloud(group: argparse._ArgumentGroup) -> None:
    """What becomes of the points of a cloud."""
    fineness = group.add_mutually_exclusive_group()
    fineness.add_argument(
        "--voxel",
        metavar="SIZE",
        type=positive_number,
        help="round positions to voxels of this size; without it they are kept as they are",
    )
    fineness.add_argument(
        "--bits",
        metavar="N",
        type=whole_number(1, 32),
        help="round positions to so many bits along the longest side",
    )
    group.add_argument(
        "--keep-duplicates", action="store_true", help="keep points that are where another one is"
    )
    group.add_argument(
        "--drop",
        metavar="NAME",
        action="append",
        default=[],
        help="leave an attribute out, such as red or nx; all for all of them",
    )


def is_cloud(path: Path) -> bool:
    """Whether a file, `-` being standard input, holds points: its first bytes say, or else its ending."""
    if path == STANDARD:
        source = standard_input()
        first = source.peek(_FIRST_BYTES) if hasattr(source, "peek") else b""
        return bytes(first).startswith(_BEGINNINGS)
    ending = path.suffix.lower()
    try:
        # What a pipe gives is gone when it was looked at.
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            first = file.read(_FIRST_BYTES)
    except OSError:
        first = b""  # whoever reads it says what is wrong
    return first.startswith(_BEGINNINGS) or ending in CLOUDS - {".pcd"}


def coded_cloud(path: Path) -> bytes | None:
    """The bytes of an .lcrs file of points; None if the file is something else, or none that can be read."""
    if path == STANDARD or not path.is_file():
        return None
    from lcrs import coding
    from lcrs.errors import LcrsError

    try:
        with path.open("rb") as file:
            first = file.read(len(_CODED))
            data = first + file.read() if first == _CODED else b""
        return data if data and "num_points" in coding.info(data) else None
    except (OSError, LcrsError):
        return None  # whoever decodes it says what is wrong


def encode(job: Job, arguments: argparse.Namespace) -> batch.Done:
    """Reads points, compresses, writes."""

    def check(path: Path) -> None:
        check_stream(path, {"max_pixels": None, "max_bytes": arguments.max_bytes})

    if arguments.skip_existing and is_whole(job.target, check, force=arguments.force):
        return batch.Done(is_skipped=True, words=f"{job.target}: is there already")
    check_output(job.source, job.target, force=arguments.force, makes_folders=job.is_named_here)
    refuse_options(arguments, ONLY_PICTURES, "pictures")
    if arguments.lossless is False:
        raise UsageError("--no-lossless is for pictures, not for point clouds: --voxel or --bits rounds them")

    from lcrs import clouds, points

    model = points.DEFAULT_MODEL if arguments.model is None else arguments.model
    with naming(title(job.source)), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        cloud = clouds.read(standard_input() if job.source == STANDARD else job.source)
        drop = list(cloud.properties) if "all" in arguments.drop else arguments.drop
        options = {"voxel": arguments.voxel, "bits": arguments.bits, "max_bytes": arguments.max_bytes}
        data = points.compress(
            cloud, model=model, drop=drop, keep_duplicates=arguments.keep_duplicates, **options
        )
    for warning in told:
        merged = f"{title(job.source)}: {warning.message} (--keep-duplicates keeps them)"
        warnings.warn(merged, LossWarning, stacklevel=2)
    lost = [*cloud.losses, *(["comments"] if cloud.comments else [])]
    if cloud.grid is not None:
        lost.append("scale and offset of the LAS file (positions do not need them)")
    if lost:
        warnings.warn(f"{title(job.source)}: not kept: {'; '.join(lost)}", LossWarning, stacklevel=2)
    deliver(job.target, data, force=arguments.force, makes_folders=job.is_named_here)
    fields = points.info(data)
    bits = "" if fields["bits_per_point"] is None else f", {fields['bits_per_point']:.3f} bits a point"
    words = f"{job.target_text}: {len(data)} bytes, {fields['num_points']} points{bits}"
    return batch.Done(job.num_bytes, len(data), words=words)


def decode(job: Job, data: bytes | bytearray | memoryview, arguments: argparse.Namespace) -> batch.Done:
    """Decompresses points and writes them, as PLY where nothing says otherwise."""
    from lcrs import clouds, points

    target = job.target
    if job.is_named_here and arguments.format is None:
        # The plan named it before anybody knew that it holds points: a.png, or a.ply.png of a.ply.lcrs.
        target = target.with_name(
            target.stem if target.stem.lower().endswith(".ply") else f"{target.stem}.ply"
        )
    kind = arguments.format or ("ply" if target == STANDARD else clouds.format_of(target))
    text = job.target_text if target == job.target else str(target)
    refuse_options(arguments, ONLY_PICTURES, "pictures")
    if arguments.skip_existing and is_whole(target, _check_cloud, force=arguments.force):
        return batch.Done(is_skipped=True, words=f"{target}: is there already")
    check_output(job.source, target, force=arguments.force, makes_folders=job.is_named_here)
    with naming(title(job.source)):
        cloud = points.decompress(data, arguments.model, max_bytes=arguments.max_bytes)
    with naming(text):
        written, lost = clouds.cloud_file(cloud, kind)
    if lost:
        warnings.warn(
            f"{text}: not kept: {', '.join(lost)}: {kind} has no place for it", LossWarning, stacklevel=2
        )
    deliver(target, written, force=arguments.force, makes_folders=job.is_named_here)
    return batch.Done(len(data), len(written), target=target)


def _check_cloud(path: Path) -> None:
    from lcrs import clouds

    clouds.read(path)
