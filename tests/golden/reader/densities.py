"""Tables that a reader builds: learned densities, one a channel, in steps that the level chooses."""

from __future__ import annotations

import numpy as np

from reader import arithmetic
from reader.arithmetic import F32, F64
from reader.streams import Table


def density_table(layers, medians: np.ndarray, step: np.float32, tail_mass: float, numbers) -> Table:
    """16 bits, one row a channel; ``numbers`` gives a tensor by its name."""
    prepared = []
    for layer in layers:
        factor = layer.get("factor")
        prepared.append(
            (
                arithmetic.softplus(numbers(layer["weight"]).astype(F64)),
                numbers(layer["bias"]).astype(F64),
                None if factor is None else arithmetic.tanh(numbers(factor).astype(F64)),
            )
        )
    bound = arithmetic.ln(np.array([F64(2) / F64(tail_mass) - F64(1)]))[0]
    rows, offsets = [], []
    tails = [_tails(prepared, medians.astype(F64), sign * F64(step), bound) for sign in (-1, 1)]
    for c, (median, below, above) in enumerate(zip(medians.astype(F64), *tails, strict=True)):
        edges = median + (np.arange(-below, above + 2).astype(F64) - F64(0.5)) * F64(step)
        logits = _logits(prepared, slice(c, c + 1), edges[None])[0]
        sign = np.where(logits[:-1] + logits[1:] > 0, F64(-1), F64(1))
        pmf = np.abs(arithmetic.sigmoid(sign * logits[1:]) - arithmetic.sigmoid(sign * logits[:-1])).astype(
            F32
        )
        rest = arithmetic.sigmoid(logits[:1]) + arithmetic.sigmoid(-logits[-1:])
        rows.append(quantized_cdf(np.append(pmf, rest.astype(F32)), 16))
        offsets.append(-below)
    return Table(rows, offsets, 16)


def _logits(layers, channels: slice, x: np.ndarray) -> np.ndarray:
    """Of places (C, N) of these channels."""
    values = [x]
    for weight, bias, factor in layers:
        after = []
        for o in range(weight.shape[1]):
            total = np.zeros_like(x)
            for m, value in zip(weight[channels, o].T, values, strict=True):
                total = total + m[:, None] * value
            total = total + bias[channels, o].reshape(-1, 1)
            if factor is not None:
                total = total + factor[channels, o].reshape(-1, 1) * arithmetic.tanh(total)
            after.append(total)
        values = after
    return values[0]


def _tails(layers, medians: np.ndarray, step: np.float64, bound: np.float64) -> list[int]:
    """Of each channel, by bisection."""
    inside, outside = np.full(len(medians), -1), np.full(len(medians), 8191)
    while (is_open := outside - inside > 1).any():
        middle = (inside + outside) // 2
        logits = _logits(layers, slice(None), (medians + step * middle.astype(F64))[:, None])[:, 0]
        is_outside = np.sign(step) * logits >= bound
        outside = np.where(is_open & is_outside, middle, outside)
        inside = np.where(is_open & ~is_outside, middle, inside)
    return outside.tolist()


def quantized_cdf(pmf: np.ndarray, precision: int) -> list[int]:
    """Cumulative frequencies of total 2^precision, each entry at least 1."""
    scaled = pmf * F32(1 << precision)
    rounded = [int(np.floor(F64(value) + 0.5)) for value in scaled]  # half away from zero; none is negative
    total = sum(rounded)
    frequencies = [(value << precision) // total for value in rounded]
    frequencies[-1] += (1 << precision) - sum(frequencies)
    for i, frequency in enumerate(frequencies):
        if frequency == 0:
            donor = min(
                (j for j in range(len(frequencies)) if frequencies[j] > 1), key=frequencies.__getitem__
            )
            frequencies[donor] -= 1
            frequencies[i] = 1
    return [0, *np.cumsum(frequencies).tolist()]
