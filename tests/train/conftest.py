"""Folders of pictures and tiny runs for tests of the training engine."""

import os
import sys
from pathlib import Path

import pytest
from picture_folders import TINY_RUN, write_pictures

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Runs write a lot that need not outlast the machine; that writing waits, tests of files ask."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def pictures(photo, tmp_path):
    """A folder of six pictures, 112 x 96."""
    return write_pictures(tmp_path / "pictures", photo)


@pytest.fixture
def tiny(pictures, tmp_path):
    """Settings of a tiny run; tests change what they are about."""
    return {"data.train": str(pictures), "output": str(tmp_path / "run"), **TINY_RUN}
