"""What a checkpoint says of the software that wrote it."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np
import torch

__all__ = ["versions"]


def versions() -> dict[str, str]:
    """Versions by name."""
    return {
        "lcrs": version("lcrs"),
        "torch": str(torch.__version__),
        "numpy": str(np.__version__),
        "python": platform.python_version(),
    }
