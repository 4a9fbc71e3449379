"""Streets and rooms of simple bodies, and where rays meet them. Lengths in metres, z up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcrs.datasets.generated_clouds.solids import Points

__all__ = ["Body", "Scene", "random_room", "random_street"]

_FAR = np.float32(1e9)


@dataclass(frozen=True)
class Body:
    """A body: "box", "cylinder" (upright) or "leaves" (an ellipsoid into which rays go some way).

    Attributes:
        kind: Which.
        centre: Its middle, (3,).
        half: Half its size, (3,); a cylinder's radius is the first.
        turn: Angle about z, in radians.
        depth: Of leaves: how far a ray goes within them, on average.
    """

    kind: str
    centre: NDArray[np.float32]
    half: NDArray[np.float32]
    turn: float = 0.0
    depth: float = 0.5

    def hits(self, origin: Points, rays: Points, rng: np.random.Generator) -> NDArray[np.float32]:
        """How far along each ray, (N,), the body is met; very far where it is not."""
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
        o = (origin - self.centre) @ turned
        d = rays @ turned
        d = np.where(np.abs(d) < 1e-7, np.float32(1e-7), d)
        if self.kind == "box":
            a, b = (-self.half - o) / d, (self.half - o) / d
            near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            return np.asarray(np.where((near < far) & (near > 0), near, _FAR), np.float32)
        axes = 2 if self.kind == "cylinder" else 3
        scale = self.half[[0, 0]] if self.kind == "cylinder" else self.half
        o, dd = o[..., :axes] / scale, d[:, :axes] / scale
        a, b, e = np.sum(dd * dd, axis=1), np.sum(o * dd, axis=1), np.sum(o * o, axis=-1) - 1
        root = b * b - a * e
        t = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, -1)
        if self.kind == "cylinder":
            z = (np.broadcast_to(origin, rays.shape)[:, 2] - self.centre[2]) + t * rays[:, 2]
            return np.where((t > 0) & (np.abs(z) < self.half[2]), t, _FAR)
        within = rng.exponential(self.depth, len(t)).astype(np.float32)
        stopped = within < 2 * np.sqrt(np.maximum(root, 0)) / a
        return np.where((t > 0) & stopped, t + within, _FAR)


@dataclass(frozen=True)
class Scene:
    """Ground, z = 0 plus low waves and kerbs, and bodies.

    Attributes:
        bodies: What stands on it.
        slope: Of the ground, along x and y.
        bumps: Height of the ground's waves.
        grass: Depth of the uneven grass beside the street.
        half_street: Half the width of the street, along x.
    """

    bodies: list[Body] = field(default_factory=list)
    slope: tuple[float, float] = (0.0, 0.0)
    bumps: float = 0.0
    grass: float = 0.0
    half_street: float = 5.0

    def ground(self, x: NDArray[Any], y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Height of the ground."""
        flat = self.slope[0] * x + self.slope[1] * y - np.float32(0.02) * np.abs(y)
        flat = flat + self.bumps * (np.sin(x * 0.21 + 1) * np.sin(y * 0.27) + 0.3 * np.sin(x * 1.3 + y))
        beside = np.abs(y) > self.half_street
        return np.asarray(flat + np.where(beside, 0.12 + self.grass * rng.random(x.shape), 0), np.float32)

    def cast(self, origin: Points, rays: Points, rng: np.random.Generator) -> NDArray[np.float32]:
        """How far each of the rays goes.

        Args:
            origin: Where they start, (3,) or (N, 3).
            rays: Unit directions, (N, 3), in order of their angle about z, which goes once around (or less).
            rng: What is random within leaves and grass.

        Returns:
            (N,), very far where nothing is met.
        """
        origin = np.broadcast_to(origin, rays.shape)
        down = np.where(rays[:, 2] < -1e-4, rays[:, 2], np.float32(-1e-4))
        t = -origin[:, 2] / down
        for _ in range(3):
            x, y = origin[:, 0] + t * rays[:, 0], origin[:, 1] + t * rays[:, 1]
            t = np.clip((self.ground(x, y, rng) - origin[:, 2]) / down, 0.1, 1e4).astype(np.float32)
        found = np.where(rays[:, 2] < -1e-4, t, _FAR)
        angles = np.arctan2(rays[:, 1], rays[:, 0])
        middle = origin.mean(axis=0)
        for body in self.bodies:
            gone = body.centre[:2] - middle[:2]
            distance, size = float(np.hypot(*gone)), float(np.hypot(*body.half[:2])) + 2.0
            if distance <= size:
                found = np.minimum(found, body.hits(origin, rays, rng))
                continue
            width, towards = np.arcsin(size / distance), np.arctan2(gone[1], gone[0])
            off = np.abs((angles - towards + np.pi) % (2 * np.pi) - np.pi)
            chosen = np.flatnonzero(off < width)
            found[chosen] = np.minimum(found[chosen], body.hits(origin[chosen], rays[chosen], rng))
        return found


def _f32(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def _car(rng: np.random.Generator, x: float, y: float, turn: float) -> list[Body]:
    """A body and a cabin."""
    long, wide, high = rng.uniform(1.8, 2.6), rng.uniform(0.8, 1.0), rng.uniform(0.3, 0.5)
    return [
        Body("box", _f32(x, y, 0.3 + high), _f32(long, wide, high), turn),
        Body(
            "box",
            _f32(x, y, 0.3 + 2 * high + 0.3),
            _f32(long * rng.uniform(0.4, 0.7), wide * 0.85, 0.35),
            turn,
        ),
    ]


def random_street(rng: np.random.Generator) -> Scene:
    """A street along x: houses, cars, trees, poles, hedges, people."""
    bodies: list[Body] = []
    half_street = float(rng.uniform(3, 9))
    for side in (-1, 1):
        x = -90.0
        setback = half_street + rng.uniform(2, 12)
        while x < 90:  # houses, with gaps
            long, deep, high = rng.uniform(3, 15), rng.uniform(3, 8), rng.uniform(2, 8)
            if rng.random() < 0.75:
                y = side * (setback + deep + rng.uniform(0, 3))
                bodies.append(
                    Body("box", _f32(x + long, y, high), _f32(long, deep, high), rng.normal() * 0.03)
                )
                for _ in range(int(rng.integers(0, 4))):  # what juts out
                    out = _f32(rng.uniform(0.3, 1.5), rng.uniform(0.2, 0.8), rng.uniform(0.3, high))
                    at = _f32(x + 2 * long * rng.random(), y - side * deep, rng.uniform(0, 2 * high))
                    bodies.append(Body("box", at, out))
            x += 2 * long + (rng.exponential(4) if rng.random() < 0.6 else 0)
    for _ in range(int(rng.integers(2, 30))):  # cars, mostly parked
        lane = rng.choice([-1, 1]) * half_street * rng.choice([0.45, 0.8])
        bodies += _car(
            rng,
            rng.uniform(-60, 60),
            float(lane),
            float(rng.normal() * 0.05 + (np.pi / 2 if rng.random() < 0.1 else 0)),
        )
    for _ in range(int(rng.integers(0, 35))):  # trees
        x, y = rng.uniform(-60, 60), rng.choice([-1, 1]) * (half_street + rng.uniform(0.5, 18))
        high, crown = rng.uniform(2, 5), rng.uniform(0.8, 3.5)
        bodies.append(Body("cylinder", _f32(x, y, high / 2), _f32(rng.uniform(0.06, 0.3), 0.3, high / 2)))
        for _ in range(int(rng.integers(1, 4))):
            at = _f32(x, y, high + crown * 0.6) + (rng.normal(size=3) * crown * 0.4).astype(np.float32)
            bodies.append(
                Body(
                    "leaves",
                    at,
                    (crown * rng.uniform(0.4, 1, 3)).astype(np.float32),
                    depth=float(rng.uniform(0.2, 1.5)),
                )
            )
    for _ in range(int(rng.integers(0, 25))):  # bushes and hedges
        at = _f32(
            rng.uniform(-50, 50),
            rng.choice([-1, 1]) * (half_street + rng.uniform(0.5, 12)),
            rng.uniform(0.2, 0.9),
        )
        bodies.append(
            Body(
                "leaves", at, rng.uniform(0.4, 2.5, 3).astype(np.float32), depth=float(rng.uniform(0.05, 0.5))
            )
        )
    for _ in range(int(rng.integers(0, 25))):  # poles and people
        x, y = rng.uniform(-50, 50), rng.choice([-1, 1]) * (half_street + rng.uniform(0.2, 3))
        high, thick = (
            (rng.uniform(2, 6), rng.uniform(0.03, 0.12))
            if rng.random() < 0.6
            else (rng.uniform(1.4, 1.9), rng.uniform(0.2, 0.3))
        )
        bodies.append(Body("cylinder", _f32(x, y, high / 2), _f32(thick, thick, high / 2)))
    slope = (float(rng.normal() * 0.01), float(rng.normal() * 0.01))
    return Scene(bodies, slope, float(rng.uniform(0, 0.08)), float(rng.choice([0, 0.03, 0.1])), half_street)


def random_room(rng: np.random.Generator) -> Scene:
    """A room about the origin: walls, ceiling, tables, shelves, round things."""
    half = rng.uniform([1.5, 1.5, 2.2], [5, 5, 3.2])
    walls = [
        Body("box", _f32(half[0] + 0.1, 0, 1.5), _f32(0.1, half[1] + 0.2, 1.6)),
        Body("box", _f32(-half[0] - 0.1, 0, 1.5), _f32(0.1, half[1] + 0.2, 1.6)),
        Body("box", _f32(0, half[1] + 0.1, 1.5), _f32(half[0] + 0.2, 0.1, 1.6)),
        Body("box", _f32(0, -half[1] - 0.1, 1.5), _f32(half[0] + 0.2, 0.1, 1.6)),
        Body("box", _f32(0, 0, half[2] + 0.1), _f32(half[0] + 0.2, half[1] + 0.2, 0.1)),
    ]
    things: list[Body] = []
    for _ in range(int(rng.integers(4, 25))):
        size = rng.uniform([0.1, 0.1, 0.05], [0.7, 0.7, 0.7])
        at = rng.uniform(-1, 1, 2) * half[:2] * 0.9
        if np.hypot(*at) < 1:
            continue
        z = size[2] if rng.random() < 0.6 else rng.uniform(0.3, 2)
        kind = ("box", "box", "cylinder", "leaves")[int(rng.integers(4))]
        turn = float(rng.choice([0, rng.uniform(0, np.pi)]))
        things.append(Body(kind, _f32(*at, z), size.astype(np.float32), turn, depth=1e-3))
    return Scene(walls + things, half_street=1e9)
