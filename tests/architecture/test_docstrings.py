"""Documentation that runs, and one text for the stub and the binary."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from python_imports import nodes_of

import lcrs
import tiny_package
from lcrs import _lcrs, codec
from lcrs.packages import lookup as packages

STUB = Path(lcrs.__file__).with_name("_lcrs.pyi")


def documented(tree: ast.AST, owner: object, prefix: str = "") -> list[tuple[str, str, object]]:
    """Names, docstrings and run-time objects of everything documented under ``tree``."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            there = getattr(owner, node.name)
            found.append((prefix + node.name, text, there))
            found += documented(node, there, f"{prefix}{node.name}.")
    return found


NATIVE = documented(ast.parse(STUB.read_text(encoding="utf-8")), _lcrs)
# the interpreter documents its own protocols
COMPARED = [entry for entry in NATIVE if not entry[0].endswith("__")]


@pytest.mark.parametrize(("name", "text", "there"), COMPARED, ids=[name for name, _, _ in COMPARED])
def test_the_binary_says_what_the_stub_says(name: str, text: str, there: object) -> None:
    assert inspect.getdoc(there).split() == text.split()


def test_everything_in_the_stub_is_documented() -> None:
    named = {name for name, _, _ in NATIVE}
    public = [name for name in _lcrs.__all__ if callable(getattr(_lcrs, name))]
    assert set(public) <= named


@pytest.mark.parametrize(
    "module", ["lcrs", "lcrs.codec", "lcrs.codec.batch", "lcrs.coding.coder", "lcrs.metrics"]
)
def test_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_package.write(tmp_path / "any.lcrm", codec.DEFAULT_MODEL)
    monkeypatch.setattr(packages, "_SHIPPED", tmp_path / "none")
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path))
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 2
    assert results.failed == 0


def strings_of(path: Path) -> Iterator[str]:
    """Docstrings, those of attributes included."""
    for node in nodes_of(path):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def in_another_dialect(text: str) -> list[str]:
    """What is not written as it is elsewhere: `code` in one pair of marks, and errors without an "if"."""
    plain = "\n".join(line for line in text.splitlines() if ">>>" not in line)
    found = re.findall(r"(?<!`)``(?!`)[^`\s\\](?:[^`\\]*[^`\s\\])?``(?!`)", plain)
    return found + re.findall(r"^\s+\w+(?:Error|Exception|Interrupt): if .*", plain, re.MULTILINE)


def test_docstrings_speak_one_dialect() -> None:
    package = STUB.parent
    found = {
        str(path.relative_to(package)): wrong
        for path in sorted(package.rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
        and (wrong := [words for text in strings_of(path) for words in in_another_dialect(text)])
    }
    assert found == {}
    assert in_another_dialect("Raises:\n    ValueError: if it is.") == ["    ValueError: if it is."]
    assert in_another_dialect("Gives ``x``.") == ["``x``"]
