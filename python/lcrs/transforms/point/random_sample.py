"""Some of the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lcrs.registry import register_transform
from lcrs.transforms.point.fields import changed, field
from lcrs.transforms.point.randomness import RandomTransform

__all__ = ["RandomSample"]


@register_transform("RandomSample")
class RandomSample(RandomTransform):
    """Takes a number of points, each at most once; if there are fewer, all equally often but for one.

    Args:
        num: How many; None for all.
        attrs: Fields with an entry for each point, sampled alike.
        remove_duplicates_by: Leaves out points first whose entry in this field another one before has.
        preserve_order: Keeps the order of the points; otherwise it is random.
        seed: As of `RandomTransform`.
        static_seed: As of `RandomTransform`.

    Raises:
        ValueError: `num` is below one.
    """

    def __init__(
        self,
        num: int | None = None,
        *,
        attrs: Sequence[str] = ("pos",),
        remove_duplicates_by: str | None = None,
        preserve_order: bool = False,
        seed: int | None = None,
        static_seed: int | None = None,
    ) -> None:
        if num is not None and num < 1:
            raise ValueError(f"num is {num}: it is at least 1")
        super().__init__(seed=seed, static_seed=static_seed)
        self.num = num
        self.attrs = tuple(attrs)
        self.remove_duplicates_by = remove_duplicates_by
        self.preserve_order = preserve_order

    def forward(self, data: Any) -> Any:
        """Sets the fields named by `attrs`.

        Raises:
            ValueError: Their lengths differ, or are zero.
        """
        fields = {name: field(data, name) for name in self.attrs}
        lengths = {name: len(values) for name, values in fields.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ValueError(f"the fields have lengths {lengths}: all alike and above zero is needed")
        num_input = next(iter(lengths.values()))
        if self.remove_duplicates_by is None:
            kept = torch.arange(num_input)
        else:
            kept = first_of_each(field(data, self.remove_duplicates_by)).cpu()
        num = len(kept) if self.num is None else self.num
        drawn = torch.randperm(max(len(kept), num), generator=self.generator())[:num] % len(kept)
        chosen = kept[drawn.sort().values if self.preserve_order else drawn]
        return changed(data, **{name: values[chosen.to(values.device)] for name, values in fields.items()})

    def __repr__(self) -> str:
        return f"RandomSample({self.num}, attrs={self.attrs})"


def first_of_each(values: Tensor) -> Tensor:
    """Where each distinct row stands first, in order."""
    _, inverse = torch.unique(values, return_inverse=True, dim=0)
    order = torch.argsort(inverse, stable=True)
    is_first = torch.ones_like(order, dtype=torch.bool)
    is_first[1:] = inverse[order][1:] != inverse[order][:-1]
    return order[is_first].sort().values
