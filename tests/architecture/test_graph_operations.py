"""The operations of a graph stand in four places: Python, Rust, the specification and the slow reader."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from python_imports import nodes_of, parsed

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "rust" / "lcrs-codec"
READER = ROOT / "tests" / "golden" / "reader"


def of_python() -> dict[str, set[str]]:
    """Operations that networks lower to, with their attributes: the table `OPS`."""
    tree = parsed(ROOT / "python" / "lcrs" / "layers" / "lowering.py")
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "OPS"
    )
    assert isinstance(table, ast.Dict)
    found = {}
    for key, call in zip(table.keys, table.values, strict=True):
        _, *attributes = (argument.value for argument in call.args)
        found[key.value] = set(" ".join(attributes).split())
    return found


def of_specification() -> dict[str, set[str]]:
    """The same of the specification's table, whose rows may refer to the one before."""
    text = (CRATE / "README.md").read_text(encoding="utf-8")
    rows = text.split("| op | attributes | result |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    found, before = {}, set()
    for row in rows:
        names, attributes, _ = (cell.strip() for cell in row.strip("|").split("|")[:3])
        given = {name for name in re.findall(r"`([^`]+)`", attributes) if re.fullmatch(r"[a-z_]+", name)}
        before = given | before if attributes.startswith("the same") else given
        found.update(dict.fromkeys(re.findall(r"`(\w+)`", names), before))
    return found


def of_rust() -> set[str]:
    """What the parser of graphs knows."""
    text = "".join((CRATE / "src" / "graph" / name).read_text() for name in ("parse.rs", "parse_spatial.rs"))
    arms = re.findall(r'^ +((?:"\w+"(?: \| )?)+) => ', text, re.MULTILINE)
    arms += re.findall(r'None if name == ("\w+") =>', text)
    words = {word for arm in arms for word in re.findall(r'"(\w+)"', arm)}
    return words - {"nearest", "bilinear", "zeros", "reflect", "replicate", "circular"}


def of_reader() -> set[str]:
    """What the reader that is written from the specification alone runs."""
    return {name for path in ("graph.py", "spatial.py") for name in _operations(READER / path)}


def _operations(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.match_case):
            for pattern in ast.walk(node.pattern):
                if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant):
                    yield pattern.value.value
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
            "FUNCTIONS",
            "OPERATIONS",
        ):
            yield from (key.value for key in node.value.keys)


def test_the_specification_has_what_python_writes():
    assert of_specification() == of_python()


def test_rust_knows_what_is_specified():
    assert of_rust() == set(of_specification())


def test_the_reader_knows_what_is_specified():
    assert of_reader() == set(of_specification())
