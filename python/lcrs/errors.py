"""The errors of lcrs: what can go wrong with a stream, a file or a model, by kind.

An argument that is wrong in itself raises a plain `ValueError`; what comes from outside raises a child of
`LcrsError`.
"""

from __future__ import annotations

__all__ = [
    "CorruptError",
    "DesyncError",
    "LcrsError",
    "LimitError",
    "MissingModelError",
    "NotPortableError",
    "TruncatedError",
    "UnsupportedVersionError",
]


class LcrsError(ValueError):
    """Base of the errors below."""


class TruncatedError(LcrsError):
    """The data ends before the stream does."""


class CorruptError(LcrsError):
    """The data is damaged or was never valid."""


class DesyncError(LcrsError):
    """Encoder and decoder disagreed: the coder's final state is not the one that a valid stream leaves."""


class UnsupportedVersionError(LcrsError):
    """The data asks for a version or a feature that this release does not know."""


class MissingModelError(LcrsError):
    """The model that the data was made with is not at hand, or another one goes by its name."""


class LimitError(LcrsError):
    """Reading the data would go past a limit on size or memory."""


class NotPortableError(LcrsError):
    """A module or an operation is outside what the exact engine runs."""
