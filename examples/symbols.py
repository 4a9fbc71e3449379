"""The coder alone, for symbols of your own: arrays in, bytes out, and back.

Symbols are drawn from normal distributions of 64 scales; the coded length is put beside their entropy.
"""

from __future__ import annotations

import numpy as np

from lcrs import coding


def main() -> None:
    """Codes a latent of 192 channels with both kinds of streams."""
    random = np.random.default_rng(0)
    scales = np.asarray(coding.default_scale_table())
    table = coding.gaussian_table(scales)
    indexes = random.integers(0, len(scales), (192, 32, 48)).astype(np.int32)
    symbols = np.rint(random.normal(0, scales[indexes])).astype(np.int32)
    entropy_bits = sum(
        float(np.log2(scale * np.sqrt(2 * np.pi * np.e)) * (indexes == row).sum())
        for row, scale in enumerate(scales)
        if scale > 0.5  # of smaller ones the formula for continuous values says nothing
    )
    for kind in ("lcrs", "ans"):
        data = coding.encode(symbols, indexes, table, kind=kind)
        assert (coding.decode(data, indexes, table, kind=kind) == symbols).all()
        print(f"{kind}: {symbols.size} symbols in {len(data)} bytes")
    print(f"entropy of those with scales above 0.5: {entropy_bits / 8:.0f} bytes")


if __name__ == "__main__":
    main()
