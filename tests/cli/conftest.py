"""A folder of small pictures, and the command line in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path, photo: np.ndarray, model_path: Path) -> Path:
    """A folder with a tree of small pictures, some of them damaged, and other files."""
    folder = tmp_path / "pictures"
    (folder / "deep" / "er").mkdir(parents=True)
    for at, name in enumerate(("a.png", "b.JPG", "deep/c.bmp", "deep/er/d.ppm", "deep/er/e e.webp")):
        Image.fromarray(photo[at : at + 20, : 9 + at]).save(folder / name)
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:-40])
    (folder / "deep" / "no picture.jpg").write_text("words")
    (folder / "notes.txt").write_text("words")
    (folder / ".hidden.png").write_text("words")
    return folder


@pytest.fixture
def shell(tmp_path: Path, model_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line of the POSIX shell in ``tmp_path``; the tiny model is at hand."""

    def run(line: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = f'lcrs() {{ "{sys.executable}" -W error -m lcrs "$@"; }}\n{line}'
        return subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=os.environ | {"LCRS_MODEL_PATH": str(model_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    return run
