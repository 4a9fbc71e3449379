"""How much the networks of a model multiply: multiply-accumulates a pixel, and parameters, by part.

Counted are convolutions, transposed ones and GDN, which are all but a few percent: a network's weights times
the positions that it is run at, each once, masked taps and all, whatever order a context model is run in. The
encoder needs everything but g_s, the decoder everything but g_a and h_a. From a package it is counted by the
graphs that code with it, from torch by a forward pass: the numbers are the same. Of a model of video they are
those of the first two frames together, by its own modules; its encoder has the decoder inside.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from lcrs.coding import Package

__all__ = [
    "Complexity",
    "Part",
    "of_description",
    "of_file",
    "of_network",
    "of_package",
    "published_complexity",
]

_PARTS = ("g_a", "h_a", "h_s", "g_s")
_ENTROPY = "entropy"
"""The part of all that is no transform: contexts and what turns them to probabilities."""
_SIDE = 64
"""Of the picture that torch is run on: a multiple of what every model pads to."""


@dataclass(frozen=True)
class Part:
    """A part of a model."""

    kmacs_per_pixel: float = 0.0
    """Thousands of multiply-accumulates for each pixel of the picture."""
    num_parameters: int = 0
    """Weights and biases that are multiplied with and added."""

    def __add__(self, other: Part) -> Part:
        return Part(self.kmacs_per_pixel + other.kmacs_per_pixel, self.num_parameters + other.num_parameters)


@dataclass(frozen=True)
class Complexity:
    """Of a model, by part: `g_a, h_a, h_s, g_s` and `entropy`, those that it has."""

    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def encoder(self) -> Part:
        """All but g_s."""
        return sum((part for name, part in self.parts.items() if name != "g_s"), Part())

    @property
    def decoder(self) -> Part:
        """All but g_a and h_a."""
        others = {name: part for name, part in self.parts.items() if name not in ("g_a", "h_a")}
        return sum((part for name, part in others.items() if not name.endswith("_encoder")), Part())

    def fields(self) -> dict[str, Any]:
        """As JSON has it."""
        names = {"encoder": self.encoder, "decoder": self.decoder} | self.parts
        return {
            name: {
                "kmacs_per_pixel": round(part.kmacs_per_pixel, 4),
                "num_parameters": part.num_parameters,
            }
            for name, part in names.items()
        }


def of_package(package: Package) -> Complexity:
    """Of a loaded package."""
    return of_description(json.loads(package.description), lambda name: package.parameter(name).shape)


def of_file(path: str | Path) -> Complexity:
    """Of a package's file, of which only the head is read.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no package, or one of point clouds.
    """
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > 1 << 26:
            msg = f"{path}: is no model package"
            raise ValueError(msg)
        try:
            head = json.loads(file.read(size))
            description = json.loads(head["__metadata__"]["lcrs"])
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path}: is no model package"
            raise ValueError(msg) from error
    return of_description(description, lambda name: head[name]["shape"])


def of_description(description: Mapping[str, Any], shape_of: Callable[[str], Sequence[int]]) -> Complexity:
    """Of what a package says of its graphs.

    Args:
        description: The package's.
        shape_of: The shape of a tensor of the package.

    Raises:
        ValueError: it is one of point clouds, which have no pixels.
    """
    if "strides" not in description:
        msg = f"model '{description['name']}' codes point clouds: nothing of it is counted by pixels"
        raise ValueError(msg)
    strides = description["strides"]
    parts: dict[str, Part] = {}
    for name, graph in description["graphs"].items():
        if name.endswith(".shrinkage"):
            continue  # run on a table of scales, not on pictures
        stride = {"g_a": 1, "h_s": strides.get("z", 1)}.get(name, strides["y"])
        part = name if name in _PARTS else _ENTROPY
        counted = _of_graph(graph, 1 / stride**2, shape_of)
        if counted.num_parameters:
            parts[part] = parts.get(part, Part()) + counted
    return Complexity(parts)


def _of_graph(graph: Mapping[str, Any], density: float, shape_of: Callable[[str], Sequence[int]]) -> Part:
    """Of one graph.

    Args:
        graph: Its description.
        density: Positions of its inputs for each pixel of the picture.
        shape_of: The shape of a tensor of the package.
    """
    densities = [density] * len(graph["inputs"])
    total = Part()
    for node in graph["nodes"]:
        here = max((densities[at] for at in node["in"]), default=0.0)
        op = node["op"]
        if op in ("conv2d", "conv_transpose2d"):
            weights = math.prod(shape_of(node["weight"]))
            biases = math.prod(shape_of(node["bias"])) if node.get("bias") else 0
            area = math.prod(node["stride"])
            after = here / area if op == "conv2d" else here * area
            total += Part(weights * min(here, after) / 1000, weights + biases)
            here = after
        elif op == "gdn":
            weights = math.prod(shape_of(node["gamma"]))
            total += Part(weights * here / 1000, weights + math.prod(shape_of(node["beta"])))
        elif op == "pixel_shuffle":
            here *= node["factor"] ** 2
        elif op == "pixel_unshuffle":
            here /= node["factor"] ** 2
        densities.append(here)
    return total


def of_network(net: nn.Module) -> Complexity:
    """Of a model in torch, by its forward pass over a picture of 64 x 64.

    Raises:
        Exception: whatever the forward pass ends in.
    """
    import torch
    from torch import nn

    from lcrs.layers import GDN

    counted: dict[str, Part] = {}

    def hook(name: str) -> Callable[..., None]:
        def count(module: nn.Module, inputs: Sequence[torch.Tensor], output: torch.Tensor) -> None:
            num_parameters = sum(p.numel() for p in module.parameters(recurse=False))
            if isinstance(module, GDN):
                positions, weights = output.shape[2:].numel(), module.gamma.numel()
            elif isinstance(module, nn.ConvTranspose2d):
                positions, weights = inputs[0].shape[2:].numel(), module.weight.numel()
            else:
                assert isinstance(module, nn.Conv2d)
                positions, weights = output.shape[2:].numel(), module.weight.numel()
            # A context model may be run in several passes, each over a part of the positions that count.
            part = Part(weights * positions / _SIDE**2 / 1000, num_parameters)
            before = counted.get(name, Part())
            counted[name] = max(before, part, key=lambda part: part.kmacs_per_pixel)

        return count

    layers = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | GDN)
    }
    hooks = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    is_video = not any("g_a" in name.split(".") for name in layers)
    was_training = net.training
    try:
        with torch.no_grad():
            like = next(net.parameters())
            x = torch.zeros(1, 3, _SIDE, _SIDE, dtype=like.dtype, device=like.device)
            arguments = inspect.signature(net.forward).parameters
            # At stage 1 models of variable rate see all positions at once, as every other model does.
            options = {"stage": 1} if "stage" in arguments else {}
            net.eval()([x, x] if is_video else x, **options)
    finally:
        net.train(was_training)
        for handle in hooks:
            handle.remove()
    parts: dict[str, Part] = {}
    for name, part in counted.items():
        words = name.split(".")
        home = words[0] if is_video else next((word for word in words if word in _PARTS), _ENTROPY)
        parts[home] = parts.get(home, Part()) + part
    order = [name for name in (*_PARTS, _ENTROPY) if name in parts]
    return Complexity({name: parts[name] for name in order or parts})


@lru_cache
def published_complexity() -> dict[str, list[dict[str, Any]]]:
    """Of the registered architectures, by name: one for each size, with the qualities that have it.

    Counted once from torch and kept beside this file, so that a list of models needs no torch.
    """
    path = Path(__file__).parent / "data" / "complexity.json"
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return found
