"""One registry for everything that a configuration can name.

=============  ========================  ==========================================================
table          decorator                 holds
=============  ========================  ==========================================================
`MODELS`       `register_model`          `lcrs.models`
`MODULES`      `register_module`         `lcrs.latent_codecs`
`CRITERIONS`   `register_criterion`      `lcrs.losses`
`DATASETS`     `register_dataset`        `lcrs.datasets`
`OPTIMIZERS`   `register_optimizer`      `lcrs.optimizers` and the classes of `torch.optim`
`SCHEDULERS`   `register_scheduler`      the classes of `torch.optim.lr_scheduler`
`TRANSFORMS`   `register_transform`      `lcrs.transforms` and, where installed, torchvision's and
                                         torch-geometric's
=============  ========================  ==========================================================

Importing this module imports no torch; a table imports its package when it is first searched.
"""

# CompressAI's users import these from here.
from lcrs.registry import torch, torchvision, transforms  # noqa: F401
from lcrs.registry.registry import Registry
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
    "Registry",
    "register_criterion",
    "register_dataset",
    "register_model",
    "register_module",
    "register_optimizer",
    "register_scheduler",
    "register_transform",
]
