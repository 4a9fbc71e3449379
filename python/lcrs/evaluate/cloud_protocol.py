"""One point cloud through one codec: what every codec of clouds is measured by.

The protocol: positions alone are coded. Rates count every byte of the file, over the points of the original,
each time that they are there. Times are those of the two calls, points to bytes and back, without reading the
cloud. Whatever comes back is compared with the original as `lcrs.metrics.clouds` says, and point by point, in
whatever order: a row is `lossless` (1) if the same places are taken.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lcrs.clouds import Cloud, read
from lcrs.evaluate.memory import PeakMemory
from lcrs.metrics.clouds import CLOUD_NAMES, distinct_points, measure_clouds, peak_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lcrs.evaluate.results import Setting

__all__ = ["CloudCodec", "GivenCloud", "digest_of_cloud", "measured_cloud", "read_given_cloud"]


class CloudCodec(Protocol):
    """What is evaluated; `lcrs.evaluate.protocol.Codec` says what its attributes are."""

    @property
    def name(self) -> str:
        """What curves call it."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """A ladder of settings; `lossless` may be among them, and numbers beside it."""

    def identity(self) -> dict[str, Any]:
        """Everything that decides its bytes and points."""

    def encode_cloud(self, cloud: Cloud, setting: Setting) -> bytes:
        """A cloud to a whole file."""

    def decode_cloud(self, data: bytes, setting: Setting) -> NDArray[Any]:
        """The positions (M, 3) of a file of `encode_cloud`."""

    def parts(self, data: bytes) -> Mapping[str, int]:
        """Bytes of parts of a file, by name, where these are known."""


@dataclass(frozen=True)
class GivenCloud:
    """A cloud that is evaluated on."""

    name: str
    cloud: Cloud
    digest: str

    def fields(self) -> dict[str, Any]:
        """What result files say of it."""
        return {"name": self.name, "digest": self.digest, "num_points": len(self.cloud)}

    def named(self, name: str) -> GivenCloud:
        """The same under another name."""
        return GivenCloud(name, self.cloud, self.digest)


def read_given_cloud(path: str | Path, *, max_points: int | None = None) -> GivenCloud:
    """Reads a cloud as the protocol wants it.

    Raises:
        OSError: there is no such file.
        CloudError: it is damaged.
        ValueError: it has no points, or a position is not finite.
    """
    cloud = read(path, max_points=max_points)
    if not len(cloud):
        raise ValueError("cloud has no points: nothing can be measured")
    if not np.isfinite(cloud.positions).all():
        row = int(np.argmin(np.isfinite(cloud.positions).all(axis=1)))
        raise ValueError(f"point {row} is {cloud.positions[row].tolist()}, which is no place")
    return GivenCloud(Path(path).name, cloud, digest_of_cloud(cloud.positions))


def digest_of_cloud(positions: NDArray[Any]) -> str:
    """SHA-256 of the places of points, whatever their order and type."""
    points = np.asarray(positions, np.float64) + 0.0  # there is one zero
    points = points[np.lexsort(points.T[::-1])]
    digest = hashlib.sha256(f"{len(points)} points\n".encode())
    digest.update(points.astype("<f8").tobytes())
    return digest.hexdigest()


def measured_cloud(
    codec: CloudCodec,
    given: GivenCloud,
    setting: Setting,
    names: Sequence[str] = CLOUD_NAMES,
    *,
    peak: float | None = None,
) -> tuple[dict[str, Any], Cloud, bytes]:
    """The row of one cloud at one setting, the restored positions, and the file.

    Raises:
        Exception: whatever the codec ends in.
    """
    original, count = given.cloud.positions, len(given.cloud)
    row: dict[str, Any] = {"picture": given.name, "digest": given.digest, "setting": setting}
    with PeakMemory(None) as encoding:
        start = time.perf_counter()
        data = codec.encode_cloud(given.cloud, setting)
        encoding_time = time.perf_counter() - start
    with PeakMemory(None) as decoding:
        start = time.perf_counter()
        restored = np.asarray(codec.decode_cloud(data, setting))
        decoding_time = time.perf_counter() - start
    row |= {"num_bytes": len(data), "bpip": 8 * len(data) / count}
    row |= {f"bpip-{part}": 8 * size / count for part, size in codec.parts(data).items()}
    row |= {"encoding_time": encoding_time, "decoding_time": decoding_time}
    row |= encoding.fields("encoding") | decoding.fields("decoding")
    row["num_restored"] = len(restored)
    given_places, places = (
        distinct_points(np.asarray(cloud, np.float64))[0] for cloud in (original, restored)
    )
    row["lossless"] = int(np.array_equal(given_places, places))
    if row["lossless"]:
        exact = {name: math.inf if name.startswith("psnr") else 0.0 for name in CLOUD_NAMES}
        values = {name: value for name, value in exact.items() if name in names}
    else:
        peak = peak_of(original) if peak is None else peak
        values = measure_clouds(original, restored, names, normals=given.cloud.normals, peak=peak)
    return row | values, Cloud(restored), data
