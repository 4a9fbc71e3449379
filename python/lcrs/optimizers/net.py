"""One optimizer for everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn, optim

from lcrs.optimizers.build import build_optimizers
from lcrs.registry import register_optimizer

__all__ = ["net_optimizer"]


@register_optimizer("net")
def net_optimizer(net: nn.Module, conf: Mapping[str, Mapping[str, Any]]) -> dict[str, optim.Optimizer]:
    """An optimizer of all trained parameters; enough for any model, since the tails come from bisection.

    Args:
        net: The network.
        conf: For example `{"net": {"type": "Adam", "lr": 1e-4}}`; further keys are left alone.

    Returns:
        `{"net": optimizer}`.

    Raises:
        ValueError: `conf` lacks the key, or nothing is trained.
        KeyError: The "type" is missing or unknown.
    """
    return build_optimizers(net, conf, {"net": lambda name: True})
