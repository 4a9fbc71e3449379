"""The rate-distortion Lagrangian of image codecs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.losses.distortions import charbonnier, l1
from lcrs.losses.rate import num_bits
from lcrs.registry import register_criterion

__all__ = ["RateDistortionLoss"]

_METRICS = ("mse", "ms-ssim", "l1", "charbonnier")


@register_criterion("RateDistortionLoss")
class RateDistortionLoss(nn.Module):
    r"""`bpp + lmbda * distortion`, computed in float32 also under autocast.

    The distortion is :math:`255^2 \, \mathrm{MSE}` or :math:`1 - \mathrm{MS\text{-}SSIM}` (Balle et al., ICLR
    2018, section 3); or, which CompressAI does not have, "l1" or "charbonnier" as `lcrs.losses.distortions`
    has them, or with a metric such as "mse+ms-ssim" a weighted sum. MS-SSIM needs the package pytorch-msssim
    (`pip install '.[eval]'`) and sides above 160.

    Args:
        lmbda: Weight of the distortion; for a sum of metrics a mapping from each to its weight, such as
            `{"mse": 0.01, "ms-ssim": 4.0}`.
        metric: "mse", "ms-ssim", "l1", "charbonnier", or several of them joined by "+".
        return_type: "all" for a dictionary of all terms, or the name of the one to return, such as "loss".

    Raises:
        ValueError: An unknown metric, or `lmbda` does not fit it.
        ImportError: MS-SSIM without pytorch-msssim.
    """

    def __init__(
        self,
        lmbda: float | Mapping[str, float] = 0.01,
        metric: str = "mse",
        return_type: str = "all",
    ) -> None:
        super().__init__()
        metrics = metric.split("+")
        if not set(metrics) <= set(_METRICS) or len(set(metrics)) != len(metrics):
            raise ValueError(
                f"metric is {metric!r}; it must be {', '.join(_METRICS)}, or a sum such as mse+l1"
            )
        weights = lmbda if isinstance(lmbda, Mapping) else dict.fromkeys(metrics[:1], lmbda)
        if set(weights) != set(metrics):
            raise ValueError(f"lmbda is {lmbda!r}; it must give a weight for each of {', '.join(metrics)}")
        self.lmbda = lmbda
        self.metric = metric
        self.return_type = return_type
        self.weights = {name: float(weights[name]) for name in metrics}
        self._ms_ssim = _import_ms_ssim() if "ms-ssim" in metrics else None

    def forward(self, output: Mapping[str, Any], target: Tensor) -> dict[str, Tensor] | Tensor:
        """The loss of a batch.

        Args:
            output: "x_hat", shape (N, 3, H, W), and "likelihoods", a mapping from latents to tensors.
            target: The pictures, (N, 3, H, W) in [0, 1].

        Returns:
            Scalars "bpp_loss" (bits a pixel), "mse_loss" and/or "ms_ssim_loss" (MSE and MS-SSIM, neither
            scaled nor subtracted from one), "l1_loss", "charbonnier_loss", and "loss"; or one of them, as
            `return_type` says.
        """
        num_pixels = target.shape[0] * target.shape[2] * target.shape[3]
        bits = torch.stack([num_bits(values) for values in output["likelihoods"].values()])
        out = {"bpp_loss": bits.sum() / num_pixels}
        distortion = self._distortion(_at_least_single(output["x_hat"]), _at_least_single(target), out)
        out["loss"] = distortion + out["bpp_loss"]
        return out if self.return_type == "all" else out[self.return_type]

    def _distortion(self, x_hat: Tensor, target: Tensor, out: dict[str, Tensor]) -> Tensor:
        """The weighted distortion; enters its terms in `out`."""
        terms: list[Tensor] = []
        with torch.autocast(target.device.type, enabled=False):
            if "mse" in self.weights:
                out["mse_loss"] = F.mse_loss(x_hat, target)
                terms.append(self.weights["mse"] * 255**2 * out["mse_loss"])
            if self._ms_ssim is not None:
                out["ms_ssim_loss"] = self._ms_ssim(x_hat, target, data_range=1)
                terms.append(self.weights["ms-ssim"] * (1 - out["ms_ssim_loss"]))
            for name, distortion in (("l1", l1), ("charbonnier", charbonnier)):
                if name in self.weights:
                    out[f"{name}_loss"] = distortion(x_hat, target).mean()
                    terms.append(self.weights[name] * out[f"{name}_loss"])
        return torch.stack(terms).sum()


def _at_least_single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _import_ms_ssim() -> Callable[..., Tensor]:
    try:
        module = importlib.import_module("pytorch_msssim")
    except ImportError as error:
        raise ImportError(
            "MS-SSIM needs pytorch-msssim: pip install '.[eval]' in the sources of lcrs"
        ) from error
    function: Callable[..., Tensor] = module.ms_ssim
    return function
