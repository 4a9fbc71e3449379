"""Training criterions."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.losses import utils  # noqa: F401
from lcrs.losses.rate import compute_rate_loss
from lcrs.losses.rate_distortion import RateDistortionLoss

__all__ = ["RateDistortionLoss", "compute_rate_loss"]
