"""Models of Google's papers: factorised prior, hyperpriors, serial context."""

from lcrs.models.google.autoregressive import JointAutoregressiveHierarchicalPriors
from lcrs.models.google.factorized import FactorizedPrior, FactorizedPriorReLU
from lcrs.models.google.hyperprior import MeanScaleHyperprior, ScaleHyperprior

__all__ = [
    "FactorizedPrior",
    "FactorizedPriorReLU",
    "JointAutoregressiveHierarchicalPriors",
    "MeanScaleHyperprior",
    "ScaleHyperprior",
]
