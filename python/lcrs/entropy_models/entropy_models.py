"""CompressAI's path for the entropy models."""

from lcrs.coding.default_kind import get_entropy_coder as default_entropy_coder
from lcrs.entropy_models.base import EntropyModel
from lcrs.entropy_models.entropy_bottleneck import EntropyBottleneck
from lcrs.entropy_models.entropy_coder import EntropyCoder
from lcrs.entropy_models.entropy_coder import EntropyCoder as _EntropyCoder
from lcrs.entropy_models.gaussian import GaussianConditional
from lcrs.entropy_models.inherited import pmf_to_quantized_cdf
from lcrs.entropy_models.mixture import GaussianMixtureConditional
from lcrs.ops import LowerBound

__all__ = [
    "EntropyBottleneck",
    "EntropyCoder",
    "EntropyModel",
    "GaussianConditional",
    "GaussianMixtureConditional",
    "LowerBound",
    "_EntropyCoder",
    "default_entropy_coder",
    "pmf_to_quantized_cdf",
]
