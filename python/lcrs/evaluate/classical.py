"""Classical picture codecs: JPEG, WebP, AVIF and JPEG 2000 by Pillow, JPEG XL and others by imagecodecs.

Whatever decides the bytes is in the settings here, and is printed with the version of the library: defaults
of libraries change.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.evaluate.ladder import Ladder, checked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.protocol import Codec
    from lcrs.evaluate.results import Setting

__all__ = ["CODECS", "ImagecodecsCodec", "PillowCodec", "codec_names", "make_codec"]


@dataclass(frozen=True)
class PillowCodec(Ladder):
    """A codec of Pillow.

    Attributes:
        name: What curves call it.
        form: Pillow's name of the format.
        setting_is: What the setting is, in words.
        settings: From low rates to high ones.
        save: What `PIL.Image.Image.save` is told besides.
        parameter: What the setting is called there.
        library: Pillow's name of the library, whose version is told.
        colors: Colour conversion, chroma, bit depth and rounding, in words.
        scale: From the setting to what Pillow takes.
    """

    name: str
    form: str
    setting_is: str
    settings: tuple[Setting, ...]
    library: str
    colors: str
    suffix: str
    save: Mapping[str, Any] = field(default_factory=dict)
    parameter: str = "quality"
    scale: Callable[[float], Any] = int

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        import PIL
        from PIL import features

        return {
            "kind": self.form,
            "by": f"Pillow {PIL.__version__}, {self.library} {features.version(self.library)}",
            "settings": {key: str(value) for key, value in self.save.items()},
            "setting": self.setting_is,
            "colors": self.colors,
        }

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        from PIL import Image

        number = checked(self, setting, self.setting_is)
        file = io.BytesIO()
        Image.fromarray(pixels).save(
            file, self.form, **{self.parameter: self.scale(number)}, **dict(self.save)
        )
        return file.getvalue()

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        from PIL import Image

        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class ImagecodecsCodec(Ladder):
    """A codec of imagecodecs; the attributes are those of `PillowCodec`."""

    name: str
    form: str
    """imagecodecs' prefix of the functions."""
    setting_is: str
    settings: tuple[Setting, ...]
    colors: str
    suffix: str
    options: Mapping[str, Any] = field(default_factory=dict)
    parameter: str = "level"

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        library = import_module("imagecodecs")
        return {
            "kind": self.form,
            "by": f"imagecodecs {version('imagecodecs')}, {getattr(library, f'{self.form}_version')()}",
            "settings": {key: str(value) for key, value in self.options.items()},
            "setting": self.setting_is,
            "colors": self.colors,
        }

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        encode = getattr(import_module("imagecodecs"), f"{self.form}_encode")
        options = {self.parameter: checked(self, setting, self.setting_is)} | dict(self.options)
        return bytes(encode(pixels, **options))

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        pixels = np.asarray(getattr(import_module("imagecodecs"), f"{self.form}_decode")(data))
        return np.ascontiguousarray(pixels[..., :3])


_QUALITY = "quality, 0 to 100"
_FULL = "YCbCr BT.601 full range by the library, 8 bits"
_SAVED: dict[str, dict[str, Any]] = {
    # Settings of the published curves: Pillow's own, but for the quality.
    "jpeg": {"subsampling": "4:2:0"},
    "webp": {"method": 4},
    "avif": {"speed": 4, "subsampling": "4:4:4", "range": "full", "max_threads": 1},
    "jpeg2000": {"quality_mode": "dB", "irreversible": True, "mct": 1},
}

CODECS: dict[str, Callable[[], Codec]] = {
    "jpeg": lambda: PillowCodec(
        "JPEG",
        "JPEG",
        _QUALITY,
        tuple(range(5, 100, 5)),
        "libjpeg_turbo",
        f"{_FULL}, chroma 4:2:0",
        ".jpg",
        _SAVED["jpeg"],
    ),
    "webp": lambda: PillowCodec(
        "WebP",
        "WEBP",
        _QUALITY,
        tuple(range(5, 100, 5)),
        "webp",
        "YCbCr BT.601 limited range by the library, 8 bits, chroma 4:2:0",
        ".webp",
        _SAVED["webp"],
    ),
    "avif": lambda: PillowCodec(
        "AVIF",
        "AVIF",
        _QUALITY,
        (10, 20, 30, 40, 50, 60, 70, 80, 88, 94),
        "avif",
        f"{_FULL}, chroma 4:4:4",
        ".avif",
        _SAVED["avif"],
    ),
    "jpeg2000": lambda: PillowCodec(
        "JPEG2000",
        "JPEG2000",
        "PSNR that the encoder aims at in its own components, in dB",
        (26, 28, 30, 32, 34, 36, 38, 40, 42, 44),
        "jpg_2000",
        "irreversible component transform, 9/7 wavelets, 8 bits, chroma 4:4:4",
        ".jp2",
        _SAVED["jpeg2000"],
        parameter="quality_layers",
        scale=lambda number: [number],
        least=10,
        most=80,
        step=0,
    ),
    "jpegxl": lambda: ImagecodecsCodec(
        "JPEG XL",
        "jpegxl",
        "Butteraugli distance: larger is worse",
        (15, 10, 7, 5, 3.5, 2.5, 1.7, 1.0, 0.6, 0.3),
        "XYB by the library, float, chroma 4:4:4",
        ".jxl",
        {"effort": 7, "lossless": False, "numthreads": 1},
        parameter="distance",
        most=25,
        step=0,
        is_ascending=False,
    ),
}
"""What makes each codec that needs no program; `lcrs.evaluate.intra` and `external` have more."""


def _lazy() -> dict[str, Callable[[], Codec]]:
    from lcrs.evaluate.external import PROGRAMS, ExternalCodec
    from lcrs.evaluate.intra import IntraCodec

    more: dict[str, Callable[[], Codec]] = {
        "hevc": IntraCodec.hevc,
        "av1": IntraCodec.av1,
    }
    for name, program in PROGRAMS.items():
        more[name] = partial(ExternalCodec, **program)
    return CODECS | more


def codec_names() -> list[str]:
    """Of the codecs that `make_codec` makes, whether or not what they need is here."""
    return list(_lazy())


def make_codec(name: str) -> Codec:
    """A codec by its name, as `lcrs bench` takes it.

    Raises:
        ValueError: there is none of that name.
        OSError: what it needs is not installed.
    """
    makers = _lazy()
    if name not in makers:
        msg = f"there is no codec '{name}': there are {', '.join(makers)}"
        raise ValueError(msg)
    needs = {"jpegxl": "imagecodecs", "hevc": "av", "av1": "av"}.get(name)
    if needs is not None and find_spec(needs) is None:
        msg = f"{name} needs {needs}: pip install '.[evaluate]' in the sources of lcrs"
        raise OSError(msg)
    if name in ("webp", "avif", "jpeg2000"):
        from PIL import features

        if not features.check({"jpeg2000": "jpg_2000"}.get(name, name)):
            msg = f"Pillow has no {name} here: pip install a newer Pillow"
            raise OSError(msg)
    return makers[name]()
