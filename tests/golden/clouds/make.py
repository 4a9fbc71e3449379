"""Made the golden package and files of point clouds. Not to be run again: see the README one folder up."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from cloud_package import cloud_package
from reader import decode_cloud, read_package

from lcrs import coding, points


def clouds() -> dict[str, tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]]:
    """Points, attributes and options by the name of the file."""
    random = np.random.default_rng(16)
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(23), np.arange(19)))
    surface = np.stack([x, y, (x * x // 7 + y) % 31 + random.integers(0, 2, len(x))], axis=1)
    again = surface[random.integers(0, len(surface), 40)]
    whole = np.concatenate([surface, again]).astype(np.int32) - np.int32(9)
    count = len(whole)
    attributes = {
        "red": (3 * whole[:, 0] + whole[:, 2]).astype(np.uint8),
        "green": (3 * whole[:, 0] + whole[:, 2] + random.integers(0, 3, count)).astype(np.uint8),
        "intensity": (random.integers(0, 9, count) / 100).astype(np.float32),
        "nx": random.normal(size=count).astype(np.float32),
        "time": random.normal(size=count),
        "class": random.integers(-3, 4, count).astype(np.int16),
        "id": np.arange(count, dtype=np.uint64) * np.uint64(1 << 50),
    }
    scattered = random.integers(-(2**30), 2**30, (120, 3)).astype(np.int64)
    return {
        "whole": (whole, attributes, {"keep_duplicates": True}),
        "hundredths": ((whole / 50).astype(np.float32), {}, {"keep_duplicates": True}),
        "products": (whole * 0.001, {}, {"keep_duplicates": True}),
        "voxels": (
            random.normal(size=(300, 3)) * 1e-9,
            {"i": np.arange(300)},
            {"voxel": 3e-10, "keep_duplicates": True},
        ),
        "bits": (
            (random.normal(size=(200, 3)) + 1e9).astype(np.float64),
            {},
            {"bits": 4, "keep_duplicates": True},
        ),
        "scattered": (scattered, {}, {"keep_duplicates": True}),
        "one": (np.array([[7, 8, 200]], np.uint8), {"w": np.array([-1.5], np.float32)}, {}),
        "none": (np.zeros((0, 3), np.float32), {"w": np.zeros(0, np.uint16)}, {}),
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    path = HERE / "tiny-cloud.lcrm"
    coding.write_package(path, *cloud_package(), overwrite=False)
    package, slow = coding.CloudPackage.from_file(path), read_package(path.read_bytes())
    files = []
    for name, (positions, attributes, options) in clouds().items():
        data = points.compress(positions, attributes, model=package, **options)
        cloud, found = points.decompress(data, package), decode_cloud(data, slow)
        assert found.positions.tobytes() == cloud.positions.tobytes()
        assert {key: v.tobytes() for key, v in found.attributes.items()} == {
            key: v.tobytes() for key, v in cloud.properties.items()
        }
        (HERE / f"{name}.lcrs").write_bytes(data)
        columns = {"": cloud.positions} | dict(cloud.properties)
        values = {key: [v.dtype.str, sha256(v.tobytes())] for key, v in columns.items()}
        rows = sha256(np.array(found.rows, "<i4").tobytes())
        files.append(
            {"name": name, "sha256": sha256(data), "points": len(cloud), "values": values, "rows": rows}
        )
    listed = {"package": sha256(path.read_bytes()), "files": files}
    (HERE / "expected.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
