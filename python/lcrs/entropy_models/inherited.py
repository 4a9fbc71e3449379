"""What CompressAI's entropy models have for derived classes to call, and our own have no use for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lcrs import coding

__all__ = ["InheritedBottleneckMethods", "InheritedTableMethods", "pmf_to_quantized_cdf", "standard_quantile"]


def pmf_to_quantized_cdf(pmf: Tensor, precision: int = 16) -> Tensor:
    """The integer CDF of a probability mass function.

    Args:
        pmf: Masses, (n,); taken as float32.
        precision: Bits of the total, 1 to 16.

    Returns:
        int32 (n + 1,) on the CPU, from 0 to `2**precision`.

    Raises:
        ValueError: a mass is negative or not finite, or there are more than `2**precision`.
    """
    masses = pmf.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return torch.from_numpy(coding.pmf_to_quantized_cdf(masses, precision).astype(np.int32))


def standard_quantile(quantile: Any) -> Any:
    """Where the standard normal distribution has the probability `quantile` below it.

    Args:
        quantile: A number or an array, or a tensor.

    Returns:
        NumPy's float64 in the shape of `quantile`, or a float64 tensor for a tensor.
    """
    if isinstance(quantile, Tensor):
        return torch.special.ndtri(quantile.double())
    return torch.special.ndtri(torch.from_numpy(np.asarray(quantile, np.float64))).numpy()[()]


class InheritedTableMethods:
    """Of `EntropyModel`: making tables of masses, and checks of the buffers."""

    if TYPE_CHECKING:
        entropy_coder_precision: int
        _offset: Tensor
        _quantized_cdf: Tensor
        _cdf_length: Tensor

    def _pmf_to_cdf(self, pmf: Tensor, tail_mass: Tensor, pmf_length: Tensor, max_length: int) -> Tensor:
        """Rows of masses as rows of a table.

        Args:
            pmf: (rows, columns).
            tail_mass: (rows, 1): what is left for values outside a row.
            pmf_length: Columns in use in each row, (rows,).
            max_length: The largest of them.

        Returns:
            int32 (rows, max_length + 2) on the device of `pmf`; zero beyond a row's `pmf_length + 2` entries.
        """
        lengths = [int(length) for length in pmf_length]
        cdf = torch.zeros((len(lengths), int(max_length) + 2), dtype=torch.int32)
        for row, masses, tail, length in zip(cdf, pmf, tail_mass, lengths, strict=True):
            whole = torch.cat((masses[:length], tail.reshape(-1)))
            row[: length + 2] = pmf_to_quantized_cdf(whole, self.entropy_coder_precision)
        return cdf.to(pmf.device)

    def _check_cdf_size(self) -> None:
        """Raises `ValueError` if `_quantized_cdf` is empty or not (rows, width)."""
        _check_filled("_quantized_cdf", self._quantized_cdf, "(rows, width)", 2)

    def _check_cdf_length(self) -> None:
        """Raises `ValueError` if `_cdf_length` is empty or not (rows,)."""
        _check_filled("_cdf_length", self._cdf_length, "(rows,)", 1)

    def _check_offsets_size(self) -> None:
        """Raises `ValueError` if `_offset` is empty or not (rows,)."""
        _check_filled("_offset", self._offset, "(rows,)", 1)


def _check_filled(name: str, buffer: Tensor, layout: str, num_dims: int) -> None:
    if buffer.numel() == 0:
        raise ValueError(f"{name} is empty: call update() first")
    if buffer.dim() != num_dims:
        raise ValueError(f"{name} has shape {tuple(buffer.shape)}, must be {layout}")


class InheritedBottleneckMethods:
    """Of `EntropyBottleneck`: indexes, shapes and the search for quantiles."""

    @staticmethod
    def _build_indexes(size: Sequence[int]) -> Tensor:
        """The channel number at each place of a latent of `size` (N, C, ...), int32 on the CPU."""
        column = torch.arange(size[1], dtype=torch.int32).reshape(1, -1, *[1] * (len(size) - 2))
        return column.repeat(size[0], 1, *size[2:])

    @staticmethod
    def _extend_ndims(tensor: Tensor, n: int) -> Tensor:
        """`tensor`, flattened, with `n` dimensions of size 1 behind."""
        return tensor.reshape(-1, *[1] * max(n, 0))

    @staticmethod
    def _search_target(
        f: Callable[[Tensor], Tensor],
        target: Tensor,
        low: Tensor,
        high: Tensor,
        rtol: float = 1e-4,
        atol: float = 1e-3,
        strict: bool = False,
    ) -> Tensor:
        """Where the increasing function `f` is `target`, by bisection.

        Args:
            f: Maps a tensor to one of its shape.
            target: Broadcast against that.
            low: Where to search from.
            high: Where to search to.
            rtol: Relative width of the interval that is left.
            atol: Absolute width of that.
            strict: Refuses an interval on whose ends `target` does not lie between; otherwise the nearer end
                is the result.

        Raises:
            ValueError: `low` is above `high`; or `strict` is given and `target` is not reached.
        """
        if not bool((low <= high).all()):
            raise ValueError("low is above high in _search_target")
        from_low, to_high = f(low) <= target, target <= f(high)
        if strict and not bool((from_low & to_high).all()):
            raise ValueError("target is not between f(low) and f(high) in _search_target")
        low, high = torch.where(to_high, low, high), torch.where(from_low, high, low)
        while not bool(torch.isclose(low, high, rtol=rtol, atol=atol).all()):
            middle = (low + high) / 2
            if bool(((middle == low) | (middle == high)).all()):
                break
            value = f(middle)
            low, high = torch.where(value <= target, middle, low), torch.where(value >= target, middle, high)
        return (low + high) / 2
