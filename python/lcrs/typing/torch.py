"""CompressAI's path for the types."""

from lcrs.typing import (
    TCriterion,
    TDataLoader,
    TDataset,
    TModel,
    TModule,
    TOptimizer,
    TScheduler,
    TTransform,
)

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
