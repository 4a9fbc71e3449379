"""No file takes a name from one that takes a name from it, however long the way round."""

from __future__ import annotations

from pathlib import Path

import pytest
import python_imports
import rust_imports
from circles import circles

ROOT = Path(__file__).parents[2]
CRATES = [
    *sorted(ROOT.glob("rust/lcrs-*/src/lib.rs")),
    *sorted(ROOT.glob("rust/lcrs-*/src/bin/*/main.rs")),
    ROOT / "benches" / "src" / "lib.rs",
    ROOT / "rust" / "fuzz" / "src" / "lib.rs",
]


def named(found: list[list[Path]], folder: Path) -> list[list[str]]:
    return [sorted(str(path.relative_to(folder)) for path in circle) for circle in found]


@pytest.mark.parametrize("root", CRATES, ids=lambda root: "/".join(root.relative_to(ROOT).parts[:-2]))
def test_crates_have_no_circles(root):
    arrows = rust_imports.arrows(root)
    assert named(circles(arrows), root.parent) == []
    # every file of the crate is looked at, but for those that are compiled for tests alone
    files = {path for path in root.parent.rglob("*.rs") if "bin" not in path.relative_to(root.parent).parts}
    assert {path.name for path in files - set(arrows)} <= {"tests.rs"}


def test_the_package_has_no_circles():
    package = ROOT / "python" / "lcrs"
    arrows = python_imports.arrows(package)
    assert sum(map(len, arrows.values())) > 300
    assert named(circles(arrows), package) == []


def test_circles_are_found(tmp_path):
    (tmp_path / "lib.rs").write_text("mod a;\nmod b;\nmod c;\npub use a::First;\n")
    (tmp_path / "a.rs").write_text("use crate::c::Third;\npub struct First;\n")
    (tmp_path / "b.rs").write_text(
        "use crate::{\n    First, // through the crate's face\n};\npub struct Second;\n"
    )
    (tmp_path / "c.rs").write_text(
        "pub struct Third(pub super::b::Second);\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n"
    )
    assert named(circles(rust_imports.arrows(tmp_path / "lib.rs")), tmp_path) == [["a.rs", "b.rs", "c.rs"]]
    package = tmp_path / "lcrs"
    package.mkdir()
    (package / "__init__.py").write_text("from lcrs.a import first\n")
    (package / "a.py").write_text("def first():\n    from lcrs import b\n    return b.second\n")
    (package / "b.py").write_text("from lcrs import first\nfrom . import c\nsecond = first\n")
    (package / "c.py").write_text("import lcrs\n")
    assert named(circles(python_imports.arrows(package)), package) == [["a.py", "b.py"]]
