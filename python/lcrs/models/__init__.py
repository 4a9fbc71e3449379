"""Compression models, under the names that the field gives them."""

from lcrs.models.base import CompressionModel, get_scale_table
from lcrs.models.google import FactorizedPrior, FactorizedPriorReLU, MeanScaleHyperprior, ScaleHyperprior

__all__ = [
    "CompressionModel",
    "FactorizedPrior",
    "FactorizedPriorReLU",
    "MeanScaleHyperprior",
    "ScaleHyperprior",
    "get_scale_table",
]
