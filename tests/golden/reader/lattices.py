"""From latents to symbols and back: in steps of 1, in other steps, or by gains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reader.arithmetic import F32, round_half_even
from reader.wrong import need


class Whole:
    """Symbols are differences to the means."""

    def quantize(self, y: np.ndarray, means: np.ndarray) -> np.ndarray:
        return round_half_even(y - means)

    def dequantize(self, symbols: np.ndarray, means: np.ndarray) -> np.ndarray:
        return symbols.astype(F32) + means


@dataclass
class Every(Whole):
    """Symbols are differences in steps."""

    step: np.float32

    def quantize(self, y: np.ndarray, means: np.ndarray) -> np.ndarray:
        return round_half_even((y - means) / self.step)

    def dequantize(self, symbols: np.ndarray, means: np.ndarray) -> np.ndarray:
        return symbols.astype(F32) * self.step + means


@dataclass
class Scaled(Whole):
    """Symbols are differences times a gain; values may be closer to zero than their symbols."""

    gain: np.ndarray
    shrinkage: np.ndarray | None

    def quantize(self, y: np.ndarray, means: np.ndarray) -> np.ndarray:
        return round_half_even((y - means) * self.gain)

    def dequantize(self, symbols: np.ndarray, means: np.ndarray) -> np.ndarray:
        values = symbols.astype(F32)
        if self.shrinkage is not None:
            need(np.isfinite(self.shrinkage[symbols != 0]).all(), "the shrinkage is not finite")
            values = np.where(symbols > 0, values - self.shrinkage, values)
            values = np.where(symbols < 0, values + self.shrinkage, values)
        return values / self.gain + means
