"""Imported first by the sub-packages that need torch: says how to get it where it is missing."""

from __future__ import annotations

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "this part of lcrs needs torch: pip install '.[torch]' in its sources", name="torch"
    ) from None
