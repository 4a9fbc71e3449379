"""Convolutions and normalisation: what a chain runs over, in which order. Arrays are (C, H, W)."""

from __future__ import annotations

import numpy as np

from reader.arithmetic import F32, chain
from reader.wrong import need


def conv2d(x, weight, bias, stride, padding, groups, *, dilation=(1, 1), checked=True):
    """``weight`` (O, C / groups, kh, kw). Layers inside a scan do not look whether inputs are finite."""
    if checked:
        _check_finite(x, weight, bias)
    _, inputs, kh, kw = weight.shape
    (sy, sx), (py, px) = stride, padding
    need(x.shape[0] == inputs * groups, f"{x.shape[0]} channels, {inputs * groups} are needed")
    (dy, dx), reach = dilation, [(k - 1) * d + 1 for k, d in zip((kh, kw), dilation, strict=True)]
    height, width = (x.shape[1] + 2 * py - reach[0]) // sy + 1, (x.shape[2] + 2 * px - reach[1]) // sx + 1
    padded = np.pad(x, ((0, 0), (py, py), (px, px)))

    def window(ky, kx):
        top, left = ky * dy, kx * dx
        return padded[:, top : top + sy * (height - 1) + 1 : sy, left : left + sx * (width - 1) + 1 : sx]

    return _by_groups(weight, bias, groups, (height, width), window)


def conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups):
    """``weight`` (C, O / groups, kh, kw). Zeros between the inputs stand for the taps that do not exist."""
    _check_finite(x, weight, bias)
    channels, outputs, kh, kw = weight.shape
    (sy, sx), (py, px) = stride, padding
    need(x.shape[0] == channels, f"{x.shape[0]} channels, {channels} are needed")
    height = (x.shape[1] - 1) * sy + kh + output_padding[0] - 2 * py
    width = (x.shape[2] - 1) * sx + kw + output_padding[1] - 2 * px
    # Row 0 of the output takes input row (0 + py - ky) / sy: spread row kh - 1 + (y + py - ky) holds it.
    rows, columns = kh - 1 + max(height + py, sy * x.shape[1]), kw - 1 + max(width + px, sx * x.shape[2])
    spread = np.zeros((channels, rows, columns), F32)
    spread[:, kh - 1 :: sy, kw - 1 :: sx][:, : x.shape[1], : x.shape[2]] = x

    def window(ky, kx):
        top, left = kh - 1 + py - ky, kw - 1 + px - kx
        return spread[:, top : top + height, left : left + width]

    turned = weight.reshape(groups, channels // groups, outputs, kh, kw).swapaxes(1, 2)
    turned = turned.reshape(groups * outputs, channels // groups, kh, kw)
    return _by_groups(turned, bias, groups, (height, width), window)


def _by_groups(weight, bias, groups, size, window):
    """Chains over ky, kx and the channels of the group; ``weight`` (O, C / groups, kh, kw)."""
    outputs, inputs, kh, kw = weight.shape
    bias = np.zeros(outputs, F32) if bias is None else bias
    # windows of all channels, (kh, kw, C, H, W)
    values = np.stack([window(ky, kx) for ky in range(kh) for kx in range(kw)])
    values = values.reshape(kh * kw, groups, inputs, size[0] * size[1]).swapaxes(1, 2)
    values = values.reshape(kh * kw * inputs, groups, size[0] * size[1])
    weights = weight.reshape(groups, outputs // groups, inputs, kh, kw).transpose(3, 4, 2, 0, 1)
    weights = weights.reshape(kh * kw * inputs, groups, outputs // groups)
    return chain(bias.reshape(groups, -1), values, weights).reshape(outputs, *size)


def gdn(x, beta, gamma, inverse, squared):
    """Normalisation with effective parameters, ``gamma`` (C, C) as [output, input]."""
    _check_finite(x, gamma, beta)
    powers = np.minimum(x * x, np.finfo(F32).max) if squared else np.abs(x)
    gamma = gamma.reshape(len(beta), len(beta))
    pool = chain(beta[None], powers.reshape(len(beta), 1, -1), gamma.T[:, None]).reshape(x.shape)
    pool = np.sqrt(pool) if squared else pool
    return x * pool if inverse else x / pool


def _check_finite(x, weight, bias):
    need(np.isfinite(x).all(), "the input of a layer is not finite")
    need(np.isfinite(weight).all() and (bias is None or np.isfinite(bias).all()), "a parameter is not finite")
