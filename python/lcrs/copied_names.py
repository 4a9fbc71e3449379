"""Which names a source file has, told without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["exported_names", "source_names", "source_of", "source_tables"]

_PACKAGES = ("compressai", "lcrs")


def source_of(root: Path, *parts: str) -> Path | None:
    """The file of a module below the package `root`; None if there is none."""
    base = root.joinpath(*parts)
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def source_names(path: Path, root: Path, seen: frozenset[Path] = frozenset()) -> set[str]:
    """Public names that a file defines or takes from its package, by `*` too.

    Args:
        path: The file; one that is no Python has none.
        root: The folder of its package.
        seen: Files that are being read, which star imports may lead back to.
    """
    found: set[str] = set()
    for node in _statements(_parsed(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and (node.level or _is_of_package(node.module, root)):
            names = {alias.asname or alias.name for alias in node.names}
            starred = _source_of_import(node, path, root) if "*" in names else None
            found |= names
            if starred is not None and starred not in seen | {path}:
                found |= exported_names(starred, root, seen | {path})
    return {name for name in found if not name.startswith(("_", "*"))}


def exported_names(path: Path, root: Path, seen: frozenset[Path] = frozenset()) -> set[str]:
    """What `*` takes from a file: its `__all__` where that is written out, and all of `source_names` else."""
    for node in _statements(_parsed(path)):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            try:
                return set(ast.literal_eval(node.value))
            except (ValueError, TypeError):
                break
    return source_names(path, root, seen)


def source_tables(path: Path) -> dict[str, set[str]]:
    """Dictionaries that a file writes out, by name: those of their keys that are strings."""
    return {
        target.id: {
            key.value
            for key in node.value.keys
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        for node in _statements(_parsed(path))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _source_of_import(node: ast.ImportFrom, path: Path, root: Path) -> Path | None:
    parts = node.module.split(".") if node.module else []
    if not node.level:
        return source_of(root, *parts[1:])
    folder = path.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    return source_of(folder, *parts)


def _is_of_package(module: str | None, root: Path) -> bool:
    return str(module).split(".")[0] in (*_PACKAGES, root.name)


def _parsed(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return []


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at the top level, those under conditions included."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements([*node.body, *node.orelse])
