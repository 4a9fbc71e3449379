"""Words that were given up, or meant two things, are in no name of a file, a class or a function."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from python_imports import nodes_of, parsed

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "lcrs"
# Their successors are in the glossary of ARCHITECTURE.md, or say what a file holds.
IN_NO_FILE = re.compile(r"peer|placement|^(bell|claims|spares|faces|scaled_latent|offsets)\b")
IN_NO_NAME = re.compile(
    r"[Pp]eer|[Pp]lacement|^(Bell|Claims|Spares|Latents|Gaussian|Conditions?|Conditional|Steps|Gained)$"
)
ONE_FUNCTION = {"check_strings", "run_steps", "each_step", "level_of", "load_package"}
"""Functions that once were two of one name."""


def definitions(path: Path, *, at_the_top: bool = False) -> list[str]:
    """Names of the classes and functions of a file, perhaps without those in others."""
    nodes = parsed(path).body if at_the_top else nodes_of(path)
    return [node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)]


def test_no_file_has_such_a_name() -> None:
    folders = ("python", "rust", "tests", "docs", "examples")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.is_file()]
    kinds = {".py", ".pyi", ".rs", ".md", ".toml", ".json", ".sh", ".xz", ".npz"}
    names = {str(path.relative_to(ROOT)): path.name for path in files if path.suffix in kinds}
    assert len(names) > 700
    assert sorted(path for path, name in names.items() if IN_NO_FILE.search(name.lower())) == []


def test_no_class_or_function_has_such_a_name() -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for folder in (PACKAGE, ROOT / "tests")
        for path in sorted(folder.rglob("*.py"))
        if (wrong := [name for name in definitions(path) if IN_NO_NAME.search(name.strip("_"))])
    }
    assert found == {}


def test_one_name_is_one_function() -> None:
    places = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in ONE_FUNCTION.intersection(definitions(path, at_the_top=True)):
            places[name].append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
