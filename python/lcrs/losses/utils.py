"""CompressAI's path for `compute_rate_loss`."""

from lcrs.losses.rate import compute_rate_loss

__all__ = ["compute_rate_loss"]
