"""The README's own examples: they run as they stand, one after another."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "data" / "photo.png"
GIVEN = f"""\
import numpy as np
from PIL import Image
image = np.asarray(Image.open({str(PHOTO)!r}))[:96, :128]
"""
# A training run as it stands takes an hour.
SHORT_RUN = (
    *("steps=1", "batch=1", "crop=64", "device=cpu", "phases=[]", "model.begin=default"),
    *("validation.coded=0", "watch.display=off"),
)


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


@pytest.mark.slow
def test_python_examples(tmp_path, python_with_torch):
    examples = blocks("python")
    assert len(examples) >= 4
    program = GIVEN + "\n".join(examples)
    result = python_with_torch.run("-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "mine.lcrm").exists()


@pytest.mark.slow
def test_commands(readers_folder, python_with_torch):
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("lcrs ")]
    assert len(lines) >= 3
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        if words[0] == "train" and "list" not in words:
            words += SHORT_RUN
        elif words[0] in ("eval", "bench") and "photos" in words:
            words += ["-q", "20,45,70,90"]  # the fewest that a curve is made of
        result = python_with_torch.run("-m", "lcrs", *words, cwd=readers_folder, is_strict=False)
        assert result.returncode == 0, (line, result.stderr)
    for name in ("restored.png", "small.lcrs", "out/first.lcrs"):
        assert (readers_folder / name).exists()
