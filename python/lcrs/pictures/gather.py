"""What travels with the pixels of a Pillow image, in the one form that .lcrs files have for it."""

from __future__ import annotations

import binascii
import math
import re
import struct
from typing import TYPE_CHECKING, Any

from lcrs.pictures import exif as blocks
from lcrs.pictures.icc import color_space, is_whole
from lcrs.pictures.ifd import TiffBlock, swapped
from lcrs.pictures.jpeg2000 import jpeg2000_metadata
from lcrs.pictures.source import Buffer, avif_properties, png_chunks

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DAMAGED_PROFILE", "gather", "iptc_of_resources"]

DAMAGED_PROFILE = "a damaged colour profile"
SRGB_GAMMA = 45_455
SRGB_CHROMATICITIES = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_SRGB_CODES = (1, 13)
_UNSPECIFIED = 2
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/"
_PADDING = re.compile(rb"\s{3,}(?=<\?xpacket\s+end)")
_BIG_TIFF = (b"II+\0", b"MM\0+")
_NO_CLAIM = 72.0
"""What EXIF blocks say when they do not know a resolution."""


def gather(
    image: Image.Image, source: Buffer | None, size: tuple[int, int], channels: int, *, turned: bool
) -> tuple[dict[str, Any], list[str]]:
    """The fields of `lcrs.pictures.Metadata`, and what there is that none of them can hold.

    Args:
        image: the image, read.
        source: the file that it comes from, if known.
        size: height and width of the picture, its orientation applied.
        channels: 3 for colours, 1 for grey.
        turned: whether its orientation was another than upright.
    """
    info, losses = image.info, _left_out(image)
    boxes = jpeg2000_metadata(source) if image.format == "JPEG2000" and source is not None else {}
    info = info | {name: data for name, data in boxes.items() if name in ("exif", "xmp")}
    block, exif = _exif(image, info, source, losses)
    if exif is not None:
        turned = turned or (image.format == "TIFF" and block is not None and block.integer(0x0112, 1) > 1)
        try:
            exif = blocks.upright(exif, size, turned=turned)
            block = block or TiffBlock(exif)
        except (ValueError, struct.error):
            exif = None
            losses.append("a damaged EXIF block")
    if image.format != "TIFF" and block is not None and block.first.entries.keys() <= {0x0112}:
        exif = None  # it said how to turn the picture, and no more
    found: dict[str, Any] = {
        "exif": exif,
        "xmp": _xmp(info, losses),
        "iptc": boxes.get("iptc") or _iptc(image, block),
    }
    if found["iptc"] is not None and not found["iptc"].startswith(b"\x1c"):
        found["iptc"] = None
        losses.append("damaged IPTC records")
    found["resolution"] = _resolution(image, block)
    found |= _color(image, boxes.get("icc") or info.get("icc_profile"), source, channels, losses)
    return {name: value for name, value in found.items() if value is not None}, losses


def _exif(
    image: Image.Image, info: dict[Any, Any], source: Buffer | None, losses: list[str]
) -> tuple[TiffBlock | None, bytes | None]:
    """The first directory that says something of the photo, and the EXIF block as it was."""
    if image.format == "TIFF":
        if source is None:
            losses.append("what the TIFF file says of the photo: it is closed")
            return None, None
        try:
            block = TiffBlock(source, at=_directory_at(image))
            losses += block.damaged
            return block, blocks.from_tiff(block)
        except (ValueError, struct.error):
            if source[:4] not in _BIG_TIFF:
                losses.append("damaged tags")
            elif not blocks.DESCRIPTIVE.isdisjoint(getattr(image, "tag_v2", ())):
                losses.append("EXIF and IPTC of a BigTIFF file")
            return None, None
    exif = info.get("exif") or _raw_profile(info, "exif")
    return None, bytes(exif).removeprefix(blocks.PREFIX) if exif else None


def _directory_at(image: Any) -> int | None:
    """Where the directory of this page begins."""
    offset = getattr(getattr(image, "tag_v2", None), "offset", None)
    return offset if isinstance(offset, int) and offset > 0 else None


def _xmp(info: dict[Any, Any], losses: list[str]) -> bytes | None:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or _raw_profile(info, "xmp")
    if isinstance(packet, tuple):  # as some versions of Pillow give TIFF's tag
        packet = bytes(packet)
    if isinstance(packet, str):
        packet = packet.encode()
    if not packet:
        return None
    for encoding in ("utf-8", "utf-16", "utf-32"):
        try:
            text = bytes(packet).decode(encoding).rstrip("\0 \r\n\t")
            break
        except UnicodeDecodeError:
            continue
    else:
        losses.append("a damaged XMP packet")
        return None
    # Writers leave room for changes, which would cost more than all the rest.
    return blocks.upright_xmp(_PADDING.sub(b"\n", text.encode())) or None


def _iptc(image: Any, block: TiffBlock | None) -> bytes | None:
    resources = image.info.get("photoshop")
    if isinstance(resources, dict) and isinstance(resources.get(0x0404), bytes):
        return resources[0x0404] or None
    if image.format == "TIFF":
        entries = block.first.entries if block is not None else {}
        records, wrapped = entries.get(33723), entries.get(34377)
        if records is not None:
            # A multiple of four bytes, as if they were numbers; some programs have swapped them as such.
            data = records.data if records.data[:1] == b"\x1c" else swapped(records.data, 4)
            return data.rstrip(b"\0") or None
        return iptc_of_resources(wrapped.data) if wrapped is not None else None
    profile = _raw_profile(image.info, "iptc")
    return (iptc_of_resources(profile) or profile) if profile else None


def iptc_of_resources(data: bytes) -> bytes | None:
    """The IPTC records among Photoshop's image resources (8BIM)."""
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (kind,) = struct.unpack_from(">H", data, at + 4)
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name, its length before it, padded to even
        if at + 4 > len(data):
            return None
        (length,) = struct.unpack_from(">I", data, at)
        if kind == 0x0404:
            return data[at + 4 : at + 4 + length] or None
        at += 4 + (length + 1) // 2 * 2
    return None


def _raw_profile(info: dict[Any, Any], name: str) -> bytes | None:
    """A block that ImageMagick and exiftool write as hexadecimal text into PNG files."""
    text = info.get(f"Raw profile type {name}") or (
        info.get("Raw profile type APP1") if name == "exif" else None
    )
    if not isinstance(text, str):
        return None
    parts = text.strip().split("\n", 2)  # a name, a length, the digits
    try:
        return binascii.unhexlify("".join(parts[2].split())) if len(parts) == 3 else None
    except (ValueError, binascii.Error):
        return None


def _resolution(image: Any, block: TiffBlock | None) -> tuple[float, float] | None:
    info = image.info
    stated: Any = info.get("dpi")
    if image.format in ("JPEG", "MPO") and info.get("jfif_unit") not in (1, 2):
        stated = None  # then Pillow takes it from EXIF, or makes it up
    elif image.format == "TIFF" and 282 not in getattr(image, "tag_v2", {}):
        stated = None
    if stated is None and block is not None:
        stated = block.resolution()
        if stated == (_NO_CLAIM, _NO_CLAIM):
            stated = None
    try:
        x, y = (struct.unpack("<f", struct.pack("<f", float(number)))[0] for number in stated or ())
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return (x, y) if all(math.isfinite(number) and number > 0 for number in (x, y)) else None


def _color(
    image: Any, icc: bytes | None, source: Buffer | None, channels: int, losses: list[str]
) -> dict[str, Any]:
    """ICC profile, code points, gamma and chromaticities; what says sRGB says nothing."""
    found: dict[str, Any] = {}
    if icc and not is_whole(icc):
        losses.append(DAMAGED_PROFILE)
    elif icc:
        space = color_space(icc)
        if space in ((b"RGB ", b"GRAY") if channels == 1 else (b"RGB ",)):
            found["icc"] = bytes(icc)
        else:
            losses.append(f"a colour profile for {space.decode('ascii', 'replace').strip() or 'nothing'}")
    if image.format == "AVIF" and source is not None and "icc" not in found:
        _, cicp = avif_properties(source)
        if cicp and _UNSPECIFIED not in cicp[:2] and cicp[:2] != _SRGB_CODES:
            found["cicp"] = cicp
    if image.format == "PNG":
        chunks = png_chunks(source) if source is not None else {}
        code = chunks.get(b"cICP", b"")
        if len(code) == 4 and code[3] <= 1 and (code[:2] != bytes(_SRGB_CODES) or code[2:] != b"\0\1"):
            found["cicp"] = (code[0], code[1], code[2], bool(code[3]))
        if not found and not code and "srgb" not in image.info:
            found |= _png_gamma(image.info)
    return found


def _png_gamma(info: dict[Any, Any]) -> dict[str, Any]:
    gamma = round(float(info.get("gamma") or 0) * 100_000)
    chromaticities = tuple(round(float(number) * 100_000) for number in info.get("chromaticity", ()))
    is_usual = gamma in (0, SRGB_GAMMA) and chromaticities in ((), SRGB_CHROMATICITIES)
    found: dict[str, Any] = {}
    if 0 < gamma < 1 << 32 and not is_usual:
        found["gamma"] = gamma
    if len(chromaticities) == 8 and all(0 <= n < 1 << 32 for n in chromaticities) and not is_usual:
        found["chromaticities"] = chromaticities
    return found


def _left_out(image: Any) -> list[str]:
    """What no field can hold."""
    losses = []
    info = image.info
    if any(data.startswith(_EXTENDED_XMP) for _, data in getattr(image, "applist", ())):
        losses.append("the extended part of an XMP packet")
    if info.get("comment") and image.format != "JPEG2000":  # there it names the program
        losses.append("a comment")
    texts = [
        key for key in getattr(image, "text", ()) if not key.startswith(("Raw profile", "XML:com.adobe"))
    ]
    if image.format == "PNG" and texts:
        losses.append(f"{len(texts)} text{'s' if len(texts) > 1 else ''} ({', '.join(texts[:3])})")
    if image.format == "MPO":
        losses.append("the other pictures of an MPO file")
    return losses
