"""Lists of strings: checking them, and decoding those that another program wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lcrs.errors import DesyncError, LcrsError

__all__ = ["check_strings", "decode_best_effort"]

Decoder = Callable[[Sequence[bytes], slice], Tensor]
"""Decodes the strings of a slice of the batch; raises `LcrsError` when the coder's final state is wrong."""


def check_strings(strings: Sequence[Sequence[bytes]], num_latents: int) -> Sequence[Sequence[bytes]]:
    """`strings`, once they are found to be `num_latents` lists of one length.

    Raises:
        ValueError: they are not.
    """
    if isinstance(strings, bytes | str) or len(strings) != num_latents:
        raise ValueError(f"strings has {len(strings)} lists, must be {num_latents}, one for each latent")
    lengths = [len(latent) for latent in strings]
    if any(isinstance(latent, bytes | str) for latent in strings) or len(set(lengths)) > 1:
        raise ValueError(
            f"strings must be lists of equal lengths, one string for each picture; got {lengths}"
        )
    return strings


def decode_best_effort(
    strings: Sequence[bytes],
    exact: Callable[[], Decoder],
    foreign: Callable[[], Decoder] | None = None,
) -> Tensor:
    """Decode with the exact parameters, and string by string with foreign ones where those do not fit.

    A stream says itself whether it was decoded with the right parameters: the coder's final state is fixed,
    and every word is used. So a wrong way does not pass.

    Args:
        strings: One string for each picture.
        exact: Makes the decoder to try first.
        foreign: Makes the other one; None if there is no other way.

    Returns:
        The latent of the batch.

    Raises:
        DesyncError: no way decodes a string.
        LcrsError: there is one way, and it does not.
    """
    decode = exact()
    try:
        return decode(strings, slice(None))
    except LcrsError:
        if foreign is None:
            raise
    decode_foreign = foreign()
    latents = []
    for i, string in enumerate(strings):
        item = slice(i, i + 1)
        try:
            latents.append(decode([string], item))
        except LcrsError as exact_error:
            try:
                latents.append(decode_foreign([string], item))
            except LcrsError as error:
                raise DesyncError(
                    f"string {i} decodes neither with exact entropy parameters ({exact_error}) "
                    f"nor with torch's ({error})"
                ) from error
    return torch.cat(latents)
