"""Training criterions."""

from lcrs import needs_torch  # noqa: F401

# CompressAI's users import these from here.
from lcrs.losses import utils  # noqa: F401
from lcrs.losses.pointcloud import (
    ChamferPccRateDistortionLoss,
    RateDistortionLoss_hrtzxf2022,
    chamfer_distance,
)
from lcrs.losses.rate import compute_rate_loss
from lcrs.losses.rate_distortion import RateDistortionLoss

__all__ = [
    "ChamferPccRateDistortionLoss",
    "RateDistortionLoss",
    "RateDistortionLoss_hrtzxf2022",
    "chamfer_distance",
    "compute_rate_loss",
]
