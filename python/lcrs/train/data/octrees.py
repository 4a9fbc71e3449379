"""Nodes of octrees of generated clouds, as the network of the geometry codec sees them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs.coding import Octree
from lcrs.datasets.generated_clouds import KINDS, generated_voxels
from lcrs.models.pointcloud import OctreeOccupancy
from lcrs.train.data.batches import Stateless
from lcrs.train.data.crops import generator
from lcrs.train.data.options import options_of

__all__ = ["OPTIONS", "CloudNodes", "OctreeBatches", "nodes_of_cloud"]

log = logging.getLogger("lcrs.train")

OPTIONS = {"clouds": 160, "replace_every": 100, "max_points": 120_000, "nodes_a_level": 30_000}
"""What `data.options` may say: from how many clouds a batch is drawn; after how many steps the oldest of them
makes room for a new one; about the most points of a cloud; the most nodes of a level that are kept."""

_OTHER_BITS = -2, 9
"""What the bits of the number of nodes are moved by in training, at least and less than."""

_TELL_EVERY = 20.0
"""Seconds after which it is said how many clouds there are, while they are made before a step."""

_SEEDS = 1 << 30
"""Clouds of training have seeds below."""


@dataclass(frozen=True)
class CloudNodes:
    """Nodes of all levels of one cloud.

    Attributes:
        flags: Packed bits, (N, ceil(F / 8)).
        levels: Of each node, (N,).
        numbers: Of each level, (depth, S).
        weights: How many nodes of its level each stands for, (N,).
        num_points: Of the cloud.
        scalars_at: Where the numbers of the level stand between the flags.
        num_flags: F.
    """

    flags: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    numbers: NDArray[np.float32]
    weights: NDArray[np.float32]
    num_points: int
    scalars_at: int
    num_flags: int

    def tensor(self, rows: NDArray[np.int64]) -> Tensor:
        """Some of the nodes as `OctreeOccupancy.forward` takes them."""
        flags = np.unpackbits(self.flags[rows], axis=1, count=self.num_flags)
        numbers = self.numbers[self.levels[rows]]
        parts = flags[:, : self.scalars_at], numbers, flags[:, self.scalars_at :]
        return torch.from_numpy(np.concatenate(parts, axis=1, dtype=np.float32))


def nodes_of_cloud(
    net: OctreeOccupancy, points: NDArray[np.uint32], most: int, rng: np.random.Generator
) -> CloudNodes:
    """What `net` sees of a cloud.

    Args:
        net: Says what it sees.
        points: (N, 3).
        most: Of a level with more nodes so many are drawn.
        rng: Draws them.
    """
    octree = Octree(np.ascontiguousarray(points))
    flags, levels, numbers, weights = [], [], [], []
    for level in range(octree.depth):
        seen, of_level = net.features(octree, level)
        if len(seen) > most:
            chosen = np.sort(rng.choice(len(seen), most, replace=False))
            weights.append(np.full(most, len(seen) / most, np.float32))
            seen = seen[chosen]
        else:
            weights.append(np.ones(len(seen), np.float32))
        flags.append(np.packbits(seen.astype(np.uint8), axis=1))
        levels.append(np.full(len(seen), level, np.uint8))
        numbers.append(of_level)
    return CloudNodes(
        flags=np.concatenate(flags),
        levels=np.concatenate(levels),
        numbers=np.stack(numbers),
        weights=np.concatenate(weights),
        num_points=int(np.unpackbits(octree.occupancy(octree.depth - 1)).sum()),
        scalars_at=net.num_flags,
        num_flags=net.num_features - len(net.scalars),
    )


class OctreeBatches(Stateless):
    """Nodes drawn evenly from a pool of clouds, in which new clouds take the place of old ones.

    Everything follows from the seed and the step, so a run that goes on needs no other state.

    Args:
        net: Says what it sees; its weights do not matter.
        batch: Nodes of this process in a step.
        options: As `OPTIONS`, of which those stay that are left out.
        seed: Decides clouds and nodes.
        device: Where batches go.
        rank: Of this process, which has clouds of its own.

    Raises:
        ConfigError: an option is unknown, or no positive whole number.
    """

    def __init__(
        self,
        net: OctreeOccupancy,
        batch: int,
        options: Mapping[str, Any],
        seed: int,
        device: torch.device,
        rank: int = 0,
    ) -> None:
        self.options = options_of(OPTIONS, options)
        self.net, self.batch, self.seed, self.device, self.rank = net, batch, seed, device, rank
        self._pool: dict[int, CloudNodes] = {}

    def cloud(self, number: int, *, held_out: bool = False) -> CloudNodes:
        """Nodes of the cloud of a number, of each kind in turn; of another cloud if it is `held_out`.

        Clouds are mirrored, turned by right angles and moved in the grid at random; scans stay upright.
        """
        kind = KINDS[number % len(KINDS)]
        rng = generator(self.seed, 5, self.rank, number, int(held_out))
        seed = int(rng.integers(_SEEDS)) + _SEEDS * held_out
        points = generated_voxels(seed, kind, self.options["max_points"])
        axes = [*rng.permutation(2), 2] if kind in ("lidar", "cameras") else rng.permutation(3)
        points = points[:, axes]
        points = np.where(rng.random(3) < 0.5, points.max(axis=0) - points, points)
        moved = (points + rng.integers(0, 16, 3)).astype(np.uint32)
        return nodes_of_cloud(self.net, moved, self.options["nodes_a_level"], rng)

    def get(self, step: int, size: int) -> Tensor:
        """The batch of a step, (B, num_features); `size` is for pictures."""
        first, count = step // self.options["replace_every"], self.options["clouds"]
        for gone in [number for number in self._pool if not first <= number < first + count]:
            del self._pool[gone]
        lacking = [number for number in range(first, first + count) if number not in self._pool]
        began = told = time.monotonic()
        for made, number in enumerate(lacking, 1):
            self._pool[number] = self.cloud(number)
            now = time.monotonic()
            if self.rank == 0 and (now - told > _TELL_EVERY or (told > began and made == len(lacking))):
                told = now
                log.info(
                    "%d of %d clouds are made (%.0f s); data.options.clouds says how many",
                    made, len(lacking), now - began,
                )  # fmt: skip
        clouds = [self._pool[number] for number in range(first, first + count)]
        ends = np.cumsum([len(cloud.flags) for cloud in clouds])
        drawn = np.sort(generator(self.seed, 6, self.rank, step).integers(ends[-1], size=self.batch))
        places = np.searchsorted(drawn, [0, *ends])
        parts = [
            cloud.tensor(drawn[begin:end] - (last - len(cloud.flags)))
            for cloud, begin, end, last in zip(clouds, places[:-1], places[1:], ends, strict=True)
        ]
        batch = torch.cat(parts)
        if "node_bits" in self.net.scalars:  # as of other clouds, mostly larger ones than these
            moved = generator(self.seed, 7, self.rank, step).integers(*_OTHER_BITS, size=self.batch)
            place = self.net.num_flags + self.net.scalars.index("node_bits")
            batch[:, place] += torch.from_numpy(moved).float() / 32
        return batch.to(self.device)
