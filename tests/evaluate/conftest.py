"""Pictures and command lines for evaluation."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def bjontegaard() -> None:
    """Loaded by workers that run a test of curves, and by no other: it takes SciPy and Matplotlib along."""
    pytest.importorskip("bjontegaard")


@pytest.fixture
def pictures(tmp_path: Path, photo: np.ndarray) -> Path:
    """A folder of whole, odd and broken pictures."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo[:61, :50]).save(folder / "below" / "b.bmp")
    Image.fromarray(photo[..., 0]).save(folder / "grey.png")
    Image.fromarray(photo[:1, :1]).save(folder / "one.png")
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    return folder


@pytest.fixture
def odd(pictures: Path, photo: np.ndarray) -> Path:
    """The same with pictures that cannot be measured."""
    (pictures / "cut.png").write_bytes((pictures / "a.png").read_bytes()[:-4000])
    (pictures / "words.jpg").write_text("words")
    head = b"IHDR" + struct.pack(">2I5B", 1_000_000, 1_000_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (pictures / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    alpha = np.concatenate([photo, photo[..., :1]], axis=2)
    Image.fromarray(alpha).save(pictures / "alpha.png")
    (pictures / "notes.txt").write_text("words")
    return pictures


@pytest.fixture
def lcrs_command(tmp_path: Path, model_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs lcrs in ``tmp_path``; the tiny model is at hand."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "lcrs", *map(str, words)],
            cwd=tmp_path,
            env=os.environ | {"LCRS_MODEL_PATH": str(model_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
