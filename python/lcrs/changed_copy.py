"""A changed copy of CompressAI's sources beside a user's script: what it has beyond lcrs."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Copy", "find_copy"]

_OURS = Path(__file__).parent
_PACKAGES = ("compressai", "lcrs")
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
        self._extended: list[tuple[ModuleType, Any]] = []

    def spec(self, fullname: str) -> ModuleSpec | None:
        """How the module `fullname` is loaded from the copy; None if that has none."""
        path = self._file(fullname)
        if path is None:
            return None
        inside = [str(path.parent)] if path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(fullname, path, submodule_search_locations=inside)

    def _file(self, fullname: str) -> Path | None:
        parts = fullname.split(".")[1:]
        base = self.folder.joinpath(*parts)
        candidates = (base / "__init__.py", base.with_suffix(".py"))
        return next((path for path in candidates if path.is_file()), None)

    def extend(self, module: ModuleType, fullname: str) -> None:
        """Lets `module`, which is lcrs's, have the names that the copy of `fullname` has beyond it.

        They are looked up when somebody asks for one: then the copy's file is run, as a module of its own.
        """
        path = self._file(fullname)
        if path is None or not _names(path, stars=True):
            return
        before = vars(module).get("__getattr__")
        loaded: list[ModuleType] = []

        def look_up(name: str) -> Any:
            if before is not None:
                try:
                    return before(name)
                except AttributeError:
                    pass
            # Only what the sources name: the copy is not run for what nobody has.
            if name not in _names(path, stars=True):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            if not loaded:
                loaded.append(self._side_module(fullname, path))
            return getattr(loaded[0], name)

        vars(module)["__getattr__"] = look_up
        self._extended.append((module, before))

    def _side_module(self, fullname: str, path: Path) -> ModuleType:
        """The copy's own version of a module that lcrs has, under another name, with lcrs's neighbours."""
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
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def withdraw(self) -> None:
        """Undoes `extend` of all modules."""
        for module, before in reversed(self._extended):
            if before is None:
                del vars(module)["__getattr__"]
            else:
                vars(module)["__getattr__"] = before
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
            elif _names(path, stars=True) - _names(counterpart, stars=True):
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


def _names(path: Path, stars: bool = False) -> set[str]:
    """Public names that a source file defines or takes from its package; with `stars` also by `*`."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and (node.level or str(node.module).startswith(_PACKAGES)):
            found |= {alias.asname or alias.name for alias in node.names}
            if stars and node.level == 1 and "*" in found:
                base = path.parent.joinpath(*(node.module or "").split("."))
                inner = (base / "__init__.py", base.with_suffix(".py"))
                found |= {name for file in inner if file.is_file() for name in _names(file, stars)}
    return {name for name in found - {"*"} if not name.startswith("_")}


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at the top level, those under conditions included."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements([*node.body, *node.orelse])
