"""Checking what is handed to `decompress`."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["check_strings"]


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
