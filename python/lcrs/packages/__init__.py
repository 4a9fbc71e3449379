"""Packages: which one a name means, from networks to packages and back.

=================  ====================================================================================
`lookup`, `index`  the one look-up of names, for files and for networks; `shipped` is where ours lie
`from_network`     a network becomes the description and tensors of a package (needs torch)
`to_network`       a package becomes the network again (needs torch)
=================  ====================================================================================

What a model says of itself is in `lcrs.models.packing`; `lcrs.coding.Package` loads and runs the file.
Importing this room imports no torch.
"""

from lcrs.packages.lookup import (
    DEFAULT_MODEL,
    load_any_package,
    load_cloud_package,
    load_cloud_packages,
    load_package,
    load_packages,
    missing,
    package_names,
    packages_at_hand,
)
from lcrs.packages.shipped import shipped_models

__all__ = [
    "DEFAULT_MODEL",
    "load_any_package",
    "load_cloud_package",
    "load_cloud_packages",
    "load_package",
    "load_packages",
    "missing",
    "package_names",
    "packages_at_hand",
    "shipped_models",
]
