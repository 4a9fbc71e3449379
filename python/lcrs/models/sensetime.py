"""Models of SenseTime's papers.

He, Yang, Peng, Ma, Qin and Wang, "ELIC: Efficient learned image compression with unevenly grouped
space-channel contextual adaptive coding", CVPR 2022. "Official" has the channel context of the paper;
"Chandelier" that of the re-implementation https://github.com/VincentChandelier/ELiC-ReImplemetation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
)

# CompressAI's users import these from here.
from lcrs.layers import (  # noqa: F401
    AttentionBlock,
    CheckerboardMaskedConv2d,
    ResidualBlock,
    ResidualBlockUpsample,
    ResidualBlockWithStride,
    ResidualBottleneckBlock,
    conv1x1,
    conv3x3,
    sequential_channel_ramp,
    subpel_conv3x3,
)
from lcrs.models.base import SimpleVAECompressionModel
from lcrs.models.utils import conv, deconv
from lcrs.models.waseda import Cheng2020AnchorCheckerboard
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Cheng2020AnchorCheckerboard",
    "Elic2022Chandelier",
    "Elic2022Official",
    "ResidualBottleneckBlock",
]


def elic_analysis(N: int, M: int) -> nn.Sequential:
    """From pictures to y, M channels at a 16th of their sides."""
    return nn.Sequential(
        conv(3, N, kernel_size=5, stride=2),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        conv(N, N, kernel_size=5, stride=2),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        AttentionBlock(N),
        conv(N, N, kernel_size=5, stride=2),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        conv(N, M, kernel_size=5, stride=2),
        AttentionBlock(M),
    )


def elic_synthesis(N: int, M: int) -> nn.Sequential:
    """From y, M channels, to pictures of 16 times its sides."""
    return nn.Sequential(
        AttentionBlock(M),
        deconv(M, N, kernel_size=5, stride=2),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        deconv(N, N, kernel_size=5, stride=2),
        AttentionBlock(N),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        deconv(N, N, kernel_size=5, stride=2),
        *(ResidualBottleneckBlock(N, N) for _ in range(3)),
        deconv(N, 3, kernel_size=5, stride=2),
    )


def elic_hyper_analysis(N: int, M: int) -> nn.Sequential:
    """From y, M channels, to z, N channels at a quarter of its sides."""
    return nn.Sequential(
        conv(M, N, kernel_size=3, stride=1), nn.ReLU(inplace=True),
        conv(N, N, kernel_size=5, stride=2), nn.ReLU(inplace=True),
        conv(N, N, kernel_size=5, stride=2),
    )  # fmt: skip


def channel_context(in_channels: int, out_channels: int) -> nn.Sequential:
    """From the groups that are known to context for the next."""
    return nn.Sequential(
        conv(in_channels, 224, kernel_size=5, stride=1), nn.ReLU(inplace=True),
        conv(224, 128, kernel_size=5, stride=1), nn.ReLU(inplace=True),
        conv(128, out_channels, kernel_size=5, stride=1),
    )  # fmt: skip


def spatial_context(channels: int) -> CheckerboardMaskedConv2d:
    """From the anchors of a group to context for its other places."""
    return CheckerboardMaskedConv2d(channels, 2 * channels, kernel_size=5, stride=1, padding=2)


@register_model("elic2022-official")
class Elic2022Official(SimpleVAECompressionModel):
    """Latent whose channels are coded in groups of growing size, each in two steps of a checkerboard.

    .. code-block:: none

        x ── g_a ── y ──┬── group 0, group 1, ... ── y_hat ── g_s ── x_hat
                        │      ▲ side information, known groups, anchors
                        └─ h_a ── z ── round ── h_s

    Any picture size: sides are padded to a multiple of 64 inside and cropped again.

    Args:
        N: Channels inside the transforms, and of z.
        M: Channels of y.
        groups: Channels of each group, M in all; by default [16, 16, 32, 64, M - 128].
        **kwargs: As `CompressionModel`.

    Raises:
        ValueError: `groups` do not add up to M.
    """

    downsampling_factor = 64
    _chunks: tuple[str, ...] = ("scales", "means")
    _groups_codec: type[ChannelGroupsLatentCodec] = ChannelGroupsLatentCodec

    def __init__(
        self, N: int = 192, M: int = 320, groups: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.N, self.M = int(N), int(M)
        self.groups = [16, 16, 32, 64, M - 128] if groups is None else [int(size) for size in groups]
        if sum(self.groups) != M or min(self.groups) < 1:
            raise ValueError(f"groups are {self.groups}, must be positive and add up to M = {M}")
        self.g_a = elic_analysis(N, M)
        self.g_s = elic_synthesis(N, M)
        h_a = elic_hyper_analysis(N, M)
        h_s = self._hyper_synthesis()
        self.latent_codec = HyperpriorLatentCodec(
            {
                "y": self._channel_groups(),
                "hyper": HyperLatentCodec(EntropyBottleneck(N), h_a=h_a, h_s=h_s, quantizer="ste"),
            }
        )

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N, "M": self.M, "groups": list(self.groups)}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its sizes and groups read from the weights."""
        key = "latent_codec.y.latent_codec.y{}.context_prediction.weight"
        groups = [state_dict[key.format(0)].size(1)]
        while key.format(len(groups)) in state_dict:
            groups.append(state_dict[key.format(len(groups))].size(1))
        net = cls(state_dict["g_a.0.weight"].size(0), sum(groups), groups)
        net.load_state_dict(state_dict)
        return net

    def _hyper_synthesis(self) -> nn.Sequential:
        N = self.N
        return nn.Sequential(
            deconv(N, N, kernel_size=5, stride=2), nn.ReLU(inplace=True),
            deconv(N, N * 3 // 2, kernel_size=5, stride=2), nn.ReLU(inplace=True),
            deconv(N * 3 // 2, N * 2, kernel_size=3, stride=1),
        )  # fmt: skip

    def _num_known(self, k: int) -> int:
        """Channels that the channel context of group `k` sees."""
        return sum(self.groups[:k])

    def _entropy_parameters(self, k: int) -> nn.Sequential:
        """From spatial context, channel context (not for the first group) and side information."""
        size = self.groups[k]
        return sequential_channel_ramp(
            2 * size * (2 if k else 1) + 2 * self.N,
            2 * size,
            min_ch=2 * self.N,
            num_layers=3,
            make_layer=nn.Conv2d,
            make_act=partial(nn.ReLU, inplace=True),
            kernel_size=1,
        )

    def _channel_groups(self) -> ChannelGroupsLatentCodec:
        sizes = list(enumerate(self.groups))
        contexts = {f"y{k}": channel_context(self._num_known(k), 2 * size) for k, size in sizes if k}
        spatial = [spatial_context(size) for size in self.groups]
        parameters = [self._entropy_parameters(k) for k, _ in sizes]
        codecs = {
            f"y{k}": CheckerboardLatentCodec(
                {"y": GaussianConditionalLatentCodec(quantizer="ste", chunks=self._chunks)},
                entropy_parameters=parameters[k],
                context_prediction=spatial[k],
            )
            for k, _ in sizes
        }
        return self._groups_codec(codecs, contexts, groups=self.groups)


class FirstAndLatestChannelGroups(ChannelGroupsLatentCodec):
    """`ChannelGroupsLatentCodec` whose channel context sees the first group and the latest only."""

    def merge_y(self, *args: Tensor) -> Tensor:
        """The first and the latest of the groups that are known."""
        return args[0] if len(args) == 1 else torch.cat((args[0], args[-1]), dim=1)


@register_model("elic2022-chandelier")
class Elic2022Chandelier(Elic2022Official):
    """`Elic2022Official` whose channel context sees the first group and the latest only.

    Arguments and returned values are those of `Elic2022Official`.
    """

    _chunks = ("means", "scales")
    _groups_codec = FirstAndLatestChannelGroups

    def _hyper_synthesis(self) -> nn.Sequential:
        N, M = self.N, self.M
        return nn.Sequential(
            deconv(N, N, kernel_size=5, stride=2), nn.ReLU(inplace=True),
            deconv(N, N * 3 // 2, kernel_size=5, stride=2), nn.ReLU(inplace=True),
            conv(N * 3 // 2, M * 2, kernel_size=3, stride=1),
        )  # fmt: skip

    def _num_known(self, k: int) -> int:
        return self.groups[0] + (self.groups[k - 1] if k > 1 else 0)

    def _entropy_parameters(self, k: int) -> nn.Sequential:
        size, M = self.groups[k], self.M
        return nn.Sequential(
            nn.Conv2d(2 * size * (2 if k else 1) + 2 * M, 2 * M, 1), nn.ReLU(inplace=True),
            nn.Conv2d(2 * M, 512, 1), nn.ReLU(inplace=True),
            nn.Conv2d(512, 2 * size, 1),
        )  # fmt: skip
