"""What ARCHITECTURE.md and CONTRIBUTING.md say of files and folders: they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Where a path that is cut short may begin.
BEGINNINGS = [ROOT, ROOT / "rust" / "lcrs-core" / "src", ROOT / "python" / "lcrs"]


def named_paths(text: str) -> set[str]:
    """Whatever in backticks or in a drawing looks like a path of this repository."""
    words = {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in quoted.split()}
    words |= set(re.findall(r"\b(?:python|rust|tests|benches|docs|examples)/[\w./{},-]+", text))
    paths = {re.sub(r"::.*", "", word).rstrip(".,;:)") for word in words if "/" in word}
    return {path for path in paths if re.fullmatch(r"[a-z_][\w.-]*(/[\w.{},-]+)+/?", path)}


def unfolded(path: str) -> list[str]:
    """`a/{b,c}.rs` as two paths."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", path)
    return [found[1] + part + found[3] for part in found[2].split(",")] if found else [path]


def exists(path: str) -> bool:
    return any((beginning / path).exists() for beginning in BEGINNINGS)


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_paths_exist(page):
    paths = [
        part for path in named_paths((ROOT / page).read_text(encoding="utf-8")) for part in unfolded(path)
    ]
    assert len(paths) > 5
    assert sorted(path for path in paths if not exists(path)) == []


def test_five_names_and_all_floors_are_told_apart():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    parts = {
        path.stem
        for path in (ROOT / "python" / "lcrs").iterdir()
        if path.is_dir() and path.name[0] not in "_."
    }
    drawn = set(re.findall(r"lcrs\.(\w+)", text.split("## Floors")[1].split("Five names")[0]))
    # shims of CompressAI's places, and what everything may use
    assert parts - drawn <= {"registry", "typing", "utils", "cli"}


def test_words_that_were_given_up_do_not_come_back():
    given_up = re.compile(r"\b(Steps|Gained|Conditions?|Spares|Bell|Claims|Placement)\b")
    found = {}
    for path in sorted((ROOT / "rust").glob("*/src/**/*.rs")):
        code = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        if words := set(given_up.findall(code)):
            found[str(path.relative_to(ROOT))] = words
    assert found == {}
