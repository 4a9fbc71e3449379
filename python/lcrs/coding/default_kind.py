"""The kind of stream that entropy models write when told nothing."""

from __future__ import annotations

import warnings

__all__ = ["available_entropy_coders", "get_entropy_coder", "kind_of", "set_entropy_coder"]

_KINDS = ("lcrs", "ans")
_default = _KINDS[0]


def available_entropy_coders() -> list[str]:
    """Kinds of streams, the default first: "lcrs", the native one, and "ans", CompressAI's."""
    return sorted(_KINDS, key=lambda kind: kind != _default)


def get_entropy_coder() -> str:
    """The kind that entropy models made from now on write."""
    return _default


def set_entropy_coder(entropy_coder: str) -> None:
    """Sets what `get_entropy_coder` returns, for this process. Models that exist keep their kind.

    Raises:
        ValueError: there is no such kind.
    """
    global _default
    _default = kind_of(entropy_coder)


def kind_of(name: str) -> str:
    """The kind that a coder's name stands for.

    CompressAI knows a second coder, "rangecoder", of a package of its own. Its strings are for nothing else
    to read, so those who ask for it get "lcrs", with a warning.

    Raises:
        ValueError: it stands for none.
    """
    if name in _KINDS:
        return str(name)
    if name == "rangecoder":
        warnings.warn(
            "entropy_coder is 'rangecoder', which lcrs has not: strings are of the kind 'lcrs'", stacklevel=3
        )
        return _KINDS[0]
    raise ValueError(f"entropy_coder is {name!r}, must be {' or '.join(map(repr, _KINDS))}")
