"""A table of named classes and functions, whose names can be taken over."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

__all__ = ["Registry"]

_Entry = Callable[..., Any]
_T = TypeVar("_T", bound=_Entry)


class Registry(MutableMapping[str, _Entry]):
    """Maps names to classes or functions, case-sensitive, in the order of registration.

    Args:
        kind: What is registered, for messages ("model").
        home: Module whose import registers lcrs's own entries; imported when a name is first not found, or
            when the table is first listed.
        borrow: Returns entries of other libraries; called when a name is not among the registered ones, or
            when the table is first listed. Registered names hide these.

    Example:
        >>> models = Registry("model")
        >>> @models.register("tiny")
        ... class Tiny:
        ...     def __init__(self, N=4):
        ...         self.N = N
        >>> models.create({"type": "tiny", "N": 8}).N
        8
    """

    def __init__(
        self,
        kind: str,
        *,
        home: str | None = None,
        borrow: Callable[[], Mapping[str, _Entry]] | None = None,
    ) -> None:
        self._kind = kind
        self._home = home
        self._borrow = borrow
        self._own: dict[str, _Entry] = {}
        self._builtin: dict[str, _Entry] = {}
        self._borrowed: Mapping[str, _Entry] = {}

    def register(self, name: str) -> Callable[[_T], _T]:
        """Returns a decorator that enters its target as `name`, as by `self[name] = target`."""

        def enter(entry: _T) -> _T:
            self[name] = entry
            return entry

        return enter

    def create(self, config: str | Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Calls the entry that `config` names.

        Args:
            config: A name, or a mapping with the name under "type"; its other items are keyword arguments.
            *args: Positional arguments for the entry.
            **kwargs: Keyword arguments; they win over those of `config`.

        Raises:
            KeyError: There is no such name, or `config` has no "type".
        """
        options = {"type": config} if isinstance(config, str) else dict(config)
        if "type" not in options:
            raise KeyError(f"the {self._kind} configuration {options} has no 'type'")
        return self[options.pop("type")](*args, **{**options, **kwargs})

    def __setitem__(self, name: str, entry: _Entry) -> None:
        """Enters `entry`: the last has the name, as in CompressAI.

        A warning says so if another object had it. What is defined anew at the same place, as by a notebook's
        cell or a reload, replaces the old without a word. lcrs's own entries take no name from others,
        whenever they come in; nor do those of a changed copy's version of a module of lcrs's take lcrs's.
        """
        is_own = _is_ours(entry)
        if is_own:
            self._builtin[name] = entry
        elif self._home is not None:
            # Now, not at some later look-up, it is found whether the name is lcrs's.
            with contextlib.suppress(ImportError):
                self._load_home()
        known = self._own.get(name, entry)
        if (is_own and not _is_ours(known)) or (_is_beside_ours(entry) and _is_ours(known)):
            return
        self._own[name] = entry
        if known is not entry and _place_of(known) != _place_of(entry):
            warnings.warn(
                f"{self._kind} {name!r} is now {_describe(entry)}, it was {_describe(known)}", stacklevel=3
            )

    def builtin(self, name: str) -> _Entry:
        """Lcrs's own entry, whoever has taken its name; raises `KeyError` if there is none."""
        self._load_home()
        return self._builtin[name]

    def __getitem__(self, name: str) -> _Entry:
        """Returns the entry; raises `KeyError` with the nearest names if there is none."""
        if name not in self._own:
            self._load_home()
        if name in self._own:
            return self._own[name]
        self._load_borrowed()
        if name in self._borrowed:
            return self._borrowed[name]
        near = difflib.get_close_matches(str(name), list(self), n=3, cutoff=0.4) or list(self)
        raise KeyError(f"no {self._kind} is registered as {name!r}; known names include {', '.join(near)}")

    def __delitem__(self, name: str) -> None:
        """Removes a registered name; borrowed ones stay."""
        del self._own[name]

    def __iter__(self) -> Iterator[str]:
        """All names: registered ones first, then borrowed ones."""
        self._load_home()
        self._load_borrowed()
        yield from self._own
        yield from (name for name in self._borrowed if name not in self._own)

    def __len__(self) -> int:
        """Number of names."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Registry({self._kind!r}, {list(self._own)})"

    def _load_home(self) -> None:
        """Imports lcrs's own entries, once; marked before, since the import may itself look names up."""
        home, self._home = self._home, None
        if home is not None:
            try:
                importlib.import_module(home)
            except BaseException:
                self._home = home
                raise

    def _load_borrowed(self) -> None:
        """Fetches the entries of other libraries, once."""
        if self._borrow is not None:
            self._borrowed = self._borrow()
            self._borrow = None


def _place_of(entry: _Entry) -> tuple[str | None, str]:
    """Where `entry` is defined: file, or module where there is none, and name inside."""
    module = getattr(entry, "__module__", None)
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file or module, getattr(entry, "__qualname__", repr(entry))


def _is_beside_ours(entry: Any) -> bool:
    """Whether an entry is of a module that `lcrs.changed_copy` runs beside lcrs's own."""
    return str(getattr(entry, "__module__", "")).rpartition(".")[2].startswith("_copied_")


def _is_ours(entry: _Entry) -> bool:
    module = getattr(entry, "__module__", None) or ""
    return module.partition(".")[0] == __name__.partition(".")[0]


def _describe(entry: _Entry) -> str:
    return f"{entry.__module__}.{getattr(entry, '__qualname__', repr(entry))}"
