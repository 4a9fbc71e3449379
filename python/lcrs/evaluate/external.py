"""Codecs that are programs, by templates of their command lines: cjxl, avifenc, BPG, VTM and others."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.evaluate.ladder import Ladder
from lcrs.evaluate.planes import COLORS, to_planes, to_rgb
from lcrs.evaluate.programs import Programs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.results import Setting

__all__ = ["PROGRAMS", "ExternalCodec"]

PROGRAMS: dict[str, dict[str, Any]] = {
    "jpegli": {
        "name": "jpegli",
        "command": "cjpegli {input} {output} -q {setting} --chroma_subsampling=444",
        "decode_command": "djpegli {input} {output}",
        "suffix": ".jpg",
        "settings": tuple(range(10, 100, 10)),
    },
    "cjxl": {
        "name": "JPEG XL (cjxl)",
        "command": "cjxl {input} {output} -d {setting} -e 7 --num_threads=0 --quiet",
        "decode_command": "djxl {input} {output} --quiet",
        "suffix": ".jxl",
        "settings": (15, 10, 7, 5, 3.5, 2.5, 1.7, 1.0, 0.6, 0.3),
        "most": 25,
        "step": 0,
        "is_ascending": False,
    },
    "avifenc": {
        "name": "AVIF (avifenc)",
        "command": "avifenc -q {setting} -s 4 -y 444 -j 1 {input} {output}",
        "decode_command": "avifdec -j 1 {input} {output}",
        "suffix": ".avif",
        "settings": (10, 20, 30, 40, 50, 60, 70, 80, 88, 94),
    },
    "bpg": {
        "name": "BPG 4:4:4",
        "command": "bpgenc -o {output} -q {setting} -f 444 -e x265 -c ycbcr -b 8 {input}",
        "decode_command": "bpgdec -o {output} {input}",
        "suffix": ".bpg",
        "settings": (47, 42, 37, 32, 27, 22, 17),
        "most": 51,
        "is_ascending": False,
    },
    "vvenc": {
        "name": "VVC (VVenC)",
        "command": "vvencFFapp -i {input} -s {width}x{height} --fps 1/1 -f 1 -c yuv420_10 --preset slower "
        "--intraperiod 1 -q {setting} -t 1 -b {output}",
        "decode_command": "vvdecapp -b {input} -o {output} -t 1",
        "suffix": ".266",
        "settings": (47, 42, 37, 32, 27, 22, 17),
        "most": 51,
        "is_ascending": False,
        "pictures": "yuv420p10",
    },
}
"""Programs that are looked for on the path; templates as `ExternalCodec` takes them."""

_FORMS = {
    "png": (".png", None),
    "ppm": (".ppm", None),
    "yuv444p": (".yuv", (False, 8)),
    "yuv420p": (".yuv", (True, 8)),
    "yuv444p10": (".yuv", (False, 10)),
    "yuv420p10": (".yuv", (True, 10)),
}


@dataclass(frozen=True)
class ExternalCodec(Programs, Ladder):
    """A program that writes files.

    Attributes:
        name: As of `Programs`, like `settings` and `suffix`.
        command: As there; `{width}` and `{height}` are the picture's.
        decode_command: As there, with the same names.
        pictures: What goes in and comes out: `png`, `ppm`, or raw planes `yuv444p`, `yuv420p`,
            `yuv444p10`, `yuv420p10` (BT.709, full range, as `lcrs.evaluate.planes` makes them).
        timeout: Seconds that one run may take.
    """

    pictures: str = "png"
    timeout: float = 3600.0

    names = (*Programs.names, "width", "height")

    def __post_init__(self) -> None:
        if self.pictures not in _FORMS:
            msg = f"pictures is {self.pictures!r}, must be one of {', '.join(_FORMS)}"
            raise ValueError(msg)
        super().__post_init__()

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        yuv = _FORMS[self.pictures][1]
        return self.programs_identity(
            "by the program" if yuv is None else f"{COLORS.format(depth=yuv[1])}; {self.pictures}"
        )

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "input").with_suffix(_FORMS[self.pictures][0])
            target = Path(folder, "output").with_suffix(self.suffix)
            self._write(source, pixels)
            height, width = pixels.shape[:2]
            self.run(self.command, source, target, setting, self.timeout, width=width, height=height)
            return target.read_bytes()

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "input").with_suffix(self.suffix)
            target = Path(folder, "output").with_suffix(_FORMS[self.pictures][0])
            source.write_bytes(data)
            height, width = shape[:2]
            self.run(self.decode_command, source, target, setting, self.timeout, width=width, height=height)
            return self._read(target, shape)

    def _write(self, path: Path, pixels: NDArray[np.uint8]) -> None:
        yuv = _FORMS[self.pictures][1]
        if yuv is None:
            from PIL import Image

            Image.fromarray(pixels).save(path)
            return
        planes = to_planes(pixels, subsampled=yuv[0], depth=yuv[1])
        path.write_bytes(b"".join(p.astype(p.dtype.newbyteorder("<")).tobytes() for p in planes))

    def _read(self, path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        yuv = _FORMS[self.pictures][1]
        if yuv is None:
            from lcrs.evaluate.protocol import read_picture

            return read_picture(path).pixels  # deeper ones are rounded, as originals are
        subsampled, depth = yuv
        height, width = shape[:2]
        small = ((height + 1) // 2, (width + 1) // 2) if subsampled else (height, width)
        sizes = [(height, width), small, small]
        samples = np.frombuffer(path.read_bytes(), np.uint8 if depth <= 8 else "<u2")
        if len(samples) != sum(h * w for h, w in sizes):
            msg = f"{path.name}: has {len(samples)} samples, {self.pictures} of {width} x {height} has others"
            raise ValueError(msg)
        ends = np.cumsum([h * w for h, w in sizes])
        parts = np.split(samples, ends[:-1])
        return to_rgb([part.reshape(size) for part, size in zip(parts, sizes, strict=True)], depth)
