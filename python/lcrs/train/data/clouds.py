"""Point clouds for training: generated ones, the meshes of ModelNet, or files of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs import clouds
from lcrs.clouds.meshes import faces_of_off
from lcrs.datasets.generated_clouds import generated_shape
from lcrs.layers.pointcloud.pointnet2 import pc_normalize
from lcrs.train.config import ConfigError
from lcrs.train.data.batches import Stateless
from lcrs.train.data.crops import generator
from lcrs.train.data.pictures import LeftOut
from lcrs.transforms import SamplePointsV2

__all__ = ["OPTIONS", "CloudBatches", "Clouds", "find_clouds"]

OPTIONS = {"points": 1024, "clouds": 128}
"""What `data.options` may say: points of a cloud in a batch, and how many clouds are generated."""

_KEPT = 4
"""So many times the points of a batch are kept of each cloud; which of them come is drawn each time."""
_HELD_OUT = 1 << 30
_ATTEMPTS = 50


@dataclass
class Clouds:
    """Numbered clouds, each made or read when it is first asked for.

    Attributes:
        make: Gives the cloud of a number, (N, 3) or (N, 6) with normals, floats of any type; after an error
            it is left out.
        count: How many there are.
        identity: Tells one collection from another.
        left_out: Told what cannot be read.
    """

    make: Callable[[int], NDArray[np.floating[Any]]]
    count: int
    identity: str
    left_out: LeftOut

    def __post_init__(self) -> None:
        self._known: dict[int, NDArray[np.float32] | None] = {}

    def read(self, number: int) -> NDArray[np.float32] | None:
        """A cloud around the origin, in the unit sphere; None if it cannot be had, which is noted."""
        if number not in self._known:
            try:
                self._known[number] = _in_sphere(self.make(number))
            except Exception as error:  # files end in all sorts of ways
                self.left_out.note(f"{self.identity} {number}", "not readable", str(error)[:200])
                self._known[number] = None
        return self._known[number]


def _in_sphere(cloud: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    if not len(cloud) or not np.isfinite(cloud).all():
        raise ValueError("a cloud needs points, and finite ones")
    return np.concatenate([pc_normalize(cloud[:, :3]), cloud[:, 3:]], 1, dtype=np.float32)


def find_clouds(
    places: list[str], tune: list[str], options: Mapping[str, int], seed: int, left_out: LeftOut
) -> tuple[Clouds, Clouds]:
    """Clouds to train and to validate on: without places generated ones.

    Args:
        places: Folders: of ModelNet's layout, CLASS/train/*.off, or of files of points.
        tune: The same for validation; by default `test` of ModelNet, or a twentieth of the files, drawn by
            the seed.
        options: As `OPTIONS`.
        seed: Of what is generated, and of what is held out.
        left_out: Told what cannot be read.

    Raises:
        ConfigError: there is nothing to train on.
        FileNotFoundError: there is no such folder.
    """
    kept = _KEPT * options["points"]
    if not places:

        def shapes(first: int) -> Callable[[int], NDArray[np.floating[Any]]]:
            return lambda number: generated_shape(first + number, kept, with_normals=True)

        first = seed * options["clouds"]
        held = Clouds(shapes(_HELD_OUT + first), 1 << 20, "held-out shape", left_out)
        return Clouds(shapes(first), options["clouds"], "generated shape", left_out), held
    files = _files(places, "train")
    known = set(files)
    held_files = _files(tune, "test") if tune else [f for f in _files(places, "test") if f not in known]
    if not held_files:
        drawn = set(generator(seed, 11).permutation(len(files))[: max(1, len(files) // 20)].tolist())
        held_files = [file for k, file in enumerate(files) if k in drawn]
        files = [file for k, file in enumerate(files) if k not in drawn]
    if not files:
        raise ConfigError(
            f"data.train={places[0]} has no clouds: ModelNet (CLASS/train/*.off) or files of points "
            f"({', '.join(sorted(clouds.FORMATS))}) are needed, two at least"
        )
    made = (
        Clouds(lambda number, of=of: _read(of[number], kept), len(of), places[0], left_out)  # type: ignore[misc]
        for of in (files, held_files)
    )
    train, held = made
    return train, held


def _files(places: list[str], split: str) -> list[Path]:
    """Meshes of a split of ModelNet, or all files of points."""
    found: list[Path] = []
    for place in map(Path, places):
        if not place.exists():
            raise FileNotFoundError(f"there is no folder {place}")
        meshes = sorted(place.glob(f"**/{split}/*.off"))
        points = (path for path in place.rglob("*") if path.suffix.lower().lstrip(".") in clouds.FORMATS)
        is_split = bool(meshes) or any(place.glob("**/train/*.off"))
        found += meshes if is_split else sorted(points)
    return found


def _read(path: Path, count: int) -> NDArray[np.floating[Any]]:
    """So many points of a mesh, with normals, or at most so many of a file of points."""
    if path.suffix.lower() != ".off":
        # Not float32 before they are around the origin, where they have its digits.
        positions = np.asarray(clouds.read(path).positions, np.float64)
        if len(positions) <= count:
            return positions
        return positions[np.sort(generator(0, 12).choice(len(positions), count, replace=False))]
    vertices, faces = faces_of_off(path.read_bytes(), clouds.MAX_POINTS)
    sample = SamplePointsV2(count, include_normals=True, static_seed=0)
    found = sample({"pos": torch.from_numpy(vertices).float(), "face": torch.from_numpy(faces.T.copy())})
    return torch.cat([found["pos"], found["normal"]], 1).float().numpy()


class CloudBatches(Stateless):
    """Batches of clouds, each once before any again, with other points each time; a function of the step.

    Args:
        clouds: Where they are of.
        batch: Clouds of this process in a step.
        points: Of each.
        seed: Of the order and the points.
        device: Where they go.
        rank: Of this process.
        world: Number of processes.
    """

    def __init__(
        self, clouds: Clouds, batch: int, points: int, seed: int, device: torch.device, rank: int, world: int
    ) -> None:
        self.clouds, self.batch, self.points, self.seed = clouds, batch, points, seed
        self.device, self.rank, self.world = device, rank, world
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def get(self, step: int, size: int) -> dict[str, Tensor]:
        """The batch of a step: "pos" and, where all have them, "normal", (B, P, 3)."""
        first = (step * self.world + self.rank) * self.batch
        return self.stacked([self._drawn(number) for number in range(first, first + self.batch)])

    def stacked(self, drawn: list[NDArray[np.float32]]) -> dict[str, Tensor]:
        """Clouds (P, 3) or (P, 6) as a batch."""
        batch = {"pos": np.stack([cloud[:, :3] for cloud in drawn])}
        if all(cloud.shape[1] == 6 for cloud in drawn):
            batch["normal"] = np.stack([cloud[:, 3:] for cloud in drawn])
        return {key: torch.from_numpy(value).to(self.device) for key, value in batch.items()}

    def chosen(self, cloud: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Some points of a cloud, none twice unless it has too few."""
        return cloud[rng.choice(len(cloud), self.points, replace=len(cloud) < self.points)]

    def _drawn(self, number: int) -> NDArray[np.float32]:
        rng = generator(self.seed, 7, number)
        epoch, place = divmod(number, self.clouds.count)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, generator(self.seed, 8, epoch).permutation(self.clouds.count)
        index = int(self._order[1][place])
        for _ in range(_ATTEMPTS):
            cloud = self.clouds.read(index)
            if cloud is not None:
                return self.chosen(cloud, rng)
            index = int(rng.integers(self.clouds.count))
        raise ValueError(f"{_ATTEMPTS} clouds in a row cannot be read: is the folder still there?")
