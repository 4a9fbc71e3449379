"""The kind of stream that entropy models write when told nothing."""

from __future__ import annotations

__all__ = ["available_entropy_coders", "get_entropy_coder", "set_entropy_coder"]

_KINDS = ("lcrs", "ans")
_default = _KINDS[0]


def available_entropy_coders() -> list[str]:
    """Kinds of streams: "lcrs", the native one, and "ans", CompressAI's."""
    return list(_KINDS)


def get_entropy_coder() -> str:
    """The kind that entropy models made from now on write."""
    return _default


def set_entropy_coder(entropy_coder: str) -> None:
    """Sets what `get_entropy_coder` returns, for this process. Models that exist keep their kind.

    Raises:
        ValueError: there is no such kind.
    """
    global _default
    if entropy_coder not in _KINDS:
        raise ValueError(f"entropy_coder is {entropy_coder!r}, must be one of {', '.join(_KINDS)}")
    _default = entropy_coder
