"""Gathering and resampling points; clouds are (B, C, N) here, but for what comes from `pointnet2`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lcrs.layers.pointcloud.pointnet2 import sample_and_group, sample_and_group_all, square_distance
from lcrs.ops import points as clouds

__all__ = [
    "cycle_after",
    "index_points",
    "randperm",
    "resample_points",
    "sample_and_group",
    "sample_and_group_all",
    "select_xyzs_and_feats",
    "square_distance",
]


def index_points(xyzs: Tensor, idx: Tensor) -> Tensor:
    """Gathers points by index; gradients flow to `xyzs`.

    Args:
        xyzs: (B, C, N).
        idx: Indexes in [0, N), (B, ...).

    Returns:
        (B, C, ...).
    """
    found = clouds.index_points(xyzs.transpose(1, 2), idx)
    return found.movedim(-1, 1)


def select_xyzs_and_feats(
    candidate_xyzs: Tensor,
    candidate_feats: Tensor,
    upsample_num: Tensor,
    upsample_rate: float | None = None,
    method: str = "batch_loop",
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Of each group's candidates the first, as many as the group is said to have.

    He et al., "Density-preserving deep point cloud compression", CVPR 2022, section 3.2. With a rate, all
    items of a batch get the same number of points, N times the rate, rounded up: too many are sampled, of
    too few some are repeated at random.

    Args:
        candidate_xyzs: Positions, (B, 3, N, S).
        candidate_feats: Features, (B, C, N, S).
        upsample_num: Points of each group, (B, N); rounded, and at least 1 and at most S.
        upsample_rate: Points a group on average; without it, there is one item or all have as many points.
        method: "batch_loop", or "batch_noloop", which chooses at random also where there are too many.
        seed: Makes the same choice for an item at each call, on any device; by default torch's random
            numbers count.

    Returns:
        Positions (B, 3, M) and features (B, C, M).

    Raises:
        ValueError: An unknown method; or items of different numbers of points, and no rate.
    """
    if method not in ("batch_loop", "batch_noloop"):
        raise ValueError(f"method is {method!r}; it must be batch_loop or batch_noloop")
    size = candidate_xyzs.shape[-1]
    counts = upsample_num.detach().round().long().clamp(1, size)
    chosen = torch.arange(size, device=counts.device) < counts[..., None]
    found = []
    for xyzs, feats, mask in zip(candidate_xyzs, candidate_feats, chosen, strict=True):
        idx = mask.flatten().nonzero().T
        item = [index_points(x.flatten(1)[None], idx) for x in (xyzs, feats)]
        if upsample_rate is not None:
            wanted = math.ceil(mask.shape[0] * upsample_rate)
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            if method == "batch_noloop" and idx.shape[1] > wanted:
                order = _permutation(idx.shape[1], idx.device, generator)[None, :wanted]
                item = [index_points(x, order) for x in item]
            item = list(resample_points(item[0], item[1], wanted, generator))
        found.append(item)
    sizes = {xyzs.shape[2] for xyzs, _ in found}
    if len(sizes) > 1:
        raise ValueError(f"items have {sorted(sizes)} points; upsample_rate is needed to make them alike")
    return torch.cat([xyzs for xyzs, _ in found]), torch.cat([feats for _, feats in found])


def resample_points(
    xyzs: Tensor, feats: Tensor, num_points: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """A cloud with another number of points: sampled by farthest points, or with points repeated at random.

    Each point is repeated about as often as any other, and their order is random then.

    Args:
        xyzs: Positions, (1, 3, N).
        feats: Features, (1, C, N).
        num_points: M.
        generator: Source of the random numbers, of the CPU; by default torch's of the tensors' device.

    Returns:
        Positions (1, 3, M) and features (1, C, M).
    """
    count, device = xyzs.shape[2], xyzs.device
    if count == num_points:
        return xyzs, feats
    if count > num_points:
        idx = clouds.farthest_point_indexes(xyzs.transpose(1, 2), num_points)
    else:
        rounds, rest = divmod(num_points, count)
        parts = [torch.arange(count, device=device).repeat(rounds)]
        if rest:
            source = device if generator is None else "cpu"
            some = torch.multinomial(torch.ones(count, device=source), rest, generator=generator)
            parts.append(some.to(device))
        idx = torch.cat(parts)[_permutation(num_points, device, generator)][None]
    return index_points(xyzs, idx), index_points(feats, idx)


def _permutation(count: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    source = device if generator is None else "cpu"
    return torch.randperm(count, device=source, generator=generator).to(device)


def randperm(
    shape: tuple[int, ...] | torch.Size, device: torch.device | str | None = None, dim: int = -1
) -> Tensor:
    """Random permutations along a dimension, independent of each other: int64 of this shape."""
    return torch.rand(shape, device=device).argsort(dim=dim)


def cycle_after(x: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Repeats the beginning of each row over the rest of it.

    Args:
        x: (..., N).
        end: How much of each row is its beginning, from 1 to N, (...).

    Returns:
        The rows, (..., N); the indexes that they were gathered by; and where they are as they were.

    Raises:
        ValueError: The shapes do not agree.

    Example:
        >>> import torch
        >>> cycle_after(torch.tensor([[5, 0, 7, 6, 2], [3, 1, 4, 8, 9]]), torch.tensor([2, 3]))[0].tolist()
        [[5, 0, 5, 0, 5], [3, 1, 4, 3, 1]]
    """
    if end.shape != x.shape[:-1]:
        raise ValueError(f"end has shape {tuple(end.shape)}, {tuple(x.shape[:-1])} is needed")
    places = torch.arange(x.shape[-1], device=x.device).expand(x.shape)
    idx = places % end[..., None]
    return x.gather(-1, idx), idx, places < end[..., None]
