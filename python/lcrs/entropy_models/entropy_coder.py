"""The name of a stream kind, which code written for CompressAI takes for a coder."""

from __future__ import annotations

from lcrs import coding
from lcrs.coding.lists import Integers, Rows, int32_values, table_of_lists

__all__ = ["EntropyCoder"]


class EntropyCoder(str):
    """What `EntropyModel.entropy_coder` is: the string "lcrs" or "ans", and a coder of that kind.

    Entropy models do not call these methods; they are for derived classes that code their own symbols.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The kind, as a plain string."""
        return str(self)

    def encode_with_indexes(
        self, symbols: Integers, indexes: Integers, cdfs: Rows, cdfs_sizes: Integers, offsets: Integers
    ) -> bytes:
        """Codes `symbols[i]` with `cdfs[indexes[i]]`; arguments and errors as `lcrs.ans.RansEncoder`'s."""
        table = table_of_lists(cdfs, cdfs_sizes, offsets)
        arrays = int32_values(symbols, "symbols"), int32_values(indexes, "indexes")
        return coding.encode(*arrays, table, kind="ans" if self == "ans" else "lcrs")

    def decode_with_indexes(
        self, encoded: bytes, indexes: Integers, cdfs: Rows, cdfs_sizes: Integers, offsets: Integers
    ) -> list[int]:
        """The symbols of a stream, one per index; arguments and errors as `lcrs.ans.RansDecoder`'s."""
        table = table_of_lists(cdfs, cdfs_sizes, offsets)
        kind = "ans" if self == "ans" else "lcrs"
        rows = int32_values(indexes, "indexes")
        symbols: list[int] = coding.decode(encoded, rows, table, kind=kind).tolist()  # type: ignore[arg-type]
        return symbols
