"""Packages, and models in torch, as codecs that are evaluated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lcrs import codec, coding
from lcrs.coding import Package

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lcrs.codec import Runtime
    from lcrs.evaluate.results import Setting

__all__ = ["QUALITIES", "EstimatedBits", "LearnedCodec"]

QUALITIES = tuple(float(quality) for quality in range(0, 101, 10))
"""The ladder of models of variable rate."""


class LearnedCodec:
    """Models that code to .lcrs files: one of variable rate, or several of a fixed rate, a point each.

    Args:
        models: By what a point is called. Packages, or models in torch; those that no package can say code
            by their own methods.
        name: What the curve is called; by default the first model's name.
        runtime: As in `lcrs.compress`.
        device: As in `lcrs.compress`.
        threads: As in `lcrs.compress`.

    Raises:
        ValueError: one of several models has a variable rate.
    """

    def __init__(
        self,
        models: Mapping[str, Package | nn.Module],
        *,
        name: str | None = None,
        runtime: Runtime = "native",
        device: str | None = None,
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self._models = {label: _packed(model) for label, model in models.items()}
        first = next(iter(self._models.values()))
        self._is_variable = isinstance(first, Package) and first.levels is not None
        for label, model in self._models.items():
            if len(models) > 1 and isinstance(model, Package) and model.levels is not None:
                msg = f"'{label}' has a variable rate, which is a curve of its own: evaluate it alone"
                raise ValueError(msg)
            if isinstance(model, Package) and model.samples is not None:
                msg = f"'{label}' codes arrays, not pictures"
                raise ValueError(msg)
        self.name = name or next(iter(models))
        self.device = device
        self._options: dict[str, Any] = {"runtime": runtime, "device": device, "threads": threads}
        self._options["max_bytes"] = max_bytes
        self.settings: tuple[Setting, ...] = QUALITIES if self._is_variable else tuple(models)
        if self._is_variable:
            self.least, self.most, self.step, self.is_ascending = 0.0, 100.0, 0.0, True

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        from lcrs.coding import simd_path

        names = {label: _digests(model) for label, model in self._models.items()}
        return {
            "kind": "lcrs",
            "models": names,
            "runtime": self._options["runtime"],
            "device": self.device,
            "simd": simd_path(),
            "pixels": "8-bit RGB in, 8-bit RGB out, rounded by the codec to the nearest",
            "rate": "bytes of the whole .lcrs file; bpp-strings: of its streams alone",
        }

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        model, quality = self._at(setting)
        return codec.compress(
            pixels, quality=quality, model=model, allow_not_portable=True, **self._told(model)
        )

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        model, _ = self._at(setting)
        return codec.decompress(data, model=model, **self._told(model))

    def complexity(self) -> dict[str, Any]:
        """What each model's networks multiply, by its name; of packages (`lcrs.evaluate.complexity`)."""
        from lcrs.evaluate.complexity import of_package

        packages = {label: model for label, model in self._models.items() if isinstance(model, Package)}
        return {label: of_package(package).fields() for label, package in packages.items()}

    def num_string_bytes(self, data: bytes) -> int:
        """Of the streams of a file."""
        return sum(section["num_bytes"] for section in coding.info(data)["sections"])

    def _at(self, setting: Setting) -> tuple[Package | nn.Module, float | None]:
        if self._is_variable:
            quality = float(setting if setting is not None else codec.DEFAULT_QUALITY)
            return next(iter(self._models.values())), quality
        if setting is None and len(self._models) == 1:
            return next(iter(self._models.values())), None
        if setting not in self._models:
            msg = f"setting is {setting!r}, must be one of {', '.join(self._models)}"
            raise ValueError(msg)
        return self._models[str(setting)], None

    def _told(self, model: Package | nn.Module) -> dict[str, Any]:
        """The options that a model takes: one that codes by itself has none."""
        return self._options if isinstance(model, Package) else {}


class EstimatedBits:
    """Models in torch whose bits are those that their likelihoods stand for: nothing is coded.

    Args:
        networks: By what a point is called. Each has `forward` return `x_hat` and `likelihoods`, as
            CompressAI's.
        name: What the curve is called.
        device: Where they run.

    A single network with `level_of` has qualities: its forward takes the level.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        *,
        name: str | None = None,
        device: str | None = None,
    ) -> None:
        self.device = device or "cpu"
        self._networks = {label: net.to(self.device).eval() for label, net in networks.items()}
        self.name = name or next(iter(networks))
        self._is_variable = len(networks) == 1 and hasattr(next(iter(networks.values())), "level_of")
        self.settings: tuple[Setting, ...] = QUALITIES if self._is_variable else tuple(networks)

    def identity(self) -> dict[str, Any]:
        """As `lcrs.evaluate.protocol.Codec.identity`."""
        from lcrs.codec.torch_model import own_coding_of

        digests = {label: own_coding_of(net).entropy_digest for label, net in self._networks.items()}
        return {
            "kind": "estimate",
            "models": {label: {"digest": digest} for label, digest in digests.items()},
            "device": self.device,
            "pixels": "8-bit RGB in; x_hat clipped and rounded to 8 bits",
            "rate": "estimated: -log2 of the likelihoods of the rounded latents; no bytes, no header",
        }

    def encode(self, pixels: NDArray[np.uint8], setting: Setting) -> bytes:
        """As `lcrs.evaluate.protocol.Codec.encode`."""
        raise NotImplementedError("bits are estimated: there is no file")

    def decode(self, data: bytes, shape: tuple[int, ...], setting: Setting) -> NDArray[np.uint8]:
        """As `lcrs.evaluate.protocol.Codec.decode`."""
        raise NotImplementedError("bits are estimated: there is no file")

    def estimate(self, pixels: NDArray[np.uint8], setting: Setting) -> tuple[float, NDArray[np.uint8]]:
        """Bits of a picture, and its restored pixels.

        Raises:
            ValueError: the network's forward returns something else.
        """
        import torch
        import torch.nn.functional as F

        label = next(iter(self._networks)) if self._is_variable or setting is None else str(setting)
        if label not in self._networks:
            msg = f"setting is {setting!r}, must be one of {', '.join(self._networks)}"
            raise ValueError(msg)
        net: Any = self._networks[label]
        height, width = pixels.shape[:2]
        factor = getattr(net, "downsampling_factor", None) or 64
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, 2, 0)))[None].to(self.device) / 255
            x = F.pad(x, (0, -width % factor, 0, -height % factor), mode="replicate")
            out = net(x, net.level_of(setting)) if self._is_variable else net(x)
            x_hat, likelihoods = out if isinstance(out, tuple) else (out["x_hat"], out["likelihoods"])
            parts = likelihoods.values() if isinstance(likelihoods, Mapping) else [likelihoods]
            bits = sum(-float(part.double().log2().sum()) for part in parts)
            visible = (x_hat[0, :, :height, :width].float().clamp(0, 1) * 255).round().to(torch.uint8)
        if not math.isfinite(bits):
            raise ValueError("the likelihoods give no finite number of bits")
        return bits, np.ascontiguousarray(np.moveaxis(visible.cpu().numpy(), 0, 2))


def _digests(model: Package | nn.Module) -> dict[str, str]:
    if not isinstance(model, Package):
        from lcrs.codec.torch_model import own_coding_of

        return {"name": type(model).__name__, "digest": own_coding_of(model).entropy_digest}
    return {
        "name": str(model.name),
        "entropy_digest": model.entropy_digest,
        "synthesis_digest": model.synthesis_digest,
        "analysis_digest": model.analysis_digest,
    }


def _packed(model: Package | nn.Module) -> Package | nn.Module:
    """The package of a model in torch, if it has one: made once, not at each call."""
    if isinstance(model, Package):
        return model
    from lcrs.codec.torch_model import package_of
    from lcrs.errors import NotPortableError

    try:
        return package_of(model)
    except NotPortableError:
        return model
