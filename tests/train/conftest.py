"""Folders of pictures and tiny runs for tests of the training engine."""

import sys
from pathlib import Path

import pytest
from picture_folders import write_pictures

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

TINY_RUN = {
    "model.sizes": {"N": 8, "M": 12}, "steps": 8, "batch": 2, "crop": 64, "device": "cpu", "threads": 1,
    "workers": 0, "watch.display": "off", "watch.every": 2, "checkpoint_every": 3, "validation.coded": 0,
    "validation.qualities": [50.0], "validation.sheet": False, "validation.size": 64,
}  # fmt: skip


@pytest.fixture
def pictures(photo, tmp_path):
    """A folder of six pictures, 112 x 96."""
    return write_pictures(tmp_path / "pictures", photo)


@pytest.fixture
def tiny(pictures, tmp_path):
    """Settings of a tiny run; tests change what they are about."""
    return {"data.train": str(pictures), "output": str(tmp_path / "run"), **TINY_RUN}
