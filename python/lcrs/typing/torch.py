"""Short names for the torch types that training code passes around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset

__all__ = [
    "TCriterion",
    "TDataLoader",
    "TDataset",
    "TModel",
    "TModule",
    "TOptimizer",
    "TScheduler",
    "TTransform",
]

TCriterion: TypeAlias = nn.Module
TDataLoader: TypeAlias = DataLoader[Any]
TDataset: TypeAlias = Dataset[Any]
TModel: TypeAlias = nn.Module
TModule: TypeAlias = nn.Module
TOptimizer: TypeAlias = optim.Optimizer
TScheduler: TypeAlias = lr_scheduler.LRScheduler
TTransform: TypeAlias = Callable[..., Any]
