"""Which architectures stand for the others where all would repeat what one of their kind shows."""

import pytest
from tiny_networks import TINY

DISTINCT = [
    "bmshj2018-factorized", "mbt2018", "cheng2020-anchor-checkerboard", "mbt2018-vbr",
    "gain-space-channel-hyperprior",
]  # fmt: skip
"""One of each kind of forward and of coding: what is the same in the others is slow."""
COMPILED = ["mbt2018-mean-gain"]
EXPORTED = ["mbt2018"]
"""Forwards that compilers and tracers of torch, which take seconds, go through: what the others add is
in codecs of latents, which are compiled and exported by themselves.
"""


def slow_unless(cases, is_quick):
    """`cases` for `parametrize`, those that repeat another marked as slow."""
    return [pytest.param(*case, marks=[] if is_quick(case) else pytest.mark.slow) for case in cases]


def _each(quick):
    return pytest.mark.parametrize(
        "name", slow_unless([(name,) for name in TINY], lambda case: case[0] in quick)
    )


each_kind = _each(DISTINCT)
each_compiled = _each(COMPILED)
each_exported = _each(EXPORTED)
