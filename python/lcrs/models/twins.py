"""Models and latent codecs of derived classes, compared with what a package of them would do.

A package says what the classes of lcrs do. Where a derived class has a `forward`, `compress` or another
method of its own, it is compared with its twin: the same parameters and networks, with the methods of lcrs.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lcrs.coding.portability import portability
from lcrs.errors import NotPortableError
from lcrs.latent_codecs import LatentCodec
from lcrs.latent_codecs.derived import (
    ERRORS,
    FACTORS,
    RESPECTED,
    TOLERATED,
    class_of_lcrs,
    difference,
    overridden,
)
from lcrs.layers.foreign import in_torch
from lcrs.layers.module_state import assigned_methods

__all__ = ["check_derived", "results_of", "twin_of"]

_M = TypeVar("_M", bound=nn.Module)
_CODING = {"compress", "decompress"}
_Call = tuple[tuple[Any, ...], dict[str, Any]]


def twin_of(module: _M, base: type[_M] | None = None) -> _M:
    """`module` with the methods of lcrs, and so all latent codecs inside; it shares parameters and networks.

    Plain attributes of derived classes are kept, and merges of channel groups, which packages follow.

    Args:
        module: A model or a latent codec, which is not changed.
        base: The class of the result; by default the nearest of lcrs.

    Returns:
        `module` itself where there is no other method.
    """
    is_codec = base is not None or isinstance(module, LatentCodec)
    base = base or (class_of_lcrs(type(module)) if is_codec else type(module))
    assert base is not None
    children = {k: None if child is None else twin_of(child) for k, child in module._modules.items()}
    names = overridden(module, base) if is_codec else []
    if not names and all(child is module._modules[k] for k, child in children.items()):
        return module
    twin: _M = object.__new__(base)
    state = dict(vars(module))
    for name in names:
        state.pop(name, None)
    state["_modules"] = children
    for derived in reversed(type(module).__mro__[: type(module).__mro__.index(base)]):
        for name, value in vars(derived).items():
            is_kept = name in RESPECTED or not (inspect.isroutine(value) or name.startswith("__"))
            if is_kept and not isinstance(getattr(base, name, None), property):
                with suppress(AttributeError):
                    state[name] = getattr(module, name)
    vars(twin).update(state)
    return twin


def check_derived(model: nn.Module, x: Tensor) -> None:
    """Compares what derived classes in `model` do with what a package would say of them.

    The model itself is compared where it has `package_parts` from a class of lcrs above that says what is in
    it; a class with its own is taken at its word.

    Args:
        model: Has `package_parts`.
        x: A sample of what the model takes, (N, C, H, W).

    Raises:
        NotPortableError: a class does otherwise; the message names it, its place and what differs.
    """
    owner = next(cls for cls in type(model).__mro__ if "package_parts" in vars(cls))
    if not owner.__module__.startswith("lcrs."):
        return
    base = class_of_lcrs(type(model))
    # Where no class of lcrs says what there is, `derived_parts` compares the whole.
    names = [] if owner.forward is nn.Module.forward else overridden(model)  # type: ignore[attr-defined]
    if not names and not _derived_codecs(model):
        return
    with in_torch(model, x.device):
        calls = _recorded_calls(model, _derived_codecs(model), x)
        for probe in filter(None, (model, _livelier(model))):
            _check_codecs(_derived_codecs(probe), calls)
            if names:
                _check_forward(probe, base, names, x)
        if names:
            _check_coding(model, base, names, x)


def _derived_codecs(model: nn.Module) -> dict[str, LatentCodec]:
    parts = ((name, part) for name, part in model.named_modules() if part is not model)
    return {name: part for name, part in parts if isinstance(part, LatentCodec) and overridden(part)}


def _livelier(model: nn.Module) -> nn.Module | None:
    """A copy in which more depends on the networks, for untrained ones say little; None if there is none."""
    try:
        copied = copy.deepcopy(model)
    except (RuntimeError, TypeError):
        return None
    for part in copied.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            with suppress(RuntimeError, AttributeError):  # weights that are made anew for every call
                part.weight.mul_(3)
    return copied


def _check_codecs(codecs: Mapping[str, LatentCodec], calls: Mapping[str, _Call]) -> None:
    for name, codec in reversed(list(codecs.items())):
        _check_assigned(codec, name)
        changed = overridden(codec)
        if _CODING & set(changed) or {"encode", "decode"} & set(changed):
            raise _refusal(codec, name, f"its {changed[0]} is its own")
        if name not in calls:
            raise _refusal(
                codec, name, f"its {changed[0]} is its own, and the model's forward does not call it"
            )
        for i, (args, kwargs) in enumerate(_scaled(calls[name])):
            _compare(codec, twin_of(codec), name, args, kwargs, share=TOLERATED if i else 0.0)


def _check_assigned(module: nn.Module, place: str) -> None:
    """Refuses a class of lcrs whose methods are no longer lcrs's: there is nothing to compare with."""
    # Whoever assigns package_parts says what is in the package.
    assigned = [name for name in assigned_methods(class_of_lcrs(type(module))) if name != "package_parts"]
    if assigned:
        raise _refusal(module, place, f"{assigned[0]} was assigned to the class")


def _recorded_calls(model: nn.Module, codecs: Mapping[str, nn.Module], x: Tensor) -> dict[str, _Call]:
    """What the codecs were first given in `model(x)`, or with larger samples where it does not take that."""
    calls: dict[str, _Call] = {}

    def note(name: str) -> Any:
        return lambda _module, args, kwargs: (calls.setdefault(name, (args, kwargs)), None)[1]

    handles = [codec.register_forward_pre_hook(note(k), with_kwargs=True) for k, codec in codecs.items()]
    try:
        for k in (1, 2, 4, 8):
            if calls.keys() != codecs.keys():
                with suppress(*ERRORS):
                    model(x.repeat(1, 1, k, k))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _scaled(call: _Call) -> Iterator[_Call]:
    """The call as it was, and with random numbers of other sizes for what is as large as a latent."""
    yield call
    generator = torch.Generator().manual_seed(2)

    def drawn(value: Any, factor: float) -> Any:
        if not isinstance(value, Tensor) or value.dim() < 3 or not value.is_floating_point():
            return value
        return factor * torch.randn(value.shape, generator=generator).to(value)

    for factor in FACTORS:
        args, kwargs = call
        yield tuple(drawn(value, factor) for value in args), {k: drawn(v, factor) for k, v in kwargs.items()}


def _compare(
    module: nn.Module,
    twin: nn.Module,
    place: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    share: float,
) -> None:
    try:
        expected = twin(*args, **kwargs)
    except ERRORS:
        return  # legal values only; the first call had these
    try:
        found = results_of(module(*args, **kwargs))
    except ERRORS as error:
        raise _refusal(module, place, f"its forward cannot be compared: {error}") from error
    text = difference(found, results_of(expected), share)
    if text:
        raise _refusal(module, place, f"{text} in forward")


def _check_forward(model: nn.Module, base: type[nn.Module], names: list[str], x: Tensor) -> None:
    _check_assigned(model, "")
    for name in names:
        # Rounding may hide on this sample what a step of lcrs's own forward and compress does otherwise.
        if name.startswith("_") and not hasattr(nn.Module, name):
            raise _refusal(model, "", f"its {name} is its own")
    twin = twin_of(model, base)
    for i, factor in enumerate(FACTORS):
        _compare(model, twin, "", (factor * x,), {}, share=TOLERATED if i else 0.0)


def _check_coding(model: nn.Module, base: type[nn.Module], names: list[str], x: Tensor) -> None:
    """Compares `compress` and `decompress`, where one of them may be another."""
    if set(names) <= {"forward", "from_state_dict"}:
        return
    expected = _coded(twin_of(model, base), x)
    try:
        found = _coded(model, x)
    except ERRORS as error:
        raise _refusal(model, "", f"its compress cannot be compared: {error}") from error
    text = difference(found[1], expected[1])
    if text:
        raise _refusal(model, "", f"{text} after compress and decompress")
    if abs(found[0] - expected[0]) > 0.01 * expected[0] + 16:
        raise _refusal(model, "", f"compress gives {found[0]} bytes against {expected[0]}")


def _coded(model: Any, x: Tensor) -> tuple[int, Mapping[str, Any]]:
    """Bytes of the strings of `x`, and what they restore."""
    with portability("allow"):  # a package has parts of its own, and what runs in torch here is no part of it
        out = model.compress(x)
        sizes = {"size": out["size"]} if "size" in out else {}
        restored = model.decompress(out["strings"], out["shape"], **sizes)
    return _num_bytes(out["strings"]), {"x_hat": restored["x_hat"]}


def _num_bytes(strings: Any) -> int:
    return len(strings) if isinstance(strings, bytes) else sum(map(_num_bytes, strings))


def results_of(out: Any) -> dict[str, Any]:
    """What a `forward` returned, by name: CompressAI's mapping, or a tutorial's pair.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(out, tuple | list) and len(out) >= 2:
        return {"x_hat": out[0], "likelihoods": out[1]}
    if not isinstance(out, Mapping):
        raise ValueError(f"forward returns a {type(out).__name__}")
    return dict(out)


def _refusal(module: nn.Module, place: str, what: str) -> NotPortableError:
    where = f" at {place!r}" if place else ""
    cls, base = type(module).__name__, class_of_lcrs(type(module)).__name__
    return NotPortableError(
        f"{cls}{where} is not portable: a package would do what {base} does, "
        f"which is something else ({what}); define package_parts of the model, if a package can say it"
    )
