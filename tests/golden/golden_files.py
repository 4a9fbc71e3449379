"""What tests of golden files share: digests, and fixtures of all files of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def little(pixels: np.ndarray) -> bytes:
    """The bytes of samples, each little endian."""
    return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def fixtures(folder: Path, files: Mapping[str, dict[str, Any]]) -> tuple[Any, Any]:
    """Fixtures `entry`, what is expected of each of `files` in turn, and `data`, its bytes."""

    @pytest.fixture(params=files)
    def entry(request: pytest.FixtureRequest) -> dict[str, Any]:
        return files[request.param]

    @pytest.fixture
    def data(entry: dict[str, Any]) -> bytes:
        return (folder / f"{entry['name']}.lcrs").read_bytes()

    return entry, data
