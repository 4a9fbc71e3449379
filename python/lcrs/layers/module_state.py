"""What a module computes depends on: its parameters, and all that a state dict does not show.

Coding keeps what it made of a module, and must notice when the module is no longer the same: a parameter
trained on, but also a hook added, a method assigned, a number set.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from inspect import isroutine
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from lcrs import coding
from lcrs.layers.patched import patched_functions
from lcrs.ops.cache import fingerprint

__all__ = [
    "assigned_methods",
    "assigned_to",
    "evaluating",
    "has_global_hooks",
    "methods_key",
    "overrides_below",
    "plain_class",
    "set_effective_weights",
    "state_key",
    "structure_of",
    "why_changed",
]

_OF_TORCH = frozenset(vars(nn.Module())) | {"T_destination"}
"""Attributes that every module has."""
_PLAIN = (bool, int, float, str, bytes, type(None), torch.dtype)
_MOST_NOTES = 4096
_MOST_LEVELS = 50
# What they hold follows from what is noted, or is no number that a module computes with.
_NOT_LOOKED_INTO = frozenset({"lcrs", "logging", "threading", "torch", "weakref"})
_PLAIN_SET = frozenset(_PLAIN)
_FUNCTIONS = (FunctionType, MethodType, type, type(len), torch.jit.ScriptFunction)
# Methods in which torch's layers compute.
_COMPUTING = ("forward", "_conv_forward", "__call__")
_DECIDING = (*_COMPUTING, "lower")
# Hooks of torch that set a weight from parameters before each call, and do nothing else.
_PURE_HOOKS = (WeightNorm, SpectralNorm, BasePruningMethod)


def state_key(module: nn.Module, *, tensors: bool = True) -> bytes:
    """A key that differs when what `module` computes in eval mode does, as far as that can be seen.

    That is parameters and buffers, and of every module inside: its class, the `forward` and `lower` of that,
    plain attributes, tensors among them, hooks, and methods that were assigned to it; and which of them are
    the same one.

    Args:
        module: Any module.
        tensors: False leaves out the values of parameters, buffers and other tensors.
    """
    facts, found = structure_of(module)
    return fingerprint(found if tensors else ()) + repr(facts).encode()


def methods_key(cls: type, names: Iterable[str]) -> list[int]:
    """Numbers that differ when these methods of `cls` do: they may be assigned to the class at any time."""
    methods = (getattr(cls, name, None) for name in names)
    return [id(method) if type(method) is FunctionType else 0 for method in methods]


def structure_of(module: nn.Module, skip: Container[str] = ()) -> tuple[list[Any], list[Tensor]]:
    """What `state_key` is made of, plain facts and tensors, without the attributes in `skip`."""
    notes = _Notes(skip)
    if has_global_hooks():
        notes.facts += [*map(id, _global_hooks())]
    notes.facts += patched_functions()
    notes.visit(module)
    return notes.facts, notes.tensors


@lru_cache(maxsize=1024)
def _own_names(names: tuple[str, ...]) -> list[str]:
    """Attributes of a module, of these in its `__dict__`, that not every module has, in order."""
    return sorted(set(names) - _OF_TORCH)


def has_global_hooks() -> bool:
    """Whether hooks are there that torch calls for every module: they may change what each computes."""
    return any(True for _ in _global_hooks())


def _global_hooks() -> Iterator[Any]:
    yield from torch_module._global_forward_pre_hooks.values()
    yield from torch_module._global_forward_hooks.values()


class _Notes:
    """Facts and tensors of modules, and of all that they hold: lists, dicts, arrays, objects with attributes.

    What modules hold may lead anywhere, to a training loop and its pictures for one: `_MOST_NOTES` bounds
    what is looked at for an attribute, `_MOST_LEVELS` how deep it may be.
    """

    def __init__(self, skip: Container[str]) -> None:
        self.facts: list[Any] = []
        self.tensors: list[Tensor] = []
        self._skip = skip
        self._numbers: dict[int, int] = {}
        self._classes: dict[type, tuple[int, ...]] = {}
        self._left = 0
        self._level = 0

    def visit(self, part: nn.Module) -> None:
        """Notes a module and those inside."""
        facts = self.facts
        if self._is_known(part):
            return
        facts += self._class_facts(type(part))
        for name, tensor in itertools.chain(part._parameters.items(), part._buffers.items()):
            if tensor is not None and name not in self._skip:
                facts.append(name)
                self.tensors.append(tensor)
        if part._forward_pre_hooks or part._forward_hooks:
            facts.append(
                [*map(id, part._forward_pre_hooks.values()), 0, *map(id, part._forward_hooks.values())]
            )
        attributes = part.__dict__
        for name in _own_names(tuple(attributes)):
            if name not in self._skip:
                value = attributes[name]
                if type(value) in _PLAIN_SET:
                    facts.append((name, value))
                else:
                    self._left = _MOST_NOTES
                    self._note(name, value)
        for name, child in part._modules.items():
            if child is not None:
                facts.append(name)
                self.visit(child)

    def _class_facts(self, cls: type) -> tuple[int, ...]:
        """Which class a module is of: most are of few."""
        found = self._classes.get(cls)
        if found is None:
            found = self._classes[cls] = (id(cls), *methods_key(cls, _DECIDING))
        return found

    def _is_known(self, value: object) -> bool:
        """Whether `value` was noted before; notes which one it is."""
        is_known = id(value) in self._numbers
        self.facts.append(self._numbers.setdefault(id(value), len(self._numbers)))
        return is_known

    def _note(self, name: Any, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self.facts.append((name, value))
        elif isinstance(value, list | tuple) and _PLAIN_SET.issuperset(map(type, value)):
            self.facts.append((name, tuple(value)))
        elif isinstance(value, Tensor):
            self.facts.append(name)
            self.tensors.append(value)
        elif isinstance(value, _FUNCTIONS):
            self.facts.append((name, id(value)))
        elif self._left > 0 and self._level < _MOST_LEVELS:
            self._left -= 1
            self._level += 1
            self.facts.append((name, id(type(value))))
            self._look_into(value)
            self._level -= 1

    def _look_into(self, value: Any) -> None:
        if isinstance(value, np.ndarray | np.generic):
            self._note_array(np.asarray(value))
        elif isinstance(value, nn.Module):  # in a list or the like, where torch does not see it
            self.visit(value)
        elif isinstance(value, set | frozenset):
            self.facts.append(sorted(map(repr, value)))
        elif not self._is_known(value):
            items, attributes = _inside(value)
            self.facts.append((len(items), len(attributes)))
            for key, item in (*items, *attributes):
                self._note(key if isinstance(key, _PLAIN) else repr(key), item)

    def _note_array(self, array: NDArray[Any]) -> None:
        if array.dtype.hasobject:
            self.facts.append(array.shape)
            for item in array.ravel():
                self._note("", item)
        else:
            plain = np.frombuffer(array.tobytes(), np.uint8)
            self.facts.append((array.dtype.str, array.shape, coding.fingerprint([plain])))


def _inside(value: Any) -> tuple[list[tuple[Any, Any]], list[tuple[str, Any]]]:
    """What a container holds, by key or number, and the attributes of an object, in order."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list | tuple | deque):
        items = list(enumerate(value))
    elif isinstance(value, partial):
        items = list(enumerate((value.func, value.args, value.keywords)))
    elif isinstance(value, complex | range | slice | torch.device):
        items = [("", repr(value))]
    if type(value).__module__.partition(".")[0] in _NOT_LOOKED_INTO:
        return items, []
    slots = itertools.chain.from_iterable(
        [names] if isinstance(names, str) else names
        for names in (vars(base).get("__slots__", ()) for base in type(value).__mro__)
    )
    attributes = {name: getattr(value, name) for name in slots if name[:2] != "__" and hasattr(value, name)}
    attributes |= getattr(value, "__dict__", {})
    return items, sorted(attributes.items())


def set_effective_weights(module: nn.Module) -> None:
    """Has torch's older weight norm, spectral norm and pruning set their weights, as before a call."""
    with torch.no_grad(), evaluating(module):
        for part in module.modules():
            for hook in part._forward_pre_hooks.values():
                if isinstance(hook, _PURE_HOOKS):
                    hook(part, ())


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """`module` and all inside in eval mode for the time of a `with` block."""
    # A frozen TorchScript module has no mode.
    training = [part for part in module.modules() if getattr(part, "training", False)]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def why_changed(module: nn.Module) -> str | None:
    """What was done to this very module that its class does not tell; None if nothing was.

    Hooks that set a weight are resolved by `set_effective_weights`, and parametrisations by torch.
    """
    pre_hooks = module._forward_pre_hooks.values()
    if module._forward_hooks or not all(isinstance(hook, _PURE_HOOKS) for hook in pre_hooks):
        return "forward hooks may change what it computes"
    assigned = [name for name in assigned_to(module) if name != "lower"]
    return f"{assigned[0]} was assigned to it" if assigned else None


def assigned_to(module: nn.Module) -> list[str]:
    """Methods of its class that this very module has otherwise, and that may change what it computes."""
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and isroutine(getattr(type(module), name, None)) and name not in _HARMLESS
    ]


def overrides_below(cls: type, name: str, other: str) -> bool:
    """Whether `cls` has its attribute `name` from a class below the one that it has `other` from."""
    for base in cls.__mro__:
        if other in vars(base):
            return False
        if name in vars(base):
            return True
    return False


def assigned_methods(cls: type) -> list[str]:
    """Methods of a class of lcrs or torch, and of those above it, that were assigned to it from elsewhere."""
    names = []
    for base in cls.__mro__:
        home = base.__module__.partition(".")[0]
        if home == "lcrs":
            methods = list(vars(base).items())
        elif home == "torch":
            methods = [(name, vars(base).get(name)) for name in _COMPUTING]
        else:
            continue
        for name, method in methods:
            code = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
            if isinstance(code, FunctionType) and code.__module__.partition(".")[0] not in ("lcrs", "torch"):
                names.append(name)
    return names


# What a subclass may define without changing what is computed.
_HARMLESS = frozenset({"__init__", "__module__", "__doc__", "__repr__", "__qualname__", "__annotations__"})
_HARMLESS |= {"extra_repr", "reset_parameters", "__parameters__", "__static_attributes__", "__firstlineno__"}
_HARMLESS |= {"train", "state_dict", "load_state_dict", "_load_from_state_dict", "__setstate__"}


def plain_class(module: nn.Module, known: Callable[[type], bool]) -> type | None:
    """The class of torch that `module` computes as: its own, or a base of which no method is overridden.

    Args:
        module: Any module; parametrisations do not count.
        known: Which classes there are.
    """
    cls = parametrize.type_before_parametrizations(module)
    defined: set[str] = set()
    for base in cls.__mro__:
        if known(base):
            changed = {name for name in defined - _HARMLESS if callable(getattr(base, name, None))}
            return None if changed else base
        defined |= set(vars(base))
    return None
