"""The table that CompressAI makes of a density, with torch's sums: for its strings without a table."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lcrs import coding

__all__ = ["Densities", "compressai_table"]


class Densities(Protocol):
    """What a table is made of: what an `EntropyBottleneck` has, among others."""

    channels: int
    entropy_coder_precision: int
    quantiles: nn.Parameter

    def _logits_cumulative(self, inputs: Tensor, stop_gradient: bool = False) -> Tensor: ...


@torch.no_grad()
def compressai_table(model: Densities, step: float = 1.0) -> coding.CdfTable:
    """What CompressAI's `update` fills in for the density and the quantiles of `model`.

    Its integers depend on torch's kernels: another machine may have made others. So this is for trying
    whether strings decode with it, and for nothing else.

    Args:
        model: Its parameters are read.
        step: Of quantisation.

    Raises:
        ValueError: the parameters make no valid table.
    """
    lower_tail, medians, upper_tail = (column.detach().float() for column in model.quantiles[:, 0].unbind(1))
    size = torch.tensor(step, device=medians.device)
    minima = torch.ceil((medians - lower_tail) / size).int().clamp(min=0)
    maxima = torch.ceil((upper_tail - medians) / size).int().clamp(min=0)
    num_samples = minima + maxima + 1
    width = int(num_samples.max())
    if width > 1 << model.entropy_coder_precision:
        raise ValueError(f"quantiles are {width} steps apart, more than a table can have")
    samples = (torch.arange(width, device=medians.device) * size)[None, :]
    samples = samples + (medians - minima * size)[:, None, None]
    lower = model._logits_cumulative(samples - 0.5 * size, stop_gradient=True)[:, 0]
    upper = model._logits_cumulative(samples + 0.5 * size, stop_gradient=True)[:, 0]
    masses = torch.sigmoid(upper) - torch.sigmoid(lower)
    tails = torch.sigmoid(lower[:, :1]) + torch.sigmoid(-upper[:, -1:])
    cdfs = np.zeros((model.channels, width + 2), np.int32)
    for row, mass, tail, length in zip(cdfs, masses, tails, num_samples.tolist(), strict=True):
        pmf = torch.cat((mass[:length], tail)).cpu().numpy()
        row[: length + 2] = coding.pmf_to_quantized_cdf(pmf, model.entropy_coder_precision)
    lengths, offsets = ((tensor.cpu().numpy()) for tensor in (num_samples + 2, -minima))
    return coding.CdfTable(cdfs, lengths, offsets, model.entropy_coder_precision)
