"""The network of the geometry codec: how likely each octant of an octree's nodes holds points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.layers.lowering import GraphBuilder, LoweredGraph, lower
from lcrs.models.base import CompressionModel
from lcrs.models.packing import PackageParts
from lcrs.registry import register_model

__all__ = ["OctreeOccupancy"]

_SCALARS = ("levels_below", "growth_below", "growth", "growth_above", "node_bits")
_ORDER = (0, 7, 3, 4, 5, 2, 6, 1)
"""Opposite corners first: what they tell of the others' places is the most."""

_PRECISION = 16
_RESOLUTION = 32
_LARGEST_LOGIT = 9


@register_model("octree-occupancy")
class OctreeOccupancy(CompressionModel):
    """Occupancies of an octree, level by level and octant by octant.

    At each level, stage `s` is about octant `order[s]` of all nodes at once, as across scales and in eight
    stages in J. Wang, D. Ding, Z. Li, X. Feng, C. Cao and Z. Ma, "Sparse tensor-based multiscale
    representation for point cloud geometry compression", TPAMI 2023. What a node sees of the tree are windows
    of its own level and of its ancestors'; what is known of a stage are the children of earlier stages. In
    place of sparse convolutions there are two perceptrons of few layers, so that it runs on one CPU::

             windows, ways, numbers of the level
                           |
                        [trunk]                        once for all stages
                           |
        known children --[head s]---> logit            for stage s = 0 to 7

    Args:
        window: How far the window of a node reaches, in nodes.
        ancestors: The same for each ancestor, the nearest first.
        known: How far from the octant in question children of earlier stages are seen, in children.
        order: Octants, 4 x + 2 y + z, in the order of stages.
        scalars: Numbers of the level, by the names that `lcrs.coding.Octree.trunk_features` has for them.
        trunk: Widths of the trunk's layers.
        head: Widths of the layers of heads, before the logit.
        adaptation: How probabilities follow what was coded; see the specification of packages. None if they
            do not.
    """

    trains_on = "lcrs.train.octrees:OCTREES"

    def __init__(
        self,
        window: int = 2,
        ancestors: Sequence[int] = (2, 2, 1),
        known: int = 3,
        order: Sequence[int] = _ORDER,
        scalars: Sequence[str] = _SCALARS,
        trunk: Sequence[int] = (160, 96, 48),
        head: Sequence[int] = (64, 32),
        adaptation: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        if sorted(order) != list(range(8)):
            raise ValueError(f"order is {list(order)}, must have each octant from 0 to 7 once")
        self.window, self.ancestors, self.known = window, list(ancestors), known
        self.order, self.scalars = list(order), list(scalars)
        self.adaptation = adaptation
        self.num_known = [self._num_known(stage) for stage in range(8)]
        windows = [(2 * reach + 1) ** 3 - 1 for reach in (window, *ancestors)]
        self.num_flags = sum(windows) + 8 * len(self.ancestors)
        self.trunk = _perceptron([self.num_flags + len(self.scalars), *trunk])
        self.trunk.append(nn.LeakyReLU())
        self.heads = nn.ModuleList(
            [_perceptron([trunk[-1] + self.num_known[stage], *head, 1]) for stage in range(8)]
        )

    def _num_known(self, stage: int) -> int:
        """How many children of earlier stages are within reach of the octant of a stage."""
        mine = self.order[stage]
        count = 0
        for other in self.order[:stage]:
            near = 1
            for bit in (2, 1, 0):
                apart = (other >> bit & 1) - (mine >> bit & 1)
                near *= sum(abs(2 * step + apart) <= self.known for step in (-1, 0, 1))
            count += near
        return count

    @property
    def num_features(self) -> int:
        """Numbers of a node that `forward` takes."""
        return self.num_flags + len(self.scalars) + sum(self.num_known) + 8

    def features(self, octree: coding.Octree, level: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `forward` takes, of all nodes of a level.

        Returns:
            Flags, (N, num_features - len(scalars)), in the order of `forward` but for the numbers of the
            level; and these, (len(scalars),).
        """
        seen = octree.trunk_features(level, reach=self.window, ancestors=self.ancestors, scalars=self.scalars)
        known = [
            octree.head_features(level, stage, order=self.order, reach=self.known) for stage in range(1, 8)
        ]
        held = octree.occupancy(level)[:, None] >> np.array(self.order, np.uint8) & 1
        flags, numbers = seen[:, : self.num_flags], seen[0, self.num_flags :]
        return np.concatenate([flags, *known, held.astype(np.float32)], axis=1), numbers

    def forward(self, nodes: Tensor) -> dict[str, Any]:
        """Logits and likelihoods of nodes whose children are known.

        Args:
            nodes: (N, num_features): what the trunk sees; for each stage what its head sees; whether each
                octant, in the order of stages, holds points.

        Returns:
            "logits", (N, 8), and "likelihoods", {"occupancy": (N, 8)} of what the octants are. The last
            octant is certain where all others are empty.
        """
        places = [self.num_flags + len(self.scalars), *self.num_known, 8]
        seen, *known, held = torch.split(nodes, places, dim=1)
        common = self.trunk(seen)
        pairs = zip(self.heads, known, strict=True)
        logits = torch.cat([head(torch.cat([common, flags], dim=1)) for head, flags in pairs], dim=1)
        likelihoods = torch.sigmoid(torch.where(held > 0.5, logits, -logits))
        is_certain = (held[:, :7].sum(dim=1, keepdim=True) < 0.5) & (torch.arange(8) == 7).to(nodes.device)
        likelihoods = torch.where(is_certain, torch.ones_like(likelihoods), likelihoods)
        return {"logits": logits, "likelihoods": {"occupancy": likelihoods}}

    def packing_example(self, generator: torch.Generator) -> Tensor:
        """Some nodes, at random, to compare `forward` and a package's graphs with."""
        return torch.rand(4, self.num_features, generator=generator).round()

    def package_parts(self) -> PackageParts:
        """Graphs of the trunk and of the heads, and the table that logits pick rows of."""
        graphs = {"trunk": lower(self.trunk, "trunk", "y")}
        for stage, head in enumerate(self.heads):
            graphs[f"head{stage}"] = self._lowered_head(head, stage)
        rows = _rows()
        tensors = {
            "occupancy.cdf": rows,
            "occupancy.lengths": np.full(len(rows), 4, np.int32),
            "occupancy.offsets": np.zeros(len(rows), np.int32),
        }
        codec: dict[str, Any] = {
            "type": "occupancy",
            "window": self.window,
            "ancestors": self.ancestors,
            "scalars": self.scalars,
            "known": self.known,
            "order": self.order,
            "trunk": "trunk",
            "heads": [f"head{stage}" for stage in range(8)],
            "resolution": _RESOLUTION,
            "table": {
                **{key: f"occupancy.{key}" for key in ("cdf", "lengths", "offsets")},
                "precision": _PRECISION,
            },
        }
        if self.adaptation is not None:
            codec["adaptation"] = dict(self.adaptation)
        return PackageParts(graphs, codec, tensors)

    def _lowered_head(self, head: nn.Module, stage: int) -> LoweredGraph:
        graph = GraphBuilder()
        x = graph.input("trunk")
        if self.num_known[stage]:
            x = graph.op("concat", x, graph.input("known"))
        return graph.finish({"y": graph.call(head, x, f"heads.{stage}")})


def _perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers, leaky rectifiers between them."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.LeakyReLU()]
    return nn.Sequential(*layers[:-1])


def _rows() -> NDArray[np.int32]:
    """Cumulative frequencies of 0, 1 and the escape, a row for each logit from -9 to 9 in steps of 1/32."""
    last = _LARGEST_LOGIT * _RESOLUTION
    total = (1 << _PRECISION) - 1  # the escape, which never comes, has one
    rows = []
    for step in range(-last, last + 1):
        zeros = min(max(round(total / (1 + math.exp(step / _RESOLUTION))), 1), total - 1)
        rows.append([0, zeros, total, total + 1])
    return np.array(rows, np.int32)
