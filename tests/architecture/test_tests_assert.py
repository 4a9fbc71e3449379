"""Every test can fail: it asserts something, whatever it is given, and expects one message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from python_imports import nodes_of, parsed, walk

TESTS = Path(__file__).parents[1]
ASSERTING = re.compile(r"assert|^check|^raises$|^warns$|^fail$|^deprecated_call$|^skip$")
# What the words that are asked for have in common is that they are one message's.
ONE_MESSAGE = {r"folder|exists", "finite|NaN", "nan|NaN|finite"}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Tests, helpers and fixtures of a file, but for what is defined in them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node)


def called(node: ast.AST) -> str:
    """The last part of the name of what is called."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", "") or getattr(function, "id", "")


def is_asserting(node: ast.AST, helpers: set[str]) -> bool:
    """Whether anything below a node may fail a test, by itself or by a helper that does."""
    for part in walk(node):
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.Call) and (ASSERTING.search(name := called(part)) or name in helpers):
            return True
    return False


def asserting_helpers(trees: list[ast.Module]) -> set[str]:
    """Functions and fixtures of the tests that assert."""
    helpers = [
        (function.name, is_asserting(function, set()), {called(part) for part in walk(function)})
        for tree in trees
        for function in functions(tree)
        if not function.name.startswith("test_")
    ]
    found: set[str] = set()
    while True:
        more = {name for name, is_one, calls in helpers if is_one or calls & found}
        if more <= found:
            return found
        found |= more


def early_returns(test: ast.FunctionDef, helpers: set[str]) -> list[int]:
    """Lines at which a test is over before it asserts, but where an error is what was expected."""
    lines: list[int] = []
    if not any(isinstance(part, ast.Return) for part in walk(test)):
        return lines

    def visit(statements: list[ast.stmt], has_asserted: bool) -> bool:
        for statement in statements:
            if isinstance(statement, ast.Return) and not has_asserted:
                lines.append(statement.lineno)
            if isinstance(statement, ast.If):
                before = has_asserted or is_asserting(statement.test, helpers)
                visit(statement.body, before)
                visit(statement.orelse, before)
            elif isinstance(statement, ast.With | ast.For | ast.While | ast.Try):
                visit(statement.body, has_asserted)
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                has_asserted = has_asserted or is_asserting(statement, helpers)
        return has_asserted

    visit(test.body, has_asserted=False)
    return lines


def alternatives(nodes: list[ast.AST]) -> list[str]:
    """Patterns of messages that are choices between short words, of which any would do."""
    patterns = [
        keyword.value.value
        for node in nodes
        if called(node) in ("raises", "warns")
        for keyword in node.keywords
        if keyword.arg == "match" and isinstance(keyword.value, ast.Constant)
    ]
    return [pattern for pattern in patterns if re.fullmatch(r"\w+(\|\w+)+", pattern)]


@pytest.mark.slow
def test_every_test_asserts_something() -> None:
    trees = {path: parsed(path) for path in sorted(TESTS.rglob("*.py"))}
    helpers = asserting_helpers(list(trees.values()))
    found, num_tests = [], 0
    for path, tree in trees.items():
        place = path.relative_to(TESTS)
        for test in functions(tree):
            if not test.name.startswith("test_"):
                continue
            num_tests += 1
            if not is_asserting(test, helpers):
                found.append(f"{place}:{test.lineno} {test.name} asserts nothing")
            found += [f"{place}:{line} {test.name} returns first" for line in early_returns(test, helpers)]
        found += [f"{place}: {words}" for words in alternatives(nodes_of(path)) if words not in ONE_MESSAGE]
    assert num_tests > 1000
    assert found == []


@pytest.mark.parametrize(
    ("body", "is_wrong"),
    [
        ("run()", True),
        ("helper()", False),
        ("if x:\n        return\n    assert x", True),
        ("assert y\n    if x:\n        return\n    assert x", False),
        ("try:\n        run()\n    except OSError:\n        return\n    assert x", False),
        ("def inner():\n        return\n    assert x", False),
    ],
)
def test_such_tests_are_found(body: str, is_wrong: bool) -> None:
    tree = ast.parse(f"def helper():\n    assert z\ndef test_it():\n    {body}\n")
    helpers, test = asserting_helpers([tree]), list(functions(tree))[1]
    assert (not is_asserting(test, helpers) or bool(early_returns(test, helpers))) == is_wrong
