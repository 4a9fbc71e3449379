"""Pictures to bytes and back with g_a and g_s in torch, on any device, from the same package.

Everything that decides a symbol stays exact: the hyperprior, the scans and the coder run as ever, so any lcrs
decodes the file to the same symbols. The pixels are those of torch's arithmetic on that device: equal up to
rounding.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.coding import Package
from lcrs.errors import CorruptError
from lcrs.pictures import Picture

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["TorchRuntime", "check_device", "torch_runtime"]


@lru_cache(maxsize=2)
def torch_runtime(package: Package, device: str) -> TorchRuntime:
    """The networks of ``package`` on ``device``; the last ones asked for are kept.

    Raises:
        ValueError: if torch cannot compute on that device here.
    """
    check_device(device)
    return TorchRuntime(package, device)


def check_device(device: str) -> None:
    """Raises `ValueError` if torch cannot compute on ``device`` here."""
    import torch

    try:
        torch.zeros(1, device=device).add_(1)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # the middle one: built without CUDA
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        msg = f"device {device!r} (--device {device}) cannot be used here: {reason}"
        raise ValueError(msg) from error


class TorchRuntime:
    """g_a and g_s of a package in torch.

    Args:
        package: The model.
        device: A torch device, such as ``cpu`` or ``cuda``.

    Raises:
        ModuleNotFoundError: torch is not installed.
        RuntimeError: there is no such device here.
    """

    def __init__(self, package: Package, device: str) -> None:
        import torch

        from lcrs.layers.torch_graph import TorchGraph

        self.package, self.device = package, torch.device(device)
        description = json.loads(package.description)
        self.pad = int(description["pad"])

        def parameter(name: str) -> torch.Tensor:
            return torch.from_numpy(package.parameter(name))

        self.g_a, self.g_s = (
            TorchGraph(description["graphs"][name], parameter, self.device) for name in ("g_a", "g_s")
        )

    def compress(self, picture: Picture, quality: float | None, **options: Any) -> bytes:
        """The bytes of an .lcrs file; ``options`` as `lcrs.coding.Package.compress_latent` takes them."""
        import torch

        with torch.inference_mode():
            rgb = np.frombuffer(picture.rgb, np.uint8).reshape(*picture.size, 3)
            pixels = torch.from_numpy(rgb.copy()).to(self.device)
            x = pixels.permute(2, 0, 1)[None].float() / 255
            below, right = (-side % self.pad for side in picture.size)
            x = torch.nn.functional.pad(x, (0, right, 0, below), mode="replicate")
            (y,) = self.g_a(x, level=self.package.level(quality))
            latent = y[0].float().cpu().contiguous().numpy()
        return self.package.compress_latent(latent, quality, size=picture.size, **options)

    def decompress(
        self, data: bytes | bytearray | memoryview, *, threads: int | None = None
    ) -> NDArray[np.uint8]:
        """The pixels of an .lcrs file, uint8 (H, W, 3); errors as in `lcrs.coding.Package.decompress`."""
        import torch

        latent = self.package.decompress_latent(data, threads=threads)
        (top, left), (height, width) = latent["crop"], latent["size"]
        with torch.inference_mode():
            (x,) = self.g_s(torch.from_numpy(latent["y"])[None].to(self.device), level=latent["level"])
            visible = x[0, :, top : top + height, left : left + width].float()
            if bool(visible.isnan().any()):
                msg = f"graph 'g_s' gives numbers that are not a number on {self.device}"
                raise CorruptError(msg)
            pixels = (visible.clamp(0, 1) * 255).round().to(torch.uint8)
            return pixels.permute(1, 2, 0).contiguous().cpu().numpy()
