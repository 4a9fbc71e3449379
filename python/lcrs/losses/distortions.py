"""Distortions of pictures, one number for each, scaled so that a weight against bits a pixel suits all.

MSE is times 255^2 and MS-SSIM subtracted from one, as in Balle et al., ICLR 2018, section 3; L1 and
Charbonnier are in units of 8-bit levels.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DISTORTIONS", "Lpips", "charbonnier", "l1", "ms_ssim", "mse"]

_EPSILON = 1e-3
"""Of Charbonnier's loss: differences far below it count as squares."""


def mse(x_hat: Tensor, x: Tensor) -> Tensor:
    """255^2 times the mean squared error of each picture, (N,).

    Args:
        x_hat: Restored pictures, (N, C, H, W).
        x: Pictures in [0, 1], the same shape.
    """
    return (x_hat - x).square().mean((1, 2, 3)) * 255**2


def ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """One minus MS-SSIM of each picture, (N,); sides above 160, and the package pytorch-msssim.

    Raises:
        ImportError: the package is missing.
    """
    try:
        module = importlib.import_module("pytorch_msssim")
    except ImportError as error:
        raise ImportError(
            "MS-SSIM needs pytorch-msssim: pip install '.[train]' in the sources of lcrs"
        ) from error
    similarity: Tensor = module.ms_ssim(x_hat, x, data_range=1, size_average=False)
    return 1 - similarity


def l1(x_hat: Tensor, x: Tensor) -> Tensor:
    """255 times the mean absolute error of each picture, (N,)."""
    return (x_hat - x).abs().mean((1, 2, 3)) * 255


def charbonnier(x_hat: Tensor, x: Tensor) -> Tensor:
    """255 times the mean of sqrt(d^2 + e^2) - e, e = 0.001, of each picture, (N,).

    Charbonnier, Blanc-Feraud, Aubert and Barlaud, "Two deterministic half-quadratic regularization algorithms
    for computed imaging", ICIP 1994; here zero for equal pictures.
    """
    distance = torch.sqrt((x_hat - x).square() + _EPSILON**2) - _EPSILON
    return distance.mean((1, 2, 3)) * 255


DISTORTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "ms-ssim": ms_ssim,
    "l1": l1,
    "charbonnier": charbonnier,
}
"""By the names that configurations and `RateDistortionLoss` use."""


class Lpips(nn.Module):
    """Perceptual distance of each picture, by the package lpips over AlexNet.

    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018. The
    package brings the weights of the distance, but downloads those of the network under it; here they are
    taken from a file, so that nothing is fetched behind anyone's back.

    Args:
        backbone: File of the state dict of torchvision's AlexNet, as its own weights are distributed.

    Raises:
        ImportError: lpips or torchvision is missing.
        ValueError: the file is of another network.
    """

    def __init__(self, backbone: str | Path) -> None:
        super().__init__()
        try:
            lpips: Any = importlib.import_module("lpips")
        except ImportError as error:
            raise ImportError("LPIPS needs lpips: pip install '.[lpips]' in the sources of lcrs") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls torchvision in an old way
            network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        state = torch.load(backbone, map_location="cpu", weights_only=True)
        # The package cuts the network's features into slices that keep their numbers.
        own = network.net.state_dict()
        given = {key: state.get(f"features.{key.partition('.')[2]}") for key in own}
        missing = [key for key, value in given.items() if value is None or value.shape != own[key].shape]
        if missing:
            raise ValueError(
                f"{backbone} holds no weights of torchvision's AlexNet ({missing[0]} is missing)"
            )
        network.net.load_state_dict(given)
        self.network = network.eval().requires_grad_(False)

    def forward(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """The distance of pictures in [0, 1], (N, 3, H, W), as (N,)."""
        distance: Tensor = self.network(x_hat, x, normalize=True)
        return distance.flatten()
