"""Short names for the torch types that training code passes around."""

from lcrs import needs_torch  # noqa: F401
from lcrs.typing.torch import (
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
