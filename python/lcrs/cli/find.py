"""`lcrs find`: the setting of any codec that comes nearest to a rate, a size or a quality."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli import streams
from lcrs.cli.arguments import add_frame, add_runtime, check_runtime, color, positive_number, whole_number
from lcrs.cli.endings import PICTURES
from lcrs.cli.jobs import Kind, Plan, find_sources
from lcrs.cli.messages import UsageError, naming, printable
from lcrs.cli.targets import check_output, deliver

if TYPE_CHECKING:
    from lcrs.evaluate.finding import Found
    from lcrs.evaluate.protocol import Codec, Given

NAME = "find"
SUMMARY = "Find the setting of any codec that comes nearest to a size, a rate or a quality"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs find`."""
    parser.epilog = "A target out of reach gives the nearest file that the codec makes, and a warning."
    parser.add_argument("codec", metavar="CODEC", help="as lcrs bench takes it, or a model as lcrs eval does")
    parser.add_argument("inputs", metavar="IN", nargs="+", help="a picture, or a folder: one setting for all")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--target-bpp", metavar="B", type=positive_number, help="bits of the file for each pixel"
    )
    target.add_argument("--target-size", metavar="BYTES", type=whole_number(1), help="at most so many bytes")
    target.add_argument("--target-psnr", metavar="DB", type=positive_number, help="PSNR of R, G and B")
    target.add_argument("--target-ms-ssim", metavar="S", type=_similarity, help="MS-SSIM, below 1")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=streams.location, help="write the file; a folder for several"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--background", metavar="COLOR", type=color, help="flatten transparency on this colour"
    )
    parser.add_argument("--to-srgb", action="store_true", help="convert colours to sRGB by their profiles")
    parser.add_argument("--architecture", metavar="NAME", help="of a checkpoint whose keys do not tell it")
    add_frame(parser)
    add_runtime(parser, "latents and pixels")


def run(arguments: argparse.Namespace) -> int:
    """Searches, writes, prints; a target out of the codec's reach is warned of, as by `lcrs encode`."""
    from lcrs.evaluate.finding import find

    check_runtime(arguments.runtime, arguments.device)
    codec = codec_of(arguments)
    pictures = _pictures(arguments)
    suffix = getattr(codec, "suffix", ".lcrs")
    targets = _targets(arguments, pictures, suffix)
    what, target = _target(arguments)
    found = find(codec, [given for _, given in pictures], what, target)
    for path, data in zip(targets, found.files, strict=False):
        deliver(path, data, force=arguments.force, makes_folders=True)
    fields = _fields(codec, what, target, found, targets)
    streams.write_text(json.dumps(fields) + "\n" if arguments.json else _text(fields))
    if not found.is_reached:
        streams.say_line(f"lcrs find: warning: {_shortfall(codec.name, what, target, found)}")
    return 0


def _shortfall(name: str, what: str, target: float, found: Found) -> str:
    """What there is in place of a target."""
    extreme = "least" if found.value > target else "most"
    return (
        f"asked for {what} {_number(what, target)}: found {_number(what, found.value)}, the {extreme} that "
        f"{name} gives (setting {found.setting})"
    )


def _number(what: str, value: float) -> str:
    return f"{value:.0f}" if what == "num_bytes" else f"{value:.6g}"


def _similarity(text: str) -> float:
    value = positive_number(text)
    if value >= 1:
        msg = f"'{text}' is not below 1"
        raise argparse.ArgumentTypeError(msg)
    return value


def codec_of(arguments: argparse.Namespace) -> Codec:
    """A classical codec, or the models that `CODEC` names."""
    from lcrs.evaluate.classical import codec_names, make_codec

    if arguments.codec in codec_names():
        return make_codec(arguments.codec)
    from lcrs.evaluate.learned import LearnedCodec
    from lcrs.evaluate.models import load_models

    names = [name for name in arguments.codec.split(",") if name]
    if not names:
        raise UsageError("CODEC is empty")
    models = load_models(names, arguments.architecture)
    return LearnedCodec(models, runtime=arguments.runtime, device=arguments.device)


def _pictures(arguments: argparse.Namespace) -> list[tuple[Path, Given]]:
    from lcrs.evaluate.protocol import read_picture

    found = Plan()
    sources = list(
        find_sources(arguments.inputs, Kind(PICTURES, str, "the pictures"), recursive=True, found=found)
    )
    if found.failures:
        raise OSError(found.failures[0])
    if not sources:
        raise UsageError("there is no picture")
    pictures = []
    for path, below in sources:
        with naming(path):
            choices = {key: getattr(arguments, key) for key in ("background", "to_srgb", "frame")}
            pictures.append((below, read_picture(path, **choices)))
    return pictures


def _target(arguments: argparse.Namespace) -> tuple[str, float]:
    names = {"bpp": "bpp", "size": "num_bytes", "psnr": "psnr-rgb", "ms_ssim": "ms-ssim-rgb"}
    for key, what in names.items():
        if (value := getattr(arguments, f"target_{key}")) is not None:
            return what, float(value)
    raise UsageError("there is no target")


def _targets(arguments: argparse.Namespace, pictures: list[tuple[Path, Given]], suffix: str) -> list[Path]:
    """Where files go; what is there is refused before any work is done."""
    if arguments.output is None:
        return []
    if len(pictures) == 1 and not arguments.output.is_dir():
        targets = [arguments.output]
    else:
        targets = [arguments.output / below.with_suffix(suffix) for below, _ in pictures]
    for target in targets:
        check_output(streams.STANDARD, target, force=arguments.force, makes_folders=True)
    return targets


def _fields(codec: Codec, what: str, target: float, found: Found, targets: list[Path]) -> dict[str, Any]:
    return {
        "codec": codec.name,
        "target": {what: target},
        "setting": found.setting,
        what: found.value,
        "is_reached": found.is_reached,
        "trials": [{"setting": setting, what: value} for setting, value in found.trials.items()],
        "pictures": found.rows,
        "files": [str(path) for path in targets],
    }


def _text(fields: dict[str, Any]) -> str:
    what = next(iter(fields["target"]))
    value, target = (_number(what, number) for number in (fields[what], fields["target"][what]))
    lines = [f"{printable(fields['codec'])}: setting {fields['setting']} gives {what} {value}"]
    lines[0] += f" for {target}, of {len(fields['trials'])} settings tried"
    for row in fields["pictures"]:
        size = f"{row['num_bytes']:>10} bytes  {row['bpp']:>8.4f} bits a pixel"
        lines.append(f"{size}  {printable(row['picture'])}")
    return "".join(f"{line}\n" for line in lines)
