"""CompressAI's older path for `lcrs.models.google`."""

# CompressAI's users import these from here.
from lcrs.coding.list_coders import BufferedRansEncoder, RansDecoder  # noqa: F401
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional  # noqa: F401
from lcrs.layers import GDN, MaskedConv2d  # noqa: F401
from lcrs.models.base import SCALES_LEVELS, SCALES_MAX, SCALES_MIN, CompressionModel, get_scale_table
from lcrs.models.google import (
    FactorizedPrior,
    FactorizedPriorReLU,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)
from lcrs.models.utils import conv, deconv, update_registered_buffers  # noqa: F401
from lcrs.registry import register_model  # noqa: F401

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
    "get_scale_table",
]
