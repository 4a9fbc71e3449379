"""The tables themselves, and their decorators."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from lcrs.registry.registry import Registry

__all__ = [
    "CRITERIONS",
    "DATASETS",
    "MODELS",
    "MODULES",
    "OPTIMIZERS",
    "SCHEDULERS",
    "TRANSFORMS",
    "register_criterion",
    "register_dataset",
    "register_model",
    "register_module",
    "register_optimizer",
    "register_scheduler",
    "register_transform",
]


def _public_classes(module_name: str, excluded: tuple[str, ...] = ()) -> dict[str, Callable[..., Any]]:
    """Classes with a public name that `module_name` offers, abstract bases left out."""
    module = importlib.import_module(module_name)
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and name[0].isupper()
        and name not in excluded
        and not inspect.isabstract(value)
    }


def _torch_optimizers() -> Mapping[str, Callable[..., Any]]:
    return _public_classes("torch.optim", excluded=("Optimizer",))


def _torch_schedulers() -> Mapping[str, Callable[..., Any]]:
    module = importlib.import_module("torch.optim.lr_scheduler")
    steps = (module.LRScheduler, module.ReduceLROnPlateau)
    classes = _public_classes(module.__name__, excluded=("LRScheduler",))
    return {name: value for name, value in classes.items() if issubclass(value, steps)}  # type: ignore[arg-type]


def _installed_transforms() -> Mapping[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for package in ("torch_geometric", "torchvision"):  # torchvision's win where both have a name
        if importlib.util.find_spec(package) is not None:
            found.update(_public_classes(f"{package}.transforms"))
    return found


CRITERIONS = Registry("criterion", home="lcrs.losses")
DATASETS = Registry("dataset", home="lcrs.datasets")
MODELS = Registry("model", home="lcrs.models")
MODULES = Registry("module", home="lcrs.latent_codecs")
OPTIMIZERS = Registry("optimizer", home="lcrs.optimizers", borrow=_torch_optimizers)
SCHEDULERS = Registry("scheduler", borrow=_torch_schedulers)
TRANSFORMS = Registry("transform", home="lcrs.transforms", borrow=_installed_transforms)

register_criterion = CRITERIONS.register
register_dataset = DATASETS.register
register_model = MODELS.register
register_module = MODULES.register
register_optimizer = OPTIMIZERS.register
register_scheduler = SCHEDULERS.register
register_transform = TRANSFORMS.register
