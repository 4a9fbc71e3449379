"""Training criterions."""

from lcrs.losses.rate import compute_rate_loss
from lcrs.losses.rate_distortion import RateDistortionLoss

__all__ = ["RateDistortionLoss", "compute_rate_loss"]
