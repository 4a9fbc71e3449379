"""Latents of real pictures: what the shipped model's entropy coder gets to code.

Everything here runs on `lcrs.coding` alone: the graphs of the package on the exact engine, its tables and
its thresholds.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lcrs import coding

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
SHIPPED = Path(str(files("lcrs"))) / "zoo" / "weights" / "photo.lcrm"


@dataclass
class Latent:
    """The symbols of a latent in the order of its stream (row, column, channel), and their table rows."""

    symbols: Ints
    indexes: Ints


class Model:
    """The analysis side of a package with a hyperprior.

    Args:
        path: the package (.lcrm).
    """

    def __init__(self, path: Path = SHIPPED) -> None:
        data = path.read_bytes()
        package = coding.Package.from_bytes(data)
        self.description: dict[str, Any] = json.loads(package.description)
        self.tensors = read_tensors(data)
        self.graphs = {
            name: coding.Graph(json.dumps(graph), self.tensors)
            for name, graph in self.description["graphs"].items()
        }

    def table(self) -> tuple[Ints, Ints, Ints]:
        """Cumulative frequencies, lengths and offsets of the latents' table."""
        names = self.description["codec"]["y"]["table"]
        cdfs, lengths, offsets = (self.tensors[names[key]] for key in ("cdf", "lengths", "offsets"))
        return cdfs, lengths, offsets

    def latents(self, pixels: npt.NDArray[np.uint8], quality: float) -> dict[str, Latent]:
        """The latents ``y`` and ``z`` of a picture (H, W, 3) at a quality from 0 to 100."""
        level = float(np.float32(quality / 100 * (self.description["levels"] - 1)))
        pad = self.description["pad"]
        height, width, _ = pixels.shape
        padded = np.pad(pixels, ((0, -height % pad), (0, -width % pad), (0, 0)), mode="edge")
        x = np.ascontiguousarray((padded.astype(np.float32) / np.float32(255)).transpose(2, 0, 1))
        y = self.graphs["g_a"].run([x], level)["y"]
        z = self.graphs["h_a"].run([y], level)["z"]
        prior = {
            key: np.ascontiguousarray(np.broadcast_to(value, z.shape))
            for key, value in self.graphs["h_p"].run([], level).items()
        }
        z_symbols = coding.quantize(z, prior["means"])
        z_hat = coding.dequantize(z_symbols, prior["means"])
        crop = (slice(None), slice(y.shape[1]), slice(y.shape[2]))
        conditions = self.graphs["h_s"].run([z_hat], level)
        scales, means = (np.ascontiguousarray(conditions[key][crop]) for key in ("scales", "means"))
        return {
            "y": self._latent(coding.quantize(y, means), scales),
            "z": self._latent(z_symbols, prior["scales"]),
        }

    def _latent(self, symbols: Ints, scales: Floats) -> Latent:
        thresholds = self.tensors[self.description["codec"]["y"]["thresholds"]]
        indexes = coding.indexes(scales, thresholds)
        return Latent(*(np.ascontiguousarray(a.transpose(1, 2, 0)).ravel() for a in (symbols, indexes)))


def read_tensors(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file."""
    (size,) = struct.unpack("<Q", data[:8])
    begin = 8 + size
    tensors = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name != "__metadata__":
            dtype = {"F32": np.float32, "F16": np.float16, "I32": np.int32}[entry["dtype"]]
            start, end = (begin + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[start:end], dtype).reshape(entry["shape"])
    return tensors
