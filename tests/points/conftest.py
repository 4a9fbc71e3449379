"""A tiny model of point clouds for all tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lcrs import coding

GOLDEN = Path(__file__).parents[1] / "golden" / "clouds"
sys.path[:0] = [str(GOLDEN)]


@pytest.fixture(scope="session")
def package_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cloud_package import cloud_package

    path = tmp_path_factory.mktemp("model") / "tiny-cloud.lcrm"
    coding.write_package(path, *cloud_package())
    return path


@pytest.fixture(scope="session")
def package(package_file: Path) -> coding.CloudPackage:
    return coding.CloudPackage.from_file(package_file)
