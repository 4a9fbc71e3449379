"""Where tensors come from that decide probabilities: the exact engine, or code of users.

Models and codecs of lcrs say themselves what they run in torch (`lcrs.layers.foreign`). A model's own
`compress` may call an entropy model or a codec with what torch computed: nothing but the tensors tells. So
results of the exact engine carry a mark, which their views share, and an entropy model that code outside of
lcrs calls with others says so, if it is part of a module there. By itself, as in tests, it says nothing: who
calls it then is not known to have a network.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lcrs.layers.foreign import is_verified, report

__all__ = ["is_exact", "mark_exact", "report_handed", "with_mark_of"]

_LCRS = str(Path(__file__).parents[1])
_PASSED_OVER = (str(Path(torch.__file__).parent), contextlib.__file__)
"""Decorators, and calls of modules."""
_MOST_FRAMES = 16
_MARK = "_lcrs_exact_version"

_reasons: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()
"""What was said of modules that were found to be parts."""


def mark_exact(tensor: Tensor) -> Tensor:
    """Notes that `tensor` is a result of the exact engine, or of exact rules on one; returns it."""
    if not tensor.is_inference():
        # Not in its memory alone: what torch changes in place is a result of torch.
        setattr(tensor.untyped_storage(), _MARK, tensor._version)
    return tensor


def is_exact(*tensors: Tensor | None) -> bool:
    """Whether all of `tensors` are marked, or views of what is, and were not changed since; None counts."""
    return all(
        tensor is None
        or (not tensor.is_inference() and getattr(tensor.untyped_storage(), _MARK, None) == tensor._version)
        for tensor in tensors
    )


def with_mark_of(tensor: Tensor, source: Tensor) -> Tensor:
    """`tensor`, a copy of `source` or what exact rules made of it, with the mark that `source` has."""
    return mark_exact(tensor) if is_exact(source) else tensor


def report_handed(part: nn.Module, *tensors: Tensor | None) -> bool:
    """Says, as `lcrs.portability` has it, that a user's module calls `part` with what torch computed.

    To be called from a public method of `part` itself.

    Args:
        part: An entropy model or a latent codec.
        *tensors: What decides probabilities, or is added to what is decoded.

    Returns:
        Whether that is so.

    Raises:
        NotPortableError: it is, and portability is required.
    """
    if is_exact(*tensors) or is_verified():  # something was said of this call already
        return False
    callers = list(_callers())
    if not callers:
        return False
    reason = _reasons.get(part) or _reason(part, callers)
    if reason is None:
        return False
    _reasons[part] = reason
    report(part, reason, is_verified=False)
    return True


def _callers() -> Iterator[FrameType]:
    """Frames of code outside of lcrs that called the method which called `report_handed`, innermost first."""
    frame: FrameType | None = sys._getframe(3)
    for _ in range(_MOST_FRAMES):
        while frame is not None and frame.f_code.co_filename.startswith(_PASSED_OVER):
            frame = frame.f_back
        if frame is None or frame.f_code.co_filename.startswith(_LCRS):
            return
        yield frame
        frame = frame.f_back


def _reason(part: nn.Module, callers: list[FrameType]) -> str | None:
    """What is to be said of `part`, with its place in the innermost module of `callers` that has one."""
    for frame in callers:
        for value in list(frame.f_locals.values()):
            if isinstance(value, nn.Module) and value is not part:
                for name, inside in value.named_modules():
                    if inside is part:
                        return (
                            f"{type(part).__name__} at {name!r} of {type(value).__name__} is not portable: "
                            "code outside of lcrs gives it what torch computed"
                        )
    return None
