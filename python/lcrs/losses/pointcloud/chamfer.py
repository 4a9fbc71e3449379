"""How far two clouds are from each other, and the loss of a codec by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.losses.pointcloud.weighting import weighted_sum
from lcrs.losses.rate import compute_rate_loss
from lcrs.ops.points import nearest_indexes, squared_distances
from lcrs.registry import register_criterion

__all__ = ["ChamferPccRateDistortionLoss", "chamfer_distance"]


def chamfer_distance(
    xyzs1: Tensor, xyzs2: Tensor, order: str = "b n c"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Squared distances of each point from the nearest one of the other cloud; gradients flow to both clouds.

    Fan, Su and Guibas, "A point set generation network for 3D object reconstruction from a single image",
    CVPR 2017, section 3.3.

    Args:
        xyzs1: N1 points of each of B clouds, their dimensions as `order` says; of any types, of which the
            wider one counts, float32 at least.
        xyzs2: N2 points of as many.
        order: The order of the dimensions b, n and c: clouds, points and coordinates.

    Returns:
        Squared distances of the first clouds' points, (B, N1), and of the second ones', (B, N2); and the
        indexes of the nearest points, of which the lowest counts where several are as near, (B, N1) and
        (B, N2).

    Raises:
        ValueError: `order` is no order of the three; or a cloud has no points, or a coordinate is not finite.
    """
    names = order.split()
    if sorted(names) != ["b", "c", "n"]:
        raise ValueError(f"order is {order!r}; it must be of the letters b, n and c, as 'b n c' is")
    places = [names.index(name) for name in "bnc"]
    dtype = torch.promote_types(torch.promote_types(xyzs1.dtype, xyzs2.dtype), torch.float32)
    first, second = (cloud.to(dtype).permute(places) for cloud in (xyzs1, xyzs2))
    idx1 = nearest_indexes(second, first, 1).squeeze(-1)
    idx2 = nearest_indexes(first, second, 1).squeeze(-1)
    return (
        squared_distances(second, first, idx1),
        squared_distances(first, second, idx2),
        idx1,
        idx2,
    )


@register_criterion("ChamferPccRateDistortionLoss")
class ChamferPccRateDistortionLoss(nn.Module):
    """Rate and Chamfer distance of restored clouds: the sum of the means of both directions.

    Args:
        lmbda: Weights of "rec", and of any other term that `forward` returns; by default 1 for "rec".
        rate_key: The rate that has the weight 1 unless `lmbda` gives it one: "bpp", or another that
            `lcrs.losses.compute_rate_loss` knows, such as "bit".
    """

    def __init__(self, lmbda: Mapping[str, float] | None = None, rate_key: str = "bpp") -> None:
        super().__init__()
        self.lmbda = {rate_key: 1.0, **({"rec": 1.0} if lmbda is None else lmbda)}

    def forward(self, output: Mapping[str, Any], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            output: "x_hat", (B, M, 3), and "likelihoods", of each latent; without these there is no rate.
            target: "pos", (B, P, 3).

        Returns:
            Scalars "rec_loss" and "loss"; "bit_loss" and "bpp_loss", bits a cloud and bits a point, and the
            same of each latent.
        """
        pos = target["pos"]
        out: dict[str, Tensor] = {}
        if "likelihoods" in output:
            out.update(compute_rate_loss(output["likelihoods"], pos.shape[0], pos.shape[1]))
        with torch.autocast(pos.device.type, enabled=False):
            dist1, dist2, _, _ = chamfer_distance(pos, output["x_hat"])
            out["rec_loss"] = dist1.mean() + dist2.mean()
        out["loss"] = weighted_sum(out, self.lmbda)
        return out
