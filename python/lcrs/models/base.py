"""What all compression models share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import (
    DEFAULT_ENTROPY_CODER,
    EntropyBottleneck,
    EntropyModel,
    GaussianConditional,
    StreamKind,
    check_stream_kind,
)

__all__ = [
    "SCALES_LEVELS",
    "SCALES_MAX",
    "SCALES_MIN",
    "CompressionModel",
    "get_scale_table",
]

SCALES_MIN = 0.11
SCALES_MAX = 256
SCALES_LEVELS = 64


def get_scale_table(min: float = SCALES_MIN, max: float = SCALES_MAX, levels: int = SCALES_LEVELS) -> Tensor:
    """Scales for the rows of a Gaussian table: `levels` of them from `min` to `max`, evenly spaced in log.

    The same on every machine; by default the 64 that CompressAI has.

    Returns:
        float32 (levels,).
    """
    return torch.from_numpy(coding.scale_table(min, max, levels))


class CompressionModel(nn.Module):
    """Base of the models: tables, auxiliary loss and stream kind of all entropy models inside.

    Args:
        entropy_bottleneck_channels: Deprecated: gives the model an `entropy_bottleneck` of so many channels.
        init_weights: Deprecated and without effect.
    """

    def __init__(
        self, entropy_bottleneck_channels: int | None = None, init_weights: bool | None = None
    ) -> None:
        super().__init__()
        self._entropy_coder = DEFAULT_ENTROPY_CODER
        if entropy_bottleneck_channels is not None:
            warnings.warn(
                "entropy_bottleneck_channels is deprecated: create an EntropyBottleneck in your model",
                DeprecationWarning,
                stacklevel=2,
            )
            self.entropy_bottleneck = EntropyBottleneck(entropy_bottleneck_channels)
        if init_weights is not None:
            warnings.warn("init_weights is deprecated and has no effect", DeprecationWarning, stacklevel=2)

    def _entropy_models(self) -> Iterator[EntropyModel]:
        return (module for module in self.modules() if isinstance(module, EntropyModel))

    @property
    def entropy_coder(self) -> StreamKind:
        """Stream kind that `compress` writes and `decompress` reads: "lcrs", or "ans" for CompressAI's."""
        return self._entropy_coder

    @entropy_coder.setter
    def entropy_coder(self, kind: str) -> None:
        self._entropy_coder = check_stream_kind(kind)
        for model in self._entropy_models():
            model.entropy_coder = self._entropy_coder

    def aux_loss(self) -> Tensor:
        """Sum of the entropy bottlenecks' auxiliary losses; zero if there is none.

        Training needs it no more: tails are found when tables are made.
        """
        device = next((p.device for p in self.parameters()), None)
        losses = [module.loss() for module in self.modules() if isinstance(module, EntropyBottleneck)]
        return sum(losses, torch.zeros((), device=device))

    def update(
        self,
        scale_table: Sequence[float] | Tensor | None = None,
        force: bool = False,
        update_quantiles: bool = False,
    ) -> bool:
        """Fill the table buffers of all entropy models, as state dicts have them. Never needed before coding.

        Args:
            scale_table: Scales for the Gaussian models; by default `get_scale_table()`.
            force: Fills buffers also when they hold the tables of the present parameters already.
            update_quantiles: Finds the quantiles of the entropy bottlenecks by bisection first.

        Returns:
            Whether any buffer was filled.
        """
        scales = get_scale_table() if scale_table is None else scale_table
        updated = False
        for model in self._entropy_models():
            if isinstance(model, EntropyBottleneck):
                updated |= model.update(force=force, update_quantiles=update_quantiles)
            elif isinstance(model, GaussianConditional):
                updated |= model.update_scale_table(scales, force=force)
        return updated
