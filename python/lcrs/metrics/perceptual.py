"""LPIPS and DISTS, by the packages of their authors, where those and their weights are on this machine.

Nothing is ever downloaded: the weights of the networks that they stand on are looked for where torch keeps
them (`torch.hub.get_dir()`), and their absence is said with the file's name.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PERCEPTUAL", "NotAvailableError", "perceptual"]

PERCEPTUAL = ("lpips", "dists")
_NEEDS = {
    "lpips": ("lpips", "lpips", "alexnet-owt-7be5be79.pth"),
    "dists": ("DISTS_pytorch", "dists-pytorch", "vgg16-397923af.pth"),
}
"""Module, package, and torchvision's weights of the network below."""
_LEAST_SIDE = {"lpips": 31, "dists": 16}
"""Of a picture: with less nothing is left after the network's last pooling."""


class NotAvailableError(ValueError):
    """A measure needs what is not on this machine, or a larger picture."""


def perceptual(name: str, original: NDArray[Any], restored: NDArray[Any]) -> float:
    """A distance that a network sees, 0 for equal pictures.

    Args:
        name: `lpips` (Zhang et al. 2018, AlexNet) or `dists` (Ding et al. 2020).
        original: (H, W, 3) or (H, W), uint8 or uint16.
        restored: Of the same shape and type.

    Raises:
        NotAvailableError: its package or the weights are not here, or a side is too short.
    """
    if (side := min(original.shape[:2])) < _LEAST_SIDE[name]:
        msg = f"it needs sides of {_LEAST_SIDE[name]} pixels or more, this picture has {side}"
        raise NotAvailableError(msg)
    network = _network(name)
    import torch

    def tensor(array: NDArray[Any]) -> torch.Tensor:
        planes = np.broadcast_to(array[..., None], (*array.shape, 3)) if array.ndim == 2 else array
        scaled = (planes / np.iinfo(array.dtype).max).astype(np.float32)
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(scaled, 2, 0)))[None]

    with torch.inference_mode():
        if name == "lpips":
            return float(network(tensor(original), tensor(restored), normalize=True))
        return float(network(tensor(original), tensor(restored)))


@lru_cache
def _network(name: str) -> Any:
    module, package, file = _NEEDS[name]
    if any(find_spec(part) is None for part in ("torch", "torchvision", module)):
        msg = f"{name} needs torchvision and {package}: pip install torchvision {package}"
        raise NotAvailableError(msg)
    import torch

    if not (path := Path(torch.hub.get_dir()) / "checkpoints" / file).is_file():
        msg = f"{name} needs torchvision's weights {file} in {path.parent}, which are not there"
        raise NotAvailableError(msg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of calls that these packages make
        library = import_module(module)
        made = library.LPIPS(net="alex", verbose=False) if name == "lpips" else library.DISTS()
    return made.eval()
