"""Whether the exact form of a module computes what the module does."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lcrs import coding
from lcrs.errors import LcrsError, NotPortableError
from lcrs.layers.foreign import in_torch
from lcrs.layers.lowering import lower
from lcrs.layers.module_state import assigned_methods, assigned_to, has_global_hooks, set_effective_weights
from lcrs.layers.patched import patched_functions

__all__ = ["DisagreementError", "check_calls", "check_network"]

_TOLERANCE = 1e-3
"""Of the largest magnitude: far above what the order of sums changes, far below what another formula does."""
_TIMES_ROUNDING, _MOST_ROUNDING = 4, 1e-4
_SIZES = ((8, 12), (16, 16), (32, 32), (64, 64), (128, 128))
"""Sizes that are tried; the least that a network takes is enough."""


class DisagreementError(NotPortableError):
    """The `lower()` of a module does not compute what its `forward` does.

    Attributes:
        is_inherited: Whether the module's class has its `lower()` from another one, which may not know what
            the class has changed, or functions of torch were replaced, of which no `lower()` knows.
    """

    def __init__(self, message: str, is_inherited: bool = False) -> None:
        super().__init__(message)
        self.is_inherited = is_inherited


def check_network(
    module: nn.Module,
    graph: coding.Graph,
    x: Tensor,
    place: str,
    level: float | None = None,
    *,
    features_last: bool = False,
) -> None:
    """Compares `graph` with `module` on a small input of as many channels as `x`, (N, C, H, W), has.

    Networks of nothing but layers of torch and lcrs, as they were released, are taken on trust, as long as
    the functions of torch are too: tests here compare those.

    Raises:
        DisagreementError: they differ; the message has the class and the place of the innermost part that
            does.
    """
    if not x.numel() or x.dim() != 4 or _is_trusted(module):
        return
    plain = _plain_copy(module)
    if plain is None:
        return
    for sample in _samples(x, features_last):
        call = _call_in_torch(plain, sample, level, features_last)
        if call is None:
            continue
        try:
            lowered = graph.run([sample.numpy()], level=level)["y"]
        except LcrsError as error:
            difference = str(error)  # shapes that torch takes
        except ValueError:
            continue  # the network itself goes where numbers stop being finite
        else:
            difference = _difference(call, lowered)
        if not difference:
            return
        raise _named(plain, sample, place, level, features_last, difference)


def _is_trusted(module: nn.Module) -> bool:
    if has_global_hooks() or patched_functions():
        return False
    parts = list(module.modules())
    return all(
        type(part).__module__.startswith(("lcrs.", "torch."))
        and not isinstance(part, nn.Linear)
        and not assigned_to(part)
        for part in parts
    ) and not any(assigned_methods(cls) for cls in {type(part) for part in parts})


def check_calls(model: nn.Module, *args: Any, **kwargs: Any) -> None:
    """Compares all inside `model` that has an exact form with what it does in `model(*args, **kwargs)`.

    Raises:
        DisagreementError: as `check_network`.
    """
    plain = _plain_copy(model)
    if plain is None:
        return
    with in_torch(plain, torch.device("cpu")):
        records = _recorded(plain, lambda: _tried(plain, *args, **kwargs))
    agreeing: set[nn.Module] = set()
    for name, module in plain.named_modules():
        inputs_output = records.get(module)
        if inputs_output is None or module in agreeing:
            continue
        difference = _difference_of(module, *inputs_output, any_layout=True)
        if difference is None:
            continue
        if difference:
            raise _innermost(module, records, name, difference, any_layout=True)
        agreeing.update(module.modules())


def _tried(model: nn.Module, *args: Any, **kwargs: Any) -> None:
    """Calls `model`; what came before it fails, on arguments that it does not take, is of use."""
    with suppress(RuntimeError, ValueError, TypeError, AssertionError, IndexError, KeyError):
        model(*args, **kwargs)


def _difference(torchs: Tensor, lowered: Any, slack: float = 0.0) -> str:
    """How two results differ, by more than `slack`; empty if they do not."""
    wanted = torchs.numpy()
    if wanted.shape != lowered.shape:
        return f"shape {tuple(lowered.shape[1:])} instead of {tuple(wanted.shape[1:])}"
    largest = float(np.abs(wanted).max(initial=0.0))
    difference = float(np.abs(wanted - lowered).max(initial=0.0))
    if difference <= _TOLERANCE * largest + 1e-7 + slack:
        return ""
    return f"a difference of {difference:.3g} in numbers up to {largest:.3g}"


def _samples(x: Tensor, features_last: bool) -> Iterator[Tensor]:
    """Random inputs, from small to large."""
    height, width = x.shape[2:]
    sizes = [(height, width)] if features_last or height * width <= 1 else []
    if not sizes:
        sizes = [(min(height, h), min(width, w)) for h, w in _SIZES]
    generator = torch.Generator().manual_seed(1)
    for size in dict.fromkeys(sizes):
        normal = torch.randn(1, x.shape[1], *size, generator=generator)
        yield 2 * normal
        yield normal.abs().clamp(max=1)


def _plain_copy(module: nn.Module) -> nn.Module | None:
    """`module` in float32 on the CPU; None if it cannot be copied there."""
    set_effective_weights(module)
    tensors = [t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
    if all(t.dtype == torch.float32 and t.device.type == "cpu" for t in tensors):
        return module
    try:
        return copy.deepcopy(module).to("cpu").float()
    except (RuntimeError, TypeError):
        return None


def _call_in_torch(module: nn.Module, x: Tensor, level: float | None, features_last: bool) -> Tensor | None:
    """What `module` makes of `x`; None if it does not take it, or the result is not finite."""
    told = () if level is None else (torch.full((1,), level),)
    try:
        with in_torch(module, x.device):
            out = module(x.movedim(1, -1).clone() if features_last else x.clone(), *told)
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError):
        return None
    if not isinstance(out, Tensor) or not torch.isfinite(out).all():
        return None
    return (out.movedim(-1, 1) if features_last else out).detach()


def _named(
    module: nn.Module, x: Tensor, place: str, level: float | None, features_last: bool, difference: str
) -> DisagreementError:
    records = _recorded(module, lambda: _call_in_torch(module, x, level, features_last))
    return _innermost(module, records, place, difference, any_layout=features_last)


def _innermost(
    module: nn.Module,
    records: dict[nn.Module, tuple[Tensor, Tensor]],
    place: str,
    difference: str,
    *,
    any_layout: bool,
) -> DisagreementError:
    """The error that names the innermost part of `module` that disagrees; `module` itself by default."""
    for name, part in reversed(list(module.named_modules())):
        if part in records and part is not module:
            found = _difference_of(part, *records[part], any_layout=any_layout)
            if found:
                module, difference = part, found
                place = ".".join(filter(None, (place, name)))
                break
    cls = parametrize.type_before_parametrizations(module)
    has_own = "lower" in vars(cls)
    form = "lower() does" if has_own else "exact form does"
    message = f"{cls.__name__} at {place!r} is not portable: its {form} not compute what its forward does"
    patched = patched_functions()
    if patched:
        difference = f"{difference}: {' and '.join(patched)} were replaced"
    return DisagreementError(f"{message} ({difference})", is_inherited=not has_own or bool(patched))


def _recorded(model: nn.Module, run: Any) -> dict[nn.Module, tuple[Tensor, Tensor]]:
    """What the modules inside `model` were first given, and made of it: those of one float32 (N, C, H, W)."""
    given: dict[nn.Module, Tensor] = {}
    records: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def before(module: nn.Module, args: tuple[Any, ...]) -> None:
        x = args[0] if len(args) == 1 else None
        if isinstance(x, Tensor) and x.dim() == 4 and x.dtype == torch.float32 and x.device.type == "cpu":
            given.setdefault(module, x.detach().clone())

    def after(module: nn.Module, _args: Any, out: Any) -> None:
        if module in given and module not in records and isinstance(out, Tensor):
            records[module] = (given[module], out.detach().clone())

    handles = [part.register_forward_pre_hook(before) for part in model.modules()]
    handles += [part.register_forward_hook(after) for part in model.modules()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return records


def _difference_of(module: nn.Module, x: Tensor, out: Tensor, *, any_layout: bool) -> str | None:
    """How the exact form of `module` differs from `out`; None if there is no such form.

    Linear layers have their channels last, and graphs theirs first: with `any_layout` that is no difference.
    """
    if not torch.isfinite(out).all():
        return ""
    try:
        lowered = lower(module, "module")
        graph = coding.Graph(lowered.json, lowered.tensors)
    except (LcrsError, ValueError):
        return None
    difference = _difference_from(graph, x, out)
    if difference:
        difference = _difference_from(graph, x, out, slack=_rounding(module, x, out))
    if difference and any_layout and any(isinstance(part, nn.Linear) for part in module.modules()):
        difference = _difference_from(graph, x.movedim(-1, 1), out.movedim(-1, 1)) and difference
    return difference


@torch.no_grad()
def _rounding(module: nn.Module, x: Tensor, out: Tensor) -> float:
    """How far rounding alone takes the float32 `out`: it is all that is left of constants, normalised."""
    try:
        exact = copy.deepcopy(module).double()(x.double())
    except Exception:  # of modules that are not ours, and take float32 only: anything
        return 0.0
    if not isinstance(exact, Tensor) or exact.shape != out.shape or not out.numel():
        return 0.0
    found = _TIMES_ROUNDING * float((exact - out).abs().max())
    return min(found, _MOST_ROUNDING * float(x.abs().max()))  # what is random is not rounding


def _difference_from(graph: coding.Graph, x: Tensor, out: Tensor, slack: float = 0.0) -> str:
    try:
        return _difference(out, graph.run([x.contiguous().numpy()])["y"], slack)
    except LcrsError as error:
        return str(error)
    except ValueError:
        return ""  # numbers stop being finite
