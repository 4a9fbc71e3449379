"""HEVC and AV1 on single pictures, by the encoders in PyAV: x265 and SVT-AV1."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.evaluate.ladder import Ladder, checked
from lcrs.evaluate.planes import COLORS, to_planes, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.results import Setting

__all__ = ["IntraCodec"]


@dataclass(frozen=True)
class IntraCodec(Ladder):
    """A video encoder that is given one picture.

    The bytes are those of the stream alone, without a file round it: as of HM and VTM.
    """

    name: str
    encoder: str
    decoder: str
    pixel_format: str
    depth: int
    settings: tuple[Setting, ...]
    suffix: str
    options: dict[str, str] = field(default_factory=dict)
    parameter: str = "qp"
    multiple: int = 2
    """What sides are padded to, which the picture's own are cut from."""
    least_side: int = 1

    @classmethod
    def hevc(cls) -> IntraCodec:
        """HEVC by x265, 4:4:4."""
        return cls(
            "HEVC (x265)",
            "libx265",
            "hevc",
            "yuv444p",
            8,
            (47, 43, 40, 37, 34, 31, 28, 24, 20, 16),
            ".hevc",
            {
                "preset": "slow",
                "x265-params": "keyint=1:log-level=none:info=0:frame-threads=1:pools=none:qp={setting}",
            },
            most=51,
            is_ascending=False,
            multiple=8,
            least_side=32,
        )

    @classmethod
    def av1(cls) -> IntraCodec:
        """AV1 by SVT-AV1, which has 4:2:0 only."""
        return cls(
            "AV1 (SVT-AV1)",
            "libsvtav1",
            "libdav1d",
            "yuv420p10le",
            10,
            (63, 60, 56, 52, 47, 42, 36, 30, 23, 15),
            ".obu",
            {
                "preset": "4",
                "svtav1-params": "keyint=1:rc=0:aq-mode=0:avif=1:lp=1:tune=1:qp={setting}",
            },
            most=63,
            least=1,
            is_ascending=False,
            multiple=2,
            least_side=64,
        )

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        av = import_module("av")
        versions = ", ".join(
            f"{name} {'.'.join(map(str, number))}"
            for name, number in av.library_versions.items()
            if name == "libavcodec"
        )
        return {
            "kind": self.encoder,
            "by": f"PyAV {version('av')}, {versions}, {self.encoder}; decoder {self.decoder}",
            "settings": self.options,
            "setting": f"{self.parameter}, {self.least:g} to {self.most:g}: larger is worse",
            "colors": f"{COLORS.format(depth=self.depth)}; {self.pixel_format}",
            "rate": "bytes of the stream, without a container",
        }

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        av = import_module("av")
        number = checked(self, setting, self.parameter)
        _quiet(av)
        context = av.CodecContext.create(self.encoder, "w")
        height, width = self._padded(pixels.shape)
        context.width, context.height, context.pix_fmt = width, height, self.pixel_format
        context.time_base = import_module("fractions").Fraction(1, 25)
        context.color_range = 2
        context.options = {key: value.format(setting=int(number)) for key, value in self.options.items()}
        grown = np.pad(
            pixels, ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)), mode="edge"
        )
        frame = av.VideoFrame(width, height, self.pixel_format)
        for plane, values in zip(
            frame.planes,
            to_planes(grown, subsampled="420" in self.pixel_format, depth=self.depth),
            strict=True,
        ):
            plane.update(_rows(values, plane.line_size))
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
        return b"".join(bytes(packet) for packet in packets)

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        av = import_module("av")
        _quiet(av)
        context = av.CodecContext.create(self.decoder, "r")
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
        if len(frames) != 1 or frames[0].format.name.replace("yuvj", "yuv") != self.pixel_format:
            formats = ", ".join(frame.format.name for frame in frames)
            msg = f"{self.decoder} gives {len(frames)} frames ({formats}), one {self.pixel_format} is needed"
            raise ValueError(msg)
        kind = np.dtype(np.uint8 if self.depth <= 8 else "<u2")
        planes = []
        for plane in frames[0].planes:
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            planes.append(rows[:, : plane.width * kind.itemsize].copy().view(kind))
        return np.ascontiguousarray(to_rgb(planes, self.depth)[: shape[0], : shape[1]])

    def _padded(self, shape: tuple[int, ...]) -> tuple[int, int]:
        height, width = (
            max(math.ceil(side / self.multiple) * self.multiple, self.least_side) for side in shape[:2]
        )
        return height, width


def _rows(values: NDArray[Any], line_size: int) -> bytes:
    """The bytes of a plane whose rows have `line_size` bytes."""
    height, width = values.shape
    rows = np.zeros((height, line_size), np.uint8)
    samples = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    rows[:, : width * values.itemsize] = samples.view(np.uint8).reshape(height, -1)
    return rows.tobytes()


def _quiet(av: Any) -> None:
    """No words of libraries among ours: SVT-AV1 reads its level from the environment."""
    os.environ.setdefault("SVT_LOG", "0")
    av.logging.set_level(av.logging.PANIC)
