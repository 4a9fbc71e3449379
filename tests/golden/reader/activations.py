"""Activations of binary32 numbers, in binary64."""

from __future__ import annotations

import math

import numpy as np

from reader.arithmetic import F64, exp, sigmoid

SERIES = [
    F64(2.3551578691348035082 / 2.0),
    F64(-0.0045900545806464773309),
    F64(-0.084249133366517915584),
    F64(0.059209939998191890498),
    F64(-0.026658668435305752277),
    F64(0.0090749976707052650939),
    F64(-0.0024131635404176081909),
    F64(4.9077583652580863228e-4),
    F64(-6.9169733025012063677e-5),
    F64(4.1390279860730100675e-6),
    F64(7.7403830661984906686e-7),
    F64(-2.1886401049234395661e-7),
    F64(1.0764999465670910377e-8),
    F64(4.5219598112182868979e-9),
    F64(-7.7544002088313511065e-10),
    F64(-6.3180883408866844944e-11),
    F64(2.8687950109306698981e-11),
    F64(1.9455868545777347230e-13),
    F64(-9.6546967484334389059e-13),
]


def gelu(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    a = np.where(a > 40, F64(40), a)
    z = a * F64(math.sqrt(0.5))
    t = (z - F64(3.75)) / (z + F64(3.75))
    b1, b2 = np.zeros_like(t), np.zeros_like(t)
    for coefficient in SERIES[:0:-1]:
        b1, b2 = F64(2) * t * b1 - b2 + coefficient, b1
    series = t * b1 - b2 + SERIES[0]
    tail = F64(0.5) * (series / (F64(1) + F64(2) * z) * exp(F64(-0.5) * (a * a)))
    return x * np.where(x < 0, tail, F64(1) - tail)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(F64(1.5957691216057308) * (x + F64(0.044715) * (x * x * x)))


def silu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(x)


def mish(x: np.ndarray) -> np.ndarray:
    e = exp(np.where(x > 40, F64(40), x))
    n = e * (e + F64(2))
    return x * (n / (n + F64(2)))


def elu(x: np.ndarray, alpha: np.float64) -> np.ndarray:
    near = x * (F64(1) + x * (F64(0.5) + x * (F64(1) / F64(6))))
    below = alpha * np.where(x > -(F64(2) ** -10), near, exp(np.minimum(x, F64(0))) - F64(1))
    return np.where(x > 0, x, below)
