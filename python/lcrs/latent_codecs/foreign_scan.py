"""A raster scan with networks that have no exact form: they run in torch, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lcrs.latent_codecs.base import single
from lcrs.latent_codecs.stepwise import StepwiseParts, StepwiseScan, patches_at
from lcrs.layers import MaskedConv2d

__all__ = ["ForeignScan"]


class ForeignScan(StepwiseScan):
    """`StepwiseScan` in torch, whose calls do not depend on what else is in the batch.

    A context that is a plain masked convolution is computed at the places of a step alone, any other one from
    the whole latent as far as it is known. The parameters' network is given the places as a batch, (P, C', 1,
    1), as it is in CompressAI, place by place.
    """

    def __init__(self, codec: StepwiseParts, shape: Sequence[int], params: Tensor) -> None:
        super().__init__(codec, shape, params, exact=False)
        context = codec.context_prediction
        self._like = context.weight
        self._weight = (context.weight * context.mask)[:, :, : codec.padding + 1].contiguous()
        self._is_masked = type(context).forward is MaskedConv2d.forward and not (
            context._forward_hooks or "forward" in context.__dict__
        )

    def parameters(self, rows: Tensor, columns: Tensor) -> tuple[Any, Any]:
        """Table rows and means of P places, each (N, C, P)."""
        gaussians = [self._of_picture(i, rows, columns) for i in range(self.params.shape[0])]
        channels = self.codec.context_prediction.in_channels
        gaussian = single(torch.cat(gaussians)) if gaussians else torch.empty(0, 2 * channels, len(rows))
        scales, means = gaussian.chunk(2, 1)
        indexes = self.codec.gaussian_conditional.build_indexes(scales.contiguous())
        return indexes.numpy(), means.contiguous().numpy()

    def _of_picture(self, i: int, rows: Tensor, columns: Tensor) -> Tensor:
        """What the networks give for picture i, (1, 2 C, P)."""
        params = self.params[i : i + 1, :, rows, columns].to(self._like)
        merged = self.codec.merge(_as_batch(params), _as_batch(self._context(i, rows, columns)))
        gaussian: Tensor = self.codec.entropy_parameters(merged.contiguous())
        return gaussian[..., 0, 0].T.unsqueeze(0)

    def _context(self, i: int, rows: Tensor, columns: Tensor) -> Tensor:
        """The context at P places, (1, C', P)."""
        context, padded = self.codec.context_prediction, self.padded[i : i + 1].to(self._like)
        if not self._is_masked:
            pad, (height, width) = self.padding, self.size
            seen: Tensor = context(padded[..., pad : pad + height, pad : pad + width].contiguous())
            return seen[..., rows, columns]
        size, above = self.codec.kernel_size, self.padding + 1
        patches = patches_at(padded, size, rows, columns).contiguous()
        if context.groups > 1:
            step = (above, size)
            return F.conv2d(patches, self._weight, context.bias, step, groups=context.groups).squeeze(2)
        by_place = patches[0].reshape(*patches.shape[1:3], -1, size).permute(2, 0, 1, 3).flatten(1)
        return F.linear(by_place, self._weight.flatten(1), context.bias).T.unsqueeze(0)


def _as_batch(x: Tensor) -> Tensor:
    """(1, C, P) as (P, C, 1, 1)."""
    return x[0].T[..., None, None]
