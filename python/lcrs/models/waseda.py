"""Models of Cheng, Sun, Takeuchi and Katto.

"Learned image compression with discretized Gaussian mixture likelihoods and attention modules", CVPR 2020;
with a single Gaussian for each value, as in CompressAI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import (
    CheckerboardLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
)
from lcrs.layers import (
    AttentionBlock,
    CheckerboardMaskedConv2d,
    ResidualBlock,
    ResidualBlockUpsample,
    ResidualBlockWithStride,
    conv3x3,
    subpel_conv3x3,
)
from lcrs.models.base import SimpleVAECompressionModel
from lcrs.models.google import JointAutoregressiveHierarchicalPriors
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Cheng2020Anchor",
    "Cheng2020Attention",
    "anchor_analysis",
    "anchor_synthesis",
    "hyper_analysis",
    "hyper_synthesis",
]


def anchor_analysis(N: int) -> nn.Sequential:
    """Pictures to y, N channels at a 16th of their sides."""
    return nn.Sequential(
        ResidualBlockWithStride(3, N, stride=2),
        ResidualBlock(N, N),
        ResidualBlockWithStride(N, N, stride=2),
        ResidualBlock(N, N),
        ResidualBlockWithStride(N, N, stride=2),
        ResidualBlock(N, N),
        conv3x3(N, N, stride=2),
    )


def anchor_synthesis(N: int) -> nn.Sequential:
    """From y, N channels, to pictures of 16 times its sides."""
    return nn.Sequential(
        ResidualBlock(N, N),
        ResidualBlockUpsample(N, N, 2),
        ResidualBlock(N, N),
        ResidualBlockUpsample(N, N, 2),
        ResidualBlock(N, N),
        ResidualBlockUpsample(N, N, 2),
        ResidualBlock(N, N),
        subpel_conv3x3(N, 3, 2),
    )


def hyper_analysis(N: int) -> nn.Sequential:
    """From y, N channels, to z, N channels at a quarter of its sides."""
    return nn.Sequential(
        conv3x3(N, N), nn.LeakyReLU(inplace=True),
        conv3x3(N, N), nn.LeakyReLU(inplace=True),
        conv3x3(N, N, stride=2), nn.LeakyReLU(inplace=True),
        conv3x3(N, N), nn.LeakyReLU(inplace=True),
        conv3x3(N, N, stride=2),
    )  # fmt: skip


def hyper_synthesis(N: int) -> nn.Sequential:
    """From z, N channels, to 2 N channels (scales, then means) of 4 times its sides."""
    return nn.Sequential(
        conv3x3(N, N), nn.LeakyReLU(inplace=True),
        subpel_conv3x3(N, N, 2), nn.LeakyReLU(inplace=True),
        conv3x3(N, N * 3 // 2), nn.LeakyReLU(inplace=True),
        subpel_conv3x3(N * 3 // 2, N * 3 // 2, 2), nn.LeakyReLU(inplace=True),
        conv3x3(N * 3 // 2, N * 2),
    )  # fmt: skip


@register_model("cheng2020-anchor")
class Cheng2020Anchor(JointAutoregressiveHierarchicalPriors):
    """`JointAutoregressiveHierarchicalPriors` with residual blocks and sub-pixel convolutions.

    Args:
        N: Channels everywhere.
        **kwargs: As `CompressionModel`.
    """

    def __init__(self, N: int = 192, **kwargs: Any) -> None:
        super().__init__(N=N, M=N, **kwargs)
        # In CompressAI's order: equal seeds give equal weights.
        self.g_a = anchor_analysis(N)
        self.h_a = hyper_analysis(N)
        self.h_s = hyper_synthesis(N)
        self.g_s = anchor_synthesis(N)

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its size read from the weights."""
        net = cls(state_dict["g_a.0.conv1.weight"].size(0))
        net.load_state_dict(state_dict)
        return net


@register_model("cheng2020-anchor-checkerboard")
class Cheng2020AnchorCheckerboard(SimpleVAECompressionModel):
    """`Cheng2020Anchor` with the two-step context of a checkerboard, far faster to code than a serial one.

    He, Zheng, Sun, Wang and Qin, "Checkerboard context model for efficient learned image compression",
    CVPR 2021.

    Args:
        N: Channels everywhere.
        **kwargs: As `CompressionModel`.
    """

    downsampling_factor = 64

    def __init__(self, N: int = 192, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.N = int(N)
        self.g_a = anchor_analysis(N)
        self.g_s = anchor_synthesis(N)
        h_a = hyper_analysis(N)
        h_s = hyper_synthesis(N)
        self.latent_codec = HyperpriorLatentCodec(
            {
                "y": CheckerboardLatentCodec(
                    {"y": GaussianConditionalLatentCodec(quantizer="ste")},
                    entropy_parameters=nn.Sequential(
                        nn.Conv2d(N * 12 // 3, N * 10 // 3, 1), nn.LeakyReLU(inplace=True),
                        nn.Conv2d(N * 10 // 3, N * 8 // 3, 1), nn.LeakyReLU(inplace=True),
                        nn.Conv2d(N * 8 // 3, N * 6 // 3, 1),
                    ),
                    context_prediction=CheckerboardMaskedConv2d(
                        N, 2 * N, kernel_size=5, stride=1, padding=2
                    ),
                ),
                "hyper": HyperLatentCodec(EntropyBottleneck(N), h_a=h_a, h_s=h_s, quantizer="ste"),
            }
        )  # fmt: skip

    @property
    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"N": self.N}

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model that `state_dict` belongs to, its size read from the weights."""
        net = cls(state_dict["g_a.0.conv1.weight"].size(0))
        net.load_state_dict(state_dict)
        return net


@register_model("cheng2020-attn")
class Cheng2020Attention(Cheng2020Anchor):
    """`Cheng2020Anchor` with attention blocks in both transforms.

    Args:
        N: Channels everywhere.
        **kwargs: As `CompressionModel`.
    """

    def __init__(self, N: int = 192, **kwargs: Any) -> None:
        super().__init__(N=N, **kwargs)
        self.g_a = nn.Sequential(
            ResidualBlockWithStride(3, N, stride=2),
            ResidualBlock(N, N),
            ResidualBlockWithStride(N, N, stride=2),
            AttentionBlock(N),
            ResidualBlock(N, N),
            ResidualBlockWithStride(N, N, stride=2),
            ResidualBlock(N, N),
            conv3x3(N, N, stride=2),
            AttentionBlock(N),
        )
        self.g_s = nn.Sequential(
            AttentionBlock(N),
            ResidualBlock(N, N),
            ResidualBlockUpsample(N, N, 2),
            ResidualBlock(N, N),
            ResidualBlockUpsample(N, N, 2),
            AttentionBlock(N),
            ResidualBlock(N, N),
            ResidualBlockUpsample(N, N, 2),
            ResidualBlock(N, N),
            subpel_conv3x3(N, 3, 2),
        )
