"""Entropy models: the densities that latents are coded with."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.entropy_models import entropy_models, entropy_models_vbr  # noqa: F401
from lcrs.entropy_models.base import EntropyModel, StreamKind, check_stream_kind, default_stream_kind
from lcrs.entropy_models.entropy_bottleneck import EntropyBottleneck
from lcrs.entropy_models.gaussian import GaussianConditional
from lcrs.entropy_models.mixture import GaussianMixtureConditional
from lcrs.entropy_models.vbr import EntropyBottleneckVbr, EntropyModelVbr

__all__ = [
    "EntropyBottleneck",
    "EntropyBottleneckVbr",
    "EntropyModel",
    "EntropyModelVbr",
    "GaussianConditional",
    "GaussianMixtureConditional",
    "StreamKind",
    "check_stream_kind",
    "default_stream_kind",
]
