"""Writes the `.npz` vectors of this folder as `.bin` files that the Rust tests read.

A file is a sequence of arrays: the length, then the elements, all as LEB128 of the zigzag-folded integer.
Floats are stored by their bit pattern (int32). Arrays per case: `pmf_to_cdf` pmf, [precision], cdf;
`rans64_streams` symbols, indexes, cdfs (row by row without padding), lengths, offsets, bytes;
`gaussian_default_table` cdfs, lengths, offsets.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt


def pack(arrays: list[npt.ArrayLike]) -> bytes:
    """Returns the bytes of `arrays`."""
    out = bytearray()
    for array in arrays:
        for value in [np.size(array), *np.asarray(array).tolist()]:
            folded = 2 * value if value >= 0 else -2 * value - 1
            while folded > 127:
                out.append(folded & 127 | 128)
                folded >>= 7
            out.append(folded)
    return bytes(out)


def ragged(cdfs: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Returns the rows without their padding, one after the other."""
    return np.concatenate([row[:n] for row, n in zip(cdfs, lengths, strict=True)])


def main() -> None:
    """Writes all three files."""
    here = Path(__file__).parent
    f = np.load(here / "pmf_to_cdf.npz")
    arrays = []
    for i in range(f["count"]):
        arrays += [f[f"pmf.{i}"].astype(np.float32).view(np.int32), [int(f[f"precision.{i}"])], f[f"cdf.{i}"]]
    (here / "pmf_to_cdf.bin").write_bytes(pack(arrays))
    f = np.load(here / "rans64_streams.npz")
    arrays = []
    for i in range(f["count"]):
        lengths = f[f"cdf_lengths.{i}"]
        arrays += [f[f"symbols.{i}"], f[f"indexes.{i}"], ragged(f[f"cdfs.{i}"], lengths), lengths]
        arrays += [f[f"offsets.{i}"], f[f"bytes.{i}"]]
    (here / "rans64_streams.bin").write_bytes(pack(arrays))
    f = np.load(here / "gaussian_default_table.npz")
    arrays = [ragged(f["quantized_cdf"], f["cdf_length"]), f["cdf_length"], f["offset"]]
    (here / "gaussian_default_table.bin").write_bytes(pack(arrays))


if __name__ == "__main__":
    main()
