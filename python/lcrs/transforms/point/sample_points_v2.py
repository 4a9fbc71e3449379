"""Points on a mesh."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import changed, field, positions
from lcrs.transforms.point.randomness import RandomTransform

__all__ = ["SamplePointsV2"]


@register_transform("SamplePointsV2")
class SamplePointsV2(RandomTransform):
    """Takes points from the triangles of a mesh, all places of its surface being equally likely.

    Both the triangle and the place in it are drawn from the seeded generator. A mesh without any area is
    sampled by its triangles alone.

    Args:
        num: How many.
        remove_faces: Leaves `face` out of the result.
        include_normals: Sets `normal` to that of the triangle of each point, of length one (zero where the
            triangle has no area).
        seed: As of `RandomTransform`.
        static_seed: As of `RandomTransform`.

    Raises:
        ValueError: `num` is below one.
    """

    def __init__(
        self,
        num: int,
        *,
        remove_faces: bool = True,
        include_normals: bool = False,
        seed: int | None = None,
        static_seed: int | None = None,
    ) -> None:
        if num < 1:
            raise ValueError(f"num is {num}: it is at least 1")
        super().__init__(seed=seed, static_seed=static_seed)
        self.num = num
        self.remove_faces = remove_faces
        self.include_normals = include_normals

    def forward(self, data: Any) -> Any:
        """Sets `pos` from `pos` (N, 3) and `face` (3, F).

        Raises:
            ValueError: Shapes are others, there are no triangles, or one has a vertex that is not there.
        """
        pos, face = positions(data), field(data, "face").long()
        if pos.shape[1] != 3 or face.ndim != 2 or face.shape[0] != 3 or not face.shape[1]:
            shapes = f"{tuple(pos.shape)} and {tuple(face.shape)}"
            raise ValueError(f"pos and face have shapes {shapes}: (N, 3) and (3, F) are needed, F at least 1")
        if int(face.min()) < 0 or int(face.max()) >= len(pos):
            found = f"{int(face.min())} to {int(face.max())}"
            raise ValueError(f"face has vertices {found}: 0 to {len(pos) - 1} are there")
        generator = self.generator()
        corner, first, second = (pos[face[i]] for i in range(3))
        first, second = first - corner, second - corner
        chosen = _by_area(first, second, torch.rand(self.num, generator=generator, dtype=torch.float64))
        corner, first, second = corner[chosen], first[chosen], second[chosen]
        place = torch.rand(self.num, 2, generator=generator, dtype=torch.float64).to(pos)
        beyond = place.sum(dim=1, keepdim=True) > 1  # the other half of the parallelogram, turned over
        place = torch.where(beyond, 1 - place, place)
        fields: dict[str, Tensor | None] = {"pos": corner + place[:, :1] * first + place[:, 1:] * second}
        if self.include_normals:
            normal = torch.linalg.cross(_scaled(first), _scaled(second))
            fields["normal"] = torch.nn.functional.normalize(normal, dim=1, eps=torch.finfo(pos.dtype).tiny)
        if self.remove_faces:
            fields["face"] = None
        return changed(data, **fields)

    def __repr__(self) -> str:
        return f"SamplePointsV2({self.num})"


def _by_area(first: Tensor, second: Tensor, drawn: Tensor) -> Tensor:
    """Triangles, by numbers from 0 to 1: the share of all area that comes before theirs."""
    unit = torch.maximum(first.abs().max(), second.abs().max()).double().clamp_min(1e-300)
    area = torch.linalg.vector_norm(torch.linalg.cross(first.double() / unit, second.double() / unit), dim=1)
    if not bool(area.sum() > 0):
        area = torch.ones_like(area)
    upper = area.cumsum(0)
    chosen = torch.searchsorted(upper, drawn.to(upper.device) * upper[-1], right=True)
    # Rounding may lead behind the last triangle that has an area.
    return chosen.clamp_max(int(torch.nonzero(area)[-1]))


def _scaled(vectors: Tensor) -> Tensor:
    """Vectors whose largest component is one, so that their products neither vanish nor overflow."""
    size = vectors.abs().amax(dim=1, keepdim=True)
    return vectors / torch.where(size > 0, size, torch.ones_like(size))
