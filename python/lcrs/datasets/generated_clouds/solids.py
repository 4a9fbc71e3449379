"""Random solids, as functions that are negative inside and about the distance to the surface near it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Field", "Points", "random_field"]

Points: TypeAlias = NDArray[np.float32]
"""Positions, (N, 3)."""

Field: TypeAlias = Callable[[Points], NDArray[np.float32]]
"""Signed distance, about: (N, 3) to (N,)."""


def _rotation(rng: np.random.Generator) -> NDArray[np.float32]:
    """A rotation, evenly drawn."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def placed(field: Field, centre: Points, rotation: NDArray[np.float32]) -> Field:
    """`field`, turned and moved."""
    return lambda p: field(np.asarray((p - centre) @ rotation, np.float32))


def superquadric(radii: NDArray[np.float32], exponent: float) -> Field:
    """|x/a|^e + |y/b|^e + |z/c|^e = 1: from an octahedron (1) over an ellipsoid (2) to almost a box (10)."""

    def field(p: Points) -> NDArray[np.float32]:
        s = np.sum(np.abs(p / radii) ** np.float32(exponent), axis=1) + np.float32(1e-9)
        norm = s ** np.float32(1 / exponent)
        slope = np.sqrt(np.sum((np.abs(p / radii) ** np.float32(exponent - 1) / radii) ** 2, axis=1))
        steepness = np.maximum(slope * norm / s, np.float32(0.2) / radii.max())
        return np.asarray((norm - 1) / steepness, np.float32)

    return field


def box(half: NDArray[np.float32], rounding: float) -> Field:
    """A box of half the size `half`, its edges rounded."""

    def field(p: Points) -> NDArray[np.float32]:
        q = np.abs(p) - (half - np.float32(rounding))
        outside = np.sqrt(np.sum(np.maximum(q, 0) ** 2, axis=1))
        return np.asarray(outside + np.minimum(q.max(axis=1), 0) - np.float32(rounding), np.float32)

    return field


def torus(ring: float, tube: float) -> Field:
    """A torus about the z axis."""
    return lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1]) - np.float32(ring), p[:, 2]) - np.float32(tube)


def cylinder(radius: float, half: float) -> Field:
    """A capped cylinder along z."""
    return lambda p: np.maximum(
        np.hypot(p[:, 0], p[:, 1]) - np.float32(radius), np.abs(p[:, 2]) - np.float32(half)
    )


def polyhedron(normals: Points, offsets: NDArray[np.float32]) -> Field:
    """What lies below all of the planes."""
    return lambda p: (p @ normals.T - offsets).max(axis=1)


def capsule(a: Points, b: Points, radius_a: float, radius_b: float) -> Field:
    """A stick from `a` to `b` with round ends, its radius changing evenly."""
    axis = b - a
    length = np.float32(max(float(axis @ axis), 1e-9))

    def field(p: Points) -> NDArray[np.float32]:
        t = np.clip((p - a) @ axis / length, 0, 1)
        gone = p - a - t[:, None] * axis
        radius = np.float32(radius_a) + t * np.float32(radius_b - radius_a)
        return np.asarray(np.sqrt(np.sum(gone**2, axis=1)) - radius, np.float32)

    return field


def union(fields: Sequence[Field], blend: float) -> Field:
    """All of the solids; where two meet, the edge is filled over a width of about `blend`."""

    def field(p: Points) -> NDArray[np.float32]:
        result = fields[0](p)
        for other in fields[1:]:
            d = other(p)
            near = np.minimum(result, d)
            if blend > 0:
                near = near - np.maximum(np.float32(blend) - np.abs(result - d), 0) ** 2 / np.float32(
                    4 * blend
                )
            result = near
        return result

    return field


def difference(whole: Field, removed: Field) -> Field:
    """`whole` without `removed`."""
    return lambda p: np.maximum(whole(p), -removed(p))


def sheet(field: Field, thickness: float) -> Field:
    """The hollow shell of a solid."""
    return lambda p: np.abs(field(p)) - np.float32(thickness / 2)


def waves(rng: np.random.Generator, count: int, longest: float, shortest: float, roughness: float) -> Field:
    """A sum of plane waves, its spread 1.

    A wave's height goes with its length to the power `roughness`.
    """
    lengths = np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
    directions = rng.normal(size=(count, 3))
    directions *= (2 * np.pi / lengths / np.linalg.norm(directions, axis=1))[:, None]
    heights = lengths**roughness
    heights *= np.sqrt(2 / np.sum(heights**2))
    k, a = directions.T.astype(np.float32), heights.astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    return lambda p: np.sin(p @ k + phases) @ a


def rough(field: Field, displacement: Field, height: float) -> Field:
    """A surface moved in and out by `displacement`."""
    return lambda p: field(p) - np.float32(height) * displacement(p)


def terrain(rng: np.random.Generator, relief: float, roughness: float, side: int = 256) -> Field:
    """The ground below a fractal height map over the unit cube, periodic, about z = 0.5."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(side, 1 / side), np.fft.fftfreq(side, 1 / side), indexing="ij"))
    spectrum = np.where(f > 0, np.maximum(f, 1) ** -(1 + roughness), 0)
    noise = np.fft.fft2(rng.normal(size=(side, side)))
    heights = np.fft.ifft2(noise * spectrum).real
    heights = (0.5 + relief * heights / (np.abs(heights).max() + 1e-9)).astype(np.float32)

    def field(p: Points) -> NDArray[np.float32]:
        xy = p[:, :2] * np.float32(side)
        cell = np.floor(xy).astype(np.int64)
        u, v = (xy - cell).T
        i, j = cell.T % side
        i1, j1 = (i + 1) % side, (j + 1) % side
        low = heights[i, j] * (1 - v) + heights[i, j1] * v
        high = heights[i1, j] * (1 - v) + heights[i1, j1] * v
        return np.asarray((p[:, 2] - (low * (1 - u) + high * u)) * np.float32(0.7), np.float32)

    return field


def _part(rng: np.random.Generator, size: float) -> Field:
    """One solid about the origin."""
    radii = (size * rng.uniform(0.25, 1, 3)).astype(np.float32)
    kind = rng.integers(6)
    if kind == 0:
        return superquadric(radii, float(rng.choice([1.0, 1.5, 2, 2, 2, 3, 5, 8])))
    if kind == 1:
        return box(radii, float(radii.min() * rng.choice([0, 0, 0.1, 0.4])))
    if kind == 2:
        return torus(size * 0.7, size * float(rng.uniform(0.05, 0.3)))
    if kind == 3:
        return cylinder(size * float(rng.uniform(0.1, 0.7)), size * float(rng.uniform(0.05, 1)))
    if kind == 4:
        normals = rng.normal(size=(int(rng.integers(5, 20)), 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return polyhedron(
            normals.astype(np.float32), (size * rng.uniform(0.4, 0.9, len(normals))).astype(np.float32)
        )
    return superquadric(radii, 2)


def _parts(rng: np.random.Generator) -> Field:
    """Some solids, joined, cut from each other or hollow."""
    result: Field | None = None
    for _ in range(int(rng.integers(1, 6))):
        centre = (0.5 + (0 if result is None else 1) * rng.uniform(-0.25, 0.25, 3)).astype(np.float32)
        part = placed(_part(rng, float(rng.uniform(0.12, 0.42))), centre, _rotation(rng))
        if result is None:
            result = part
        elif rng.random() < 0.3:
            result = difference(result, part)
        else:
            result = union([result, part], float(rng.choice([0, 0, 0.03, 0.1])))
    assert result is not None
    return sheet(result, float(rng.uniform(0.005, 0.03))) if rng.random() < 0.2 else result


def _tubes(rng: np.random.Generator) -> Field:
    """Tubes along smooth paths: cables, branches, handles."""
    sticks: list[Field] = []
    for _ in range(int(rng.integers(1, 4))):
        position, heading = rng.uniform(0.25, 0.75, 3), rng.normal(size=3)
        radius = float(rng.uniform(0.01, 0.06))
        for _ in range(int(rng.integers(4, 9))):
            heading = heading / np.linalg.norm(heading) + rng.normal(size=3) * 0.4 + (0.5 - position)
            following = position + heading / np.linalg.norm(heading) * rng.uniform(0.06, 0.16)
            next_radius = float(np.clip(radius * rng.uniform(0.8, 1.25), 0.006, 0.08))
            sticks.append(
                capsule(position.astype(np.float32), following.astype(np.float32), radius, next_radius)
            )
            position, radius = following, next_radius
    return union(sticks, float(rng.choice([0.01, 0.03])))


def _figure(rng: np.random.Generator) -> Field:
    """Somebody standing, or so: trunk, head, arms and legs of tapering sticks, blended."""
    f32 = np.float32
    hip = np.array([0.5, 0.5, rng.uniform(0.45, 0.52)])
    neck = hip + np.array([*rng.uniform(-0.04, 0.04, 2), rng.uniform(0.24, 0.3)])
    wide, deep = rng.uniform(0.07, 0.11), rng.uniform(0.05, 0.08)
    parts = [capsule(hip.astype(f32), neck.astype(f32), rng.uniform(0.07, 0.11), rng.uniform(0.08, 0.1))]
    head = neck + np.array([*rng.uniform(-0.02, 0.02, 2), 0.13])
    radii = np.array([0.06, 0.07, 0.085], f32) * f32(rng.uniform(0.8, 1.2))
    parts.append(placed(superquadric(radii, 2.2), head.astype(f32), np.eye(3, dtype=f32)))
    parts.append(capsule(neck.astype(f32), head.astype(f32), 0.04, 0.035))
    for side in (-1, 1):
        for start, reach, thick in (
            (neck + np.array([side * (wide + 0.04), 0, -0.02]), 0.15, 0.035),
            (hip + np.array([side * wide * 0.7, 0, 0]), 0.24, 0.06),
        ):
            position = start
            for _ in range(2):
                bend = rng.normal(size=3) * [0.35, 0.35, 0.15] + [side * 0.15, 0, -1]
                following = position + bend / np.linalg.norm(bend) * reach
                parts.append(capsule(position.astype(f32), following.astype(f32), thick, thick * 0.75))
                position, thick = following, thick * 0.75
            foot = following + np.array([0, -0.05, 0])
            parts.append(capsule(following.astype(f32), foot.astype(f32), thick, thick * 0.8))
    body = union(parts, float(deep * rng.uniform(0.3, 0.9)))
    if rng.random() < 0.5:  # a skirt or coat, thin, open at the bottom
        top, bottom = rng.uniform(0.08, 0.12), rng.uniform(0.14, 0.22)
        low = hip - np.array([0, 0, rng.uniform(0.1, 0.3)])
        cone = capsule(low.astype(f32), neck.astype(f32), bottom, top)
        floor = f32(low[2])
        shell = sheet(cone, float(rng.uniform(0.006, 0.015)))
        body = union([body, lambda p: np.maximum(shell(p), floor - p[:, 2])], 0.01)
    return body


def _landscape(rng: np.random.Generator) -> Field:
    """Ground, from smooth to craggy."""
    ground = terrain(rng, float(rng.uniform(0.03, 0.35)), float(rng.uniform(0.5, 1.6)))
    return ground if rng.random() < 0.5 else placed(ground, np.zeros(3, np.float32), _rotation(rng))


def _heap(rng: np.random.Generator) -> Field:
    """The level set of waves alone: caves, sponges, minimal surfaces."""
    shape = waves(rng, int(rng.integers(3, 9)), 1.2, float(rng.uniform(0.25, 0.6)), 0.5)
    slope = np.float32(0.07)
    return lambda p: np.maximum(slope * shape(p), np.abs(p - np.float32(0.5)).max(axis=1) - np.float32(0.45))


def random_field(rng: np.random.Generator) -> Field:
    """A random solid in the unit cube, smooth or rough.

    Primitives joined and cut, tubes, figures, landscapes, or the level set of waves.
    """
    field = (_parts, _parts, _tubes, _figure, _figure, _landscape, _heap)[int(rng.integers(7))](rng)
    for _ in range(int(rng.integers(0, 3))):  # folds, dents, grain
        longest = float(np.exp(rng.uniform(np.log(0.03), np.log(0.4))))
        shortest = longest * float(rng.uniform(0.15, 0.7))
        height = shortest * float(rng.uniform(0.01, 0.12))
        field = rough(
            field,
            waves(rng, int(rng.integers(4, 10)), longest, shortest, float(rng.uniform(0.5, 1.5))),
            height,
        )
    return field
