"""Models of Google's papers: factorised prior, scale hyperprior, mean and scale hyperprior."""

from lcrs.models.google.factorized import FactorizedPrior, FactorizedPriorReLU
from lcrs.models.google.hyperprior import MeanScaleHyperprior, ScaleHyperprior

__all__ = ["FactorizedPrior", "FactorizedPriorReLU", "MeanScaleHyperprior", "ScaleHyperprior"]
