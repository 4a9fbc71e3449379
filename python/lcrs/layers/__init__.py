"""Layers of learned codecs. Each says with `lower(graph, x)` what it is in a coding graph."""

from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.layers.gdn import GDN, GDN1

__all__ = ["GDN", "GDN1", "DenseBlock", "DepthwiseBlock"]
