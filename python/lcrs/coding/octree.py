"""Octrees of point clouds: what the networks of a geometry package see, for those who train them.

The codec itself runs in Rust from file to file; `lcrs.points` is its face.
"""

from lcrs._lcrs import Octree

__all__ = ["Octree"]
