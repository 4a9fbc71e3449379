"""CompressAI's coder classes, over lists or arrays, which become arrays on every call.

New code should use the functions of `lcrs.coding`, which take a prepared table and no lists. Two differences
from CompressAI are deliberate: what is wrong with the data raises an error instead of returning noise, and
`RansDecoder.decode_with_indexes` checks that the stream ends with the last symbol.
"""

from __future__ import annotations

from lcrs.coding.coder import Decoder, Encoder, decode, encode
from lcrs.coding.lists import Integers, Rows, int32_values, table_of_lists

__all__ = ["BufferedRansEncoder", "RansDecoder", "RansEncoder"]


class RansEncoder:
    """Codes one message a call."""

    def encode_with_indexes(
        self,
        symbols: Integers,
        indexes: Integers,
        cdfs: Rows,
        cdfs_sizes: Integers,
        offsets: Integers,
        /,
    ) -> bytes:
        """Codes `symbols[i]` with `cdfs[indexes[i]]`.

        Args:
            symbols: any int32 values.
            indexes: rows of `cdfs`, as many as `symbols`.
            cdfs: cumulative frequencies, each row from 0 to 65536, or all to the same smaller power of two,
                which wastes bits; what lies beyond a row's size is ignored.
            cdfs_sizes: the entries used of each row.
            offsets: the value of each row's first symbol.

        Raises:
            ValueError: lengths differ, an index is not a row, or a row is not increasing.
        """
        table = table_of_lists(cdfs, cdfs_sizes, offsets)
        return encode(int32_values(symbols, "symbols"), int32_values(indexes, "indexes"), table, kind="ans")


class BufferedRansEncoder:
    """Codes one message in pieces: several calls and a flush make the bytes of one call."""

    def __init__(self) -> None:
        self._encoder = Encoder("ans")

    def encode_with_indexes(
        self,
        symbols: Integers,
        indexes: Integers,
        cdfs: Rows,
        cdfs_sizes: Integers,
        offsets: Integers,
        /,
    ) -> None:
        """Appends symbols; arguments and errors as in `RansEncoder.encode_with_indexes`."""
        table = table_of_lists(cdfs, cdfs_sizes, offsets)
        self._encoder.push(int32_values(symbols, "symbols"), int32_values(indexes, "indexes"), table)

    def flush(self) -> bytes:
        """The stream of everything appended since the last flush."""
        encoder, self._encoder = self._encoder, Encoder("ans")
        return encoder.finish()


class RansDecoder:
    """Decodes a message at once, or in pieces after `set_stream`."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None

    def decode_with_indexes(
        self, encoded: bytes, indexes: Integers, cdfs: Rows, cdfs_sizes: Integers, offsets: Integers, /
    ) -> list[int]:
        """The symbols of a whole stream, one per index.

        Raises:
            ValueError: the arguments are not as in `RansEncoder.encode_with_indexes`.
            LcrsError: `encoded` is not a stream of exactly these symbols.
        """
        table = table_of_lists(cdfs, cdfs_sizes, offsets)
        symbols: list[int] = decode(encoded, int32_values(indexes, "indexes"), table, kind="ans").tolist()
        return symbols

    def set_stream(self, encoded: bytes, /) -> None:
        """Starts at the first symbol of `encoded`.

        Raises:
            LcrsError: it is too short to be a stream.
        """
        self._decoder = Decoder(encoded, "ans")

    def decode_stream(
        self, indexes: Integers, cdfs: Rows, cdfs_sizes: Integers, offsets: Integers, /
    ) -> list[int]:
        """The next symbols of the stream, one per index; errors as in `decode_with_indexes`.

        Raises:
            ValueError: also if there is no stream yet.
        """
        if self._decoder is None:
            msg = "there is no stream to decode: call set_stream first"
            raise ValueError(msg)
        symbols: list[int] = self._decoder.pull(
            int32_values(indexes, "indexes"), table_of_lists(cdfs, cdfs_sizes, offsets)
        ).tolist()
        return symbols
