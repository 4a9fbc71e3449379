"""Compression models, under the names that the field gives them."""

from lcrs import needs_torch  # noqa: F401
from lcrs.models.base import (
    SCALES_LEVELS,
    SCALES_MAX,
    SCALES_MIN,
    CompressionModel,
    SimpleVAECompressionModel,
    get_scale_table,
)
from lcrs.models.gain import GainHyperprior, GainSpaceChannelHyperprior
from lcrs.models.gained import GainedMeanScaleHyperprior
from lcrs.models.google import (
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from lcrs.models.sensetime import Elic2022Chandelier, Elic2022Official
from lcrs.models.vbr import (
    JointAutoregressiveHierarchicalPriorsVbr,
    MeanScaleHyperpriorVbr,
    ScaleHyperpriorVbr,
)
from lcrs.models.video import ScaleSpaceFlow
from lcrs.models.waseda import Cheng2020Anchor, Cheng2020AnchorCheckerboard, Cheng2020Attention

__all__ = [
    "SCALES_LEVELS",
    "SCALES_MAX",
    "SCALES_MIN",
    "Cheng2020Anchor",
    "Cheng2020AnchorCheckerboard",
    "Cheng2020Attention",
    "CompressionModel",
    "Elic2022Chandelier",
    "Elic2022Official",
    "FactorizedPrior",
    "FactorizedPriorReLU",
    "GainHyperprior",
    "GainSpaceChannelHyperprior",
    "GainedMeanScaleHyperprior",
    "JointAutoregressiveHierarchicalPriors",
    "JointAutoregressiveHierarchicalPriorsVbr",
    "MeanScaleHyperprior",
    "MeanScaleHyperpriorVbr",
    "ScaleHyperprior",
    "ScaleHyperpriorVbr",
    "ScaleSpaceFlow",
    "SimpleVAECompressionModel",
    "get_scale_table",
]
