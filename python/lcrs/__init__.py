"""lcrs: learned data compression, decoded to the same symbols on every machine.

Importing this package is cheap: sub-packages load when they are first used, and torch only with those that
need it.

Example:
    >>> import lcrs
    >>> import numpy as np
    >>> data = lcrs.compress(np.zeros((32, 48, 3), np.uint8), quality=50)
    >>> lcrs.decompress(data).shape
    (32, 48, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lcrs.errors import (
    CorruptError,
    DesyncError,
    LcrsError,
    LimitError,
    MissingModelError,
    ModelWarning,
    NotPortableError,
    NotPortableWarning,
    TargetWarning,
    TruncatedError,
    UnsupportedVersionError,
)
from lcrs.moved_modules import install as _find_moved_modules

if TYPE_CHECKING:
    from lcrs.codec import compress, decompress, info
    from lcrs.coding.default_kind import available_entropy_coders, get_entropy_coder, set_entropy_coder
    from lcrs.coding.portability import portability

    __version__: str

__all__ = [
    "CorruptError",
    "DesyncError",
    "LcrsError",
    "LimitError",
    "MissingModelError",
    "ModelWarning",
    "NotPortableError",
    "NotPortableWarning",
    "TargetWarning",
    "TruncatedError",
    "UnsupportedVersionError",
    "__version__",
    "available_entropy_coders",
    "compress",
    "decompress",
    "get_entropy_coder",
    "info",
    "portability",
    "set_entropy_coder",
]

_NAMES = frozenset(__all__)  # a copy of CompressAI on top (`lcrs.changed_copy`) takes `__all__` away
_SUBPACKAGES = frozenset(
    {
        "ans",
        "cli",
        "clouds",
        "codec",
        "coding",
        "datasets",
        "entropy_models",
        "errors",
        "evaluate",
        "latent_codecs",
        "layers",
        "losses",
        "metrics",
        "models",
        "ops",
        "optimizers",
        "packages",
        "pictures",
        "pillow",
        "points",
        "registry",
        "shims",
        "train",
        "transforms",
        "typing",
        "utils",
        "version",
        "zoo",
    }
)

_find_moved_modules()


def __getattr__(name: str) -> Any:
    """Loads sub-packages, the codec's functions and the version on first use (PEP 562)."""
    import importlib

    if name in {"compress", "decompress", "info"}:
        value = getattr(importlib.import_module("lcrs.codec"), name)
    elif name in {"available_entropy_coders", "get_entropy_coder", "set_entropy_coder"}:
        value = getattr(importlib.import_module("lcrs.coding.default_kind"), name)
    elif name == "portability":
        value = importlib.import_module("lcrs.coding.portability").portability
    elif name in _SUBPACKAGES:
        return importlib.import_module(f"lcrs.{name}")
    elif name == "__version__":
        value = importlib.import_module("importlib.metadata").version("lcrs")
    else:
        msg = f"module 'lcrs' has no attribute '{name}'"
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_SUBPACKAGES})
