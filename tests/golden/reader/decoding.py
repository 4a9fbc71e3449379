"""From a file to pixels, and from pixels to the symbols that a file holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reader.arithmetic import F32, F64
from reader.container import Container, parse
from reader.graph import Graphs
from reader.package import Package
from reader.samples import Samples, of_package, to_numbers, to_samples
from reader.scans import Coder
from reader.streams import open_stream
from reader.trees import Tree
from reader.wrong import need


@dataclass
class Decoded:
    """What a file holds."""

    pixels: np.ndarray
    """Of the shape and type that was given."""
    symbols: list[list[int]]
    """Of each latent, in the order of its stream."""
    metadata: dict[str, bytes]


def decode(data: bytes, package: Package) -> Decoded:
    """Decodes a file that was made with a package."""
    container = parse(data)
    need(container.portable, "the file is not portable")
    for kind in ("entropy", "synthesis"):
        wanted = getattr(container, f"{kind}_digest").hex()
        need(package.digests[kind][:16] == wanted, f"the file needs another model ({kind} digest {wanted})")
    streams = [open_stream(section.kind, section.data) for section in container.latents]
    coders = [Coder(stream) for stream in streams]
    graphs, tree = _open(package, container.quality, coders)
    width, height = _padded(container, package.description["pad"])
    with np.errstate(over="ignore", invalid="ignore"):
        y = tree.code((_channels(package), *_latent_size(package, height, width)))
        for stream in streams:
            stream.finish()
        x = graphs.only("g_s", y)
    stated = of_package(package.description)
    need(
        (container.samples.bits is None) == (stated is not None),
        "a picture for a model of arrays, or an array",
    )
    need(stated in (None, container.samples), f"samples are {container.samples}, not {stated}")
    need(x.shape == (_planes(package), height, width), f"g_s gives {x.shape}")
    left, top = container.crop
    visible = x[:, top : top + container.height, left : left + container.width]
    pixels = to_samples(visible, container.samples, package.description)
    pixels = pixels if container.axes == 3 else pixels[..., 0]
    return Decoded(pixels, [coder.symbols for coder in coders], container.metadata)


def analyse(
    pixels: np.ndarray, package: Package, quality: float | None, bits: int | None = None
) -> list[list[int]]:
    """The symbols that an encoder finds in a picture or an array, (H, W, C) or (H, W)."""
    pad = package.description["pad"]
    below, right = (-side % pad for side in pixels.shape[:2])
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    samples = of_package(package.description) or Samples(channels, bits or 8 * pixels.itemsize)
    x = to_numbers(pixels, samples, package.description)
    x = np.pad(x, ((0, 0), (0, below), (0, right)), mode="edge")
    graphs, _ = _open(package, quality, [])
    codec = package.description["codec"]
    y = graphs.only("g_a", x)
    latents = [graphs.only(codec["analysis"], y), y] if codec["type"] == "hyperprior" else [y]
    coders = [Coder(None, latent) for latent in latents]
    _, tree = _open(package, quality, coders)
    with np.errstate(over="ignore", invalid="ignore"):
        tree.code(y.shape)
    return [coder.symbols for coder in coders]


def _open(package: Package, quality: float | None, coders: list[Coder]) -> tuple[Graphs, Tree]:
    description = package.description
    levels, strides = description.get("levels"), description["strides"]
    need((quality is None) == (levels is None), f"quality {quality} for {levels} levels")
    level = None if quality is None else F32(F64(F32(quality)) / F64(100) * F64(levels - 1))
    graphs = Graphs(description["graphs"], package.tensors, level)
    ratio = strides["z"] // strides["y"] if strides.get("z") else None
    return graphs, Tree(description["codec"], graphs, coders, ratio)


def _padded(container: Container, pad: int) -> tuple[int, int]:
    """Width and height of what the model decodes."""
    if container.decoded:
        need(all(side % pad == 0 for side in container.decoded), f"decoded size {container.decoded}")
        return container.decoded
    ends = container.crop[0] + container.width, container.crop[1] + container.height
    return tuple(-(-end // pad) * pad for end in ends)


def _latent_size(package: Package, height: int, width: int) -> tuple[int, int]:
    stride = package.description["strides"]["y"]
    return height // stride, width // stride


def _channels(package: Package) -> int:
    """Channels of y, from the tree; a graph's last convolution has as many."""
    codec = package.description["codec"]
    if codec["type"] == "factorized":
        return len(package.tensors[codec["medians"]])
    if codec["y"]["type"] == "channel_groups":
        return sum(group["channels"] for group in codec["y"]["groups"])
    # y is what g_a gives for any picture.
    stride = package.description["pad"]
    graphs, _ = _open(package, None if package.description.get("levels") is None else 0.0, [])
    return len(graphs.only("g_a", np.zeros((_planes(package), stride, stride), F32)))


def _planes(package: Package) -> int:
    """Channels that networks take of a picture or an array."""
    stated = of_package(package.description)
    return 3 if stated is None else stated.channels
