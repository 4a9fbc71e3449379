"""`lcrs encode`: pictures to .lcrs files."""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli import batch, clouds
from lcrs.cli.arguments import (
    add_frame,
    add_limits,
    add_model,
    add_runtime,
    check_runtime,
    color,
    limits,
    positive_number,
    quality,
    refuse_options,
    whole_number,
)
from lcrs.cli.endings import CLOUDS, PICTURES
from lcrs.cli.jobs import Job, Kind, add_files, plan
from lcrs.cli.messages import LossWarning, UsageError, naming
from lcrs.cli.own_model import add_import, check_import, model_of
from lcrs.cli.streams import title
from lcrs.cli.targets import check_output, check_stream, deliver, is_whole

if TYPE_CHECKING:
    from torch import nn

    from lcrs.coding import Package
    from lcrs.pictures import Picture

NAME = "encode"
SUMMARY = "Compress pictures and point clouds to .lcrs files"

# Endings of point clouds that many other files have: not taken out of a folder.
_MANIFOLD = frozenset({".bin", ".csv", ".npy", ".obj", ".txt"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs encode`, in groups: each group has its own reader below."""
    add_files(
        parser,
        "a picture that Pillow can read, a point cloud (PLY, PCD, XYZ, NPY, LAS and others), a pattern, or "
        "with -r a folder",
        "the .lcrs file to write, - for standard output; for several IN, or ending in /, a folder "
        "(default: beside IN, ending in .lcrs)",
    )
    parser.add_argument(
        "--keep-endings",
        action="store_true",
        help="name files a.png.lcrs, not a.lcrs, where OUT does not name them",
    )
    unreached = (
        "A target that the model does not reach gives the nearest file that it does, and a warning. "
        "A lossless file may be smaller than its target."
    )
    _add_rate(parser.add_argument_group("size and quality", unreached))
    _add_picture(parser.add_argument_group("what is taken from the picture"))
    order = "The order of points is not kept. Attributes such as colours and normals are, to the bit."
    clouds.add_cloud(parser.add_argument_group("what is taken from a point cloud", order))
    model = parser.add_argument_group("model")
    add_model(model, "default: the one that ships with lcrs")
    add_import(model)
    model.add_argument(
        "--allow-not-portable",
        action="store_true",
        help="with --import: write files that decode only by it, where torch computes the same sums",
    )
    add_runtime(model, "latents are")


def _add_rate(group: argparse._ArgumentGroup) -> None:
    """How large the file gets; read by `_rate_options`. One of them at most, and none with --lossless."""
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "-q", "--quality", metavar="Q", type=quality, help="0 (smallest) to 100 (best); default 50"
    )
    rate.add_argument(
        "--scale",
        metavar="S",
        type=positive_number,
        help="of CompressAI's variable-rate models, in place of a quality",
    )
    rate.add_argument(
        "--target-bpp",
        metavar="B",
        type=positive_number,
        help="bits of the whole file for each pixel, to within 1 %%",
    )
    rate.add_argument(
        "--target-size",
        metavar="BYTES",
        type=whole_number(1),
        help="at most so many bytes, and at least 99 %% of them",
    )
    rate.add_argument(
        "--target-psnr",
        metavar="DB",
        type=positive_number,
        help="PSNR of the decoded picture, to within 0.05 dB",
    )
    group.add_argument(
        "--lossless",
        action=argparse.BooleanOptionalAction,
        help="keep the picture to the bit, without a model; by default, if no --model is named, where that "
        "file is no larger than the model's",
    )


def _add_picture(group: argparse._ArgumentGroup) -> None:
    """What becomes of pixels and metadata; read by `_picture_options`."""
    group.add_argument(
        "--background",
        metavar="COLOR",
        type=color,
        help="flatten transparency on this colour: white, #102030",
    )
    group.add_argument("--to-8bit", action="store_true", help="round deeper components to 8 bits")
    group.add_argument(
        "--to-srgb", action="store_true", help="convert colours to sRGB by their profile, those of CMYK too"
    )
    add_frame(group)
    group.add_argument("--keep-exif", action="store_true", help="keep camera data, place and time included")
    group.add_argument("--keep-metadata", action="store_true", help="keep EXIF, XMP and IPTC")
    add_limits(group)


def _model_and_quality(arguments: argparse.Namespace) -> tuple[Package | nn.Module, float | None]:
    """What codes a picture that is not to be lossless, and the quality, if one is asked for."""
    from lcrs import codec, coding

    named, rate = model_of(arguments), arguments.quality
    model = codec.load_package(codec.DEFAULT_MODEL) if named is None else named
    if arguments.scale is not None:
        if not isinstance(model, coding.Package):
            raise UsageError(f"--scale is for packages, and {arguments.import_} has none")
        rate = coding.quality_of_scale(model, arguments.scale)
    if isinstance(model, coding.Package) and model.samples is not None:
        msg = f"model '{model.name}' codes arrays, not pictures: lcrs.compress in Python takes them"
        raise UsageError(msg)
    return model, rate


def _rate_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `lcrs.compress` is told of the model and the rate."""
    if arguments.lossless:
        return {"lossless": True}
    model, rate = _model_and_quality(arguments)
    chosen = {"model": None if arguments.model is None else model, "lossless": arguments.lossless}
    targets = {name: getattr(arguments, name) for name in ("target_bpp", "target_size", "target_psnr")}
    device = {"runtime": arguments.runtime, "device": arguments.device}
    portability = {"allow_not_portable": arguments.allow_not_portable}
    return {"quality": rate} | chosen | portability | targets | device


def _check_lossless(arguments: argparse.Namespace) -> None:
    """Refuses what does not go together with --lossless.

    Raises:
        UsageError: it is given.
    """
    names = (
        *("quality", "scale", "target_bpp", "target_size", "target_psnr", "voxel", "bits"),
        *("model", "import_", "allow_not_portable", "runtime", "device"),
    )
    for name in names if arguments.lossless else ():
        if getattr(arguments, name) not in (None, False, "native"):
            option = f"--{name.strip('_').replace('_', '-')}"
            raise UsageError(f"{option} does not go with --lossless: leave one of them out")


def _picture_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `lcrs.pictures.to_picture` is told of the picture."""
    names = ("background", "to_8bit", "to_srgb", "frame", "max_pixels", "max_bytes")
    return {name: getattr(arguments, name) for name in names}


def _keep_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Which metadata `lcrs.compress` is told to keep."""
    return {"keep_exif": arguments.keep_exif, "keep_metadata": arguments.keep_metadata}


def _tell_losses(job: Job, picture: Picture, arguments: argparse.Namespace) -> None:
    """Says what of a picture's file does not go along."""
    from lcrs.codec import private_metadata

    parts = list(picture.losses)
    if private := private_metadata(picture.metadata(), **_keep_options(arguments)):
        them = "it" if len(private) == 1 else "them"
        parts.insert(0, f"{', '.join(private).upper()} (--keep-metadata keeps {them})")
    if parts:
        warnings.warn(f"{title(job.source)}: not kept: {'; '.join(parts)}", LossWarning, stacklevel=2)


def run(arguments: argparse.Namespace) -> int:
    """Finds the files, and encodes each."""
    _check_lossless(arguments)
    check_runtime(arguments.runtime, arguments.device)
    check_import(arguments)

    def rename(name: str) -> str:
        is_picture = Path(name).suffix.lower() in PICTURES | CLOUDS and not arguments.keep_endings
        return f"{Path(name).stem if is_picture else name}.lcrs"

    advice = "" if arguments.keep_endings else "; --keep-endings tells them apart"
    todo = plan(arguments, Kind(PICTURES | CLOUDS - _MANIFOLD, rename, "the pictures", advice))
    # By their endings: to look into so many files is for those who read them.
    are_pictures = all(job.source.suffix.lower() in PICTURES - CLOUDS for job in todo.jobs)
    if len(todo.jobs) > 1 and are_pictures and not arguments.lossless:
        from lcrs.coding import Package

        model, rate = _model_and_quality(arguments)  # what is wrong with the model is said once
        if rate is not None and isinstance(model, Package):
            model.level(rate)
    return batch.run(todo, NAME, arguments)


def work(job: Job, arguments: argparse.Namespace) -> batch.Done:
    """Reads, compresses, writes."""
    if clouds.is_cloud(job.source):
        return clouds.encode(job, arguments)
    refuse_options(arguments, clouds.ONLY_CLOUDS, "point clouds")
    check = partial(check_stream, limits=limits(arguments))
    if arguments.skip_existing and is_whole(job.target, check, force=arguments.force):
        return batch.Done(is_skipped=True, words=f"{job.target}: is there already")
    check_output(job.source, job.target, force=arguments.force, makes_folders=job.is_named_here)

    from lcrs import codec
    from lcrs.cli.reading import read_picture

    rate = _rate_options(arguments)
    with naming(title(job.source)):
        picture = read_picture(job.source, **_picture_options(arguments))
        data = codec.compress(picture, **rate, **_keep_options(arguments), **limits(arguments))
    _tell_losses(job, picture, arguments)
    if not job.is_named_here and job.target.suffix.lower() in PICTURES:
        ending = job.target.suffix
        warnings.warn(
            f"{job.target} becomes an .lcrs file, though it ends in {ending}", UserWarning, stacklevel=2
        )
    deliver(job.target, data, force=arguments.force, makes_folders=job.is_named_here)
    header = codec.info(data, **limits(arguments))
    bpp = 8 * len(data) / (header["width"] * header["height"])
    words = f"{job.target_text}: {len(data)} bytes, {bpp:.3f} bits a pixel"
    words += ", lossless" if header["lossless"] else ""
    return batch.Done(job.num_bytes, len(data), words=words)
