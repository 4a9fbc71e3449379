"""From a trained checkpoint to the package that files are coded with.

``python -m lcrs.train.pack CHECKPOINT --name photo --card card.json --output photo.lcrm``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import lcrs.models  # noqa: F401
from lcrs import coding
from lcrs.models.packing import pack
from lcrs.registry import MODELS

__all__ = ["pack_checkpoint"]


def _as_halves(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Stores what binary16 holds exactly as binary16: the engine widens it again, to the same numbers."""
    halves = {}
    for key, array in tensors.items():
        half = array.astype(np.float16) if array.dtype == np.float32 else array
        halves[key] = half if np.array_equal(half.astype(array.dtype), array) else array
    return halves


@torch.no_grad()
def pack_checkpoint(
    checkpoint: str | Path, output: str | Path, name: str, card: Mapping[str, Any], architecture: str
) -> None:
    """Writes the package of a trained network, its convolutions rounded to binary16.

    Rounding the weights halves the package and costs less than 0.01 dB; what is packed, and covered by the
    digests, are the rounded weights.

    Args:
        checkpoint: File with `state_dict` and `config`, as the recipes write it.
        output: Package to write; an existing one is replaced.
        name: What files will call the model.
        card: Free-form: data, licences, steps, results.
        architecture: Registered name of the network.
    """
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    net = MODELS[architecture](**saved["config"])
    net.load_state_dict(saved["state_dict"])
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            for parameter in module.parameters():
                parameter.copy_(parameter.half().float())
    facts = {key: value for key, value in saved.items() if key not in ("state_dict", "config")}
    description, tensors = pack(net.eval(), name, {**card, **facts})
    coding.write_package(output, description, _as_halves(tensors))


def main() -> None:
    """Reads the arguments and packs."""
    parser = argparse.ArgumentParser(description="turn a checkpoint into a package")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--architecture", default="gain-hyperprior")
    parser.add_argument("--card", type=Path, help="JSON file")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    card = json.loads(arguments.card.read_text()) if arguments.card else {}
    pack_checkpoint(arguments.checkpoint, arguments.output, arguments.name, card, arguments.architecture)


if __name__ == "__main__":
    main()
