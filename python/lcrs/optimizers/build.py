"""What `net_optimizer` and `net_aux_optimizer` share: one optimizer for each group of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn, optim

from lcrs.registry import OPTIMIZERS

__all__ = ["build_optimizers"]


def build_optimizers(
    net: nn.Module, conf: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Callable[[str], bool]]
) -> dict[str, optim.Optimizer]:
    """Makes an optimizer for each group of trained parameters.

    Parameters enter in the order of their names, as in CompressAI, so that the state of its optimizers loads.
    Frozen parameters (`requires_grad=False`) are left out.

    Args:
        net: The network.
        conf: For each group the name of its optimizer ("type") and keyword arguments. Further keys are for
            others to read, as in CompressAI.
        groups: For each group a function that says whether it takes a parameter, by the parameter's name.

    Raises:
        ValueError: `conf` lacks a group, or a group has no trained parameter.
        KeyError: A "type" is missing or unknown.
    """
    missing = sorted(groups.keys() - conf.keys())
    if missing:
        raise ValueError(
            f"conf has no {missing[0]!r}; it is for {sorted(conf)}, must be for {sorted(groups)}"
        )
    trained = sorted(
        (item for item in net.named_parameters() if item[1].requires_grad), key=lambda item: item[0]
    )
    optimizers = {}
    for key, takes in groups.items():
        parameters = [parameter for name, parameter in trained if takes(name)]
        if not parameters:
            raise ValueError(f"{type(net).__name__} has no trained parameter for the {key!r} optimizer")
        optimizers[key] = OPTIMIZERS.create(conf[key], parameters)
    return optimizers
