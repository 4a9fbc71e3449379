"""`lcrs compare`: how alike two pictures are, and what each of them costs."""

from __future__ import annotations

import argparse
import errno
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli import streams
from lcrs.cli.arguments import add_frame, add_limits, add_model, color, limits
from lcrs.cli.cloud_metrics import sides_of_clouds
from lcrs.cli.messages import UsageError, naming, printable, valid
from lcrs.cli.targets import check_output, deliver

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "compare"
SUMMARY = "Compare two pictures, .lcrs files or others"

_BAND = 64
"""Rows that are compared at a time."""


@dataclass(frozen=True)
class Side:
    """One of the two pictures."""

    path: Path
    num_bytes: int
    pixels: NDArray[Any]
    """(H, W, C), integers."""
    peak: int
    """The largest component that there may be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs compare`."""
    add_inputs(parser)
    parser.add_argument(
        "--map", metavar="OUT", type=streams.location, help="write where they differ as a grey .png file"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of --map if it exists")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """The two pictures and how they are read, which `read_both` does; also for `lcrs metrics`."""
    parser.add_argument(
        "a", metavar="A", type=streams.location, help="a picture or an .lcrs file: the original"
    )
    parser.add_argument("b", metavar="B", type=streams.location, help="another one of the same size")
    parser.add_argument(
        "--background", metavar="COLOR", type=color, help="flatten transparency on this colour"
    )
    parser.add_argument("--to-8bit", action="store_true", help="round deeper components to 8 bits")
    parser.add_argument("--to-srgb", action="store_true", help="convert colours to sRGB by their profiles")
    add_frame(parser)
    add_limits(parser)
    add_model(parser, "default: the one that an .lcrs file names")


def run(arguments: argparse.Namespace) -> int:
    """Reads both, compares, prints."""
    if sides_of_clouds(arguments):
        raise UsageError(f"{arguments.a} and {arguments.b} are point clouds: lcrs metrics compares them")
    if arguments.map is not None:
        if arguments.map.suffix.lower() != ".png":
            msg = f"--map {arguments.map} does not end in .png"
            raise UsageError(msg)
        for source in (arguments.a, arguments.b):
            check_output(source, arguments.map, force=arguments.force)
    a, b = read_both(arguments)
    fields = _compare(a, b)
    if arguments.map is not None:
        deliver(arguments.map, _map(a, b, fields["max_difference"]), force=arguments.force)
    if arguments.json:
        streams.write_json(fields)
    else:
        streams.write_text(_text(fields))
    if arguments.map is not None:
        streams.say_line(
            f"{arguments.map}: white is a difference of {255 * fields['max_difference']:.4g} of 255"
        )
    return 0


def read_both(arguments: argparse.Namespace) -> tuple[Side, Side]:
    """The pictures of `add_inputs`.

    Raises:
        UsageError: one of them is standard input.
        ValueError: their sizes differ, or one is damaged.
    """
    if streams.STANDARD in (arguments.a, arguments.b):
        msg = "- is standard input, which cannot be compared: a file can, ./- by that name"
        raise UsageError(msg)
    a, b = (_read(path, arguments) for path in (arguments.a, arguments.b))
    if a.pixels.shape[:2] != b.pixels.shape[:2]:
        sizes = [f"{side.path} has {side.pixels.shape[1]} x {side.pixels.shape[0]} pixels" for side in (a, b)]
        msg = f"the pictures have different sizes: {', '.join(sizes)}"
        raise ValueError(msg)
    return a, b


def alike(a: Side, b: Side) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both in the same form: 8-bit integers, or 16-bit ones over the whole range if one of them is deeper;
    grey ones beside others have three equal components.
    """
    import numpy as np

    peak = 255 if max(a.peak, b.peak) <= 255 else 65535
    num_channels = max(side.pixels.shape[2] for side in (a, b))
    shape = (*a.pixels.shape[:2], num_channels)

    def form(side: Side) -> NDArray[Any]:
        pixels = side.pixels
        if side.peak != peak:
            pixels = np.rint(pixels * (peak / side.peak))
        whole = np.broadcast_to(pixels, shape).astype(np.uint8 if peak == 255 else np.uint16)
        return whole[..., 0] if num_channels == 1 else whole

    return form(a), form(b)


def _read(path: Path, arguments: argparse.Namespace) -> Side:
    from lcrs import codec
    from lcrs.cli.reading import read_picture, read_stream

    if _is_stream(path):
        data = read_stream(path, limits(arguments))
        with naming(path):
            picture = codec.decompress_picture(data, arguments.model, **limits(arguments))
        num_bytes = len(data)
    else:
        choices = ("background", "to_8bit", "to_srgb", "frame", "max_pixels")
        picture = read_picture(path, **{name: getattr(arguments, name) for name in choices})
        num_bytes = path.stat().st_size
    pixels = picture.pixels
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Side(path, num_bytes, pixels, 2**picture.bit_depth - 1)


def _is_stream(path: Path) -> bool:
    """Whether a file begins as .lcrs files do; its name may say anything.

    Raises:
        OSError: it is no file, or not one that can be read twice.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    with path.open("rb") as file:
        return file.read(4) == b"\x8cLCS"


def _bands(a: Side, b: Side) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Differences of components, 1 being the largest there may be, with the row that they begin at."""
    for row in range(0, a.pixels.shape[0], _BAND):
        ours, theirs = (side.pixels[row : row + _BAND] / side.peak for side in (a, b))
        yield row, ours - theirs


def _compare(a: Side, b: Side) -> dict[str, Any]:
    height, width = a.pixels.shape[:2]
    total, count, largest = 0.0, 0, 0.0
    for _, difference in _bands(a, b):
        total += float((difference**2).sum())
        count += difference.size
        largest = max(largest, float(abs(difference).max()))
    sides = [
        {
            "file": valid(str(side.path)),
            "num_bytes": side.num_bytes,
            "bpp": 8 * side.num_bytes / (width * height),
        }
        for side in (a, b)
    ]
    ms_ssim, reason = _ms_ssim(a, b)
    return {
        "a": sides[0],
        "b": sides[1],
        "width": width,
        "height": height,
        "identical": largest == 0,
        "psnr_db": None if largest == 0 else 10 * math.log10(count / total),
        "max_difference": largest,
        "ms_ssim": ms_ssim,
    } | ({"ms_ssim_missing": reason} if reason else {})


def _ms_ssim(a: Side, b: Side) -> tuple[float | None, str]:
    """MS-SSIM of the pictures, or why there is none."""
    from lcrs.metrics import measure

    values, missing = measure(*alike(a, b), ["ms-ssim-rgb"])
    return values.get("ms-ssim-rgb"), missing.get("ms-ssim-rgb", "")


def _map(a: Side, b: Side, largest: float) -> bytes:
    """The largest difference of each pixel's components as a grey PNG file."""
    import numpy as np
    from PIL import Image

    grey = np.zeros(a.pixels.shape[:2], np.uint8)
    for row, difference in _bands(a, b):
        scaled = np.abs(difference).max(axis=2) * (255 / largest if largest else 0)
        grey[row : row + _BAND] = np.rint(scaled)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


def _text(fields: dict[str, Any]) -> str:
    lines = []
    for name in ("a", "b"):
        side = fields[name]
        lines.append(
            f"{side['num_bytes']:>12} bytes  {side['bpp']:>7.3f} bits a pixel  {printable(side['file'])}"
        )
    lines.append(f"{fields['width']} x {fields['height']} pixels")
    if fields["identical"]:
        lines.append("the same pixels")
    else:
        lines.append(f"PSNR {fields['psnr_db']:.2f} dB")
        lines.append(f"largest difference {255 * fields['max_difference']:.4g} of 255")
    if fields["ms_ssim"] is None:
        lines.append(f"MS-SSIM not computed: {fields['ms_ssim_missing']}")
    else:
        loss = 1 - fields["ms_ssim"]
        decibels = f" ({-10 * math.log10(loss):.2f} dB)" if loss > 0 else ""
        lines.append(f"MS-SSIM {fields['ms_ssim']:.5f}{decibels}")
    return "".join(f"{line}\n" for line in lines)
