"""From a trained checkpoint to the package that files are coded with.

`python -m lcrs.train.pack CHECKPOINT --name photo-2 --card card.json --curve FOLDER --output photo-2.lcrm`
"""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
import argparse
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

import lcrs.models  # noqa: F401
from lcrs import coding
from lcrs.packages.from_network import as_halves, package_of
from lcrs.registry import MODELS
from lcrs.train.checkpoints import fill_averages, of_run
from lcrs.train.config import ModelConfig, checked
from lcrs.train.crops import load_folder
from lcrs.train.networks import make_network
from lcrs.zoo.state_dicts import network_of, read_checkpoint, state_dict_in

__all__ = ["as_halves", "curve_of", "network_of_checkpoint", "pack_checkpoint"]

# What recipes say of a training, beside the network.
_FACTS = ("steps", "minutes", "seconds")
_DIGESTS = ("entropy", "synthesis", "analysis")


def network_of_checkpoint(
    path: str | Path, architecture: str | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint in evaluation mode, its convolutions rounded to binary16, and facts.

    Rounding the weights halves the package and costs less than 0.01 dB.

    Args:
        path: A checkpoint as `lcrs.zoo.load_checkpoint` takes it. One of a run has `config`, the sizes, too,
            and perhaps `import`, where its class is; otherwise the weights tell. Checkpoints
            that runs write on their way count as well.
        architecture: Registered name of the network; by default what the checkpoint says, or else what its
            keys tell.

    Raises:
        ValueError: no architecture has that name, or the checkpoint does not fit it.
        MissingModelError: there is no such file.
        CorruptError: it is no checkpoint.
    """
    saved = read_checkpoint(path)
    if (on_the_way := of_run(saved, path)) is not None:
        return _network_of_run(on_the_way)
    state = state_dict_in(saved, path)
    if "import" in saved:
        net = make_network(ModelConfig.model_validate({"import": saved["import"], "sizes": saved["config"]}))
        net.load_state_dict(state)
        return _rounded(net), _facts(saved)
    name = architecture or saved.get("architecture")
    try:
        if "config" in saved and name in MODELS:
            net = MODELS[name](**saved["config"])
            net.load_state_dict(state)
        else:
            net = network_of(state, name)
    except KeyError as error:
        raise ValueError(f"{path} is no checkpoint of {name}: {error} is missing") from error
    except (AttributeError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} is no checkpoint of {name}: {reason}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return _rounded(net), _facts(saved)


def _network_of_run(saved: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint that a run writes on its way, with averaged weights if there are."""
    config = checked(saved["config"])
    net = make_network(config.model)
    net.load_state_dict(saved["state"]["model"])
    fill_averages(net, saved)
    facts = {"steps": saved["step"], "minutes": saved["seconds"] / 60}
    return _rounded(net), {**facts, **_recipe(saved["config"])}


def _facts(saved: Mapping[str, Any]) -> dict[str, Any]:
    facts = {key: saved[key] for key in _FACTS if isinstance(saved.get(key), int | float)}
    return {**facts, **_recipe(saved.get("recipe"))}


def _recipe(config: Any) -> dict[str, str]:
    """The name of the recipe in the configuration of a run."""
    name = config.get("recipe") if isinstance(config, Mapping) else None
    return {"recipe": name} if isinstance(name, str) else {}


@torch.no_grad()
def _rounded(net: nn.Module) -> nn.Module:
    """The network in evaluation mode, what convolutions multiply by rounded to binary16."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and not is_parametrized(
            module, "weight"
        ):
            module.weight.copy_(module.weight.half().float())
    return net.eval()


def pack_checkpoint(
    checkpoint: str | Path,
    output: str | Path,
    name: str,
    card: Mapping[str, Any],
    architecture: str | None = None,
    pictures: str | Path | None = None,
) -> dict[str, Any]:
    """Writes the package of a trained network.

    Args:
        checkpoint: As for `network_of_checkpoint`.
        output: Package to write; an existing one is replaced.
        name: What files will call the model.
        card: Free-form: data, licences, steps, results.
        architecture: Registered name of the network.
        pictures: Folder of pictures on which the curve that goes into the card is measured, through files.

    Returns:
        The card as it is in the package: what was given, and `steps` and the like from the checkpoint,
        `digests` and, with `pictures`, `curve`.
    """
    net, facts = network_of_checkpoint(checkpoint, architecture)
    description, tensors = package_of(net, name)
    coding.write_package(output, description, tensors)
    package = coding.Package.from_file(output)
    written = json.loads(package.description)
    measured = {"digests": {kind: written[f"{kind}_digest"] for kind in _DIGESTS}}
    # What was measured of other weights does not stay.
    card = {**facts, **{key: value for key, value in card.items() if key != "curve"}, **measured}
    if pictures is not None:
        card["curve"] = {"pictures": Path(pictures).name, "points": curve_of(package, pictures)}
    # No digest covers the card.
    coding.write_package(output, {**description, "card": card}, tensors)
    return card


def curve_of(package: coding.Package, folder: str | Path) -> list[dict[str, float]]:
    """What files of all pictures of a folder are like, at each level of a model or at its one rate.

    Returns:
        For each level "quality", and means over pictures: "bpp", bits of whole files a pixel, and "psnr", of
        RGB in dB.
    """
    pictures = load_folder(folder)
    last = (package.levels or 1) - 1
    points = []
    for level in range(last + 1):
        quality = 100 * level / last if last else None
        rates, psnrs = [], []
        for picture in pictures:
            data = package.compress(picture, quality)
            error = package.decompress(data).astype(np.float64) - picture
            rates.append(8 * len(data) / (picture.shape[0] * picture.shape[1]))
            psnrs.append(10 * math.log10(255**2 / max(float(np.square(error).mean()), 1e-10)))
        means = {"bpp": round(float(np.mean(rates)), 4), "psnr": round(float(np.mean(psnrs)), 3)}
        points.append(means if quality is None else {"quality": round(quality, 3), **means})
    return points


def main() -> None:
    """Reads the arguments and packs."""
    parser = argparse.ArgumentParser(description="turn a checkpoint into a package")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--architecture", help="registered name; by default told by the checkpoint")
    parser.add_argument("--card", type=Path, help="JSON file; what is measured is written back to it")
    parser.add_argument("--curve", type=Path, help="folder of pictures to measure rate and distortion on")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    card = json.loads(arguments.card.read_text()) if arguments.card else {}
    card = pack_checkpoint(
        arguments.checkpoint, arguments.output, arguments.name, card, arguments.architecture, arguments.curve
    )
    if arguments.card:
        arguments.card.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    size, digest = arguments.output.stat().st_size, hashlib.sha256(arguments.output.read_bytes()).hexdigest()
    print(f"{arguments.output}: {size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()
