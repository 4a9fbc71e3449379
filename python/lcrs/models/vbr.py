"""CompressAI's path of the models whose latent is scaled before it is quantised."""

from lcrs.models.variable_rate.latent_gain import (
    JointAutoregressiveHierarchicalPriorsVbr,
    MeanScaleHyperpriorVbr,
    ScaleHyperpriorVbr,
)

__all__ = [
    "JointAutoregressiveHierarchicalPriorsVbr",
    "MeanScaleHyperpriorVbr",
    "ScaleHyperpriorVbr",
]
