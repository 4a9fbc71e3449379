"""Hashes of what coding computes, for processes on other paths of SIMD; nothing of pytest is loaded."""

from __future__ import annotations

import hashlib

import numpy as np
from coder_cases import density_parameters, draw, gaussian_pmf_table

import tiny_package
from lcrs import coding


def tables() -> str:
    """Tables from both families."""
    digest = hashlib.sha256()
    for table in (
        coding.factorized_table(**density_parameters(8, 5)),
        coding.gaussian_table(coding.default_scale_table()),
        gaussian_pmf_table(),
    ):
        for array in (table.cdfs, table.lengths, table.offsets):
            digest.update(array.tobytes())
    return digest.hexdigest()


def graphs(threads: int | None) -> str:
    """What the four graphs make of random numbers, exponentials included."""
    digest, rng = hashlib.sha256(), np.random.default_rng(4)
    shapes = {"g_a": (3, 40, 72), "g_s": (48, 9, 17), "h_a": (48, 10, 18), "h_s": (6, 7, 5)}
    for name, shape in shapes.items():
        graph = coding.Graph(tiny_package.graph_json(name), tiny_package.tensors())
        for array in graph.run([rng.random(shape, np.float32)], level=1.37, threads=threads).values():
            digest.update(array.tobytes())
    return digest.hexdigest()


def streams(threads: int | None) -> str:
    """Streams of both kinds, which are decoded as well."""
    digest, table = hashlib.sha256(), gaussian_pmf_table()
    symbols, indexes = draw(table, (3, 30_001), np.random.default_rng(7))
    for kind in ("lcrs", "ans"):
        written = coding.encode_batch(symbols, indexes, table, kind, threads)
        assert np.array_equal(coding.decode_batch(written, indexes, table, kind, threads), symbols)
        digest.update(b"".join(written))
    return digest.hexdigest()


def all_of_them(threads: int | None) -> list[str]:
    return [tables(), graphs(threads), streams(threads)]
