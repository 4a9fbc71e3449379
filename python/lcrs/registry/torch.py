"""CompressAI's path for the registry."""

from lcrs.registry.tables import (
    CRITERIONS,
    DATASETS,
    MODELS,
    MODULES,
    OPTIMIZERS,
    SCHEDULERS,
    TRANSFORMS,
    register_criterion,
    register_dataset,
    register_model,
    register_module,
    register_optimizer,
    register_scheduler,
    register_transform,
)

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
