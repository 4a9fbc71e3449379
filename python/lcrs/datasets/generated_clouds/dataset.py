"""Generated clouds as a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import Dataset

from lcrs.datasets.generated_clouds.clouds import KINDS, generated_scan, generated_shape, generated_voxels
from lcrs.registry import register_dataset

__all__ = ["GeneratedClouds"]


@register_dataset("GeneratedClouds")
class GeneratedClouds(Dataset[Any]):
    """Clouds made up on the way, each from its place and the seed: nothing is downloaded or kept.

    Args:
        kind: "shape", points spread evenly over the surface of a random solid, in the unit sphere; "scan",
            positions in metres of lidar in streets and of depth cameras in rooms, in turn; "voxels", whole
            numbers, of all of `lcrs.datasets.generated_clouds.KINDS` in turn; or one of these.
        length: How many clouds there are.
        num_points: Of shapes.
        seed: Other seeds, other clouds.
        transform: Called with the item; returns what is used in its place.

    Items are mappings: "pos", (N, 3), float32, or int32 for voxels; shapes have "normal", (N, 3), too.

    Raises:
        ValueError: An unknown kind.
    """

    def __init__(
        self,
        kind: str = "shape",
        length: int = 1024,
        num_points: int = 2048,
        seed: int = 0,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        legal = ("shape", "scan", "voxels", *KINDS)
        if kind not in legal:
            raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(legal)}")
        self.kind, self.length, self.num_points = kind, length, num_points
        self.seed, self.transform = seed, transform

    def __len__(self) -> int:
        """Number of clouds."""
        return self.length

    def __getitem__(self, index: int) -> Any:
        """The cloud of an index."""
        if not -self.length <= index < self.length:
            raise IndexError(f"index {index} of {self.length} clouds")
        index %= self.length
        item = self._item(index, (self.seed << 32) + index)
        return item if self.transform is None else self.transform(item)

    def _item(self, index: int, seed: int) -> dict[str, torch.Tensor]:
        if self.kind == "shape":
            cloud = torch.from_numpy(generated_shape(seed, self.num_points, with_normals=True))
            return {"pos": cloud[:, :3].contiguous(), "normal": cloud[:, 3:].contiguous()}
        if self.kind == "scan":
            return {"pos": torch.from_numpy(generated_scan(seed, ("lidar", "cameras")[index % 2]))}
        kind = KINDS[index % len(KINDS)] if self.kind == "voxels" else self.kind
        return {"pos": torch.from_numpy(generated_voxels(seed, kind))}
