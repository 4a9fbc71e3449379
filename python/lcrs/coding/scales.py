"""Scales of variable-rate models: files name them by their quality."""

from __future__ import annotations

import itertools
import json
import struct

from lcrs._lcrs import Graph, Package

__all__ = ["quality_of_scale", "scale_of_quality"]

_NEIGHBOURS = 32
"""How many binary32 numbers on either side of the computed quality are tried."""


def scale_of_quality(package: Package, quality: float) -> float:
    """What y is multiplied by before it is rounded in files of `quality`, 0 to 100.

    Raises:
        ValueError: the model has no such scale, or the quality is out of range.
    """
    return _Scales(package).at(quality)


def quality_of_scale(package: Package, scale: float) -> float:
    """The quality of the files whose scale is nearest to `scale`, apart by a rounding at most.

    Between two levels of a model its scale is linear in the quality.

    Raises:
        ValueError: the model has no scale, or none of its qualities reaches this one.
    """
    scales, scale = _Scales(package), _single(scale)
    last = (package.levels or 1) - 1
    levels = [scales.at(100 * level / last) for level in range(last + 1)]
    if not min(levels) <= scale <= max(levels):
        msg = (
            f"scale {scale:.6g} is outside those of model '{package.name}', {min(levels):.6g} to "
            f"{max(levels):.6g}: import its checkpoint with scales that reach it"
        )
        raise ValueError(msg)
    candidates = [100 * level / last for level in range(last + 1)]
    for level, (low, high) in enumerate(itertools.pairwise(levels)):
        if min(low, high) < scale < max(low, high):
            candidates += _around(100 * (level + (scale - low) / (high - low)) / last)
    return min(candidates, key=lambda quality: abs(scales.at(quality) - scale))


def _single(number: float) -> float:
    """The binary32 number nearest to `number`; out of their range, that itself."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0]) if abs(number) < 1e38 else number


def _around(quality: float) -> list[float]:
    """`quality` as files keep it, and its neighbours from 0 to 100."""
    (code,) = struct.unpack(
        "<I", struct.pack("<f", quality)
    )  # the codes of positive numbers ascend with them
    codes = range(max(code - _NEIGHBOURS, 0), code + _NEIGHBOURS + 1)
    numbers = [float(struct.unpack("<f", struct.pack("<I", code))[0]) for code in codes]
    return [number for number in numbers if number <= 100]


class _Scales:
    """The graph that gives a package's scale at a level."""

    def __init__(self, package: Package) -> None:
        description = json.loads(package.description)
        name = description["codec"].get("y", {}).get("gain")
        if name is None:
            msg = f"model '{package.name}' has no scale of its latent"
            raise ValueError(msg)
        graph = description["graphs"][name]
        names = {node["tensor"] for node in graph["nodes"] if "tensor" in node}
        tensors = {name: package.parameter(name) for name in names}
        self._graph, self._package = Graph(json.dumps(graph), tensors), package

    def at(self, quality: float) -> float:
        gain = self._graph.run([], level=self._package.level(quality))["gain"]
        if gain.size != 1:
            msg = f"model '{self._package.name}' has a gain for each of {gain.size} channels, no single scale"
            raise ValueError(msg)
        return float(gain.reshape(()))
