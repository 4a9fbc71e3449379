"""Imports inside ``lcrs`` point one way: each level only knows the levels before it."""

from __future__ import annotations

import ast
from pathlib import Path

from python_imports import nodes_of, parsed

PACKAGE = Path(__file__).parents[2] / "python" / "lcrs"

LEVELS = [
    {"errors", "needs_torch", "copied_names", "moved_modules"},
    {"typing", "registry", "_lcrs"},
    {"coding", "pictures"},
    {"ops", "clouds", "metrics"},
    {"layers", "losses", "optimizers", "datasets", "transforms"},
    {"entropy_models"},
    {"latent_codecs"},
    {"models"},
    {"packages"},
    {"zoo"},
    {"codec", "changed_copy"},
    {"points"},
    {"evaluate", "train"},
    {"cli", "pillow", "testing", "ans", "_CXX", "shims", "utils", "version", "__init__"},
    {"__main__"},
]
RANK = {name: rank for rank, level in enumerate(LEVELS) for name in level}
# Names that the package's __init__ offers to everyone: they stand for the module that defines them.
ORIGIN_OF = {"__version__": "errors"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The sub-package or module directly under ``lcrs`` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> list[tuple[int, str]]:
    """Absolute dotted names under ``lcrs`` that a file imports, with their lines."""
    package = ["lcrs", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if name == "lcrs":
                found += [(node.lineno, f"lcrs.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, name))
    return [(line, name) for line, name in found if name.split(".")[0] == "lcrs" and name != "lcrs"]


def test_every_part_has_a_level() -> None:
    assert {part_of(path) for path in modules()} <= set(RANK)


def test_arrows_point_one_way() -> None:
    wrong = []
    for path in modules():
        source = part_of(path)
        for line, name in imported_modules(path):
            target = ORIGIN_OF.get(name.split(".")[1], name.split(".")[1])
            if target != source and RANK[target] >= RANK[source]:
                wrong.append(f"{path}:{line} imports {name}")
    assert not wrong


def test_only_coding_imports_the_native_module() -> None:
    users = {
        part_of(path)
        for path in modules()
        if any(n.startswith("lcrs._lcrs") for _, n in imported_modules(path))
    }
    assert users <= {"coding"}


def test_the_torch_free_parts_import_no_torch() -> None:
    free = {"errors", "coding", "codec", "cli", "evaluate", "__init__", "__main__", "ans", "_CXX", "shims"}
    wrong = []
    for path in modules():
        if part_of(path) not in free:
            continue
        tree = parsed(path)
        for node in tree.body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{path}:{node.lineno}" for name in names if name.split(".")[0] in {"torch", "torchvision"}
            ]
    assert not wrong
