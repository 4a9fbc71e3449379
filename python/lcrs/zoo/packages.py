"""From packages, which files are coded with, back to networks, which are trained."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

import lcrs.models  # noqa: F401
from lcrs.errors import MissingModelError, NotPortableError
from lcrs.registry import MODELS
from lcrs.zoo.shipped import shipped_models

__all__ = ["load_model"]


def load_model(name: str | Path) -> nn.Module:
    """The trainable network of a package, in evaluation mode, with the parameters that files are coded with.

    Args:
        name: A shipped model's name, or the path of a package.

    Raises:
        MissingModelError: there is no such shipped model and no such file.
        NotPortableError: the package has effective parameters only, from which the network's own cannot be
            had (GDN and masked convolutions lose theirs), or its architecture is not registered.
    """
    path = shipped_models().get(str(name), Path(name))
    if not path.is_file():
        raise MissingModelError(
            f"no model {str(name)!r}: shipped are {', '.join(shipped_models()) or 'none'}"
        )
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["lcrs"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    architecture = description["architecture"]
    if architecture not in MODELS:
        raise NotPortableError(f"architecture {architecture!r} of {path} is not registered")
    net: nn.Module = MODELS[architecture](**description["config"])
    missing = sorted(name for name, _ in net.named_parameters() if name not in tensors)
    if missing:
        raise NotPortableError(f"{path} has no tensor {missing[0]!r} ({len(missing)} parameters are missing)")
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            parameter.copy_(tensors[key])
    return net.eval()
