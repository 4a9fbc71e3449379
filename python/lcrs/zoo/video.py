"""The zoo's functions for models of video."""

from __future__ import annotations

from typing import Any

from torch import nn

from lcrs.models.video import ScaleSpaceFlow  # noqa: F401
from lcrs.registry import MODELS
from lcrs.zoo.building import addresses, build
from lcrs.zoo.checkpoints import BASE_URL, VIDEO_ARCHITECTURES
from lcrs.zoo.pretrained import load_pretrained  # noqa: F401

__all__ = ["model_architectures", "model_urls", "root_url", "ssf2020", "video_models"]


def ssf2020(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.video.ScaleSpaceFlow`, quality 1 to 9; arguments and errors as `building.build`."""
    return build(VIDEO_ARCHITECTURES["ssf2020"], metric, quality, pretrained, progress, **kwargs)


video_models = {"ssf2020": ssf2020}
"""The functions above by registered name."""

model_architectures = {name: MODELS.builtin(name) for name in VIDEO_ARCHITECTURES}
"""Model classes by registered name."""

model_urls = {name: addresses(entry) for name, entry in VIDEO_ARCHITECTURES.items()}
"""Addresses of the published files by registered name, metric and quality."""

root_url = BASE_URL.removesuffix("/")
