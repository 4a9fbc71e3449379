"""Writes where the project lives into every file that says so, or checks that they all do.

Until it has a place on the web nothing says one, for a guess may come to belong to somebody else. Then one
command (`make addresses`) writes it, again where the project moves; a release is refused before.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

CRATES = ("lcrs-core", "lcrs-format", "lcrs-codec")
ADDRESS = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:/[A-Za-z0-9._~%-]+)*")


def written(texts: dict[str, str], repository: str, documentation: str) -> dict[str, str]:
    """The files with both addresses, each of them once, whatever addresses they had."""
    urls = {
        "Homepage": repository,
        "Repository": repository,
        "Documentation": documentation,
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    section = "[project.urls]\n" + "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    project = without_urls(texts["pyproject.toml"])
    project = put_before("[project.scripts]", f"{section}\n", project)
    workspace = put_after(
        "license", f'repository = "{repository}"\n', without("repository", texts["Cargo.toml"])
    )
    changed = {"pyproject.toml": project, "Cargo.toml": workspace}
    for crate in CRATES:
        name = f"rust/{crate}/Cargo.toml"
        changed[name] = put_after(
            "license.workspace", "repository.workspace = true\n", without("repository", texts[name])
        )
    citation = without("url", without("repository-code", texts["CITATION.cff"]))
    both = f'repository-code: "{repository}"\nurl: "{documentation}"\n'
    return {**changed, "CITATION.cff": put_after("license", both, citation)}


def without_urls(project: str) -> str:
    """`pyproject.toml` without its section of addresses."""
    return re.sub(r"^\[project\.urls\]\n(?:(?!\[).*\n)*", "", project, flags=re.MULTILINE)


def without(key: str, text: str) -> str:
    """A text without the lines of one key."""
    return re.sub(rf"^{key}(?:\.workspace)?(?: =|:) .*\n", "", text, flags=re.MULTILINE)


def put_after(key: str, lines: str, text: str) -> str:
    """A text with lines behind that of a key, which it has once."""
    changed, count = re.subn(
        rf"^({re.escape(key)}(?: =|:) .*\n)", lambda found: found[1] + lines, text, flags=re.MULTILINE
    )
    if count != 1:
        raise SystemExit(f"{key!r} stands {count} times where it has to stand once")
    return changed


def put_before(heading: str, lines: str, text: str) -> str:
    """A text with lines in front of a heading, which it has once."""
    if text.count(f"\n{heading}\n") != 1:
        raise SystemExit(f"{heading} has to stand once")
    return text.replace(f"\n{heading}\n", f"\n{lines}{heading}\n")


def missing(texts: dict[str, str]) -> list[str]:
    """The files that do not say where the project lives."""
    said = {
        "pyproject.toml": ("\n[project.urls]\n", '\nRepository = "https://', '\nDocumentation = "https://'),
        "Cargo.toml": ('\nrepository = "https://',),
        "CITATION.cff": ('\nrepository-code: "https://', '\nurl: "https://'),
        **{f"rust/{crate}/Cargo.toml": ("\nrepository.workspace = true\n",) for crate in CRATES},
    }
    return [name for name, marks in said.items() if not all(mark in texts[name] for mark in marks)]


def read(root: Path) -> dict[str, str]:
    """The files that say where the project lives."""
    names = [
        "pyproject.toml",
        "Cargo.toml",
        "CITATION.cff",
        *(f"rust/{crate}/Cargo.toml" for crate in CRATES),
    ]
    return {name: (root / name).read_text(encoding="utf-8") for name in names}


def main(arguments: list[str], root: Path = Path(__file__).parents[2]) -> int:
    """As `make addresses` and `make release-check` call it."""
    parser = argparse.ArgumentParser(prog="addresses", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where an address is missing")
    parser.add_argument("repository", nargs="?", default="")
    parser.add_argument("documentation", nargs="?", default="")
    options = parser.parse_args(arguments)
    texts = read(root)
    if options.check:
        names = missing(texts)
        for name in names:
            print(f"{name} does not say where the project lives: make addresses", file=sys.stderr)
        return int(bool(names))
    for address in (options.repository, options.documentation):
        if not ADDRESS.fullmatch(address) or address.endswith(".git"):
            usage = "make addresses REPOSITORY=https://... DOCUMENTATION=https://..."
            print(f"{address!r} is no address: {usage}, without / or .git at the end", file=sys.stderr)
            return 2
    for name, text in written(texts, options.repository, options.documentation).items():
        (root / name).write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
