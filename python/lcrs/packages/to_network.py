"""From packages, which files are coded with, back to networks, which are trained."""

from __future__ import annotations

import json
import os

import torch
from torch import nn

import lcrs.models  # noqa: F401
from lcrs.coding import Package
from lcrs.errors import NotPortableError
from lcrs.packages.lookup import load_package
from lcrs.registry import MODELS

__all__ = ["load_model"]


def load_model(name: str | os.PathLike[str] | Package) -> nn.Module:
    """The trainable network of a package, in evaluation mode, with the parameters that files are coded with.

    Args:
        name: As for `lcrs.codec.load_package`: a model's name, the path of a package, or a package.

    Raises:
        MissingModelError: there is no such model and no such file.
        NotPortableError: the package has effective parameters only, from which the network's own cannot be
            had (GDN and masked convolutions lose theirs), or its architecture is not registered.
    """
    package = load_package(name)
    description = json.loads(package.description)
    architecture = description["architecture"]
    if architecture not in MODELS:
        raise NotPortableError(f"architecture {architecture!r} of model '{package.name}' is not registered")
    net: nn.Module = MODELS[architecture](**description["config"])
    found, missing = {}, []
    for key, _ in net.named_parameters():
        try:
            found[key] = torch.from_numpy(package.parameter(key))
        except KeyError:
            missing.append(key)
    if missing:
        first = min(missing)
        raise NotPortableError(
            f"model '{package.name}' has no tensor {first!r} ({len(missing)} parameters are missing)"
        )
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            parameter.copy_(found[key])
    return net.eval()
