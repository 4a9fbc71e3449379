"""What ``lcrs encode`` takes from a picture: arguments, and the picture that they describe."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lcrs.pictures import Picture


def add_picture_arguments(group: argparse._ActionsContainer) -> None:
    """What becomes of pixels and metadata; read by `read_picture` and `keep_options`."""
    group.add_argument(
        "--background", metavar="COLOR", help="flatten transparency on this colour: white, #102030"
    )
    group.add_argument("--to-8bit", action="store_true", help="round deeper components to 8 bits")
    group.add_argument(
        "--to-srgb", action="store_true", help="convert colours to sRGB by their profile, CMYK too"
    )
    group.add_argument("--frame", metavar="N", type=int, help="of a file with several pictures, from 0")
    group.add_argument("--keep-exif", action="store_true", help="keep camera data, place and time included")
    group.add_argument("--keep-metadata", action="store_true", help="keep EXIF, XMP and IPTC")
    group.add_argument(
        "--max-pixels", metavar="N", type=int, default=1 << 28, help="refuse larger pictures (default: 2^28)"
    )


def read_picture(source: Any, arguments: argparse.Namespace) -> Picture:
    """The picture in a file (a path or an open one), as the arguments want it."""
    from PIL import Image

    from lcrs.pictures import to_picture

    Image.MAX_IMAGE_PIXELS = None  # --max-pixels stands for it
    # What Pillow finds odd in a file, and reads all the same, is no news to who asked for a picture.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return to_picture(
        source,
        background=arguments.background,
        to_8bit=arguments.to_8bit,
        to_srgb=arguments.to_srgb,
        frame=arguments.frame,
        max_pixels=arguments.max_pixels,
    )


def keep_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Which metadata `lcrs.compress` is to keep."""
    return {"keep_exif": arguments.keep_exif, "keep_metadata": arguments.keep_metadata}


def losses_line(name: Path | str, picture: Picture, arguments: argparse.Namespace) -> str:
    """What of a picture's file is not kept, in a line for people; empty if all is."""
    from lcrs.codec import private_metadata

    private = [kind.upper() for kind in private_metadata(picture, **keep_options(arguments))]
    parts = list(picture.losses)
    if private:
        them = "it" if len(private) == 1 else "them"
        parts.insert(0, f"{', '.join(private)} (--keep-metadata keeps {them})")
    return f"{name}: not kept: {'; '.join(parts)}" if parts else ""
