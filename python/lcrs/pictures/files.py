"""Picture files from pictures, with all that travels with the pixels and has a place in the format."""

from __future__ import annotations

import binascii
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

from lcrs.pictures import exif as blocks
from lcrs.pictures.color import profile_of
from lcrs.pictures.errors import PictureError
from lcrs.pictures.ifd import TiffBlock
from lcrs.pictures.jpeg2000 import holds_deep, jpeg2000_file
from lcrs.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

__all__ = ["FORMATS", "picture_file"]

# Pillow's names. Compression level 1 writes a PNG in a fifth of the time of the default, 10 % larger.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 1}),
    ".ppm": ("PPM", {}),
    ".pgm": ("PPM", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".bmp": ("BMP", {}),
    ".webp": ("WEBP", {"lossless": True, "quality": 0}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jp2": ("JPEG2000", {}),
    ".avif": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
}
"""Extensions that pictures can be written to, with Pillow's name and options of each."""

_NAMES = {
    "icc": "the colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "resolution": "the resolution",
    "cicp": "the colour space",
    "gamma": "the gamma",
    "chromaticities": "the chromaticities",
}
_MAX_JPEG_SEGMENT = 65_533
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"


def picture_file(picture: Picture, extension: str) -> tuple[bytes, list[str]]:
    """The bytes of a picture file.

    Args:
        picture: what to write. Deep components are written as 16 bits where the format has them.
        extension: one of `FORMATS`.

    Returns:
        The bytes, and what travels with the picture that the format has no place for, each in a few words.

    Raises:
        PictureError: this version of Pillow does not write the format, or it cannot hold the picture.
    """
    name, options = FORMATS[extension]
    if extension == ".pgm" and picture.channels != 1:
        raise PictureError("the picture has colours, which .pgm cannot hold")
    kept, lost = _kept(picture, name)
    options = options | _options(name, kept)
    if picture.bit_depth != 8:
        from lcrs.pictures.deep_files import DEEP, deep_file, in_colors, rounded

        holds = holds_deep(picture) if name == "JPEG2000" else name in DEEP
        if picture.bit_depth < 8 or not holds:
            if picture.bit_depth > 8:
                lost.append(f"{picture.bit_depth} bits a component (rounded to 8)")
            picture = rounded(picture)
    if name == "JPEG2000":
        _require(name, "jpg_2000")
        data = jpeg2000_file(picture, kept)
    elif picture.bit_depth > 8:
        data = deep_file(in_colors(picture) if extension == ".ppm" else picture, name, options)
    elif name == "PPM":
        data = _ppm(picture, extension)
    else:
        data = _by_pillow(picture, extension, options)
    if name == "PNG":
        data = _with_png_colors(data, picture)
    if name == "TIFF":
        data = blocks.add_to_tiff(data, **{kind: kept.get(kind) for kind in ("exif", "xmp", "iptc")})
    return data, lost


def _ppm(picture: Picture, extension: str) -> bytes:
    """Without Pillow, whose loading takes longer than to write such a file."""
    samples = picture.samples
    if picture.channels == 1 and extension == ".ppm":
        colors = bytearray(3 * len(samples))
        for channel in range(3):
            colors[channel::3] = samples
        samples = bytes(colors)
    height, width = picture.size
    return f"P{5 if extension == '.pgm' else 6}\n{width} {height}\n255\n".encode() + samples


def _by_pillow(picture: Picture, extension: str, options: dict[str, Any]) -> bytes:
    name = FORMATS[extension][0]
    if name in ("AVIF", "WEBP"):
        _require(name, name.lower())
    image = picture.to_pillow()
    width, height = image.size
    if name == "WEBP" and max(width, height) > 16_383:
        raise PictureError(f"the picture has {width} x {height} pixels, .webp holds 16383 a side at most")
    if name == "JPEG" and max(width, height) > 65_535:
        raise PictureError(f"the picture has {width} x {height} pixels, .jpg holds 65535 a side at most")
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _require(name: str, feature: str) -> None:
    """Raises `PictureError` if Pillow was built without what writes a format."""
    from PIL import features

    if not features.check(feature):
        raise PictureError(f"this installation of Pillow does not write {name}")


def _kept(picture: Picture, name: str) -> tuple[dict[str, Any], list[str]]:
    """What the format has a place for, and the names of what it has none for."""
    kept = picture.metadata()
    lost: list[str] = []

    def lose(key: str, why: str = "") -> None:
        if kept.pop(key, None) is not None:
            lost.append(_NAMES[key] + why)

    if "exif" in kept:
        try:
            if name in ("WEBP", "AVIF") and picture.resolution is not None:
                kept["exif"] = blocks.with_resolution(kept["exif"], picture.resolution)
            block = TiffBlock(kept["exif"])
            if name == "TIFF":  # which gets what can be read; the others get the block as it is
                lost += block.damaged
        except (ValueError, struct.error):
            lose("exif", " (damaged)")
    if name in ("PPM", "BMP"):
        for key in ("icc", "exif", "xmp", "iptc", "cicp", "gamma", "chromaticities"):
            lose(key)
    if name == "PPM":
        lose("resolution")
    if name in ("WEBP", "AVIF"):
        lose("iptc")
    if name == "JPEG":
        for key, room in (("exif", 6), ("xmp", len(_XMP_SEGMENT)), ("iptc", 27)):
            if len(kept.get(key, b"")) + room > _MAX_JPEG_SEGMENT:
                lose(key, " (too long for JPEG)")
    if name not in ("PNG", "PPM", "BMP"):
        _make_profile(picture, kept, lose)
    return kept, lost


def _make_profile(picture: Picture, kept: dict[str, Any], lose: Any) -> None:
    """Colours as a profile, where the format has no numbers for them."""
    said = [key for key in ("cicp", "gamma", "chromaticities") if key in kept]
    made = profile_of(picture) if said and picture.channels == 3 else None
    if made is not None and made != picture.icc:
        kept["icc"] = made
        for key in said:
            del kept[key]
    for key in said:
        lose(key)


def _options(name: str, kept: dict[str, Any]) -> dict[str, Any]:
    """What Pillow's writer is told. None would make it look for a value itself."""
    options: dict[str, Any] = {}
    if name in ("PNG", "TIFF", "WEBP", "JPEG", "AVIF") and "icc" in kept:
        options["icc_profile"] = kept["icc"]
    if name in ("JPEG", "PNG") and "exif" in kept:
        options["exif"] = blocks.PREFIX + kept["exif"]
    resolution = kept.get("resolution")
    if name in ("WEBP", "AVIF"):
        exif = kept.get("exif")
        if exif is None and resolution is not None:
            exif = blocks.with_resolution(None, resolution)
        if exif is not None:
            options["exif"] = exif
    elif resolution is not None:
        # JPEG has whole numbers of 16 bits for it.
        whole = tuple(max(1, min(round(number), 65_535)) for number in resolution)
        options["dpi"] = whole if name == "JPEG" else resolution
    if name in ("WEBP", "AVIF") and "xmp" in kept:
        options["xmp"] = kept["xmp"]
    if name == "JPEG":
        options["extra"] = _jpeg_segments(kept)
    if name == "PNG":
        options["pnginfo"] = _png_texts(kept)
    return options


def _resources(iptc: bytes) -> bytes:
    """IPTC records as one of Photoshop's image resources."""
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)


def _jpeg_segments(kept: dict[str, Any]) -> bytes:
    """What not every version of Pillow writes itself: XMP, and IPTC as Photoshop has it."""
    segments = b""
    for marker, start, data in (
        (b"\xff\xe1", _XMP_SEGMENT, kept.get("xmp")),
        (b"\xff\xed", b"Photoshop 3.0\0", _resources(kept["iptc"]) if "iptc" in kept else None),
    ):
        if data is not None:
            segments += marker + struct.pack(">H", 2 + len(start) + len(data)) + start + data
    return segments


def _png_texts(kept: dict[str, Any]) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    if "xmp" in kept:
        texts.add_itxt("XML:com.adobe.xmp", kept["xmp"].decode(errors="replace"))
    if "iptc" in kept:
        data = _resources(kept["iptc"])
        digits = binascii.hexlify(data).decode()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        texts.add_text("Raw profile type iptc", f"\niptc\n{len(data):8}\n{lines}\n", zip=True)
    return texts


def _with_png_colors(png: bytes, picture: Picture) -> bytes:
    """The PNG file with what it says of its colours in numbers, right after its header."""
    chunks = b""
    if picture.cicp is not None:
        *codes, is_full_range = picture.cicp
        chunks += _chunk(b"cICP", bytes([*codes, int(is_full_range)]))
    if picture.gamma is not None:
        chunks += _chunk(b"gAMA", struct.pack(">I", picture.gamma))
    if picture.chromaticities is not None:
        chunks += _chunk(b"cHRM", struct.pack(">8I", *picture.chromaticities))
    return png[:33] + chunks + png[33:]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
