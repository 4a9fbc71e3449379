"""From words to models: packages, checkpoints, published weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs import codec
from lcrs.errors import MissingModelError

if TYPE_CHECKING:
    from torch import nn

    from lcrs.coding import Package

__all__ = ["load_models", "load_networks"]


def load_models(names: Sequence[str], architecture: str | None = None) -> dict[str, Package | nn.Module]:
    """Models that code, by what a point of theirs is called.

    Args:
        names: Of packages or their files; checkpoints; published architectures, all their qualities
            (`mbt2018-mean`) or one, and what they were trained for (`mbt2018-mean:3:ms-ssim`).
        architecture: Of checkpoints whose keys do not tell it.

    Raises:
        MissingModelError: there is no such model or file.
        OSError: published weights are not here and cannot be had.
        ValueError: a file is damaged or of nothing that is known, or two points have the same name.
    """
    found: dict[str, Package | nn.Module] = {}
    for name in names:
        for label, model in _named(name, architecture).items():
            if label in found:
                msg = f"two models are called '{label}': their points would have one name"
                raise ValueError(msg)
            found[label] = model
    return found


def load_networks(names: Sequence[str], architecture: str | None = None) -> dict[str, nn.Module]:
    """The same in torch, for what is estimated: packages become networks again, where they can."""
    import torch

    from lcrs.zoo import load_model

    found: dict[str, nn.Module] = {}
    for name in names:
        if name in codec.package_names() or Path(name).suffix == ".lcrm":
            package = codec.load_package(name)
            found[str(package.name)] = load_model(name)
            continue
        for label, model in _named(name, architecture).items():
            assert isinstance(model, torch.nn.Module)
            found[label] = model
    return found


def _named(name: str, architecture: str | None) -> dict[str, Any]:
    from lcrs.zoo import ARCHITECTURES

    path = Path(name)
    if path.suffix == ".lcrm" or name in codec.package_names():
        package = codec.load_package(name)
        return {str(package.name): package}
    if path.is_file():
        from lcrs.zoo.importing import package_name_of
        from lcrs.zoo.state_dicts import load_checkpoint

        return {package_name_of(path): load_checkpoint(path, architecture).eval()}
    base, _, rest = name.partition(":")
    if base in ARCHITECTURES:
        return _published(base, rest)
    msg = (
        f"'{name}' is no model, no file, and no published architecture: models are "
        f"{', '.join(codec.package_names())}, lcrs zoo list names the rest"
    )
    raise MissingModelError(msg)


def _published(architecture: str, rest: str) -> dict[str, nn.Module]:
    from lcrs.zoo import ARCHITECTURES, models

    quality, _, metric = rest.partition(":")
    most = ARCHITECTURES[architecture].num_qualities
    if quality and not (quality.isdecimal() and 1 <= int(quality) <= most):
        msg = f"'{architecture}:{rest}': a quality from 1 to {most} comes after the colon"
        raise ValueError(msg)
    found = {}
    for number in [int(quality)] if quality else range(1, most + 1):
        net = models[architecture](number, metric=metric or "mse", pretrained=True, progress=False)
        found[f"{architecture}-{metric or 'mse'}-{number}"] = net.eval()
    return found
