"""A changed copy of CompressAI's sources beside a user's script: what it has beyond lcrs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from lcrs.copied_names import exported_names, source_names, source_of, source_tables

__all__ = ["Copy", "find_copy"]

_OURS = Path(__file__).parent
_INSTALLED = ("site-packages", "dist-packages")
_MAX_NAMED = 6


def find_copy(folders: Iterable[Path], name: str = "compressai") -> Path | None:
    """The first package `name` that lies in one of `folders`; not what is installed."""
    found = (folder / name for folder in folders if not set(folder.parts) & set(_INSTALLED))
    return next((path for path in found if (path / "__init__.py").is_file()), None)


class Copy:
    """The sources of a changed copy.

    Args:
        folder: Of the package.
        name: What it is imported as.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._extended: list[tuple[ModuleType, dict[str, Any]]] = []

    def spec(self, fullname: str) -> ModuleSpec | None:
        """How the module `fullname` is loaded from the copy; None if that has none."""
        path = self._file(fullname)
        if path is None:
            return None
        inside = [str(path.parent)] if path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(fullname, path, submodule_search_locations=inside)

    def _file(self, fullname: str) -> Path | None:
        return source_of(self.folder, *fullname.split(".")[1:])

    def has_more(self, module: ModuleType, fullname: str) -> bool:
        """Whether the copy of `fullname` has names that `module`, which is lcrs's, has not."""
        path = self._file(fullname)
        return path is not None and bool(source_names(path, self.folder) - _names_of(module))

    def extend(self, module: ModuleType, fullname: str) -> None:
        """Lets `module`, which is lcrs's, have the names that the copy of `fullname` has beyond it.

        They are looked up when somebody asks for one, by name or by `*`: then the copy's file is run, as a
        module of its own. So it is with entries of dictionaries that `module` looks up itself, such as
        `lcrs.zoo.models`; entries that lcrs has stay lcrs's.
        """
        path = self._file(fullname)
        if path is None or not (path.name == "__init__.py" or self.has_more(module, fullname)):
            return
        if any(extended is module for extended, _ in self._extended):
            return
        before: dict[str, Any] = {
            name: vars(module)[name] for name in ("__getattr__", "__all__") if name in vars(module)
        }
        ours: Any = before.get("__getattr__")
        listed = before.get("__all__")
        names, exported = source_names(path, self.folder), exported_names(path, self.folder)
        tables = {} if ours is None else source_tables(path)
        for name in tables.keys() & vars(module).keys():  # looked up before
            before[name] = vars(module).pop(name)
        public = (
            [name for name in vars(module) if not name.startswith("_")] if listed is None else list(listed)
        )
        loaded: list[ModuleType] = []
        joined: dict[str, dict[str, Any]] = {}

        def side() -> ModuleType:
            if not loaded:
                self._run_side_module(fullname, path, loaded)
            return loaded[0]

        def our_own(name: str) -> Any:
            """What lcrs looks up itself; dictionaries with the copy's entries."""
            if name in tables and name not in joined:
                own = {each: found for each in tables if isinstance(found := _found(ours, each), dict)}
                if any(tables[each] - found.keys() for each, found in own.items()):
                    joined.update({k: {**getattr(side(), k, {}), **found} for k, found in own.items()})
                    for each in own:  # which lcrs has kept
                        vars(module).pop(each, None)
            return joined[name] if name in joined else ours(name)

        def look_up(name: str) -> Any:
            if name == "__all__":
                # Only where `*` has something to take from it is the copy run.
                more = _exports_of(side()) if exported - _names_of(module) - set(public) else []
                return [*public, *(name for name in more if name not in public)]
            if ours is not None:
                try:
                    return our_own(name)
                except AttributeError:
                    pass
            # Only what the sources name: the copy is not run for what nobody has.
            if name in names or (loaded and name in vars(loaded[0])):
                return getattr(side(), name)
            if path.name == "__init__.py" and self._file(f"{fullname}.{name}") is not None:
                return importlib.import_module(f"{fullname}.{name}")
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = look_up
        vars(module).pop("__all__", None)  # `*` then asks `look_up`
        self._extended.append((module, before))

    def _run_side_module(self, fullname: str, path: Path, loaded: list[ModuleType]) -> None:
        """Runs the copy's own version of a module that lcrs has, under another name, with lcrs's neighbours.

        It is in `loaded` from the beginning: what it imports may ask for its names, as far as there are any.
        """
        is_package = path.name == "__init__.py"
        parent, _, leaf = fullname.rpartition(".")
        name = f"{parent or self.name}._copied_{leaf}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        module.__package__ = fullname if is_package else parent
        if module.__spec__ is not None and is_package:
            module.__spec__ = None  # relative imports then go by __package__
        sys.modules[name] = module
        loaded.append(module)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            loaded.clear()
            del sys.modules[name]
            raise

    def withdraw(self) -> None:
        """Undoes `extend` of all modules."""
        for module, before in self._extended:
            vars(module).pop("__getattr__", None)
            vars(module).update(before)
        self._extended.clear()

    def summary(self) -> str:
        """What is found, and what comes from where."""
        own, changed = [], []
        for path in sorted(self.folder.rglob("*.py")):
            relative = path.relative_to(self.folder)
            ours = [_OURS / relative, _OURS / relative.with_suffix("") / "__init__.py"]
            if relative.name == "__init__.py" and relative.parent.name:
                ours.append(_OURS / relative.parent.with_suffix(".py"))
            counterpart = next((file for file in ours if file.is_file()), None)
            if counterpart is None:
                own.append(str(relative))
            elif source_names(path, self.folder) - source_names(counterpart, _OURS):
                changed.append(str(relative))
        text = f"{self.folder} is a copy of CompressAI; lcrs takes its place"
        if own:
            text += f", with the modules of its own on top ({_listed(own)})"
        if changed:
            text += f"; names that lcrs has not come from {_listed(changed)}"
        return text + ". Other changes in it have no effect"


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _found(look_up: Any, name: str) -> Any:
    try:
        return look_up(name)
    except AttributeError:
        return None


def _names_of(module: ModuleType) -> set[str]:
    """Names that a module has, those included that it says it has."""
    return {*vars(module), *vars(module).get("__all__", ())}


def _exports_of(module: ModuleType) -> list[str]:
    """What `*` takes from a module."""
    listed = getattr(module, "__all__", None)
    return [name for name in vars(module) if not name.startswith("_")] if listed is None else list(listed)
