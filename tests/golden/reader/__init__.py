"""A reader of `.lcrs` files and `.lcrm` packages that shares nothing with lcrs.

It was written from the specification alone, with NumPy, one operation after the other, so it is slow. Where
it and lcrs give different pixels, one of them does not do what the specification says:

- the container: ``rust/lcrs-format/README.md``;
- packages, graphs, codec trees, digests, lossless pictures: ``rust/lcrs-codec/README.md``;
- streams, arithmetic, scans, tables: ``rans``, ``exact``, ``scan`` and ``cdf`` of ``lcrs_core``.
"""

from __future__ import annotations

from reader.clouds import Points, decode_cloud
from reader.decoding import Decoded, analyse, decode
from reader.lossless import decode_lossless, encode_lossless
from reader.package import Package, read_package
from reader.wrong import WrongFile

__all__ = [
    "Decoded",
    "Package",
    "Points",
    "WrongFile",
    "analyse",
    "decode",
    "decode_cloud",
    "decode_lossless",
    "encode_lossless",
    "read_package",
]
