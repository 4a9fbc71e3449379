"""What `lcrs.pillow.register` gives to Pillow."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from lcrs import codec, coding
from lcrs.pictures import Picture
from lcrs.pictures.convert import orientation_of
from lcrs.pictures.exif import upright
from lcrs.pictures.ifd import TiffBlock

__all__ = ["LcrsImageFile", "accept", "save"]

_MAGIC = b"\x8cLCS"
_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
_OF_PICTURES = ("background", "to_8bit", "to_srgb", "frame")
"""Keywords of `lcrs.compress` that say how an image becomes a picture."""


def accept(prefix: bytes) -> bool:
    """Whether a file that begins so is an .lcrs file."""
    return prefix.startswith(_MAGIC)


class LcrsImageFile(ImageFile.ImageFile):
    """An .lcrs file: its header read at once, its pixels when they are needed.

    What is wrong with it is raised as `OSError`, by which programs tell damaged pictures of all formats.
    """

    format = "LCRS"
    format_description = "lcrs learned compression"

    def _open(self) -> None:
        assert self.fp is not None
        self._data: bytes | None = bytes(self.fp.read())
        try:
            fields, metadata = coding.info(self._data), coding.metadata(self._data)
        except ValueError as error:
            raise UnidentifiedImageError(str(error)) from error
        if fields["color"] is None:
            msg = "the file holds an array, no picture: lcrs.decompress gives it"
            raise UnidentifiedImageError(msg)
        self._size = fields["width"], fields["height"]
        self._mode = _mode(fields["color"], fields["bit_depth"])
        found: dict[str, Any] = {
            "icc_profile": metadata["icc"],
            "exif": _EXIF_PREFIX + metadata["exif"] if metadata["exif"] else None,
            "xmp": metadata["xmp"],
            "dpi": metadata["resolution"],
            **({"lossless": True} if fields["lossless"] else {"model": fields["model"]}),
            "quality": fields["quality"],
        }
        self.info.update({name: value for name, value in found.items() if value is not None})
        self.tile = []

    def load(self) -> Any:
        """Decodes the pixels, once."""
        if self._data is not None:
            try:
                image = pillow_image(codec.decompress_picture(self._data))
            except ValueError as error:
                raise OSError(str(error)) from error
            self._mode, self.im, self._data = image.mode, image.im, None
        return super().load()


def pillow_image(picture: Picture) -> Image.Image:
    """The picture as Pillow can hold it: colours of more than 8 bits are rounded to 8."""
    if picture.channels == 3 and picture.bit_depth != 8:
        from lcrs.pictures.deep_files import rounded

        picture = rounded(picture)
    return picture.to_pillow()


def save(image: Image.Image, file: IO[bytes], _name: str | bytes) -> None:
    """Writes an image; what `Image.save` was told are the keywords of `lcrs.compress`, and Pillow's."""
    options: dict[str, Any] = dict(getattr(image, "encoderinfo", {}))
    exif, xmp = _exif(options.pop("exif", None)), options.pop("xmp", None)
    keeps_all = bool(options.pop("keep_metadata", False))
    keeps_exif = bool(options.pop("keep_exif", False)) or keeps_all
    said: dict[Any, Any] = {name: options.pop(name) for name in ("icc_profile", "dpi") if name in options}
    choices = {name: options.pop(name) for name in _OF_PICTURES if name in options}
    before = orientation_of(image)
    after = before if exif is None else TiffBlock(exif).integer(_ORIENTATION, 1)
    if after != before or (said and choices.get("to_srgb")):
        image = image.copy()  # whose metadata are ours
        image.info.update(said if exif is None else {**said, "exif": exif})
        said = {}
    picture = codec.to_picture(image, **choices, max_pixels=options.get("max_pixels"))
    if exif is not None:
        picture = replace(picture, exif=upright(exif, picture.size, turned=after != 1))
    elif not keeps_exif:
        picture = replace(picture, exif=None)
    if xmp is not None or not keeps_all:
        picture = replace(picture, xmp=xmp.encode() if isinstance(xmp, str) else xmp)
    if not keeps_all:
        picture = replace(picture, iptc=None)
    if said:
        picture = _with_stated(picture, said)
    file.write(codec.compress(picture, keep_metadata=True, **options))


def _with_stated(picture: Picture, said: dict[Any, Any]) -> Picture:
    """The picture with another profile or resolution, by the names that Pillow has for them."""
    bearer = Image.new("L" if picture.channels == 1 else "RGB", (1, 1))
    bearer.info.update(said)
    stated = codec.to_picture(bearer)
    if "dpi" in said:
        picture = replace(picture, resolution=stated.resolution)
    if "icc_profile" in said:
        picture = replace(picture, icc=stated.icc, cicp=None, gamma=None, chromaticities=None)
    return picture


def _mode(color: str, bit_depth: int) -> str:
    if color != "grey":
        return "RGB"
    return "I;16" if bit_depth > 8 else "L"


def _exif(exif: Any) -> bytes | None:
    """An EXIF block as Pillow takes it, without its prefix."""
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    return bytes(exif).removeprefix(_EXIF_PREFIX) if exif else None
