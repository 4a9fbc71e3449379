"""The pages in `docs`: every example and every command runs as it stands, and links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "data" / "photo.png"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
GIVEN = f"""\
import numpy as np
from PIL import Image
image = np.asarray(Image.open({str(PHOTO)!r}).convert("RGB"))[:96, :128]
"""
# Pages whose commands a test of their own runs, with what they need.
ELSEWHERE = {"training"}
# What readers have beside them when they follow a page: a class of theirs, with a checkpoint.
MY_MODULE = """\
import torch
from lcrs.models import FactorizedPrior

class MyNet(FactorizedPrior):
    def __init__(self):
        super().__init__(8, 12)

if __name__ == "__main__":
    torch.manual_seed(0)
    torch.save(MyNet().state_dict(), "checkpoint.pt")
"""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT / "docs").with_suffix(""))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("python"), ids=name_of)
def test_python_examples_run(page, tmp_path, python_with_torch):
    result = python_with_torch.run("-c", GIVEN + "\n".join(blocks(page, "python")), cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("sh"), ids=name_of)
def test_commands_run(page, readers_folder, python_with_torch):
    def run(*words):
        result = python_with_torch.run(*words, cwd=readers_folder, is_strict=False)
        assert result.returncode == 0, (words, result.stderr)

    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("lcrs ")]
    if not commands or name_of(page) in ELSEWHERE:
        pytest.skip("no command of lcrs")
    if any("--import" in command for command in commands):
        (readers_folder / "my_module.py").write_text(MY_MODULE)
        run("my_module.py")
    for command in commands:
        # a page that goes through the same steps twice would meet what it has written
        is_writing = command[0] in ("encode", "decode")
        run("-m", "lcrs", *command, *(["--force"] if is_writing else []))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(
        r"^```\{(?:literal)?include\} (\S+)", text, re.MULTILINE
    )
    for target in targets:
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_every_page_is_in_the_contents():
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent / f"{entry}.md").resolve() for entry in entries}
    assert listed == set(PAGES) - {ROOT / "docs" / "index.md"}
