"""Neighbours, balls and samples of point clouds as tensors, on any device.

On the CPU they come from the native module, which reads tensors in place; elsewhere from torch, by the
definition: all distances, in pieces. Both compute squared distances alike, as the sum from the left of the
squares of the differences, in float32 or float64 (of smaller types in float32), and of equals take the lowest
index: results are equal.

What is found is whole numbers without a gradient; distances (`squared_distances`) and gathered values
(`index_points`) have one.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lcrs import coding

__all__ = [
    "ball_query",
    "farthest_point_indexes",
    "index_points",
    "nearest_indexes",
    "square_distance",
    "squared_distances",
]

_PIECE = 1 << 24
"""Distances that are held at a time."""

_FEW_CHANNELS = 16


def index_points(points: Tensor, idx: Tensor) -> Tensor:
    """Gathers points by index; gradients flow to `points`.

    Args:
        points: (B, N, C).
        idx: Indexes in [0, N), (B, ...).

    Returns:
        (B, ..., C).
    """
    channels = points.shape[-1]
    flat = idx.flatten(1).unsqueeze(-1).expand(-1, -1, channels)
    return points.gather(1, flat).reshape(*idx.shape, channels)


def square_distance(src: Tensor, dst: Tensor) -> Tensor:
    """Squared distances of all pairs, never negative; gradients flow to both.

    Of up to 16 channels they are sums of squared differences, of more from products of the points less their
    mean.

    Args:
        src: (B, N, C).
        dst: (B, M, C).

    Returns:
        (B, N, M).

    Raises:
        ValueError: Channels differ in number.
    """
    if src.shape[-1] != dst.shape[-1]:
        shapes = f"{tuple(src.shape)} and {tuple(dst.shape)}"
        raise ValueError(f"points have shapes {shapes}: as many channels in both are needed")
    if src.shape[-1] <= _FEW_CHANNELS:
        total = src.new_zeros(src.shape[0], src.shape[1], dst.shape[1])
        for channel in range(src.shape[-1]):
            total = total + (src[:, :, None, channel] - dst[:, None, :, channel]).square()
        return total
    centre = dst.detach().mean(1, keepdim=True)
    src, dst = src - centre, dst - centre
    norms = src.square().sum(-1)[:, :, None] + dst.square().sum(-1)[:, None, :]
    return (norms - 2 * src @ dst.transpose(1, 2)).clamp(min=0)


def squared_distances(points: Tensor, queries: Tensor, idx: Tensor) -> Tensor:
    """Squared distances of queries from points that were found for them; gradients flow to both.

    Args:
        points: (B, N, 3).
        queries: (B, M, 3).
        idx: (B, M) or (B, M, k).

    Returns:
        In the shape of `idx`.
    """
    found = index_points(points, idx)
    x, y, z = ((queries if idx.dim() == 2 else queries[:, :, None]) - found).unbind(-1)
    return x * x + y * y + z * z


def nearest_indexes(points: Tensor, queries: Tensor, k: int) -> Tensor:
    """The `k` nearest points of each query, nearest first; of equals the lowest index comes first.

    Args:
        points: (B, N, C), all finite.
        queries: (B, M, C).
        k: At most N.

    Returns:
        int64, (B, M, k).

    Raises:
        ValueError: There are fewer points than `k`, or a coordinate is not finite.
    """
    points, queries = _plain(points), _plain(queries)
    if _is_native(points, queries):
        return torch.from_numpy(coding.nearest_points(points, queries, k)[1])
    _check(points, queries)
    if k > points.shape[1]:
        raise ValueError(f"k={k} neighbours are asked for, there are {points.shape[1]} points")
    pieces = [
        _lowest_of(distances, distances.amin(-1))
        if k == 1
        else distances.sort(dim=-1, stable=True).indices[..., :k]
        for distances in _distances(queries, points)
    ]
    return torch.cat(pieces, 1)


def ball_query(points: Tensor, centres: Tensor, radius: float, count: int) -> Tensor:
    """The first `count` points, by index, that are not farther than `radius` from each centre.

    Places that are left repeat the first of them; where no point is so near, all are the nearest point.

    Args:
        points: (B, N, 3), all finite.
        centres: (B, M, 3).
        radius: Not negative; a point at this distance is inside.
        count: Places of each centre.

    Returns:
        int64, (B, M, count).

    Raises:
        ValueError: There are no points, the radius is negative, or a coordinate is not finite.
    """
    points, centres = _plain(points), _plain(centres)
    if _is_native(points, centres):
        return torch.from_numpy(coding.ball_points(points, centres, radius, count)[0])
    _check(points, centres)
    if not radius >= 0:
        raise ValueError(f"radius={radius}, a number that is not negative is needed")
    size = points.shape[1]
    if size == 0 and centres.numel() > 0:
        raise ValueError("there are no points to fill balls with")
    within = torch.tensor(radius * radius, dtype=points.dtype, device=points.device)
    numbers = torch.arange(size, device=points.device)
    pieces = []
    for distances in _distances(centres, points):
        inside = torch.where(distances <= within, numbers, size).sort(-1).values[..., :count]
        inside = torch.nn.functional.pad(inside, (0, count - inside.shape[-1]), value=size)
        nearest = _lowest_of(distances, distances.amin(-1))
        first = torch.where(inside[..., :1] < size, inside[..., :1], nearest)
        pieces.append(torch.where(inside < size, inside, first))
    return torch.cat(pieces, 1)


def farthest_point_indexes(points: Tensor, count: int, start: int = 0) -> Tensor:
    """`count` points, each the farthest from those before it; of equals the lowest index.

    Eldar et al., "The farthest point strategy for progressive image sampling", IEEE TIP 1997. When all
    different points are taken, the lowest index follows again and again.

    Args:
        points: (B, N, 3), all finite.
        count: Number of samples.
        start: Index of the first.

    Returns:
        int64, (B, count).

    Raises:
        ValueError: There is no point `start`, or a coordinate is not finite.
    """
    points = _plain(points)
    if _is_native(points):
        return torch.from_numpy(coding.farthest_points(points, count, start))
    _check(points)
    if count > 0 and not 0 <= start < points.shape[1]:
        raise ValueError(f"start={start} is not the index of one of {points.shape[1]} points")
    samples = torch.full((points.shape[0], count), start, dtype=torch.int64, device=points.device)
    nearest = torch.full_like(points[..., 0], torch.inf)
    for i in range(1, count):
        sample = index_points(points, samples[:, i - 1 : i])
        nearest = torch.minimum(nearest, next(_distances(sample, points))[:, 0])
        samples[:, i] = _lowest_of(nearest, nearest.amax(-1))[..., 0]
    return samples


def _plain(points: Tensor) -> Tensor:
    """Without gradients, contiguous, of a type that distances are computed in."""
    points = points.detach()
    return points.to(torch.promote_types(points.dtype, torch.float32)).contiguous()


def _is_native(*clouds: Tensor) -> bool:
    return all(cloud.device.type == "cpu" and cloud.shape[-1] == 3 for cloud in clouds)


def _check(*clouds: Tensor) -> None:
    for cloud in clouds:
        if not bool(cloud.isfinite().all()):
            place = (~cloud.isfinite()).nonzero()[0].tolist()
            raise ValueError(f"item {place[0]}: point {place[1]} is not finite")


def _distances(queries: Tensor, points: Tensor) -> Iterator[Tensor]:
    """Squared distances (B, piece of M, N)."""
    size = max(1, _PIECE // max(1, points.shape[0] * points.shape[1]))
    for piece in torch.split(queries, size, 1):
        yield square_distance(piece, points)


def _lowest_of(values: Tensor, wanted: Tensor) -> Tensor:
    """The lowest index of a value in the last dimension, which stays, of size one."""
    numbers = torch.arange(values.shape[-1], device=values.device)
    return torch.where(values == wanted[..., None], numbers, values.shape[-1]).amin(-1, keepdim=True)
