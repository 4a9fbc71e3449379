"""Writes `functions.bin`: the exact path's functions to twice the precision of binary64, by mpmath."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import mpmath as mp

mp.mp.dps = 60


def uniform(low: float, high: float) -> Callable[[random.Random], float]:
    """Returns a sampler of an interval."""
    return lambda r: r.uniform(low, high)


def log_uniform(low: float, high: float) -> Callable[[random.Random], float]:
    """Returns a sampler of powers of two with random signs cut off."""
    return lambda r: 2.0 ** r.uniform(low, high)


def signed(sample: Callable[[random.Random], float]) -> Callable[[random.Random], float]:
    """Returns a sampler with random signs."""
    return lambda r: sample(r) * r.choice([-1.0, 1.0])


def quantile(p: mp.mpf) -> mp.mpf:
    """Returns the quantile of the standard normal distribution for p below 1/2."""
    start = -mp.sqrt(-2 * mp.log(2 * p)) if p < 0.3 else (p - 0.5) * mp.sqrt(2 * mp.pi)
    return mp.findroot(
        lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2) - mp.log(p), start, tol=1e-90, maxsteps=200
    )


FUNCTIONS = [
    (mp.exp, [uniform(-745.0, 709.7), uniform(-1.0, 1.0), signed(log_uniform(-60.0, 0.0))]),
    (
        mp.log,
        [
            log_uniform(-1070.0, 1023.0),
            uniform(0.5, 2.0),
            lambda r: 1.0 + r.choice([-1, 1]) * 2.0 ** r.uniform(-52, -1),
        ],
    ),
    (mp.tanh, [signed(log_uniform(-60.0, 5.0)), uniform(-0.5, 0.5), uniform(-3.0, 3.0)]),
    (lambda x: 1 / (1 + mp.exp(-x)), [uniform(-40.0, 40.0), uniform(-1.0, 1.0), uniform(-700.0, 700.0)]),
    (lambda x: mp.log1p(mp.exp(x)), [uniform(-40.0, 40.0), uniform(-1.0, 1.0), uniform(-700.0, 700.0)]),
    (mp.erfc, [uniform(-6.0, 26.5), uniform(0.0, 3.0), signed(log_uniform(-60.0, 1.0))]),
    (quantile, [log_uniform(-1000.0, -1.0), log_uniform(-60.0, -1.0), uniform(0.01, 0.49)]),
]


def main() -> None:
    """Writes the file beside this script."""
    r = random.Random(0)
    out = bytearray()
    for function, samplers in FUNCTIONS:
        for i in range(300):
            x = samplers[i % len(samplers)](r)
            exact = function(mp.mpf(x))
            value = float(exact)
            out += struct.pack("<ddd", x, value, float(exact - mp.mpf(value)))
    (Path(__file__).parent / "functions.bin").write_bytes(bytes(out))


if __name__ == "__main__":
    main()
