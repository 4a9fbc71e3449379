"""Packages that come with lcrs."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_models"]

_WEIGHTS = Path(__file__).parent / "weights"


def shipped_models() -> dict[str, Path]:
    """Package files that come with lcrs, by name."""
    return {path.stem: path for path in sorted(_WEIGHTS.glob("*.lcrm"))}
