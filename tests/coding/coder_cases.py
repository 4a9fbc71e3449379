"""Tables and symbols that tests of the coder share."""

from __future__ import annotations

import numpy as np

from lcrs import coding


def gaussian_pmf_table(num_rows: int = 12) -> coding.CdfTable:
    """A small table of bell-shaped rows of growing width, built from float32 masses."""
    rows, lengths, offsets = [], [], []
    for row in range(num_rows):
        scale = 0.3 * 1.5**row
        half = max(1, int(4 * scale))
        values = np.arange(-half, half + 1)
        pmf = np.exp(-0.5 * (values / scale) ** 2)
        pmf = np.append(pmf / pmf.sum(), 1e-4).astype(np.float32)
        rows.append(coding.pmf_to_quantized_cdf(pmf).astype(np.int32))
        lengths.append(len(rows[-1]))
        offsets.append(-half)
    cdfs = np.zeros((num_rows, max(lengths)), np.int32)
    for row, cdf in enumerate(rows):
        cdfs[row, : len(cdf)] = cdf
    return coding.CdfTable(cdfs, np.array(lengths, np.int32), np.array(offsets, np.int32))


def draw(
    table: coding.CdfTable, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and indexes of ``shape``, about as the table expects them, with an escape now and then."""
    indexes = rng.integers(0, table.num_rows, shape).astype(np.int32)
    spread = table.lengths[indexes] / 8 + 0.2
    symbols = np.rint(rng.normal(0, spread)).astype(np.int32)
    return symbols, indexes


def density_parameters(channels: int, seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Of a factorized density."""
    rng = np.random.default_rng(seed)
    widths = [1, 3, 3, 1]
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    return {
        "matrices": [rng.normal(0.3, 0.3, (channels, *shape)).astype(np.float32) for shape in shapes],
        "biases": [rng.normal(0, 0.5, (channels, out, 1)).astype(np.float32) for out, _ in shapes],
        "factors": [rng.normal(0, 0.3, (channels, out, 1)).astype(np.float32) for out, _ in shapes[:-1]],
    }
