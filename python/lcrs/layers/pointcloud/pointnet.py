"""Pointwise networks whose features are the maximum over all points.

Qi et al., "PointNet: Deep learning on point sets for 3D classification and segmentation", CVPR 2017; as an
autoencoder, Yan et al., "Deep autoencoder-based lossy geometry compression for point clouds", 2019; with
groups and gains, Ulhaq and Bajic, "Learned point cloud compression for classification", MMSP 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from lcrs.layers.basic import Gain, Interleave, Reshape

__all__ = [
    "GAIN",
    "conv1d_group_seq",
    "pointnet_classification_backend",
    "pointnet_g_a_simple",
    "pointnet_g_s_simple",
]

GAIN = 10.0
"""By what latents are multiplied, for a gain that an optimizer's steps change faster."""


def conv1d_group_seq(
    num_channels: Sequence[int],
    groups: Sequence[int] | None = None,
    kernel_size: int = 1,
    enabled: Sequence[str] = ("bn", "act"),
    enabled_final: Sequence[str] = ("bn", "act"),
) -> nn.Sequential:
    """Convolutions in a row, (N, `num_channels[0]`, P) to (N, `num_channels[-1]`, P).

    Between two grouped convolutions channels are interleaved.

    Args:
        num_channels: Channels before, between and after the convolutions.
        groups: Groups of each convolution; by default one.
        kernel_size: Of all of them, without padding.
        enabled: What follows each but the last: "bn" a batch normalisation, "act" a ReLU.
        enabled_final: What of it follows the last too.

    Raises:
        ValueError: There is not one number of groups for each convolution.
    """
    count = max(len(num_channels) - 1, 0)
    sizes = [1] * count if groups is None else list(groups)
    if len(sizes) != count and num_channels:
        raise ValueError(f"groups are {sizes}; {count} convolutions need as many")
    layers: list[nn.Module] = []
    for i in range(count):
        is_last = i + 1 == count
        wanted = set(enabled) & set(enabled_final) if is_last else set(enabled)
        layers.append(nn.Conv1d(num_channels[i], num_channels[i + 1], kernel_size, groups=sizes[i]))
        if not is_last and sizes[i] > 1 and sizes[i + 1] > 1:
            layers.append(Interleave(sizes[i]))
        if "bn" in wanted:
            layers.append(nn.BatchNorm1d(num_channels[i + 1]))
        if "act" in wanted:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def pointnet_g_a_simple(
    num_channels: Sequence[int], groups: Sequence[int] | None = None, gain: float = GAIN
) -> nn.Sequential:
    """From points (N, `num_channels[0]`, P) to a latent (N, `num_channels[-1]`, 1), for any P."""
    return nn.Sequential(
        *conv1d_group_seq(num_channels, groups),
        nn.AdaptiveMaxPool1d(1),
        Gain((num_channels[-1], 1), gain),
    )


def pointnet_g_s_simple(num_channels: Sequence[int], gain: float = GAIN) -> nn.Sequential:
    """From a latent (N, `num_channels[0]`, 1) to `num_channels[-1] / 3` points, (N, P, 3)."""
    return nn.Sequential(
        Gain((num_channels[0], 1), 1 / gain),
        *conv1d_group_seq(num_channels, enabled=["act"], enabled_final=[]),
        Reshape((num_channels[-1] // 3, 3)),
    )


def pointnet_classification_backend(num_channels: Sequence[int]) -> nn.Sequential:
    """From features (N, `num_channels[0]`, 1) to `num_channels[-1]` scores, (N, classes)."""
    return nn.Sequential(
        *conv1d_group_seq(num_channels[:-1], enabled_final=[]),
        nn.Dropout(0.3),
        nn.Conv1d(num_channels[-2], num_channels[-1], 1),
        Reshape((num_channels[-1],)),
    )
