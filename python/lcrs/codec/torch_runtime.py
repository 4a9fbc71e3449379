"""Pictures to bytes and back with g_a and g_s in torch, on any device, from the same package.

Everything that decides a symbol stays exact: the hyperprior, the scans and the coder run as ever, so any lcrs
decodes the file to the same symbols. The pixels are those of torch's arithmetic on that device: equal up to
rounding. A GPU's is binary32 in full, unless `torch.set_float32_matmul_precision("high")` asks for TF32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs.codec import targets
from lcrs.codec.picture_numbers import padded_below, picture_numbers, picture_samples
from lcrs.codec.samples import Samples
from lcrs.codec.targets import Target
from lcrs.coding import Package
from lcrs.errors import CorruptError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["TorchRuntime", "check_device", "torch_runtime"]


@lru_cache(maxsize=2)
def torch_runtime(package: Package, device: str) -> TorchRuntime:
    """The networks of `package` on `device`; the last ones asked for are kept.

    Raises:
        ValueError: torch cannot compute on that device here.
    """
    check_device(device)
    return TorchRuntime(package, device)


def check_device(device: str) -> None:
    """Raises `ValueError` if torch cannot compute on `device` here."""
    import torch

    try:
        torch.zeros(1, device=device).add_(1)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # the middle one: built without CUDA
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        msg = f"device {device!r} cannot be used here: {reason}"
        raise ValueError(msg) from error


class TorchRuntime:
    """g_a and g_s of a package in torch.

    Args:
        package: The model.
        device: A torch device, such as `cpu` or `cuda`.

    Raises:
        ModuleNotFoundError: torch is not installed.
        RuntimeError: there is no such device here.
    """

    def __init__(self, package: Package, device: str) -> None:
        import torch

        from lcrs.layers.torch_graph import TorchGraph

        self.package, self.device = package, torch.device(device)
        description = json.loads(package.description)
        samples = description.get("samples")
        self._range = None if samples is None else (float(samples["minimum"]), float(samples["maximum"]))

        def parameter(name: str) -> torch.Tensor:
            return torch.from_numpy(package.parameter(name))

        self.g_a, self.g_s = (
            TorchGraph(description["graphs"][name], parameter, self.device) for name in ("g_a", "g_s")
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        from lcrs.ops.binary32 import full_binary32

        with torch.inference_mode(), full_binary32(self.device):
            yield

    def compress(self, samples: Samples, quality: float | None, **options: Any) -> bytes:
        """The bytes of an .lcrs file; `options` as `lcrs.coding.Package.compress_latent` takes them."""
        with self._computing():
            (y,) = self.g_a(self._numbers(samples, options), level=self.package.level(quality))
        return self._coded(samples, y, quality, options)

    def compress_to_target(
        self, samples: Samples, target: Target, **options: Any
    ) -> tuple[bytes, str | None]:
        """A file, and what was reached instead of the target; as `lcrs.coding.Package.compress_to_target`."""
        pixels = samples.array()
        with self._computing():
            same_everywhere = self.g_a.before_level(self._numbers(samples, options))

        def compress(quality: float) -> bytes:
            with self._computing():
                (y,) = self.g_a.at_level(same_everywhere, self.package.level(quality))
            return self._coded(samples, y, quality, options)

        def psnr(data: bytes) -> float:
            limits = {key: options[key] for key in ("max_pixels", "max_bytes") if key in options}
            restored = self.decompress(data, threads=options.get("threads"), **limits)
            return targets.psnr(pixels, restored, self._peak(samples.form.get("bit_depth")))

        num_pixels = pixels.shape[0] * pixels.shape[1]
        return targets.search(self.package, target, num_pixels, compress, psnr)

    def decompress(
        self,
        data: bytes | bytearray | memoryview,
        *,
        threads: int | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> NDArray[Any]:
        """The pixels of an .lcrs file; errors as in `lcrs.coding.Package.decompress`."""
        import torch

        latent = self.package.decompress_latent(
            data, threads=threads, max_pixels=max_pixels, max_bytes=max_bytes
        )
        (top, left), shape = latent["crop"], latent["shape"]
        with self._computing():
            (x,) = self.g_s(torch.from_numpy(latent["y"])[None].to(self.device), level=latent["level"])
            visible = x[0, :, top : top + shape[0], left : left + shape[1]].float()
            if bool(visible.isnan().any()):
                msg = f"graph 'g_s' gives numbers that are not a number on {self.device}"
                raise CorruptError(msg)
            samples = self._samples(visible.clamp(0, 1), latent)
            pixels: NDArray[Any] = samples.astype(latent["dtype"]).reshape(shape)
            return pixels

    def _numbers(self, samples: Samples, options: dict[str, Any]) -> torch.Tensor:
        """What g_a takes, (1, C, H, W), padded."""
        import torch

        pixels = samples.array()
        limits = {key: options.get(key) for key in ("max_pixels", "max_bytes")}
        padded = self.package.padded_size(pixels.shape[:2], **limits)
        if self._range is None:
            return picture_numbers(samples, padded, self.device)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        low, high = self._range
        numbers = (pixels.astype(np.float64).clip(low, high) - low) / (high - low)
        x = torch.from_numpy(numbers.astype(np.float32)).to(self.device).permute(2, 0, 1)
        return padded_below(x[None], padded)

    def _samples(self, numbers: torch.Tensor, latent: dict[str, Any]) -> NDArray[Any]:
        """What numbers from 0 to 1, (C, H, W), stand for, (H, W, C)."""
        if self._range is None:
            return picture_samples(numbers, latent["shape"], latent["bit_depth"])
        low, high = self._range
        samples = numbers.permute(1, 2, 0).cpu().numpy().astype(np.float64) * (high - low) + low
        samples = samples.clip(low, high)
        return samples if latent["dtype"] == "float32" else samples.round()

    def _peak(self, bit_depth: int | None) -> float:
        """The largest difference of samples."""
        if self._range is not None:
            return self._range[1] - self._range[0]
        return float(2 ** (bit_depth or 8) - 1)

    def _coded(
        self, samples: Samples, y: torch.Tensor, quality: float | None, options: dict[str, Any]
    ) -> bytes:
        latent = y[0].float().cpu().contiguous().numpy()
        form = samples.form or {"shape": samples.array().shape}
        return self.package.compress_latent(latent, quality, **form, **options)
