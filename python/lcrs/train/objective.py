"""The Lagrangian of a batch, picture by picture, so that each may have a lambda of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.losses.distortions import DISTORTIONS, Lpips
from lcrs.train.config import ConfigError, LossConfig
from lcrs.train.metric_names import PICTURE_METRICS

__all__ = ["Objective", "bits_of", "outputs_of"]


def outputs_of(out: Any) -> tuple[Any, Any]:
    """`x_hat` and likelihoods of what a network returned: the mapping of lcrs, or a pair.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(out, Mapping) and {"x_hat", "likelihoods"} <= set(out):
        return out["x_hat"], out["likelihoods"]
    if isinstance(out, tuple | list) and len(out) == 2:
        return out[0], out[1]
    raise ValueError(
        f"the network returned {_described(out)}; training needs a mapping with x_hat and likelihoods, or "
        "the pair (x_hat, likelihoods)"
    )


def bits_of(likelihoods: Any) -> Tensor:
    """Bits of each picture, (N,), in float32 at least.

    Args:
        likelihoods: A tensor (N, ...), or nested mappings and lists of them.
    """
    if isinstance(likelihoods, Tensor):
        precise = likelihoods.to(torch.promote_types(likelihoods.dtype, torch.float32))
        return torch.log(precise).flatten(1).sum(1) / -math.log(2)
    parts = likelihoods.values() if isinstance(likelihoods, Mapping) else likelihoods
    total: Tensor | None = None
    for part in parts:
        bits = bits_of(part)
        total = bits if total is None else total + bits
    if total is None:
        raise ValueError("there are no likelihoods to compute a rate from")
    return total


class Objective(nn.Module):
    """`bpp + lambda * distortion` of pictures and clips.

    Args:
        config: Says the metric, and lambda unless the model knows it.
        knows_lmbda: Whether the model tells a lambda for each picture.

    Attributes:
        log_factor: Logarithm of what lambda is multiplied by, to reach a wanted rate.

    Raises:
        ConfigError: lambda is missing, or given twice.
        ImportError: a metric needs a package that is missing.
    """

    log_factor: Tensor

    def __init__(self, config: LossConfig, *, knows_lmbda: bool) -> None:
        super().__init__()
        names = config.metric.split("+")
        if not set(names) <= set(PICTURE_METRICS):
            raise ConfigError(f"loss.metric is {config.metric!r}, of pictures {', '.join(PICTURE_METRICS)}")
        if knows_lmbda and isinstance(config.lmbda, float | int):
            raise ConfigError("loss.lmbda is set, but this model has a lambda for each of its rates")
        if knows_lmbda and config.target_bpp is not None:
            raise ConfigError("loss.target_bpp is for models of one rate, and this one has many")
        if not knows_lmbda and config.lmbda is None:
            raise ConfigError(
                "loss.lmbda is not set: give a number, or quality=1 to 8 for a model of the zoo with 'mse' "
                "or 'ms-ssim'"
            )
        weights = config.lmbda if config.lmbda is not None else 1.0
        self.weights = dict(weights) if isinstance(weights, Mapping) else dict.fromkeys(names, float(weights))
        self.balance, self.target_bpp = config.balance, config.target_bpp
        self.lpips = Lpips(config.lpips_backbone) if config.lpips_backbone and "lpips" in names else None
        self.register_buffer("log_factor", torch.zeros(()))

    def _distortion(self, x_hat: Tensor, x: Tensor) -> Tensor:
        total: Tensor | None = None
        for name, weight in self.weights.items():
            function: Callable[[Tensor, Tensor], Tensor] = (
                self.lpips if name == "lpips" and self.lpips is not None else DISTORTIONS[name]
            )
            term = weight * function(x_hat, x)
            total = term if total is None else total + term
        assert total is not None
        return total

    def forward(
        self, out: Any, x: Tensor, lmbda: Tensor | None = None, middle: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over a batch.

        Args:
            out: What the network returned for it.
            x: Pictures (N, 3, H, W) in [0, 1], or clips (N, 3 F, H, W).
            lmbda: Of each picture, (N,), from models that know it.
            middle: The geometric mean of all lambdas of such a model.

        Returns:
            The loss, and detached scalars "loss", "bpp" (bits a pixel) and "mse" (of numbers in [0, 1]).
        """
        x_hat, likelihoods = outputs_of(out)
        bits = bits_of(likelihoods)
        with torch.autocast(x.device.type, enabled=False):
            frames = x_hat if isinstance(x_hat, list | tuple) else [x_hat]
            restored = torch.cat([frame.float() for frame in frames], 1)
            if restored.shape != x.shape:
                raise ValueError(f"x_hat has shape {tuple(restored.shape)}, pictures have {tuple(x.shape)}")
            bpp = bits / (x.shape[2] * x.shape[3] * len(frames))
            if len(frames) > 1:
                pairs = zip(frames, x.chunk(len(frames), 1), strict=True)
                distortion = torch.stack([self._distortion(a.float(), b) for a, b in pairs]).mean(0)
            else:
                distortion = self._distortion(restored, x)
            if lmbda is not None:
                distortion = lmbda * distortion
            loss = bpp + distortion * torch.exp(self.log_factor)
            if lmbda is not None and middle is not None and self.balance:
                loss = loss * (lmbda / middle) ** self.balance
            total = loss.mean()
            facts = {
                "loss": total.detach(),
                "bpp": bpp.detach().mean(),
                "mse": (restored.detach() - x).square().mean(),
            }
        return total, facts

    def steer(self, bpp: float, pace: float = 0.002) -> None:
        """Moves lambda towards the wanted rate, if there is one.

        A step moves its logarithm by `pace` times that of wanted over present rate, each bounded, so that the
        noise of batches is averaged over hundreds of steps.
        """
        if self.target_bpp is not None and bpp > 0:
            error = max(-1.0, min(1.0, math.log(self.target_bpp / bpp)))
            with torch.no_grad():
                self.log_factor += 2 * pace * error


def _described(out: Any) -> str:
    if isinstance(out, Mapping):
        return f"a mapping with {', '.join(map(str, out))}"
    return f"a {type(out).__name__}"
