"""One optimizer for the network and one for the tails of its entropy bottlenecks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn, optim

from lcrs.optimizers.build import build_optimizers
from lcrs.registry import OPTIMIZERS, register_optimizer  # noqa: F401

__all__ = ["net_aux_optimizer"]


@register_optimizer("net_aux")
def net_aux_optimizer(net: nn.Module, conf: Mapping[str, Mapping[str, Any]]) -> dict[str, optim.Optimizer]:
    """Separate optimizers for the rate-distortion loss and for `aux_loss()`.

    The second takes the parameters called `quantiles`, the first all others. Frozen parameters are left out
    (CompressAI refuses them).

    Args:
        net: The network.
        conf: For example `{"net": {"type": "Adam", "lr": 1e-4}, "aux": {"type": "Adam", "lr": 1e-3}}`.
            Further keys are left alone.

    Returns:
        `{"net": optimizer, "aux": optimizer}`.

    Raises:
        ValueError: `conf` lacks a key, or a group has no trained parameter.
        KeyError: A "type" is missing or unknown.
    """
    return build_optimizers(net, conf, {"net": lambda name: not _is_quantiles(name), "aux": _is_quantiles})


def _is_quantiles(name: str) -> bool:
    return name.rpartition(".")[2] == "quantiles"
