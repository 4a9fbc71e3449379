"""The conditional Gaussian mixture.

Cheng, Sun, Takeuchi and Katto, "Learned image compression with discretized Gaussian mixture likelihoods and
attention modules", CVPR 2020, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs import coding
from lcrs.entropy_models.gaussian import GaussianConditional
from lcrs.entropy_models.own_densities import mixture_table
from lcrs.layers.provenance import report_handed

__all__ = ["GaussianMixtureConditional"]

_ENTRIES_AT_ONCE = 1 << 18
"""Size of the tables that are made one after the other."""


class GaussianMixtureConditional(GaussianConditional):
    """Entropy model of a latent whose values each follow a mixture of Gaussians.

    Scales, means and weights have shape (N, K M, ...) for a latent (N, M, ...): all channels of the first
    component, then of the second. Weights are non-negative and add up to 1 over the components.

    Values are rounded without their means. A row of the table is made for every value, with scales brought
    into 0.11..256, by `coding.mixture_table`: equal parameters give equal tables on every machine; whether
    parameters are equal is up to their network.

    Args:
        K: Number of components.
        scale_table: As `GaussianConditional`; coding makes no use of it.
        *args: As `GaussianConditional`.
        **kwargs: As `GaussianConditional`.

    Raises:
        ValueError: K is below 1.
    """

    def __init__(
        self, K: int = 3, scale_table: Sequence[float] | None = None, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(scale_table, *args, **kwargs)
        if K < 1:
            raise ValueError(f"K is {K}, must be at least 1")
        self.K = int(K)

    def forward(  # type: ignore[override]
        self, inputs: Tensor, scales: Tensor, means: Tensor, weights: Tensor, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantise `inputs` and measure the likelihood of the result.

        Args:
            inputs: Latent (N, M, ...).
            scales: Standard deviations (N, K M, ...).
            means: Means, same shape.
            weights: Weights, same shape.
            training: Adds noise instead of rounding; by default when the module is in training mode.

        Returns:
            The quantised latent and its likelihoods, float32 or wider.

        Raises:
            ValueError: shapes do not fit.
        """
        training = self.training if training is None else training
        self._check_shapes(inputs.shape, scales, means, weights)
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        with torch.autocast(device_type=inputs.device.type, enabled=False):
            outputs = self.quantize(inputs.to(dtype), "noise" if training else "dequantize")
            components = zip(*(t.to(dtype).chunk(self.K, 1) for t in (scales, means, weights)), strict=True)
            likelihoods = [
                weight * self._likelihood(outputs, scale, mean) for scale, mean, weight in components
            ]
            return self._as_given(outputs, inputs.dtype), self._bounded(torch.stack(likelihoods).sum(0))

    @torch.no_grad()
    def compress(  # type: ignore[override]
        self, y: Tensor, scales: Tensor, means: Tensor, weights: Tensor
    ) -> tuple[tuple[bytes, int, Tensor], Tensor]:
        """Code the latent `y`, rounded, of any batch size, into one string.

        Channels that are zero throughout are left out.

        Args:
            y: Latent (N, M, ...).
            scales: As for `forward`.
            means: As for `forward`.
            weights: As for `forward`.

        Returns:
            (string, largest magnitude, int32 (M,) with 1 for each channel that is coded), and the rounded
            latent.

        Raises:
            ValueError: shapes do not fit, a value is not finite, or the magnitude is 2^14 or more.
        """
        self._check_shapes(y.shape, scales, means, weights)
        report_handed(self, scales, means, weights)
        symbols = coding.quantize(y.detach().cpu().float().contiguous().numpy())
        abs_max = max(1, int(np.abs(symbols).max(initial=0)))
        if abs_max >= 1 << 14:
            raise ValueError(f"the largest magnitude is {abs_max}, must be below {1 << 14}")
        others = (0, *range(2, symbols.ndim))
        used = np.abs(symbols).sum(axis=others, dtype=np.int64) > 0
        encoder = coding.Encoder(self.entropy_coder)
        flat = _in_order(symbols, used)
        for rows, table in self._row_tables(used, abs_max, scales, means, weights):
            encoder.push(flat[rows], np.arange(rows.stop - rows.start, dtype=np.int32), table)
        restored = torch.from_numpy(symbols.astype(np.float32)).to(y)
        zero_bitmap = torch.from_numpy(used.astype(np.int32)).to(y.device)
        return (encoder.finish(), abs_max, zero_bitmap), restored

    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self,
        strings: bytes,
        abs_max: int,
        zero_bitmap: Tensor,
        scales: Tensor,
        means: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Decode what `compress` wrote, given the same parameters.

        Args:
            strings: The string.
            abs_max: As `compress` returned it.
            zero_bitmap: As `compress` returned it.
            scales: As for `compress`.
            means: As for `compress`.
            weights: As for `compress`.

        Returns:
            The rounded latent (N, M, ...), on the device of `scales`.

        Raises:
            LcrsError: the string is damaged, or the parameters are others.
            ValueError: shapes do not fit, or `abs_max` is not from 1 to 2^14 - 1.
        """
        if not 1 <= abs_max < 1 << 14:
            raise ValueError(f"abs_max is {abs_max}, must be from 1 to {(1 << 14) - 1}")
        shape = (scales.shape[0], scales.shape[1] // self.K, *scales.shape[2:])
        self._check_shapes(shape, scales, means, weights)
        report_handed(self, scales, means, weights)
        used = zero_bitmap.detach().cpu().numpy() != 0
        if used.shape != shape[1:2]:
            raise ValueError(f"zero_bitmap has shape {used.shape}, must be ({shape[1]},)")
        decoder = coding.Decoder(strings, self.entropy_coder)
        parts = [
            decoder.pull(np.arange(rows.stop - rows.start, dtype=np.int32), table)
            for rows, table in self._row_tables(used, abs_max, scales, means, weights)
        ]
        decoder.finish()
        values = np.zeros(shape, np.float32)
        by_channel = values.swapaxes(0, 1)
        by_channel[used] = np.concatenate([np.zeros(0, np.int32), *parts]).reshape(by_channel[used].shape)
        return torch.from_numpy(values).to(scales)

    def _row_tables(
        self, used: NDArray[np.bool_], abs_max: int, scales: Tensor, means: Tensor, weights: Tensor
    ) -> Iterator[tuple[slice, coding.CdfTable]]:
        """Tables with a row for each coded value, some thousand at a time, and which values they are for."""
        scale, mean, weight = (
            np.stack([_in_order(part.detach().cpu().float().numpy(), used) for part in t.chunk(self.K, 1)])
            for t in (scales, means, weights)
        )
        is_own = self.has_own_density
        self.report_density()
        rows_at_once = max(1, _ENTRIES_AT_ONCE // (2 * abs_max + 2))
        for start in range(0, scale.shape[1], rows_at_once):
            rows = slice(start, min(start + rows_at_once, scale.shape[1]))
            s, m, w = (np.ascontiguousarray(t[:, rows]) for t in (scale, mean, weight))
            if is_own:
                yield rows, mixture_table(self, np.stack((s, m, w)), abs_max)
            else:
                yield rows, coding.mixture_table(s, m, w, abs_max)

    def _check_shapes(self, shape: Sequence[int], *parameters: Tensor) -> None:
        expected = (shape[0], self.K * shape[1], *shape[2:])
        for name, tensor in zip(("scales", "means", "weights"), parameters, strict=True):
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name} have shape {tuple(tensor.shape)}, must be {expected}")


def _in_order(values: NDArray[Any], used: NDArray[np.bool_]) -> NDArray[Any]:
    """The values (N, M, ...) of the channels that are `used`, channel by channel."""
    return np.ascontiguousarray(values.swapaxes(0, 1)[used]).reshape(-1)
