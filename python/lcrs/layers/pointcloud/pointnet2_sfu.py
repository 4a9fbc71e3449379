"""The upsampling block of Ulhaq and Bajic, "Scalable human-machine point cloud compression", PCS 2024."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lcrs.layers.basic import Interleave, Reshape, Transpose

__all__ = ["UpsampleBlock"]


class UpsampleBlock(nn.Module):
    """Features of level i from those above: each point becomes S[i] points.

    Args:
        D: Channels of features on the way down, for each level.
        E: Channels of features on the way up, for each level.
        M: Channels of latents, for each level; zero where there is none.
        P: Points, for each level.
        S: Points of a group, for each level.
        i: The level.
        extra_in_ch: Channels that come with a latent besides D[i].
        groups: Groups of the two convolutions.
    """

    def __init__(
        self,
        D: Sequence[int],
        E: Sequence[int],
        M: Sequence[int],
        P: Sequence[int],
        S: Sequence[int | None],
        i: int,
        extra_in_ch: int = 3,
        groups: Sequence[int] = (1, 1),
    ) -> None:
        super().__init__()
        points = S[i]
        if points is None:
            raise ValueError(f"S[{i}] is None; level {i} needs a number of points of a group")
        in_channels = E[i + 1] + (D[i] + extra_in_ch if M[i] else 0)
        self.block = nn.Sequential(
            nn.Conv1d(in_channels, D[i], 1, groups=groups[0]),
            Interleave(groups[0]),
            nn.BatchNorm1d(D[i]),
            nn.ReLU(inplace=True),
            nn.Conv1d(D[i], E[i] * points, 1, groups=groups[1]),
            Interleave(groups[1]),
            nn.BatchNorm1d(E[i] * points),
            nn.ReLU(inplace=True),
            Reshape((E[i], points, P[i])),
            Transpose(-2, -1),
            Reshape((E[i], P[i] * points)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, P[i]) to (B, E[i], P[i] S[i])."""
        y: Tensor = self.block(x)
        return y
