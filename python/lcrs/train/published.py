"""Sizes and lambdas of the published models, by quality."""

from __future__ import annotations

import difflib
from typing import Any

from lcrs.train.config import ConfigError

__all__ = ["LMBDAS", "published_lmbda", "published_sizes"]

LMBDAS = {
    "mse": (0.0018, 0.0035, 0.0067, 0.0130, 0.0250, 0.0483, 0.0932, 0.1800),
    "ms-ssim": (2.40, 4.58, 8.73, 16.64, 31.73, 60.50, 115.37, 220.00),
}
"""Weights of 255^2 MSE and of 1 - MS-SSIM that CompressAI's models were trained for, quality 1 to 8."""


def published_lmbda(name: str | None, metric: str, quality: int) -> float | None:
    """The weight that a quality of a model was published with; None for other metrics and variable rates."""
    from lcrs.zoo.checkpoints import ARCHITECTURES

    entry = ARCHITECTURES.get(str(name))
    if metric not in LMBDAS or (entry is not None and entry.is_variable_rate):
        return None
    if not 1 <= quality <= len(LMBDAS[metric]):
        raise ConfigError(f"quality is {quality}, must be from 1 to {len(LMBDAS[metric])}")
    return LMBDAS[metric][quality - 1]


def published_sizes(name: str, quality: int) -> dict[str, Any]:
    """Constructor arguments of the zoo's model `name` at a quality.

    Models that are published in one size have it at every quality.

    Raises:
        ConfigError: there is no such quality or model.
    """
    from lcrs.zoo.checkpoints import ARCHITECTURES, POINTCLOUD_ARCHITECTURES, VIDEO_ARCHITECTURES

    known = {**ARCHITECTURES, **VIDEO_ARCHITECTURES, **POINTCLOUD_ARCHITECTURES}
    entry = known.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"quality is for models of the zoo, and model.name={name} is none{hint} ({', '.join(known)})"
        )
    if entry.num_qualities == 1:
        return dict(entry.sizes[0])
    if not 1 <= quality <= entry.num_qualities:
        raise ConfigError(f"quality of {name} is {quality}, must be from 1 to {entry.num_qualities}")
    return dict(entry.sizes[quality - 1])
