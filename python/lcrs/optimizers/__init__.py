"""Optimizers of a compression model, made from a configuration."""

from lcrs import needs_torch  # noqa: F401
from lcrs.optimizers.net import net_optimizer
from lcrs.optimizers.net_aux import net_aux_optimizer

__all__ = ["net_aux_optimizer", "net_optimizer"]
