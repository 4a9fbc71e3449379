"""What a release says of itself in several places is one thing."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def version() -> str:
    return re.search(r'^\[workspace\.package\]\nversion = "(.*)"$', text("Cargo.toml"), re.MULTILINE)[1]


def test_crates_ask_for_each_other_by_the_version_they_have():
    found = re.findall(r'^lcrs-\w+ = \{.*version = "(.*?)"', text("Cargo.toml"), re.MULTILINE)
    assert found == [version()] * 3


def test_the_citation_has_the_version():
    assert f"\nversion: {version()}\n" in text("CITATION.cff")


def test_the_changelog_has_numbers_and_dates():
    headings = re.findall(r"^## (.*)$", text("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    for heading in headings[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", heading)
    numbers = [tuple(map(int, heading.split(" ")[0].split("."))) for heading in headings[1:]]
    assert numbers == sorted(numbers, reverse=True)


def test_classifiers_and_targets_know_the_oldest_python():
    oldest = re.search(r'^requires-python = ">=(.*)"$', text("pyproject.toml"), re.MULTILINE)[1]
    assert f'"abi3-py{oldest.replace(".", "")}"' in text("rust/lcrs-py/Cargo.toml")
    assert f'python_version = "{oldest}"' in text("pyproject.toml")
    assert f'"{oldest}"' in text(".github/workflows/ci.yml")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is of Python 3.11")
def test_extras_that_others_name_exist():
    import tomllib

    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    named = {
        extra
        for requirements in extras.values()
        for requirement in requirements
        for found in [re.match(r"lcrs\[(.*)\]", requirement)]
        if found
        for extra in found[1].split(",")
    }
    assert named <= set(extras)


def test_commands_of_workflows_are_targets():
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for line in re.findall(r"\bmake ([a-z -]+)", path.read_text()):
            assert set(line.split()) - {"gcc", "libc"} <= targets, (path.name, line)
