"""Training of the geometry codec's network: octrees of generated clouds, bits a point, its package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.coding import CloudPackage, write_package
from lcrs.datasets.generated_clouds import KINDS
from lcrs.layers.module_state import evaluating
from lcrs.models.pointcloud import OctreeOccupancy
from lcrs.packages.from_network import package_of
from lcrs.train.config import Config, ConfigError
from lcrs.train.data.octrees import CloudNodes, OctreeBatches
from lcrs.train.data.opening import Data
from lcrs.train.data.pictures import LeftOut
from lcrs.train.networks import make_network
from lcrs.train.pack import network_of_checkpoint
from lcrs.train.tasks import OneRate, Task
from lcrs.train.validation import Point, Validation

__all__ = ["OCTREES", "OctreeBits", "Octrees", "bits_a_point"]

_LEAST = 2.0**-24
"""Likelihoods below it have no gradient."""
_AT_A_TIME = 8192


def _bits(out: Mapping[str, Any]) -> Tensor:
    """Bits of each node, (N,)."""
    likelihoods: Tensor = out["likelihoods"]["occupancy"]
    return -torch.log2(likelihoods.clamp_min(_LEAST)).sum(dim=1)


class OctreeBits(nn.Module):
    """Bits of occupancies. The loss is their mean over nodes, "bpp" that over children."""

    target_bpp = None
    log_factor: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_factor", torch.zeros(()))

    def forward(
        self, out: Mapping[str, Any], nodes: Tensor, lmbda: Tensor | None = None, middle: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `lcrs.train.subjects.Subject.objective` says."""
        bits = _bits(out).sum()
        loss = bits / len(nodes)
        return loss, {"loss": loss.detach(), "bpp": bits.detach() / nodes[:, -8:].sum()}


@torch.no_grad()
def bits_a_point(net: nn.Module, cloud: CloudNodes) -> float:
    """Estimated bits a point of a cloud, those of all levels, by a network in evaluation mode."""
    device, total = next(net.parameters()).device, 0.0
    for rows in np.array_split(np.arange(len(cloud.flags)), -(-len(cloud.flags) // _AT_A_TIME)):
        bits = _bits(net(cloud.tensor(rows).to(device))).double().cpu()
        total += float(bits @ torch.from_numpy(cloud.weights[rows]).double())
    return total / cloud.num_points


class Octrees:
    """Octrees of generated clouds: an example is a node. `data.options` are those of `OctreeBatches`."""

    rate_unit = "bits a point"
    example_unit = "nodes"

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """As in `Subject`."""
        return OneRate()

    def open_data(self, config: Config, device: torch.device, *, rank: int = 0, world: int = 1) -> Data:
        """As in `Subject`: generated clouds, for validation one of each kind."""
        if config.data.train is not None:
            raise ConfigError("data.train is set, but octrees are of generated clouds: leave it out")
        net = make_network(config.model)
        if not isinstance(net, OctreeOccupancy):
            raise ConfigError(f"{type(net).__name__} sees no octree")
        batches = OctreeBatches(net, config.batch, config.data.options, config.seed, device, rank)
        held_out = [batches.cloud(number, held_out=True) for number in range(len(KINDS))]
        options = ", ".join(f"{name} {value}" for name, value in batches.options.items())
        text = (
            f"generated clouds: {options}; {batches.options['clouds']} of them are made before the first step"
        )
        return Data(batches, held_out, None, "generated clouds", LeftOut(), text)

    def objective(self, config: Config, task: Task) -> OctreeBits:
        """As in `Subject`."""
        return OctreeBits()

    def validator(
        self, config: Config, task: Task, objective: Any, data: Data
    ) -> Callable[[nn.Module], Validation]:
        """As in `Subject`: bits a point of each kind of cloud, and their mean."""

        def validate(net: nn.Module) -> Validation:
            with evaluating(net):
                bits = [bits_a_point(net, cloud) for cloud in data.tune]
            mean = float(np.mean(bits))
            point = Point(None, mean, None, mean, others=dict(zip(KINDS, bits, strict=True)))
            return Validation([point], mean)

        return validate

    def pack(self, checkpoint: Path, output: Path, name: str, card: Mapping[str, Any]) -> None:
        """As in `Subject`; the card in the package has its digest, too."""
        net, facts = network_of_checkpoint(checkpoint)
        description, tensors = package_of(net, name)
        write_package(output, description, tensors)
        digests = {"entropy": CloudPackage.from_file(output).entropy_digest}
        # No digest covers the card.
        write_package(output, {**description, "card": {**facts, **card, "digests": digests}}, tensors)


OCTREES = Octrees()
