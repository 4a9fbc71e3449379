"""How Sphinx builds these pages: `make docs`."""

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

project = "lcrs"
author = "The lcrs authors"
copyright = "the lcrs authors, Apache-2.0"
version = release = version_of("lcrs")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# The crates' specifications begin their own numbering, and JSON with "..." is no JSON.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

html_theme = "furo"
html_title = f"lcrs {release}"
html_copy_source = False

autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "training"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# Docstrings write names in single backticks.
default_role = "code"

ROOT = Path(__file__).parents[1]
# Pages that are files of the repository as they stand, and where their links lead here.
WHOLE = {
    "architecture": "ARCHITECTURE.md",
    "benchmarks": "benches/README.md",
    "changes": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}
PAGES = {path: f"{name}.md" for name, path in WHOLE.items()}


def put_in(_: Any, name: str, source: list[str]) -> None:
    """Fills a page with its file; links to what is no page become names."""

    def link(found: re.Match[str]) -> str:
        text, target = found[1], found[2].removeprefix("docs/")
        target = PAGES.get(target, target)
        is_page = "://" in target or target.startswith("#") or (ROOT / "docs" / target).is_file()
        return f"[{text}]({target})" if is_page else text

    if name in WHOLE:
        text = (ROOT / WHOLE[name]).read_text(encoding="utf-8")
        source[0] = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", link, text)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", put_in)
