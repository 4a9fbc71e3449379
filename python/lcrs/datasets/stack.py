"""Datasets side by side: torch's own, under the name that CompressAI gives its back-port."""

from torch.utils.data import StackDataset

__all__ = ["StackDataset"]
