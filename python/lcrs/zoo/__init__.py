"""The zoo: published architectures with their weights, shipped models, and the way between the two.

=====================================  ================================================================
`image_models`, `mbt2018_mean`, ...    published architectures by quality and metric
`video_models`, `ssf2020`              the same for video
`pointcloud_models`, ...               the same for point clouds, without weights
`load_pretrained`, `load_checkpoint`   checkpoints of all kinds and ages
`package_of_checkpoint`                from a checkpoint to the package that files are coded with
`shipped_models`, `load_model`         packages that come with lcrs, and back to networks
`ARCHITECTURES`                        what is published: sizes, files, hashes
=====================================  ================================================================

Shipped packages lie in `weights` beside this file; files and `lcrs encode --model` know them by name.
Importing this module imports no torch; what needs it does so when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lcrs.packages.shipped import shipped_models
from lcrs.zoo.checkpoints import ARCHITECTURES, Architecture
from lcrs.zoo.pretrained import load_pretrained, load_state_dict

if TYPE_CHECKING:
    from lcrs.packages.to_network import load_model
    from lcrs.zoo.image import (
        bmshj2018_factorized,
        bmshj2018_factorized_relu,
        bmshj2018_hyperprior,
        bmshj2018_hyperprior_vbr,
        cheng2020_anchor,
        cheng2020_anchor_checkerboard,
        cheng2020_attn,
        elic2022_chandelier,
        elic2022_official,
        image_models,
        mbt2018,
        mbt2018_mean,
        mbt2018_mean_vbr,
        mbt2018_vbr,
    )
    from lcrs.zoo.importing import package_of_checkpoint
    from lcrs.zoo.pointcloud import (
        hrtzxf2022_pcc_rec,
        pointcloud_models,
        sfu2023_pcc_rec_pointnet,
        sfu2024_pcc_rec_pointnet2_ssg,
    )
    from lcrs.zoo.state_dicts import load_checkpoint
    from lcrs.zoo.video import ssf2020, video_models

    models: dict[str, Callable[..., Any]]

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "bmshj2018_factorized",
    "bmshj2018_factorized_relu",
    "bmshj2018_hyperprior",
    "bmshj2018_hyperprior_vbr",
    "cheng2020_anchor",
    "cheng2020_anchor_checkerboard",
    "cheng2020_attn",
    "elic2022_chandelier",
    "elic2022_official",
    "hrtzxf2022_pcc_rec",
    "image_models",
    "load_checkpoint",
    "load_model",
    "load_pretrained",
    "load_state_dict",
    "mbt2018",
    "mbt2018_mean",
    "mbt2018_mean_vbr",
    "mbt2018_vbr",
    "models",
    "package_of_checkpoint",
    "pointcloud_models",
    "sfu2023_pcc_rec_pointnet",
    "sfu2024_pcc_rec_pointnet2_ssg",
    "shipped_models",
    "ssf2020",
    "video_models",
]

_NAMES = frozenset(__all__)  # a copy of CompressAI on top (`lcrs.changed_copy`) takes `__all__` away
_MODULES = ("image", "image_vbr", "pointcloud", "video")

_HOMES = {
    "hrtzxf2022_pcc_rec": "lcrs.zoo.pointcloud",
    "load_checkpoint": "lcrs.zoo.state_dicts",
    "load_model": "lcrs.packages.to_network",
    "package_of_checkpoint": "lcrs.zoo.importing",
    "pointcloud_models": "lcrs.zoo.pointcloud",
    "sfu2023_pcc_rec_pointnet": "lcrs.zoo.pointcloud",
    "sfu2024_pcc_rec_pointnet2_ssg": "lcrs.zoo.pointcloud",
    "ssf2020": "lcrs.zoo.video",
    "video_models": "lcrs.zoo.video",
}


def __getattr__(name: str) -> Any:
    """Loads what needs torch on first use (PEP 562); `models` has the functions of all kinds."""
    if name not in _NAMES and name not in _MODULES:
        raise AttributeError(f"module 'lcrs.zoo' has no attribute '{name}'")
    import importlib

    importlib.import_module("lcrs.needs_torch")
    if name in _MODULES:
        return importlib.import_module(f"lcrs.zoo.{name}")
    if name == "models":
        homes = ("image", "pointcloud", "video")
        images, clouds, videos = (importlib.import_module(f"lcrs.zoo.{home}") for home in homes)
        value: Any = {**images.image_models, **clouds.pointcloud_models, **videos.video_models}
    else:
        value = getattr(importlib.import_module(_HOMES.get(name, "lcrs.zoo.image")), name)
    globals()[name] = value
    return value
