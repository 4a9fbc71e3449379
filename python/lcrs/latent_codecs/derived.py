"""Derived classes against those of lcrs that they derive from: whether what they change is coded."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from lcrs.layers.foreign import in_torch, level_of_caller
from lcrs.layers.module_state import assigned_methods

__all__ = [
    "ERRORS",
    "FACTORS",
    "RESPECTED",
    "TOLERATED",
    "class_of_lcrs",
    "difference",
    "overridden",
    "warn_of_forward",
]

ERRORS = (RuntimeError, ValueError, TypeError, AssertionError, AttributeError, KeyError, IndexError)
"""What code of derived classes ends in where it does not take a sample."""
_TOLERANCE = 1e-3
FACTORS = (1.0, 30.0, 1e3, 3e4)
"""Of samples: untrained networks round small ones all to zero."""
TOLERATED = 0.02
"""Part of the numbers of large samples that may differ, for these round either way."""
RESPECTED = ("merge", "merge_y", "merge_params")
"""Methods that coding follows in derived classes, and packages say or refuse."""
_HARMLESS = frozenset({"__init__", "__init_subclass__", "__new__", "config", "package_parts", *RESPECTED})

_compared: WeakSet[nn.Module] = WeakSet()


def class_of_lcrs(cls: type) -> type:
    """The nearest class of lcrs or torch that `cls` is or derives from."""
    return next(base for base in cls.__mro__ if base.__module__.startswith(("lcrs.", "torch.")))


def overridden(module: nn.Module, base: type | None = None) -> list[str]:
    """Methods of `base`, or of a class of lcrs, that `module` has otherwise: by derivation or assignment.

    Args:
        module: Any.
        base: A class that it derives from; by default the nearest of lcrs.
    """
    cls = type(module)
    base = base or class_of_lcrs(cls)
    below = cls.__mro__[: cls.__mro__.index(base)]
    own = {name for derived in below for name, value in vars(derived).items() if _is_code(value)}
    own |= {name for name, value in vars(module).items() if inspect.isroutine(value)}
    is_own = (name for name in sorted(own - _HARMLESS) if hasattr(base, name))
    return [*is_own, *assigned_methods(base)]


def _is_code(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, property)


def difference(found: Mapping[str, Any], expected: Mapping[str, Any], share: float = 0.0) -> str:
    """How two results of `forward` differ in the values and likelihoods of `expected`; empty if not.

    Args:
        found: Of the class in question.
        expected: Of the one that it is compared with.
        share: Part of the numbers that may differ, for inputs that round either way.
    """
    for name, value in expected.items():
        if not isinstance(value, Mapping | Tensor):
            continue
        other = found.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            text = difference(other, value, share)
            if text:
                return f"{text} of {name}"
        elif not isinstance(value, Tensor) or not isinstance(other, Tensor):
            return f"there is no {name!r}"
        elif other.shape != value.shape:
            return f"{name!r} has shape {tuple(other.shape)} instead of {tuple(value.shape)}"
        else:
            text = _difference(name, other.detach().double(), value.detach().double(), share)
            if text:
                return text
    return ""


def _difference(name: str, found: Tensor, expected: Tensor, share: float) -> str:
    finite = torch.isfinite(expected)
    if not finite.any():
        return ""
    largest = float(expected[finite].abs().max())
    apart = torch.nan_to_num((found - expected)[finite].abs(), nan=torch.inf)
    if int((apart > _TOLERANCE * largest + 1e-6).sum()) <= share * apart.numel():
        return ""
    return f"{name!r} is off by {float(apart.max()):.3g} in numbers up to {largest:.3g}"


def warn_of_forward(codec: nn.Module, y: Tensor, *args: Any, **kwargs: Any) -> None:
    """Warns, once, of a latent codec whose `forward` does something else than what codes in its place.

    That is one of a class that defines `forward` and nothing that codes: neither `encode` and `decode` nor
    `compress` and `decompress`.
    """
    names = overridden(codec)
    coding_names = {"encode", "decode", "compress", "decompress"}
    if "forward" not in names or coding_names & set(names) or codec in _compared:
        return
    _compared.add(codec)
    base, what = class_of_lcrs(type(codec)), ""
    here = [value.to(y) if isinstance(value, Tensor) else value for value in args]
    try:
        with in_torch(codec, y.device):
            for factor in FACTORS:
                expected = base.forward(codec, factor * y, *here, **kwargs)  # type: ignore[attr-defined]
                found = codec(factor * y, *here, **kwargs)
                what = what or difference(found, expected, 0.0 if factor == 1 else TOLERATED)
        if "forward" in assigned_methods(base):
            what = "it was assigned to the class"
    except NotImplementedError:
        return
    except ERRORS as error:
        what = f"they cannot be compared: {error}"
    if what:
        cls = type(codec).__name__
        warnings.warn(
            f"{cls} has a forward that its compress does not follow: compress is that of {base.__name__} "
            f"({what}); define encode and decode too",
            UserWarning,
            stacklevel=level_of_caller(),
        )
