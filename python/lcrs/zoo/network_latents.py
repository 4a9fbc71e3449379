"""Decoding CompressAI's strings with a network: by exact arithmetic, then by torch's, if proven."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.errors import LcrsError

__all__ = ["latents_of_network"]


class Tap(nn.Module):
    """Stands where a synthesis was, and keeps what it is given."""

    taken: Tensor | None = None

    def forward(self, y_hat: Tensor) -> Tensor:
        """Keeps `y_hat` (N, C, H, W); returns pictures of one black pixel."""
        self.taken = y_hat
        return y_hat.new_zeros(len(y_hat), 3, 1, 1)


def _decompress(model: Any, strings: Sequence[bytes], shape: tuple[int, int], rate: dict[str, float]) -> None:
    """Exact parameters, then torch's, then those of its other kernels, whose sums have another order."""
    batch = [[string] for string in strings]
    try:
        model.decompress(batch, shape, **rate)
    except LcrsError:
        if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            raise
        with _without_mkldnn():
            model.decompress(batch, shape, **rate)


@contextmanager
def _without_mkldnn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the switch talks of devices that are not here
        with torch.backends.mkldnn.flags(enabled=False):
            yield


@torch.no_grad()
def latents_of_network(
    net: nn.Module, strings: Sequence[bytes], shape: tuple[int, int], **rate: float
) -> tuple[Tensor, Tensor | None]:
    """Y and z (None without a hyperprior), each (C, H, W), that `strings` code.

    Args:
        net: A model with one string for y and, if it has a hyperprior, one for z.
        strings: These, in this order.
        shape: (height, width) of the last string's latent.
        **rate: `inputscale` of a variable-rate model.

    Raises:
        LcrsError: the strings decode neither with exact parameters nor with torch's.
    """
    model: Any = net
    synthesis, kind = model.g_s, model.entropy_coder
    tap = Tap()
    try:
        model.g_s, model.entropy_coder = tap, "ans"
        _decompress(model, strings, shape, rate)
        step = model.step_of_z(**rate) if rate else ()
        z = model.entropy_bottleneck.decompress([strings[1]], shape, *step)[0] if len(strings) > 1 else None
    finally:
        model.g_s, model.entropy_coder = synthesis, kind
    assert tap.taken is not None
    return tap.taken[0].float().cpu().contiguous(), None if z is None else z.float().cpu().contiguous()
