"""What `lcrs.pillow.register` gives to Pillow."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile

from lcrs import codec, coding
from lcrs.pictures import Picture, PictureError

__all__ = ["LcrsImageFile", "accept", "save"]

_MAGIC = b"\x8cLCS"
_EXIF_PREFIX = b"Exif\0\0"


def accept(prefix: bytes) -> bool:
    """Whether a file that begins so is an .lcrs file."""
    return prefix.startswith(_MAGIC)


class LcrsImageFile(ImageFile.ImageFile):
    """An .lcrs file: its header read at once, its pixels when they are needed."""

    format = "LCRS"
    format_description = "lcrs learned compression"

    def _open(self) -> None:
        assert self.fp is not None
        self._data: bytes | None = bytes(self.fp.read())
        fields = coding.info(self._data)
        if fields["color"] is None:
            msg = "the file holds an array, no picture: lcrs.decompress gives it"
            raise PictureError(msg)
        self._size = fields["width"], fields["height"]
        self._mode = _mode(fields["color"], fields["bit_depth"])
        metadata = coding.metadata(self._data)
        found: dict[str, Any] = {
            "icc_profile": metadata["icc"],
            "exif": _EXIF_PREFIX + metadata["exif"] if metadata["exif"] else None,
            "xmp": metadata["xmp"],
            "dpi": metadata["resolution"],
            "model": fields["model"],
            "quality": fields["quality"],
        }
        self.info.update({name: value for name, value in found.items() if value is not None})
        self.tile = []

    def load(self) -> Any:
        """Decodes the pixels, once."""
        if self._data is not None:
            image = pillow_image(codec.decompress_picture(self._data))
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
    said: dict[Any, Any] = {name: options.pop(name) for name in ("icc_profile", "dpi") if name in options}
    losing = {name: options.pop(name) for name in ("background", "to_8bit", "to_srgb") if name in options}
    if said or (exif is not None and "exif" not in image.info):
        image = image.copy()  # whose metadata are ours
        image.info.update(said)
        if exif is not None:
            image.info["exif"] = exif
    picture = codec.to_picture(image, **losing)
    if exif is None:
        picture = replace(picture, exif=None)
    picture = replace(picture, xmp=xmp.encode() if isinstance(xmp, str) else xmp, iptc=None)
    file.write(codec.compress(picture, keep_metadata=True, **options))


def _mode(color: str, bit_depth: int) -> str:
    if color != "grey":
        return "RGB"
    return "I;16" if bit_depth > 8 else "L"


def _exif(exif: Any) -> bytes | None:
    """An EXIF block as Pillow takes it, without its prefix."""
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    return bytes(exif).removeprefix(_EXIF_PREFIX) if exif else None
