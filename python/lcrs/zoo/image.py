"""The zoo's functions: published architectures by quality and metric, with or without their weights."""

from __future__ import annotations

import os
from typing import Any

from torch import nn

import lcrs.models  # noqa: F401
from lcrs.registry import MODELS
from lcrs.zoo.building import addresses, build
from lcrs.zoo.checkpoints import ARCHITECTURES, BASE_URL
from lcrs.zoo.pretrained import load_pretrained

# CompressAI's users import these from here.
from lcrs.models import (  # isort: skip  # noqa: F401
    Cheng2020Anchor,
    Cheng2020Attention,
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)

__all__ = [
    "bmshj2018_factorized",
    "bmshj2018_factorized_relu",
    "bmshj2018_hyperprior",
    "bmshj2018_hyperprior_vbr",
    "cfgs",
    "cheng2020_anchor",
    "cheng2020_anchor_checkerboard",
    "cheng2020_attn",
    "elic2022_chandelier",
    "elic2022_official",
    "image_models",
    "load_pretrained",
    "mbt2018",
    "mbt2018_mean",
    "mbt2018_mean_vbr",
    "mbt2018_vbr",
    "model_architectures",
    "model_urls",
    "root_url",
]


def create(
    name: str,
    metric: str,
    quality: int,
    pretrained: bool = False,
    progress: bool = True,
    root: str | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> nn.Module:
    """The model `name` at the sizes of a quality: `lcrs.zoo.building.build` by name.

    Raises:
        ValueError: also if there is no such model.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"no model of the zoo is called {name!r}; there are {', '.join(ARCHITECTURES)}")
    return build(ARCHITECTURES[name], metric, quality, pretrained, progress, root, **kwargs)


_load_model = create  # CompressAI's name


def bmshj2018_factorized(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.FactorizedPrior`, quality 1 to 8; arguments and errors as `create`."""
    return create("bmshj2018-factorized", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_factorized_relu(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.FactorizedPriorReLU` (CompressAI's function builds the GDN model), quality 1 to 8.

    There are no published weights. Arguments and errors as `create`.
    """
    return create("bmshj2018-factorized-relu", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_hyperprior(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.ScaleHyperprior`, quality 1 to 8; arguments and errors as `create`."""
    return create("bmshj2018-hyperprior", metric, quality, pretrained, progress, **kwargs)


def mbt2018_mean(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.MeanScaleHyperprior`, quality 1 to 8; arguments and errors as `create`."""
    return create("mbt2018-mean", metric, quality, pretrained, progress, **kwargs)


def mbt2018(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.JointAutoregressiveHierarchicalPriors`, quality 1 to 8; the rest as `create`."""
    return create("mbt2018", metric, quality, pretrained, progress, **kwargs)


def cheng2020_anchor(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020Anchor`, quality 1 to 6; arguments and errors as `create`."""
    return create("cheng2020-anchor", metric, quality, pretrained, progress, **kwargs)


def cheng2020_attn(
    quality: int, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020Attention`, quality 1 to 6; arguments and errors as `create`."""
    return create("cheng2020-attn", metric, quality, pretrained, progress, **kwargs)


def cheng2020_anchor_checkerboard(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Cheng2020AnchorCheckerboard` at the paper's size; there are no published weights."""
    return create("cheng2020-anchor-checkerboard", metric, quality, pretrained, progress, **kwargs)


def elic2022_official(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Elic2022Official` at the paper's size; there are no published weights."""
    return create("elic2022-official", metric, quality, pretrained, progress, **kwargs)


def elic2022_chandelier(
    quality: int = 1, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.Elic2022Chandelier` at the paper's size; there are no published weights."""
    return create("elic2022-chandelier", metric, quality, pretrained, progress, **kwargs)


def bmshj2018_hyperprior_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.ScaleHyperpriorVbr`, of variable rate: `quality` is ignored; the rest as `create`."""
    return create("bmshj2018-hyperprior-vbr", metric, quality, pretrained, progress, **kwargs)


def mbt2018_mean_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.MeanScaleHyperpriorVbr`, of variable rate: `quality` is ignored; the rest as `create`."""
    return create("mbt2018-mean-vbr", metric, quality, pretrained, progress, **kwargs)


def mbt2018_vbr(
    quality: int = 0, metric: str = "mse", pretrained: bool = False, progress: bool = True, **kwargs: Any
) -> nn.Module:
    """`lcrs.models.JointAutoregressiveHierarchicalPriorsVbr`, of variable rate: `quality` is ignored."""
    return create("mbt2018-vbr", metric, quality, pretrained, progress, **kwargs)


image_models = {name: globals()[name.replace("-", "_")] for name in ARCHITECTURES}
"""The functions above by registered name, CompressAI's first and in its order."""

model_architectures = {name: MODELS.builtin(name) for name in ARCHITECTURES}
"""Model classes by registered name."""

model_urls = {name: addresses(entry) for name, entry in ARCHITECTURES.items()}
"""Addresses of the published files by registered name, metric and quality."""

cfgs = {
    name: {quality: tuple(sizes.values()) for quality, sizes in enumerate(entry.sizes, 1)}
    for name, entry in ARCHITECTURES.items()
    if not entry.is_variable_rate
}
"""Sizes by registered name and quality."""

root_url = BASE_URL.removesuffix("/")
