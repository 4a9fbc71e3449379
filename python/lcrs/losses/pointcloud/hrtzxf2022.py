"""The loss of density-preserving compression: He et al., CVPR 2022, section 3.4.

Clouds are (B, 3, N). The encoder's lists are from the finest step to the coarsest, the decoder's the other
way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.losses.pointcloud.chamfer import chamfer_distance
from lcrs.losses.pointcloud.weighting import weighted_sum
from lcrs.losses.rate import compute_rate_loss
from lcrs.registry import register_criterion

__all__ = ["RateDistortionLoss_hrtzxf2022"]


@register_criterion("RateDistortionLoss_hrtzxf2022")
class RateDistortionLoss_hrtzxf2022(nn.Module):
    """Rate, and how far clouds, densities, numbers of points, samples and normals are off.

    Args:
        lmbda: Weights of the terms that `forward` returns, and "chamfer_layers", of the steps from the
            finest on; by default `LMBDA_DEFAULT`. What is not named has none.
        compress_normal: Whether the model restores normals.
        latent_xyzs_codec_mode: Of the model: "learned", or "float16", where samples are as they were.

    Raises:
        ValueError: An unknown mode.
    """

    LMBDA_DEFAULT: Mapping[str, Any] = MappingProxyType(
        {
            "bpp": 1.0,
            "chamfer": 1e4,
            "chamfer_layers": (1.0, 0.1, 0.1),
            "latent_xyzs": 1e2,
            "mean_distance": 5e1,
            "normal": 1e2,
            "pts_num": 5e-3,
            "upsample_num": 1.0,
        }
    )

    def __init__(
        self,
        lmbda: Mapping[str, Any] | None = None,
        compress_normal: bool = False,
        latent_xyzs_codec_mode: str = "learned",
    ) -> None:
        super().__init__()
        if latent_xyzs_codec_mode not in ("learned", "float16"):
            raise ValueError(
                f"latent_xyzs_codec_mode is {latent_xyzs_codec_mode!r}; it must be learned or float16"
            )
        self.lmbda = dict(self.LMBDA_DEFAULT if lmbda is None else lmbda)
        self.compress_normal = compress_normal
        self.latent_xyzs_codec_mode = latent_xyzs_codec_mode

    def forward(self, output: Mapping[str, Any], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            output: As `DensityPreservingReconstructionPccModel` returns it.
            target: "pos", (B, P, 3).

        Returns:
            Scalars "chamfer_loss", weighted over the steps, and "rec_loss", that of the finest;
            "mean_distance_loss", "upsample_num_loss", "pts_num_loss", "latent_xyzs_loss", "normal_loss";
            rates as of `lcrs.losses.compute_rate_loss`; and "loss".
        """
        pos = target["pos"]
        clouds, clouds_hat = output["gt_xyz_"], output["xyz_hat_"][::-1]
        chamfer, nearest = _chamfer(clouds, clouds_hat)
        weights = self.lmbda.get("chamfer_layers", self.LMBDA_DEFAULT["chamfer_layers"])
        zero = chamfer[0].new_zeros(())
        out = {
            "chamfer_loss": torch.stack([w * c for w, c in zip(weights, chamfer, strict=False)]).sum(),
            "rec_loss": chamfer[0],
            "mean_distance_loss": _density(
                output["gt_mean_distance_"], output["mean_distance_hat_"][::-1], nearest
            ),
            "upsample_num_loss": _density(
                output["gt_downsample_num_"], output["upsample_num_hat_"][::-1], nearest
            ),
            "pts_num_loss": _number_of_points(clouds, output["upsample_num_hat_"][::-1]),
            "latent_xyzs_loss": zero,
            "normal_loss": zero,
        }
        if self.latent_xyzs_codec_mode == "learned":
            out["latent_xyzs_loss"] = F.mse_loss(output["latent_xyz_hat"], output["gt_latent_xyz"])
        if self.compress_normal:
            normals = _gathered(output["gt_normal"], nearest[0])
            out["normal_loss"] = F.mse_loss(output["feat_hat"].tanh(), normals)
        if "likelihoods" in output:
            out.update(compute_rate_loss(output["likelihoods"], pos.shape[0], pos.shape[1]))
        out["loss"] = weighted_sum(out, self.lmbda)
        return out


def _chamfer(clouds: Sequence[Tensor], clouds_hat: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Of each step the Chamfer distance, and of each restored point the index of the nearest given one."""
    distances, nearest = [], []
    for cloud, cloud_hat in zip(clouds, clouds_hat, strict=True):
        dist1, dist2, _, idx2 = chamfer_distance(cloud, cloud_hat, order="b c n")
        distances.append(dist1.mean() + dist2.mean())
        nearest.append(idx2)
    return distances, nearest


def _density(given: Sequence[Tensor], restored: Sequence[Tensor], nearest: Sequence[Tensor]) -> Tensor:
    """The mean absolute differences of what is said of samples, (B, M), summed over steps.

    A restored point is compared with the given sample that is nearest to it; the last samples are the same
    ones.
    """
    terms = []
    for i, (values, values_hat) in enumerate(zip(given, restored, strict=True)):
        is_last = i + 1 == len(given)
        wanted = values if is_last else _gathered(values[:, None], nearest[i + 1]).squeeze(1)
        terms.append(F.l1_loss(values_hat, wanted))
    return torch.stack(terms).sum()


def _number_of_points(clouds: Sequence[Tensor], counts_hat: Sequence[Tensor]) -> Tensor:
    """By how many the sum of a batch's numbers misses the number of its points, summed over steps."""
    misses = [
        (count.sum() - cloud.shape[0] * cloud.shape[2]).abs()
        for cloud, count in zip(clouds, counts_hat, strict=True)
    ]
    return torch.stack(misses).sum()


def _gathered(values: Tensor, idx: Tensor) -> Tensor:
    """(B, C, M) of values (B, C, N), by indexes (B, M)."""
    return values.gather(2, idx[:, None].expand(-1, values.shape[1], -1))
