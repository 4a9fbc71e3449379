"""Arrays side by side."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch.utils.data import Dataset

__all__ = ["NdArrayDataset"]


class NdArrayDataset(Dataset[Any]):
    """Item `i` is the tuple of item `i` of each array, as `torch.utils.data.TensorDataset` is for tensors.

    Args:
        *arrays: Arrays with the same first dimension.
        single: The item is that of the only array, not a tuple of one.

    Raises:
        ValueError: No array, lengths differ, or several arrays with `single`.
    """

    def __init__(self, *arrays: NDArray[Any], single: bool = False) -> None:
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"the arrays have lengths {lengths}; there must be arrays, all of one length")
        if single and len(arrays) != 1:
            raise ValueError(f"single is for one array; there are {len(arrays)}")
        self.arrays = arrays
        self.single = single

    def __getitem__(self, index: int) -> Any:
        """The items at `index`."""
        return self.arrays[0][index] if self.single else tuple(array[index] for array in self.arrays)

    def __len__(self) -> int:
        """Length of the arrays."""
        return len(self.arrays[0])
