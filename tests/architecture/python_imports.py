"""Which file of the package takes names from which other one: read from its imports, wherever they stand."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file of this repository, which no test changes."""
    return ast.parse(path.read_text(encoding="utf-8"))


def walk(node: ast.AST) -> list[ast.AST]:
    """What `ast.walk` gives, in half its time: these tests look at all files, again and again."""
    nodes = [node]
    for part in nodes:
        for value in vars(part).values():
            if isinstance(value, list):
                nodes += [inner for inner in value if isinstance(inner, ast.AST)]
            elif isinstance(value, ast.AST):
                nodes.append(value)
    return nodes


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """All nodes of a file of this repository."""
    return walk(parsed(path))


def arrows(package: Path) -> dict[Path, set[Path]]:
    """For each file below ``package`` the other files that it takes names from.

    A name that a folder's ``__init__`` merely offers again is taken from the file that defines it.
    """
    trees = {path: parsed(path) for path in sorted(package.rglob("*.py"))}
    found = {}
    for path, tree in trees.items():
        if path.name == "__init__.py" and not _defines_anything(tree):
            continue
        targets = set()
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom):
                module = _module_of(node, path, package)
                targets |= {_file_of(module, alias.name, package, trees) for alias in node.names}
            elif isinstance(node, ast.Import):
                targets |= {_file_of(alias.name, None, package, trees) for alias in node.names}
        found[path] = {target for target in targets if target is not None} - {path}
    return found


def _defines_anything(tree: ast.Module) -> bool:
    """Whether more stands in a file than what it offers again, and how it finds that on demand."""
    definitions = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return any(node.name not in ("__getattr__", "__dir__") for node in definitions)


def _module_of(node: ast.ImportFrom, path: Path, package: Path) -> str:
    if not node.level:
        return node.module or ""
    folder = [package.name, *path.relative_to(package).parent.parts]
    return ".".join([*folder[: len(folder) - node.level + 1], *([node.module] if node.module else [])])


def _file_of(module: str, name: str | None, package: Path, trees: dict[Path, ast.Module]) -> Path | None:
    """The file that defines ``name`` of a module of the package; None for another package's."""
    parts = module.split(".")
    if parts[0] != package.name:
        return None
    base = package.joinpath(*parts[1:])
    if name is not None:
        inner = base / name
        for path in (inner.with_suffix(".py"), inner / "__init__.py"):
            if path in trees:
                return path
    path = base / "__init__.py" if (base / "__init__.py") in trees else base.with_suffix(".py")
    if path not in trees:
        return None
    if name is not None and path.name == "__init__.py":
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        found = _file_of(_module_of(node, path, package), alias.name, package, trees)
                        return found if found is not None else path
    return path
