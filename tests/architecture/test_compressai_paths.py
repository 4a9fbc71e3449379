"""Paths that are there for CompressAI's users alone: one table lists them, and they define nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from python_imports import parsed

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "lcrs"
ROWS = re.findall(
    r"^\| `(lcrs[\w.]+)` \| `(lcrs[\w.]*)` \|$",
    (ROOT / "docs" / "moving-over.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
OWN = {"lcrs.utils", "lcrs.utils.video", "lcrs.version"}
"""Folders of programs, and where the version is: they do more than to name others' objects."""


def file_of(module: str) -> Path:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(["lcrs", *(part for part in parts if part != "__init__")])


def test_the_table_lists_them_all() -> None:
    said = re.compile(r"CompressAI's (older )?(path|name) ")
    texts = {path: parsed(path) for path in PACKAGE.rglob("*.py")}
    found = {module_of(path) for path, tree in texts.items() if said.match(ast.get_docstring(tree) or "")}
    assert {path for path, _ in ROWS} == found


@pytest.mark.parametrize(("path", "home"), [row for row in ROWS if row[0] not in OWN])
def test_what_is_there_is_defined_elsewhere(path: str, home: str) -> None:
    assert file_of(home).is_file()
    tree = parsed(file_of(path))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    sources = {f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    assert any(f"{source}.".startswith(f"{home}.") for source in sources), sources
    assert not [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
