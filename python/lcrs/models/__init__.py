"""Compression models, under the names that the field gives them."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.coding.list_coders import BufferedRansEncoder, RansDecoder  # noqa: F401
from lcrs.entropy_models import EntropyBottleneck, EntropyBottleneckVbr  # noqa: F401
from lcrs.layers import (  # noqa: F401
    AttentionBlock,
    ResidualBlock,
    ResidualBlockUpsample,
    ResidualBlockWithStride,
    conv3x3,
    subpel_conv3x3,
)
from lcrs.models.base import (
    SCALES_LEVELS,
    SCALES_MAX,
    SCALES_MIN,
    CompressionModel,
    SimpleVAECompressionModel,
    get_scale_table,
)
from lcrs.models.google import (
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from lcrs.models.pointcloud import (
    DensityPreservingReconstructionPccModel,
    OctreeOccupancy,
    PointNet2SsgReconstructionPccModel,
    PointNetReconstructionPccModel,
)
from lcrs.models.sensetime import Elic2022Chandelier, Elic2022Official
from lcrs.models.variable_rate import GainHyperprior, GainSpaceChannelHyperprior
from lcrs.models.variable_rate.gained_mean_scale import GainedMeanScaleHyperprior
from lcrs.models.variable_rate.latent_gain import (
    JointAutoregressiveHierarchicalPriorsVbr,
    MeanScaleHyperpriorVbr,
    ScaleHyperpriorVbr,
)
from lcrs.models.video import ScaleSpaceFlow
from lcrs.models.waseda import Cheng2020Anchor, Cheng2020AnchorCheckerboard, Cheng2020Attention
from lcrs.ops import LowerBound, quantize_ste  # noqa: F401
from lcrs.registry import register_model  # noqa: F401

__all__ = [
    "SCALES_LEVELS",
    "SCALES_MAX",
    "SCALES_MIN",
    "Cheng2020Anchor",
    "Cheng2020AnchorCheckerboard",
    "Cheng2020Attention",
    "CompressionModel",
    "DensityPreservingReconstructionPccModel",
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
    "OctreeOccupancy",
    "PointNet2SsgReconstructionPccModel",
    "PointNetReconstructionPccModel",
    "ScaleHyperprior",
    "ScaleHyperpriorVbr",
    "ScaleSpaceFlow",
    "SimpleVAECompressionModel",
    "get_scale_table",
]
