"""Golden files of point clouds, through lcrs and the independent reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import fixtures, sha256
from reader import WrongFile, decode_cloud, read_package

from lcrs import LcrsError, coding, points

HERE = Path(__file__).parent / "clouds"
EXPECTED = json.loads((HERE / "expected.json").read_text())
FILES = {listed["name"]: listed for listed in EXPECTED["files"]}
entry, data = fixtures(HERE, FILES)
PACKAGE = HERE / "tiny-cloud.lcrm"


def values(columns: dict[str, np.ndarray]) -> dict[str, list[str]]:
    return {name: [column.dtype.str, sha256(column.tobytes())] for name, column in columns.items()}


def test_nobody_has_touched_the_files() -> None:
    assert sha256(PACKAGE.read_bytes()) == EXPECTED["package"]
    for name, entry in FILES.items():
        assert sha256((HERE / f"{name}.lcrs").read_bytes()) == entry["sha256"]


def test_lcrs_decodes_to_the_points(entry: dict[str, Any], data: bytes) -> None:
    cloud = points.decompress(data, PACKAGE)
    assert values({"": cloud.positions} | dict(cloud.properties)) == entry["values"]
    assert points.info(data)["num_points"] == len(cloud) == entry["points"]


@pytest.mark.slow
def test_the_reader_decodes_to_the_points_and_rows(entry: dict[str, Any], data: bytes) -> None:
    found = decode_cloud(data, read_package(PACKAGE.read_bytes()))
    assert values({"": found.positions} | found.attributes) == entry["values"]
    assert sha256(np.array(found.rows, "<i4").tobytes()) == entry["rows"]


LOSSLESS = [name for name in FILES if points.info((HERE / f"{name}.lcrs").read_bytes())["lossless"]]


@pytest.mark.parametrize("entry", LOSSLESS, indirect=True)
def test_points_that_were_decoded_give_the_file_again(entry: dict[str, Any], data: bytes) -> None:
    cloud = points.decompress(data, PACKAGE)
    package = coding.CloudPackage.from_file(PACKAGE)
    again, _ = package.compress(cloud.positions, dict(cloud.properties), keep_duplicates=True)
    assert again == data


def test_both_refuse_what_was_changed() -> None:
    data, package = (HERE / "one.lcrs").read_bytes(), read_package(PACKAGE.read_bytes())
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]
        with pytest.raises(LcrsError):
            points.decompress(damaged, PACKAGE)
        with pytest.raises(WrongFile):
            decode_cloud(damaged, package)
