"""Writes the seeds of the coder's fuzz targets: inputs that get past the parsing of `rust/fuzz/src/coder.rs`.

Each is a table, a number of symbols, and what follows: bytes of symbols, or a stream of that table, whole,
cut, or with a flipped bit. Needs an installed lcrs. A find of the fuzzer is put beside them by hand, under a
name that says what it was.

    python rust/fuzz/seeds/make_coder.py
"""

from pathlib import Path
from typing import Literal

import numpy as np

from lcrs import coding

FOLDER = Path(__file__).parent / "coder"
KINDS: tuple[Literal["ans"], Literal["lcrs"]] = ("ans", "lcrs")
MAX_STREAM = 6000
"""Longer streams would be cut by the fuzzer; from 4096 bytes on there are 8 lanes."""
Row = tuple[int, int, bytes]
"""The shift and the low byte of the offset, and the weights of the values."""

TABLES: dict[str, list[Row]] = {
    "plain": [(0, 0xFC, bytes([1, 30, 200, 250, 200, 30, 1])), (0, 0xFF, bytes([5, 255, 5]))],
    "steep": [(1, 0x80, bytes([0, 0, 255, 0])), (23, 0x7F, bytes([255]))],
    "certain": [(0, 0, b""), (0, 1, bytes([9, 9]))],
    "beyond_15_bits": [(12, 100, bytes(range(1, 40)))],
    "many_rows": [(0, r, bytes([r + 1, 255 - r, 3])) for r in range(79)],
}


def indexes_of(seed: int, num_rows: int) -> np.ndarray:
    """The rows that the targets draw from the number of symbols."""
    rows = []
    for _ in range(seed % 8192):
        seed = (seed * 1_664_525 + 1_013_904_223) % 2**32
        rows.append((seed >> 8) % num_rows)
    return np.array(rows, np.int32)


def offset_of(row: Row) -> int:
    """The value of a row's first entry."""
    shift, low, _ = row
    return (low - 256 if low > 127 else low) << (shift % 24)


def table_of(rows: list[Row], precision: int) -> coding.CdfTable:
    """The table that the targets make of these rows."""
    cdfs = []
    for _, _, weights in rows:
        pmf = np.array([*weights, 1], np.float32) ** 3
        cdfs.append(coding.pmf_to_quantized_cdf(pmf / pmf.sum(), precision))
    lengths = np.array([len(cdf) for cdf in cdfs], np.int32)
    padded = np.zeros((len(cdfs), lengths.max()), np.int32)
    for line, cdf in zip(padded, cdfs, strict=True):
        line[: len(cdf)] = cdf
    return coding.CdfTable(padded, lengths, np.array([offset_of(row) for row in rows], np.int32), precision)


def write(name: str, kind: Literal["ans", "lcrs"], count: int, precision: int) -> None:
    """Writes the inputs of one table and kind."""
    rows, label, rng = TABLES[name], f"{name}-{kind}-{count}", np.random.default_rng(count)
    head = bytes([KINDS.index(kind) | (20 - precision if precision < 16 else 0) << 1, len(rows) - 1])
    for shift, low, weights in rows:
        head += bytes([shift, low, len(weights)]) + weights
    head += count.to_bytes(2, "little")
    (FOLDER / f"{label}-symbols").write_bytes(head + rng.bytes(60))
    indexes = indexes_of(count, len(rows))
    offsets = np.array([offset_of(row) for row in rows])[indexes]
    lengths = np.array([len(weights) + 2 for _, _, weights in rows])[indexes]
    symbols = (offsets + rng.integers(0, 2**31, count) % lengths).astype(np.int32)
    stream = bytearray(coding.encode(symbols, indexes, table_of(rows, precision), kind=kind))
    if len(stream) < MAX_STREAM:
        (FOLDER / f"{label}-stream").write_bytes(head + stream)
        (FOLDER / f"{label}-cut").write_bytes(head + stream[: len(stream) * 2 // 3])
        stream[len(stream) // 2] ^= 16
        (FOLDER / f"{label}-flipped").write_bytes(head + stream)


def main() -> None:
    """Writes all seeds."""
    FOLDER.mkdir(exist_ok=True)
    for name in TABLES:
        for kind in KINDS:
            for count, precision in ((40, 16), (8191, 16), (1500, 14)):
                write(name, kind, count, precision)


if __name__ == "__main__":
    main()
