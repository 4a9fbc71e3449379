"""What is wrong with the file of a point cloud, or with a cloud for a file."""

from __future__ import annotations

from lcrs.errors import LcrsError

__all__ = ["CloudError", "missing_package"]


class CloudError(LcrsError):
    """A file of points that is damaged or too large, or a cloud that a format cannot hold: one line."""


def missing_package(kind: str, package: str) -> CloudError:
    """The error for a format whose reader is an extra that is not installed."""
    return CloudError(f"{kind} needs {package}: pip install '.[points]' in the sources of lcrs")
