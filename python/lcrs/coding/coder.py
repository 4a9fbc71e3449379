"""The entropy coders, from arrays to bytes and back.

A stream has one of two kinds: `"lcrs"`, the native one (interleaved lanes, made for SIMD), and `"ans"`,
the format of CompressAI's coder, byte for byte. Symbols and indexes are C-contiguous int32 arrays, or CPU
tensors, of one shape; they are read where they lie, without a copy, and must not be changed by other
threads during a call.

Example:
    >>> import numpy as np
    >>> from lcrs import coding
    >>> table = coding.CdfTable(
    ...     np.array([[0, 10000, 40000, 60000, 65536]], np.int32),
    ...     lengths=np.array([5], np.int32),
    ...     offsets=np.array([0], np.int32),
    ... )
    >>> symbols = np.array([0, 1, 2, -1, 3, 7, 100, -100], np.int32)
    >>> indexes = np.zeros_like(symbols)
    >>> data = coding.encode(symbols, indexes, table, kind="ans")
    >>> data.hex()
    'e20f6b330500000031d88f81c2fbeea8'
    >>> coding.decode(data, indexes, table, kind="ans").tolist()
    [0, 1, 2, -1, 3, 7, 100, -100]
"""

from lcrs._lcrs import (
    Decoder,
    Encoder,
    decode,
    decode_batch,
    decode_into,
    encode,
    encode_batch,
    encoded_bound,
)

__all__ = [
    "Decoder",
    "Encoder",
    "decode",
    "decode_batch",
    "decode_into",
    "encode",
    "encode_batch",
    "encoded_bound",
]
