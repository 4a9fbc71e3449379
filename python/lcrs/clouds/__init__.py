"""Point clouds from files and files from clouds: positions and properties as they are, nothing lost silently.

Example:
    >>> import numpy as np
    >>> from lcrs import clouds
    >>> data, losses = clouds.cloud_file(clouds.Cloud(np.eye(3, dtype=np.float32)), "ply")
    >>> clouds.read(data).positions.dtype, losses
    (dtype('float32'), [])
"""

from lcrs.clouds.cloud import MAX_POINTS, Cloud, Grid
from lcrs.clouds.errors import CloudError
from lcrs.clouds.files import ENCODINGS, FORMATS, cloud_file, format_of, read, write

__all__ = [
    "ENCODINGS",
    "FORMATS",
    "MAX_POINTS",
    "Cloud",
    "CloudError",
    "Grid",
    "cloud_file",
    "format_of",
    "read",
    "write",
]
