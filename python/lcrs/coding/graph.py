"""Coding graphs: networks as data, run on exact arithmetic.

A graph is a JSON description in single assignment form, made by `lcrs.layers.lowering`, and a dictionary of
named tensors. Running it gives the same bits on every machine.
"""

from lcrs._lcrs import Graph

__all__ = ["Graph"]
