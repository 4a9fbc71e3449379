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

# Circles that are still there, by imports for types alone or within functions: none may be added.
REMAINING = [
    {"cli/__init__.py", "cli/completion.py"},
    {"cli/batch.py", "cli/progress.py", "cli/workers.py"},
    {"codec/picture_numbers.py", "codec/samples.py", "codec/torch_model.py"},
    {
        "entropy_models/base.py",
        "entropy_models/entropy_bottleneck.py",
        "entropy_models/gaussian.py",
        "entropy_models/mixture.py",
        "entropy_models/own_densities.py",
    },
    {"layers/lowering.py", "layers/torch_layers.py"},
    {"pictures/arrays.py", "pictures/picture.py"},
    {"pictures/convert.py", "pictures/opening.py"},
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
    found = named(circles(arrows), package)
    assert [circle for circle in found if not any(set(circle) <= known for known in REMAINING)] == []


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
