"""Codecs of point clouds to compare with: Draco, G-PCC, and any program by templates of its command lines."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.clouds import Cloud, cloud_file, read
from lcrs.evaluate.programs import Programs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.cloud_protocol import CloudCodec
    from lcrs.evaluate.results import Setting

__all__ = ["CLOUD_CODECS", "GPCC", "DracoCodec", "ExternalCloudCodec", "make_cloud_codec"]

CLOUD_CODECS = ("draco", "gpcc")
"""Names that `make_cloud_codec` takes."""

GPCC: dict[str, Any] = {
    "name": "G-PCC octree (TMC13)",
    "command": "tmc3 --mode=0 --uncompressedDataPath={input} --compressedStreamPath={output} "
    "--positionQuantizationScale={setting} --disableAttributeCoding=1 --mergeDuplicatedPoints=1 "
    "--neighbourAvailBoundaryLog2=8 --intra_pred_max_node_size_log2=6 --inferredDirectCodingMode=1 "
    "--maxNumQtBtBeforeOt=4 --minQtbtSizeLog2=0 --planarEnabled=1 --planarModeIdcmUse=0",
    "decode_command": "tmc3 --mode=1 --compressedStreamPath={input} --reconstructedDataPath={output} "
    "--outputBinaryPly=1",
    "settings": (1,),
    "suffix": ".bin",
}
"""MPEG's test model, its octree with the tools that its test conditions turn on. The setting is the scale
that positions are multiplied by before they are rounded: 1 loses nothing of whole numbers.
"""

_EXACT = 1 << 24
"""Whole numbers below this are floats of 32 bits."""


@dataclass(frozen=True)
class DracoCodec:
    """Google's Draco by DracoPy, positions alone, which drops doubles.

    Attributes:
        name: What curves call it.
        settings: `lossless` for whole numbers; numbers are bits of a coordinate over the extent of a cloud.
        level: From 0, fastest, to 10, smallest.
    """

    name: str = "Draco"
    settings: tuple[Setting, ...] = ("lossless",)
    level: int = 10
    suffix: str = ".drc"

    takes_numbers = True

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        return {
            "kind": "draco",
            "by": f"DracoPy {version('DracoPy')}",
            "settings": {"compression_level": str(self.level)},
            "setting": "lossless, or quantization_bits",
            "colors": "positions alone",
        }

    def encode_cloud(self, cloud: Cloud, setting: Setting) -> bytes:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.encode_cloud`.

        Raises:
            ValueError: positions are no whole numbers, or too large ones, and nothing is to be lost.
        """
        points = cloud.positions
        options: dict[str, Any] = {"compression_level": self.level}
        if setting == "lossless":
            low = points.min(axis=0).astype(np.float64)
            extent = float((points - low).max())
            whole = np.array_equal(points, np.rint(points))
            if not whole or np.abs(points.astype(np.float64)).max() >= _EXACT:
                raise ValueError(
                    f"Draco keeps whole numbers below {_EXACT} without loss: -q BITS rounds others"
                )
            bits = max(1, math.ceil(math.log2(extent + 1)))
            options |= {
                "quantization_bits": bits,
                "quantization_range": 2**bits - 1,
                "quantization_origin": low.tolist(),
            }
        else:
            if not (isinstance(setting, int) and 1 <= setting <= 30):
                raise ValueError(f"setting is {setting}: lossless, or 1 to 30 bits")
            options["quantization_bits"] = setting
        data = import_module("DracoPy").encode(np.ascontiguousarray(points, np.float32), **options)
        return bytes(data)

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`."""
        return np.asarray(import_module("DracoPy").decode(data).points).reshape(-1, 3)

    def parts(self, data: bytes) -> Mapping[str, int]:
        """None are known."""
        return {}


@dataclass(frozen=True)
class ExternalCloudCodec(Programs):
    """A program that reads and writes PLY files of positions.

    Attributes:
        name: As of `Programs`, like `settings` and `suffix`.
        command: As there; `{points}` is the number of points.
        decode_command: As there, without the number of points.
        encoding: Of PLY files, one of `lcrs.clouds.ENCODINGS`.
        timeout: Seconds that one run may take.
    """

    encoding: str = "binary_little_endian"
    timeout: float = 3600.0

    takes_numbers = True
    names = (*Programs.names, "points")

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        return self.programs_identity(f"positions alone, as PLY ({self.encoding})")

    def encode_cloud(self, cloud: Cloud, setting: Setting) -> bytes:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.encode_cloud`."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "input.ply"), Path(folder, "output").with_suffix(self.suffix)
            source.write_bytes(cloud_file(Cloud(_as_floats(cloud.positions)), "ply", self.encoding)[0])
            self.run(self.command, source, target, setting, self.timeout, points=len(cloud))
            return target.read_bytes()

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "input").with_suffix(self.suffix), Path(folder, "output.ply")
            source.write_bytes(data)
            self.run(self.decode_command, source, target, setting, self.timeout)
            return read(target).positions

    def parts(self, data: bytes) -> Mapping[str, int]:
        """None are known."""
        return {}


def make_cloud_codec(name: str) -> CloudCodec:
    """A codec of `CLOUD_CODECS`.

    Raises:
        OSError: its package or program is not here.
        ValueError: there is no such codec.
    """
    if name == "draco":
        if find_spec("DracoPy") is None:
            raise OSError("draco needs DracoPy: pip install '.[evaluate]' in the sources of lcrs")
        return DracoCodec()
    if name == "gpcc":
        return ExternalCloudCodec(**GPCC)
    raise ValueError(f"there is no codec of point clouds '{name}': there are {', '.join(CLOUD_CODECS)}")


def _as_floats(positions: NDArray[Any]) -> NDArray[Any]:
    """Positions as what every program reads: floats of 32 bits where these hold them."""
    with np.errstate(over="ignore"):
        narrow = positions.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), positions) else positions.astype(np.float64)
