"""Every environment variable that the code reads stands in one table, and the table has no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bLCRS_[A-Z]+(?:_[A-Z]+)*\b")
FOLDERS = ("python", "rust", "tests", "benches", "examples")
SOURCES = [*(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")), ROOT / "Makefile"]
SUFFIXES = {".py", ".pyi", ".rs", ".sh", ".ipynb", ""}


def tables() -> list[set[str]]:
    """The names in the table of lcrs, and in that of its tests and benchmarks."""
    text = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    parts = text.split("## Of the tests")
    rows = [[line.split("|")[1] for line in part.splitlines() if line.startswith("| `")] for part in parts]
    return [{name for cell in cells for name in NAME.findall(cell)} for cells in rows]


def names_in(folders: tuple[str, ...]) -> set[str]:
    found = set()
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        if path.is_file() and path.suffix in SUFFIXES and path != Path(__file__) and parts[0] in folders:
            if "target" in parts or "node_modules" in parts:
                continue
            found |= set(NAME.findall(path.read_text(encoding="utf-8", errors="replace")))
    return found


def test_the_table_has_what_is_read():
    ours, of_tests = tables()
    assert not ours & of_tests
    everywhere = names_in((*FOLDERS, "Makefile"))
    assert everywhere == ours | of_tests


def test_the_package_reads_only_its_own():
    ours, _ = tables()
    assert names_in(("python",)) == ours
