"""Clouds of one number of points each: generated ones, or those of ModelNet's meshes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lcrs.datasets import GeneratedClouds, ModelNetDataset
from lcrs.train.config import ConfigError
from lcrs.train.data.crops import generator
from lcrs.transforms.point import NormalizeScaleV2, SamplePointsV2

__all__ = ["OPTIONS", "Clouds", "ShapeBatches", "shapes_in"]

OPTIONS = {"num_points": 1024, "clouds": 4096, "tune_clouds": 16}
"""What `data.options` may say: points of a cloud; how many generated clouds there are; how many validate."""

_MORE = 4
"""Times as many points as a cloud has are taken from a mesh, and drawn from anew each time."""

Clouds = dict[str, Tensor]
"""A batch: "pos" and "normal", both (B, P, 3)."""


def shapes_in(place: str | None, split: str, options: Mapping[str, int], seed: int) -> Dataset[Any]:
    """ModelNet's meshes as clouds in the unit sphere, or, without a place, generated shapes.

    Args:
        place: The folder ModelNet40 or ModelNet10 as it was published.
        split: "train" or "test".
        options: As `OPTIONS`.
        seed: Of generated shapes.

    Raises:
        ConfigError: The place has no meshes.
    """
    if place is None:
        is_train = split == "train"
        length = options["clouds" if is_train else "tune_clouds"]
        return GeneratedClouds("shape", length, options["num_points"], seed=2 * seed + (not is_train))
    count = _MORE * options["num_points"]
    sample = SamplePointsV2(count, include_normals=True, static_seed=seed)
    normalize = NormalizeScaleV2(scale_method="l2")
    if not Path(place).is_dir():
        raise ConfigError(f"there is no folder {place}: data.train is that of ModelNet, or is left out")
    found = ModelNetDataset(
        place,
        split=split,
        split_name=f"{split}-{count}",
        name="10" if Path(place).name.endswith("10") else "40",
        pre_transform=lambda item: normalize(sample(item)),
        download=False,
    )
    if len(found) == 0:
        raise ConfigError(f"{place} has no CLASS/{split}/*.off, as ModelNet has")
    return found


class ShapeBatches:
    """Clouds drawn evenly, turned around the vertical axis; all follows from the seed and the step.

    Args:
        shapes: Items "pos" and "normal".
        batch: Clouds of this process in a step.
        num_points: Of each cloud.
        seed: Decides clouds, points and turns.
        device: Where batches go.
        rank: Of this process.
    """

    def __init__(
        self,
        shapes: Dataset[Any],
        batch: int,
        num_points: int,
        seed: int,
        device: torch.device,
        rank: int = 0,
    ) -> None:
        self.shapes, self.batch, self.num_points = shapes, batch, num_points
        self.seed, self.device, self.rank = seed, device, rank

    def cloud(self, index: int, *numbers: int) -> Clouds:
        """The cloud of an index, (1, P, 3): `numbers` decide which of its points, and how it is turned."""
        item = self.shapes[index]
        rng = generator(self.seed, 8, *numbers)
        fields = [torch.as_tensor(item[name]) for name in ("pos", "normal")]
        chosen = torch.from_numpy(rng.permutation(len(fields[0]))[: self.num_points])
        angle = torch.tensor(rng.random() * 2 * torch.pi)
        turn = torch.eye(3)
        turn[0, 0] = turn[1, 1] = angle.cos()
        turn[0, 1], turn[1, 0] = -angle.sin(), angle.sin()
        pos, normal = (field[chosen].float() @ turn for field in fields)
        return {"pos": pos[None], "normal": normal[None]}

    def get(self, step: int, size: int) -> Clouds:
        """The batch of a step; `size` is for pictures."""
        count = len(self.shapes)  # type: ignore[arg-type]
        drawn = generator(self.seed, 7, self.rank, step).integers(count, size=self.batch)
        clouds = [self.cloud(int(index), self.rank, step, k) for k, index in enumerate(drawn)]
        return {key: torch.cat([cloud[key] for cloud in clouds]).to(self.device) for key in clouds[0]}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the step says all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Batches`."""

    def close(self) -> None:
        """As in `Batches`."""
