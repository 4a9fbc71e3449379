"""Models of Google's papers: factorised prior, hyperpriors, serial context."""

from lcrs.models.base import (
    SCALES_LEVELS,
    SCALES_MAX,
    SCALES_MIN,
    CompressionModel,
    get_scale_table,
)
from lcrs.models.google.autoregressive import JointAutoregressiveHierarchicalPriors
from lcrs.models.google.factorized import FactorizedPrior, FactorizedPriorReLU
from lcrs.models.google.hyperprior import MeanScaleHyperprior, ScaleHyperprior
from lcrs.models.utils import conv, deconv

__all__ = [
    "SCALES_LEVELS",
    "SCALES_MAX",
    "SCALES_MIN",
    "CompressionModel",
    "FactorizedPrior",
    "FactorizedPriorReLU",
    "JointAutoregressiveHierarchicalPriors",
    "MeanScaleHyperprior",
    "ScaleHyperprior",
    "conv",
    "deconv",
    "get_scale_table",
]
