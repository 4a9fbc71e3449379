"""A layer of one's own, from torch to a file that decodes without torch.

The layer says in ``forward`` what it computes, for training, and in ``lower`` the same in operations of the
exact engine. A model with it becomes a package, and files coded with that have the same pixels everywhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import lcrs
from lcrs import coding
from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import GaussianConditionalLatentCodec, HyperLatentCodec, HyperpriorLatentCodec
from lcrs.layers.lowering import GraphBuilder, Value
from lcrs.models import SimpleVAECompressionModel
from lcrs.models.packing import pack
from lcrs.models.utils import conv, deconv


class Gated(nn.Module):
    """What is learned of a position's surroundings, weighted by a learned gate: (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """In torch."""
        return x + self.value(x) * torch.sigmoid(self.gate(x))

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """In operations."""
        gate = graph.op("sigmoid", graph.call(self.gate, x, "gate"))
        return graph.op("add", x, graph.op("mul", graph.call(self.value, x, "value"), gate))


class GatedHyperprior(SimpleVAECompressionModel):
    """A small mean-scale hyperprior with gates in its transforms."""

    def __init__(self, N: int = 8, M: int = 12) -> None:
        super().__init__()
        self.g_a = nn.Sequential(conv(3, N), Gated(N), conv(N, N), Gated(N), conv(N, M))
        self.g_s = nn.Sequential(deconv(M, N), Gated(N), deconv(N, N), Gated(N), deconv(N, 3))
        h_a = nn.Sequential(conv(M, N, stride=1, kernel_size=3), nn.LeakyReLU(), conv(N, N))
        h_s = nn.Sequential(deconv(N, M), nn.LeakyReLU(), conv(M, 2 * M, stride=1, kernel_size=3))
        hyper = HyperLatentCodec(EntropyBottleneck(N), h_a=h_a, h_s=h_s, quantizer="ste")
        y = GaussianConditionalLatentCodec(quantizer="ste")
        self.latent_codec = HyperpriorLatentCodec({"y": y, "hyper": hyper})


def main() -> None:
    """Packs the untrained model, and codes a picture with the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("gated.lcrm"))
    package = parser.parse_args().output
    torch.manual_seed(0)
    coding.write_package(package, *pack(GatedHyperprior().eval(), "gated"))
    picture = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    data = lcrs.compress(picture, model=str(package))
    pixels = [lcrs.decompress(data, model=str(package), threads=threads) for threads in (1, 2)]
    print(
        f"{package}: {package.stat().st_size} bytes; a file of {len(data)} bytes decodes to {pixels[0].shape}"
    )
    print("the same pixels with one thread and with two:", bool((pixels[0] == pixels[1]).all()))


if __name__ == "__main__":
    main()
