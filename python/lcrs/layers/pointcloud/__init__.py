"""Layers of networks over point clouds, on any device: CompressAI's submodules and names.

====================  =================================================================================
`pointnet`            pointwise networks and their maximum: PointNet
`pointnet2`           samples, groups around them, and features of groups: PointNet++
`pointnet2_sfu`       the upsampling block of Ulhaq and Bajic
`hrtzxf2022`          the layers of density-preserving compression
`utils`               gathering and resampling points
====================  =================================================================================

What is searched for in clouds comes from `lcrs.ops.points`.
"""

from lcrs import needs_torch  # noqa: F401
