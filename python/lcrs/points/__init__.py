"""Point clouds to bytes and back, without torch: the same bytes and the same points on every machine.

Whole coordinates, and floats on a grid, come back as they were; others within half a voxel of a size that is
asked for. The order of points is not kept.

Example:
    >>> import numpy as np
    >>> from lcrs import points
    >>> data = points.compress(np.array([[7, 0, 1], [2, 3, -4], [2, 3, -4]]))
    >>> points.decompress(data).positions.tolist()
    [[2, 3, -4], [7, 0, 1]]
"""

from lcrs.points.codec import DEFAULT_MODEL, compress, decompress, info

__all__ = ["DEFAULT_MODEL", "compress", "decompress", "info"]
