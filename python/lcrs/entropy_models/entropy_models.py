"""CompressAI's path for the entropy models."""

from lcrs.coding.default_kind import get_entropy_coder as default_entropy_coder
from lcrs.entropy_models.base import EntropyModel
from lcrs.entropy_models.entropy_bottleneck import EntropyBottleneck
from lcrs.entropy_models.gaussian import GaussianConditional
from lcrs.entropy_models.mixture import GaussianMixtureConditional

__all__ = [
    "EntropyBottleneck",
    "EntropyModel",
    "GaussianConditional",
    "GaussianMixtureConditional",
    "default_entropy_coder",
]
