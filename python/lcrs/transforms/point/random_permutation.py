"""Points in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import changed, field
from lcrs.transforms.point.randomness import RandomTransform

__all__ = ["RandomPermutation"]


@register_transform("RandomPermutation")
class RandomPermutation(RandomTransform):
    """Puts points into a random order.

    Args:
        attrs: Fields with an entry for each point, permuted alike.
        seed: As of `RandomTransform`.
        static_seed: As of `RandomTransform`.
    """

    def __init__(
        self, *, attrs: Sequence[str] = ("pos",), seed: int | None = None, static_seed: int | None = None
    ) -> None:
        super().__init__(seed=seed, static_seed=static_seed)
        self.attrs = tuple(attrs)

    def forward(self, data: Any) -> Any:
        """Sets the fields named by `attrs`."""
        fields = {name: field(data, name) for name in self.attrs}
        order = torch.randperm(len(field(data, "pos")), generator=self.generator())
        return changed(data, **{name: values[order.to(values.device)] for name, values in fields.items()})

    def __repr__(self) -> str:
        return f"RandomPermutation(attrs={self.attrs})"
