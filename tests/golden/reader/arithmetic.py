"""The numerics `f32-fma/1`: chains of fused multiply-adds in binary32, and functions in binary64."""

from __future__ import annotations

import math

import numpy as np

F32, F64 = np.float32, np.float64

LOG2_E = F64(math.log2(math.e))
ROUNDER = F64(1.5 * 2**52)
LN2_HIGH, LN2_LOW = F64(0.69314718036912381649), F64(1.9082149292705877000e-10)


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c`` of binary32 numbers, rounded once.

    The product is exact in binary64. The sum is rounded to odd there: if it is not exact and its last bit is
    0, it goes one step towards the exact sum. Then rounding to binary32 is that of the exact sum.
    """
    product = a.astype(F64) * b.astype(F64)
    addend = c.astype(F64)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = np.atleast_1d(total).view(np.int64).reshape(total.shape)
    is_odd_wanted = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    step = np.where((error > 0) == (total > 0), 1, -1)
    rounded = bits + np.where(is_odd_wanted, step, 0)
    return np.atleast_1d(rounded).view(F64).reshape(total.shape).astype(F32)


HALF, BELOW_BINARY32 = np.int64(1 << 28), np.int64((1 << 29) - 1)
"""Bits of binary64 numbers: of the middle between two binary32 ones, and all that these do not have."""
SUBNORMAL = F64(2.0**-125)
BLOCK = 1 << 20
"""Sums that are held at a time."""


def chain(start: np.ndarray, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One chain an output: ``start`` (G, O), inputs (N, G, P) and weights (N, G, O), which the chains take in
    order; gives (G, O, P).

    Rounding twice differs from rounding once only where the first gives the middle between two binary32
    numbers, or a subnormal one, whose middles are elsewhere. Nearly all chains do without such a sum.
    """
    begin = np.repeat(start.astype(F32)[..., None], inputs.shape[-1], axis=-1)
    total, steps = begin, max(1, BLOCK // max(1, begin.size))
    for at in range(0, len(inputs), steps):
        values, factors = inputs[at : at + steps].astype(F64), weights[at : at + steps].astype(F64)
        sums = factors[..., None] * values[:, :, None]
        for row in sums:
            row += total
            total = row.astype(F32)
        size = np.abs(sums)
        is_half = sums.view(np.int64) & BELOW_BINARY32 == HALF
        if (is_half | ((size < SUBNORMAL) & (size > 0))).any():
            break
    else:
        return total + F32(0)
    total = begin
    for x, w in zip(inputs, weights, strict=True):
        total = fma(w[..., None], x[:, None], total)
    return total + F32(0)


def exp(x: np.ndarray) -> np.ndarray:
    x = np.minimum(np.maximum(x, F64(-746)), F64(710))
    shifted = x * LOG2_E + ROUNDER
    k = shifted - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    q = np.full_like(r, F64(1) / F64(math.factorial(13)))
    for n in range(12, 1, -1):
        q = q * r + F64(1) / F64(math.factorial(n))
    p = F64(1) + (r + r * r * q)
    k = np.nan_to_num(k).astype(np.int64)
    half = k >> 1
    # Where the result is too large, it overflows to infinity.
    return p * np.ldexp(F64(1), half) * np.ldexp(F64(1), k - half)


def ln(x: np.ndarray) -> np.ndarray:
    """Of positive finite numbers that are not subnormal."""
    m, k = np.frexp(x)
    m, k = 2 * m, k.astype(F64) - 1
    is_large = m >= F64(math.sqrt(2))
    m, k = np.where(is_large, m / 2, m), np.where(is_large, k + 1, k)
    f = m - 1
    s = f / (F64(2) + f)
    z = s * s
    total = np.zeros_like(z)
    for n in range(11, 0, -1):
        total = z * (F64(2) / F64(2 * n + 1) + total)
    h = F64(0.5) * f * f
    return k * LN2_HIGH - ((h - (s * (h + total) + k * LN2_LOW)) - f)


def softplus(x: np.ndarray) -> np.ndarray:
    u = exp(-np.abs(x))
    w = F64(1) + u
    return np.where(x > 0, x, F64(0)) + (ln(w) + (u - (w - 1)) / w)


def sigmoid(x: np.ndarray) -> np.ndarray:
    e = exp(-np.abs(x))
    return np.where(x < 0, e, F64(1)) / (F64(1) + e)


def tanh(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    t = 2 * a
    series = np.ones_like(t)
    for n in range(17, 1, -1):
        series = F64(1) + t / F64(n) * series
    e = t * series
    magnitude = np.where(a < 0.35, e / (e + 2), F64(1) - F64(2) / (exp(t) + F64(1)))
    return np.copysign(magnitude, x)


def round_half_even(values: np.ndarray) -> np.ndarray:
    """Symbols."""
    return np.rint(values).astype(np.int64)


def indexes(scales: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """For each scale the number of thresholds below it."""
    return np.searchsorted(thresholds, scales, side="left")
