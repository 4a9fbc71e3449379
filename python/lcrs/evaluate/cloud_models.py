"""Learned codecs of point clouds that are evaluated: packages of geometry, and networks in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs import coding
from lcrs.clouds import Cloud

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lcrs.coding import CloudPackage
    from lcrs.evaluate.results import Setting

__all__ = ["GeometryCodec", "NetworkCloudCodec"]

_PLACE_BYTES = 16
"""Where a normalised cloud was, and how large: four numbers of 32 bits."""


class GeometryCodec:
    """A package that codes positions to .lcrs files; doubles are dropped.

    Args:
        package: the package.
        name: what the curve is called; by default the package's name.
        threads: how many to use.
    """

    settings: tuple[Setting, ...] = ("lossless",)
    takes_numbers = True
    suffix = ".lcrs"

    def __init__(self, package: CloudPackage, *, name: str | None = None, threads: int | None = None) -> None:
        self._package = package
        self._threads = threads
        self.name = name or package.name

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        model = {"name": self._package.name, "entropy_digest": self._package.entropy_digest}
        return {
            "kind": "lcrs",
            "models": {self._package.name: model},
            "simd": coding.simd_path(),
            "setting": "lossless, or bits of a coordinate",
            "rate": "bytes of the whole .lcrs file; bpip-...: of its parts",
        }

    def encode_cloud(self, cloud: Cloud, setting: Setting) -> bytes:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.encode_cloud`.

        Raises:
            ValueError: if the setting is none, or positions lie on no grid and nothing is to be lost.
        """
        if setting != "lossless" and not isinstance(setting, int):
            raise ValueError(f"setting is {setting}: lossless, or whole bits of a coordinate")
        bits = None if setting == "lossless" else setting
        points = np.ascontiguousarray(cloud.positions)
        data, _ = self._package.compress(points, {}, bits=bits, threads=self._threads)
        return data

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`."""
        positions, _ = self._package.decompress(data, threads=self._threads)
        return np.asarray(positions)

    def parts(self, data: bytes) -> Mapping[str, int]:
        """Bytes of the sections of a file, and of all else."""
        found = {part["name"]: part["num_bytes"] for part in coding.info(data)["parts"]}
        return found | {"header": len(data) - sum(found.values())}


class NetworkCloudCodec:
    """A network in torch that codes a cloud as one latent, such as those of `lcrs.models.pointcloud`.

    Clouds are moved to the origin and scaled to reach 1, as these networks are trained; that takes 16 bytes.

    Args:
        net: with ``compress`` and ``decompress``, as CompressAI's.
        name: what the curve is called.
        digest: of its weights.
    """

    settings: tuple[Setting, ...] = (None,)

    def __init__(self, net: nn.Module, *, name: str, digest: str) -> None:
        self._net: Any = net.eval()
        self._digest = digest
        self.name = name
        self._last: tuple[bytes, dict[str, Any], NDArray[np.float32]] | None = None

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        return {
            "kind": "network",
            "models": {self.name: {"name": type(self._net).__name__, "digest": self._digest}},
            "rate": f"bytes of strings, and {_PLACE_BYTES} for the place and the size of the cloud",
        }

    def encode_cloud(self, cloud: Cloud, setting: Setting) -> bytes:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.encode_cloud`."""
        import torch

        points = np.asarray(cloud.positions, np.float64)
        center = points.mean(axis=0)
        size = float(np.abs(points - center).max()) or 1.0
        pos = torch.from_numpy(((points - center) / size).astype(np.float32))[None]
        with torch.no_grad():
            out = self._net.compress({"pos": pos.to(next(self._net.parameters()).device)})
        place = np.array([*center, size], np.float32)
        data = place.tobytes() + b"".join(_strings(out["strings"]))
        self._last = data, out, place
        return data

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`: of what was coded last, whose shapes are known.

        Raises:
            ValueError: if it is of something else.
        """
        import torch

        if self._last is None or self._last[0] != data:
            raise ValueError("these bytes are not what was coded last: strings of networks have no header")
        _, out, place = self._last
        with torch.no_grad():
            x_hat = self._net.decompress(out["strings"], out["shape"])["x_hat"][0]
        return np.asarray(x_hat.double().cpu().numpy() * place[3] + place[:3])

    def parts(self, data: bytes) -> Mapping[str, int]:
        """Bytes of each latent."""
        if self._last is None or self._last[0] != data:
            return {}
        strings = self._last[1]["strings"]
        found = {f"latent{i}": sum(map(len, _strings(part))) for i, part in enumerate(strings)}
        return found | {"place": _PLACE_BYTES}


def _strings(nested: Any) -> list[bytes]:
    """Strings, however deep in lists."""
    if isinstance(nested, bytes):
        return [nested]
    return [string for part in nested for string in _strings(part)]
