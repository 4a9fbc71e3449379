"""Learned codecs of point clouds that are evaluated: packages of geometry, and networks in torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs import coding
from lcrs.clouds import Cloud
from lcrs.packages import load_cloud_package

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lcrs.coding import CloudPackage
    from lcrs.evaluate.results import Setting

__all__ = ["GeometryCodec", "NetworkCloudCodec", "load_cloud_model"]

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
            ValueError: the setting is none, or positions lie on no grid and nothing is to be lost.
        """
        bits = setting if isinstance(setting, int) else None
        if bits is None and setting != "lossless":
            raise ValueError(f"setting is {setting}: lossless, or whole bits of a coordinate")
        points = np.ascontiguousarray(cloud.positions)
        data, _ = self._package.compress(points, {}, bits=bits, threads=self._threads)
        return data

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`."""
        positions, _ = self._package.decompress(data, threads=self._threads)
        return np.asarray(positions)

    def parts(self, data: bytes) -> Mapping[str, int]:
        """Bytes of the sections of a file, and of all else."""
        found: dict[str, int] = {}
        for part in coding.info(data)["parts"]:
            found[part["part"]] = found.get(part["part"], 0) + part["num_bytes"]
        return found | {"header": len(data) - sum(found.values())}


class NetworkCloudCodec:
    """A network in torch that codes a cloud as one latent, such as those of `lcrs.models.pointcloud`.

    Clouds are moved to the origin and scaled to reach 1, as these networks are trained; that takes 16 bytes.

    Args:
        net: with `compress` and `decompress`, as CompressAI's.
        name: what the curve is called.
        device: where it runs.

    Raises:
        ValueError: it does not code.
    """

    settings: tuple[Setting, ...] = (None,)

    def __init__(self, net: nn.Module, *, name: str, device: str | None = None) -> None:
        for method in ("compress", "decompress"):
            if not callable(getattr(net, method, None)):
                raise ValueError(f"{type(net).__name__} has no {method}: it does not code")
        self._net: Any = net.to(device or "cpu").eval()
        self._digest = _digest(net)
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
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.encode_cloud`.

        Raises:
            ValueError: the place or the size of the cloud is no float of 32 bits, or the network says so.
        """
        import torch

        points = np.asarray(cloud.positions, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            center = points.mean(axis=0)
            size = float(np.abs(points - center).max()) or 1.0
            place = np.array([*center, size], np.float32)
        if not (np.isfinite(place).all() and place[3] > 0):
            told = f"{center.tolist()} with the size {size:g}"
            raise ValueError(f"cloud is at {told}, which 32 bits do not hold: give it in another unit")
        pos = torch.from_numpy(((points - center) / size).astype(np.float32))[None]
        with torch.no_grad():
            out = self._net.compress({"pos": pos.to(next(self._net.parameters()).device)})
        data = place.tobytes() + b"".join(_strings(out["strings"]))
        self._last = data, out, place
        return data

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """As `lcrs.evaluate.cloud_protocol.CloudCodec.decode_cloud`, of what was coded last.

        Raises:
            ValueError: it is of something else.
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


def load_cloud_model(
    name: str, *, architecture: str | None = None, title: str | None = None, device: str | None = None
) -> GeometryCodec | NetworkCloudCodec:
    """A learned codec by name.

    Args:
        name: of a package or its file, or a checkpoint.
        architecture: of a checkpoint, as `lcrs.registry.MODELS` has it; it has the sizes of its defaults.
        title: what the curve is called.
        device: where networks run.

    Raises:
        MissingModelError: there is no such model.
        ValueError: it is of pictures, or the checkpoint is of another architecture.
    """
    path = Path(name)
    if path.suffix == ".lcrm" or not path.is_file():
        return GeometryCodec(load_cloud_package(name), name=title)
    from lcrs.registry import MODELS
    from lcrs.zoo.state_dicts import read_state_dict

    if architecture is None or architecture not in MODELS:
        known = ", ".join(sorted(key for key in MODELS if "-pcc-" in key))
        raise ValueError(f"{name} is a checkpoint: its architecture has to be named, such as {known}")
    net = MODELS[architecture]()
    try:
        net.load_state_dict(read_state_dict(path))
    except RuntimeError as error:
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"{name}: is of no {architecture} as it is by default: {text}") from error
    return NetworkCloudCodec(net, name=title or path.stem, device=device)


def _digest(net: nn.Module) -> str:
    """SHA-256 of all that a network has learned."""
    digest = hashlib.sha256()
    for key, value in sorted(net.state_dict().items()):
        array = value.detach().cpu().numpy()
        digest.update(f"{key} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
