"""Latent codecs: how a latent is coded, as parts that fit together.

A latent codec has `forward` for training, and `compress` and `decompress` for coding. `forward` returns
`{"likelihoods": {...}, "y_hat": ...}`, `compress` returns `{"strings": ..., "shape": ..., "y_hat": ...}`, and
`decompress(strings, shape, ...)` returns `{"y_hat": ...}`, equal to that of `compress` to the bit. Codecs of
side information return `params` as well.
"""

from lcrs import needs_torch  # noqa: F401
from lcrs.latent_codecs.base import LatentCodec
from lcrs.latent_codecs.channel_groups import ChannelGroupsLatentCodec
from lcrs.latent_codecs.checkerboard import CheckerboardLatentCodec
from lcrs.latent_codecs.entropy_bottleneck import EntropyBottleneckLatentCodec
from lcrs.latent_codecs.gain import GainHyperLatentCodec, GainHyperpriorLatentCodec
from lcrs.latent_codecs.gaussian_conditional import GaussianConditionalLatentCodec
from lcrs.latent_codecs.hyper import HyperLatentCodec
from lcrs.latent_codecs.hyperprior import HyperpriorLatentCodec
from lcrs.latent_codecs.rasterscan import RasterScanLatentCodec
from lcrs.latent_codecs.variable_rasterscan import VariableRasterScanLatentCodec

__all__ = [
    "ChannelGroupsLatentCodec",
    "CheckerboardLatentCodec",
    "EntropyBottleneckLatentCodec",
    "GainHyperLatentCodec",
    "GainHyperpriorLatentCodec",
    "GaussianConditionalLatentCodec",
    "HyperLatentCodec",
    "HyperpriorLatentCodec",
    "LatentCodec",
    "RasterScanLatentCodec",
    "VariableRasterScanLatentCodec",
]
