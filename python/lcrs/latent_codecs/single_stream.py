"""CompressAI's helpers for a serial scan of one latent over its coder classes.

New code should use `RasterScanLatentCodec`, which takes batches and is far faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs.base import single
from lcrs.latent_codecs.stepwise import StepwiseScan, checked_kernel_size, run_steps
from lcrs.layers import MaskedConv2d
from lcrs.layers.provenance import report_handed

__all__ = ["default_collate", "raster_scan_compress_single_stream", "raster_scan_decompress_single_stream"]

_K = TypeVar("_K")
_V = TypeVar("_V")
_Merge = Callable[..., Tensor]


class _StreamEncoder(Protocol):
    def encode_with_indexes(
        self, symbols: Any, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any, /
    ) -> None: ...


class _StreamDecoder(Protocol):
    def decode_stream(self, indexes: Any, cdfs: Any, cdfs_sizes: Any, offsets: Any, /) -> list[int]: ...


@torch.no_grad()
def raster_scan_compress_single_stream(
    encoder: _StreamEncoder,
    y: Tensor,
    params: Tensor,
    *,
    gaussian_conditional: GaussianConditional,
    entropy_parameters: nn.Module,
    context_prediction: MaskedConv2d,
    height: int,
    width: int,
    padding: int,
    kernel_size: int,
    merge: _Merge | None = None,
) -> Tensor:
    """Appends a latent to a stream: row by row, place by place, the channels of a place together.

    Parameters are computed on the exact engine, unless there is a `merge`: then by torch, and the stream is
    promised to decode only where torch's sums are the same.

    Args:
        encoder: As `lcrs.ans.BufferedRansEncoder`.
        y: (1, C, H, W).
        params: Side information, (1, C', H, W).
        gaussian_conditional: Distributions.
        entropy_parameters: From side information and context to scales and means.
        context_prediction: The masked convolution.
        height: H, for a check.
        width: W, for a check.
        padding: Of `context_prediction`, for a check.
        kernel_size: Of `context_prediction`, for a check.
        merge: Joins side information and context; by default they are concatenated.

    Returns:
        What `raster_scan_decompress_single_stream` will give, on the device of `y`.

    Raises:
        ValueError: sizes differ from those of `y` or of `context_prediction`, or `y` is more than one latent.
    """
    report_handed(gaussian_conditional, params)
    if y.shape[0] != 1 or tuple(y.shape[2:]) != (height, width):
        raise ValueError(f"y has shape {tuple(y.shape)}, must be (1, C, {height}, {width})")
    parts = _parts(gaussian_conditional, entropy_parameters, context_prediction, padding, kernel_size, merge)
    scan = StepwiseScan(parts, y.shape, params, exact=merge is None)
    symbols = np.empty((height * width, y.shape[1]), np.int32)
    indexes = np.empty_like(symbols)
    values = single(y)

    def step(rows: Tensor, columns: Tensor) -> None:
        step_indexes, means = scan.parameters(rows, columns)
        step_symbols = gaussian_conditional.symbols_of(
            values[..., rows, columns].contiguous(), torch.from_numpy(means)
        )
        scan.put(rows, columns, step_symbols, means)
        places = (rows * width + columns).numpy()
        symbols[places], indexes[places] = step_symbols[0].T, step_indexes[0].T

    run_steps((height, width), kernel_size, "lcrs", step)
    encoder.encode_with_indexes(symbols, indexes, *_rows(scan.table))
    return scan.y_hat.to(y.device)


@torch.no_grad()
def raster_scan_decompress_single_stream(
    decoder: _StreamDecoder,
    params: Tensor,
    *,
    gaussian_conditional: GaussianConditional,
    entropy_parameters: nn.Module,
    context_prediction: MaskedConv2d,
    height: int,
    width: int,
    padding: int,
    kernel_size: int,
    device: torch.device | str,
    merge: _Merge | None = None,
) -> Tensor:
    """The latent that `raster_scan_compress_single_stream` appended, (1, C, H, W) on `device`.

    Args:
        decoder: As `lcrs.ans.RansDecoder`, its stream set.
        params: As for coding, and so are all others that are not named here.
        gaussian_conditional: Distributions.
        entropy_parameters: From side information and context to scales and means.
        context_prediction: The masked convolution.
        height: H.
        width: W.
        padding: Of `context_prediction`, for a check.
        kernel_size: Of `context_prediction`, for a check.
        device: Of the result.
        merge: Joins side information and context.

    Raises:
        ValueError: sizes differ from those of `context_prediction`.
        LcrsError: the stream ends early.
    """
    report_handed(gaussian_conditional, params)
    parts = _parts(gaussian_conditional, entropy_parameters, context_prediction, padding, kernel_size, merge)
    shape = (1, context_prediction.in_channels, height, width)
    scan = StepwiseScan(parts, shape, params, exact=merge is None)
    table = _rows(scan.table)

    def step(rows: Tensor, columns: Tensor) -> None:
        indexes, means = scan.parameters(rows, columns)
        symbols = np.array(decoder.decode_stream(indexes.ravel(), *table), np.int32)
        scan.put(rows, columns, symbols.reshape(1, -1, 1), means)

    run_steps((height, width), kernel_size, "ans", step)
    return scan.y_hat.to(device)


@dataclass(frozen=True)
class _Parts:
    gaussian_conditional: GaussianConditional
    entropy_parameters: nn.Module
    context_prediction: MaskedConv2d
    kernel_size: int
    padding: int
    merge: _Merge

    @property
    def device(self) -> torch.device:
        return self.context_prediction.weight.device


def _parts(
    gaussian_conditional: GaussianConditional,
    entropy_parameters: nn.Module,
    context_prediction: MaskedConv2d,
    padding: int,
    kernel_size: int,
    merge: _Merge | None,
) -> _Parts:
    size = checked_kernel_size(context_prediction)
    if (size, size // 2) != (kernel_size, padding):
        raise ValueError(
            f"kernel_size and padding are {(kernel_size, padding)}, "
            f"those of context_prediction {(size, size // 2)}"
        )
    joined = merge or _concatenated
    return _Parts(gaussian_conditional, entropy_parameters, context_prediction, size, padding, joined)


def _concatenated(*args: Tensor) -> Tensor:
    return torch.cat(args, dim=1)


def _rows(table: coding.CdfTable) -> tuple[Any, Any, Any]:
    return np.asarray(table.cdfs), np.asarray(table.lengths), np.asarray(table.offsets)


def default_collate(batch: list[dict[_K, _V]]) -> dict[_K, Any]:
    """A dictionary of lists from a list of dictionaries; lists of tensors are stacked.

    Raises:
        NotImplementedError: `batch` is something else.
    """
    if not isinstance(batch, list) or not all(isinstance(item, dict) for item in batch):
        raise NotImplementedError("default_collate takes a list of dictionaries")
    joined: dict[_K, list[_V]] = {}
    for item in batch:
        for key, value in item.items():
            joined.setdefault(key, []).append(value)
    return {
        key: torch.stack(values) if all(isinstance(value, Tensor) for value in values) else values  # type: ignore[arg-type]
        for key, values in joined.items()
    }
