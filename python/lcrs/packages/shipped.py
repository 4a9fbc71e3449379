"""Packages that come with lcrs."""

from __future__ import annotations

from pathlib import Path

__all__ = ["WEIGHTS", "shipped_models"]

WEIGHTS = Path(__file__).parents[1] / "zoo" / "weights"


def shipped_models() -> dict[str, Path]:
    """Package files that come with lcrs, by name."""
    return {path.stem: path for path in sorted(WEIGHTS.glob("*.lcrm"))}
