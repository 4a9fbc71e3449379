"""CompressAI's path for the functions of variable-rate models."""

from __future__ import annotations

# CompressAI's users import these from here.
from lcrs.models.variable_rate.latent_gain import (  # noqa: F401
    JointAutoregressiveHierarchicalPriorsVbr,
    MeanScaleHyperpriorVbr,
    ScaleHyperpriorVbr,
)
from lcrs.zoo import image
from lcrs.zoo.checkpoints import ARCHITECTURES
from lcrs.zoo.image import (
    bmshj2018_hyperprior_vbr,
    image_models,
    mbt2018_mean_vbr,
    mbt2018_vbr,
    root_url,
)
from lcrs.zoo.pretrained import load_pretrained  # noqa: F401

__all__ = [
    "bmshj2018_hyperprior_vbr",
    "cfgs",
    "mbt2018_mean_vbr",
    "mbt2018_vbr",
    "model_architectures",
    "model_urls",
    "root_url",
]

_NAMES = [name for name in image_models if ARCHITECTURES[name].is_variable_rate]

model_architectures = {name: image.model_architectures[name] for name in _NAMES}
model_urls: dict[str, dict[str, str]] = {
    name: {metric: by_quality[1] for metric, by_quality in image.model_urls[name].items()} for name in _NAMES
}
cfgs = {name: tuple(ARCHITECTURES[name].sizes[0].values()) for name in _NAMES}
