"""A hierarchy of samples and groups, with a latent at each level that is given one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.latent_codecs import EntropyBottleneckLatentCodec
from lcrs.layers.basic import Gain, Interleave, Reshape, Transpose
from lcrs.layers.foreign import coding_scope
from lcrs.layers.pointcloud.pointnet import GAIN
from lcrs.layers.pointcloud.pointnet2 import PointNetSetAbstraction
from lcrs.layers.pointcloud.pointnet2_sfu import UpsampleBlock
from lcrs.models.base import CompressionModel
from lcrs.models.pointcloud.clouds import positions_of
from lcrs.models.strings import check_strings
from lcrs.registry import register_model

__all__ = ["PointNet2SsgReconstructionPccModel"]

_LEVELS = 4
_LAST = _LEVELS - 1
_TAIL_MASS = 1e-4
_MANY_WEIGHTS = 2**16


@register_model("sfu2024-pcc-rec-pointnet2-ssg")
class PointNet2SsgReconstructionPccModel(CompressionModel):
    """PointNet++ by groups of one scale, made an autoencoder.

    Qi et al., "PointNet++", NeurIPS 2017; Ulhaq and Bajic, "Scalable human-machine point cloud
    compression", PCS 2024.

    .. code-block:: none

        pos ── down 1 ── down 2 ── down 3
                 │         │         │
               (h_a 1)    h_a 2     h_a 3
                 │         │         │
               (y_1)      y_2       y_3      entropy bottlenecks
                 │         │         │
               (h_s 1)    h_s 2     h_s 3
                 │         │         │
        x_hat ── up 0 ── up 1, 2 ── up 3

    A cloud may have any number of points; what is restored has `P[0]`. Strings decode to the same latents
    on every
    machine: no network decides a symbol.

    Args:
        num_points: Taken for CompressAI's sake, as is
        num_classes: this.
        D: Channels of features on the way down, for each level.
        P: Points, for each level; each is the next times the next's `S`.
        S: Points of a group, for each level but the first.
        R: Radius of a group, for the second level and the third.
        E: Channels of features on the way up, for each level and before the last.
        M: Channels of latents, for each level; zero where there is none. The last has one.
        normal_channel: Points come with normals: "pos" has six channels, and `D` begins with 3.

    Raises:
        ValueError: `P` and `S` do not fit together, or `D` and `normal_channel`.
    """

    trains_on = "lcrs.train.clouds:CLOUDS"

    def __init__(
        self,
        num_points: int = 1024,
        num_classes: int = 40,
        D: Sequence[int] = (0, 128, 192, 256),
        P: Sequence[int] = (1024, 256, 64, 1),
        S: Sequence[int | None] = (None, 4, 4, 64),
        R: Sequence[float | None] = (None, 0.2, 0.4, None),
        E: Sequence[int] = (3, 64, 32, 16, 0),
        M: Sequence[int] = (0, 0, 64, 64),
        normal_channel: bool = False,
    ) -> None:
        super().__init__()
        self.num_points = num_points
        self.num_classes = num_classes
        self.D, self.P, self.S, self.R, self.E, self.M = D, P, S, R, E, M
        self.normal_channel = bool(normal_channel)
        self.levels = _LEVELS
        if D[0] != (3 if normal_channel else 0):
            legal = "3, those of normals," if normal_channel else "0, as points have no normals,"
            raise ValueError(f"D is {tuple(D)}: {legal} is needed first")
        sizes = [size or 0 for size in S]
        if any(P[i - 1] != P[i] * sizes[i] for i in range(1, _LEVELS)):
            raise ValueError(f"P is {tuple(P)} and S is {tuple(S)}; P[i - 1] = P[i] S[i] is needed")
        self.down = nn.ModuleDict(
            {
                "_1": PointNetSetAbstraction(
                    P[1], R[1], S[1], D[0] + 3, [D[1] // 2, D[1] // 2, D[1]], group_all=False
                ),
                "_2": PointNetSetAbstraction(P[2], R[2], S[2], D[1] + 3, [D[1], D[1], D[2]], group_all=False),
                "_3": PointNetSetAbstraction(None, None, None, D[2] + 3, [D[2], D[3], D[3]], group_all=True),
            }
        )
        groups = 1 if D[_LAST] * M[_LAST] <= _MANY_WEIGHTS else 4
        coded = [i for i in range(_LAST) if M[i] > 0]
        self.h_a = nn.ModuleDict({f"_{i}": self._analysis(i, P[i + 1] * sizes[i + 1]) for i in coded})
        self.h_a[f"_{_LAST}"] = nn.Sequential(
            Reshape((D[_LAST], 1)),
            nn.Conv1d(D[_LAST], M[_LAST], 1, groups=groups),
            Interleave(groups),
            Gain((M[_LAST], 1), factor=GAIN),
        )
        self.h_s = nn.ModuleDict(
            {
                f"_{i}": nn.Sequential(Gain((M[i], 1), factor=1 / GAIN), nn.Conv1d(M[i], D[i] + 3, 1))
                for i in coded
            }
        )
        self.h_s[f"_{_LAST}"] = nn.Sequential(
            Gain((M[_LAST], 1), factor=1 / GAIN),
            nn.Conv1d(M[_LAST], D[_LAST], 1, groups=groups),
            Interleave(groups),
        )
        self.up = nn.ModuleDict(
            {
                "_0": nn.Sequential(
                    nn.Conv1d(E[1] + (D[0] + 3 if M[0] else 0), E[1], 1),
                    nn.ReLU(inplace=True),
                    nn.Conv1d(E[1], E[0], 1),
                    Reshape((E[0], P[0])),
                    Transpose(-2, -1),
                ),
                "_1": UpsampleBlock(D, E, M, P, S, i=1, extra_in_ch=3, groups=(1, 4)),
                "_2": UpsampleBlock(D, E, M, P, S, i=2, extra_in_ch=3, groups=(1, 4)),
                "_3": UpsampleBlock(D, E, M, P, S, i=3, extra_in_ch=0, groups=(1, 4)),
            }
        )
        self.latent_codec = nn.ModuleDict(
            {
                f"_{i}": EntropyBottleneckLatentCodec(channels=M[i], tail_mass=_TAIL_MASS)
                for i in (*coded, _LAST)
            }
        )

    def _analysis(self, i: int, points: int) -> nn.Sequential:
        return nn.Sequential(
            Reshape((self.D[i] + 3, points)),
            nn.Conv1d(self.D[i] + 3, self.M[i], 1),
            Gain((self.M[i], 1), factor=GAIN),
        )

    def forward(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Restores clouds and measures their rate.

        Args:
            input: "pos", (B, P, 3), or (B, P, 6) with normals, of any floating type or of whole numbers.

        Returns:
            `x_hat` (B, P[0], 3); `likelihoods` of "y_i", (B, M[i], points, 1), for each level that has a
            latent; and `debug_outputs`, the features of all levels.
        """
        features, groups = self._analysed(input)
        out = {i: self._codec(i)(self._latent(i, groups)) for i in self._coded()}
        x_hat, y_hat, upwards = self._synthesised({i: part["y_hat"] for i, part in out.items()})
        return {
            "x_hat": x_hat,
            "likelihoods": {f"y_{i}": part["likelihoods"]["y"] for i, part in sorted(out.items())},
            "debug_outputs": {
                **{f"u_{i}": u for i, u in features.items() if u is not None},
                **{f"uu_{i}": uu for i, uu in groups.items()},
                **{f"y_hat_{i}": y for i, y in y_hat.items()},
                **{f"v_{i}": v for i, v in upwards.items() if v.numel() > 0},
            },
        }

    @coding_scope()
    @torch.no_grad()
    def compress(self, input: Mapping[str, Tensor]) -> dict[str, Any]:
        """Codes clouds.

        Args:
            input: As of `forward`.

        Returns:
            `strings`, a list for each level of a string for each cloud, empty where a level has no latent;
            `shape`, of each level "y_i".

        Raises:
            ValueError: A coordinate or a latent is not finite.
        """
        _, groups = self._analysed(input)
        batch = groups[0].shape[0]
        strings: list[list[bytes]] = [[b""] * batch for _ in range(_LEVELS)]
        shape: dict[str, tuple[int, ...]] = {f"y_{i}": () for i in range(_LEVELS)}
        for i in self._coded():
            out = self._codec(i).compress(self._latent(i, groups))
            [strings[i]] = out["strings"]
            shape[f"y_{i}"] = tuple(out["shape"])
        return {"strings": strings, "shape": shape}

    @coding_scope()
    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Sequence[bytes]], shape: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """Restores what `compress` wrote: `x_hat` (B, P[0], 3), and `y_hat`, of each level the latent.

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong.
        """
        check_strings(strings, _LEVELS)
        latents = {
            i: self._codec(i).decompress([strings[i]], shape[f"y_{i}"])["y_hat"] for i in self._coded()
        }
        x_hat, y_hat, _ = self._synthesised(latents)
        return {"x_hat": x_hat, "y_hat": {f"y_{i}": y for i, y in y_hat.items()}}

    def _coded(self) -> list[int]:
        """The levels that have a latent, from the last on."""
        return [i for i in reversed(range(_LEVELS)) if self.M[i] > 0]

    def _codec(self, i: int) -> EntropyBottleneckLatentCodec:
        codec = self.latent_codec[f"_{i}"]
        assert isinstance(codec, EntropyBottleneckLatentCodec)
        return codec

    def _latent(self, i: int, groups: Mapping[int, Tensor]) -> Tensor:
        latent: Tensor = self.h_a[f"_{i}"](groups[i])
        return latent[..., None]

    def _analysed(self, input: Mapping[str, Tensor]) -> tuple[dict[int, Tensor | None], dict[int, Tensor]]:
        """Of each level features (B, D[i], P[i]), and the groups that the next level's are made of."""
        points = positions_of(input, self, 6 if self.normal_channel else 3).transpose(1, 2)
        xyz = points[:, :3]
        features: dict[int, Tensor | None] = {0: points[:, 3:] if self.normal_channel else None}
        groups = {}
        for i in range(1, _LEVELS):
            out = self.down[f"_{i}"](xyz, features[i - 1])
            xyz, features[i], groups[i - 1] = out["new_xyz"], out["new_features"], out["grouped_features"]
        last = features[_LAST]
        assert last is not None
        groups[_LAST] = last[:, :, None]
        return features, groups

    def _synthesised(
        self, latents: Mapping[int, Tensor]
    ) -> tuple[Tensor, dict[int, Tensor], dict[int, Tensor]]:
        """Clouds (B, P[0], 3), latents without their last dimension, and the features of all levels."""
        y_hat = {i: latent.squeeze(-1) for i, latent in latents.items()}
        side = {i: self._upwards(self.h_s, i)(latent) for i, latent in y_hat.items()}
        upwards = {_LEVELS: side[_LAST][:, :0]}
        for i in reversed(range(_LEVELS)):
            joined = torch.cat([upwards[i + 1], side[i]], 1) if i in side else upwards[i + 1]
            upwards[i] = self._upwards(self.up, i)(joined)
        return upwards[0], y_hat, upwards

    @staticmethod
    def _upwards(networks: nn.ModuleDict, i: int) -> Callable[[Tensor], Tensor]:
        return networks[f"_{i}"]
