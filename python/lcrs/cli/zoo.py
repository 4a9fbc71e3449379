"""`lcrs zoo`: the models that there are, and packages of checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli import streams
from lcrs.cli.arguments import add_output, positive_number, require_torch
from lcrs.cli.messages import printable, valid
from lcrs.cli.targets import check_output

if TYPE_CHECKING:
    from lcrs.zoo.checkpoints import Architecture

NAME = "zoo"
SUMMARY = "List published models, or turn a checkpoint into a model package"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs zoo`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the published architectures and the models at hand")
    shape = listing.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print one JSON object")
    shape.add_argument(
        "--files", action="store_true", help="print where the published weights lie, one a line"
    )
    listing.set_defaults(action_of_zoo=list_models)
    importing = actions.add_parser(
        "import", help="turn a checkpoint of any of these architectures into a package (needs torch)"
    )
    importing.add_argument(
        "input", metavar="FILE", type=Path, help="a state dict or checkpoint: torch.save's, or .safetensors"
    )
    importing.add_argument("--architecture", metavar="NAME", help="default: told by the checkpoint's keys")
    importing.add_argument(
        "--name", metavar="NAME", help="what .lcrs files call the model (default: from FILE's name)"
    )
    importing.add_argument(
        "--stage",
        type=int,
        choices=(1, 2),
        help="of a model of variable rate: 2 (default), or 1 for files at its only scale, without a quality",
    )
    importing.add_argument(
        "--scales",
        metavar="S",
        type=positive_number,
        nargs="+",
        help="of a model of variable rate: what qualities 0 to 100 lie between, two or more, ascending "
        "(default: its gains)",
    )
    add_output(importing, "the .lcrm package to write")
    importing.set_defaults(action_of_zoo=import_checkpoint)


def run(arguments: argparse.Namespace) -> int:
    """Does what the action says."""
    return int(arguments.action_of_zoo(arguments))


def list_models(arguments: argparse.Namespace) -> int:
    """`lcrs zoo list`."""
    from lcrs.evaluate.complexity import published_complexity
    from lcrs.packages import package_names, packages_at_hand
    from lcrs.zoo import ARCHITECTURES

    if arguments.files:
        for entry in ARCHITECTURES.values():
            streams.write_text("".join(f"{url}\n" for urls in _urls(entry).values() for url in urls))
        return 0
    packages = [package for package in packages_at_hand() if package.name is not None]
    if arguments.json:
        published = [
            {
                "architecture": entry.name,
                "qualities": None if entry.is_variable_rate else entry.num_qualities,
                "weights": list(entry.weights),
                "files": _urls(entry),
                "complexity": published_complexity().get(entry.name),
            }
            for entry in ARCHITECTURES.values()
        ]
        files = [
            {
                "name": package.name,
                "file": valid(str(package.path)),
                "complexity": _complexity(package.path),
            }
            for package in packages
        ]
        names = package_names()
        fields = {"architectures": published, "packages": names, "package_files": files}
        streams.write_json(fields)
        return 0
    columns = f"{'kMAC/pixel':<16}{'M parameters':<16}"
    lines = [f"{'architecture':<30}{'qualities':<12}{columns}published weights"]
    for entry in ARCHITECTURES.values():
        weights = ", ".join(entry.weights) or "none"
        sizes = published_complexity()[entry.name]
        for at, size in enumerate(sizes):
            rates = "any" if entry.is_variable_rate else _range(size["qualities"])
            name = entry.name if at == 0 else ""
            lines.append(f"{name:<30}{rates:<12}{_work(size)}{weights if at == 0 else ''}".rstrip())
    lines += ["", "kMAC/pixel and parameters: of the encoder / the decoder", "", *_HOW_TO_GET, ""]
    lines += [f"{'package at hand':<30}{'':<12}{columns}file"]
    lines += [
        f"{printable(package.name or ''):<30}{'':<12}{_work(_complexity(package.path))}"
        f"{printable(str(package.path))}"
        for package in packages
    ] or ["none"]
    streams.write_text("\n".join(lines) + "\n")
    return 0


_HOW_TO_GET = (
    "To use published weights: download one of the files that lcrs zoo list --files names, make a package of",
    "it by lcrs zoo import FILE -o NAME.lcrm, and code with it by lcrs encode --model NAME.lcrm; or put the",
    "package into a folder that LCRS_MODEL_PATH names: then --model NAME does, and decoding needs nothing.",
)


def _range(qualities: list[int]) -> str:
    return f"{qualities[0]} to {qualities[-1]}" if len(qualities) > 1 else str(qualities[0])


def _complexity(path: Path) -> dict[str, Any] | None:
    """Of a package, None if it is damaged: this list is not where that is told."""
    from lcrs.evaluate.complexity import of_file

    try:
        return of_file(path).fields()
    except (OSError, ValueError, KeyError):
        return None


def _work(fields: dict[str, Any] | None) -> str:
    """Two columns: thousands of multiplications a pixel, and millions of parameters."""
    if fields is None:
        return " " * 32
    sides = [fields[side] for side in ("encoder", "decoder")]
    macs = " / ".join(f"{side['kmacs_per_pixel']:.1f}" for side in sides)
    counts = " / ".join(f"{side['num_parameters'] / 1e6:.1f}" for side in sides)
    return f"{macs:<16}{counts:<16}"


def _urls(entry: Architecture) -> dict[str, list[str]]:
    """Where the weights of an architecture lie, by metric, in the order of qualities."""
    from lcrs.zoo.checkpoints import BASE_URL

    qualities = range(1, 2 if entry.is_variable_rate else entry.num_qualities + 1)
    return {
        metric: [BASE_URL + entry.file_name(quality, metric) for quality in qualities]
        for metric in entry.weights
    }


def import_checkpoint(arguments: argparse.Namespace) -> int:
    """`lcrs zoo import`."""
    check_output(arguments.input, arguments.output, force=arguments.force)
    require_torch("lcrs zoo import")

    from lcrs.coding import write_package
    from lcrs.zoo import package_of_checkpoint

    given = {"stage": arguments.stage, "scales": arguments.scales}
    options = {key: value for key, value in given.items() if value is not None}
    description, tensors = package_of_checkpoint(
        arguments.input, architecture=arguments.architecture, name=arguments.name, **options
    )
    write_package(arguments.output, description, tensors, overwrite=arguments.force)
    num_bytes = arguments.output.stat().st_size
    model = f"{description['architecture']} as model '{description['name']}'"
    streams.say_line(f"{arguments.output}: {model}, {num_bytes} bytes")
    return 0
