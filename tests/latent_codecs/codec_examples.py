"""Small latent codecs with busy parameters, one for each way of putting them together."""

from functools import cache

import torch
from torch import nn

from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.latent_codecs import (
    ChannelGroupsLatentCodec,
    CheckerboardLatentCodec,
    EntropyBottleneckLatentCodec,
    GainHyperLatentCodec,
    GainHyperpriorLatentCodec,
    GaussianConditionalLatentCodec,
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from lcrs.layers import CheckerboardMaskedConv2d, MaskedConv2d, conv3x3, subpel_conv3x3

C = 4  # channels of y
GROUPS = [1, 3]


def hyper_synthesis(num_outputs):
    return nn.Sequential(subpel_conv3x3(C, C, 2), nn.LeakyReLU(), subpel_conv3x3(C, num_outputs, 2))


def hyper_analysis():
    return nn.Sequential(conv3x3(C, C, 2), nn.LeakyReLU(), conv3x3(C, C, 2))


def hyper(num_outputs=2 * C, kind=HyperLatentCodec, **kwargs):
    return kind(EntropyBottleneck(C), h_a=hyper_analysis(), h_s=hyper_synthesis(num_outputs), **kwargs)


def checkerboard(channels=C, num_params=2 * C, **kwargs):
    return CheckerboardLatentCodec(
        {"y": GaussianConditionalLatentCodec(quantizer="ste")},
        entropy_parameters=nn.Sequential(
            nn.Conv2d(2 * channels + num_params, 8, 1), nn.ReLU(), nn.Conv2d(8, 2 * channels, 1)
        ),
        context_prediction=CheckerboardMaskedConv2d(channels, 2 * channels, 5, padding=2),
        **kwargs,
    )


def raster(channels=C, num_params=2 * C):
    return RasterScanLatentCodec(
        GaussianConditional(None),
        entropy_parameters=nn.Sequential(
            nn.Conv2d(2 * channels + num_params, 8, 1), nn.LeakyReLU(), nn.Conv2d(8, 2 * channels, 1)
        ),
        context_prediction=MaskedConv2d(channels, 2 * channels, 5, padding=2),
    )


def groups(leaf):
    """Two groups, the second of which sees the first; `leaf(channels, num_params)` codes a group."""
    return ChannelGroupsLatentCodec(
        {"y0": leaf(GROUPS[0], 2 * C), "y1": leaf(GROUPS[1], 2 * C + 6)},
        {"y1": nn.Conv2d(GROUPS[0], 6, 5, padding=2)},
        groups=GROUPS,
    )


def gaussian_leaf(channels, num_params):
    return GaussianConditionalLatentCodec(entropy_parameters=nn.Conv2d(num_params, 2 * channels, 1))


# Codecs of y, called with (y, params of 2 C channels).
Y_CODECS = {
    "gaussian": lambda: GaussianConditionalLatentCodec(),
    "gaussian-means-first": lambda: GaussianConditionalLatentCodec(
        entropy_parameters=nn.Conv2d(2 * C, 2 * C, 1), chunks=("means", "scales")
    ),
    "gaussian-scales": lambda: GaussianConditionalLatentCodec(
        entropy_parameters=nn.Conv2d(2 * C, C, 1), chunks=("scales",)
    ),
    "gaussian-means": lambda: GaussianConditionalLatentCodec(
        entropy_parameters=nn.Conv2d(2 * C, C, 1), chunks=("means",)
    ),
    "raster": raster,
    "checkerboard": checkerboard,
    "checkerboard-odd": lambda: checkerboard(anchor_parity="odd"),
    "groups-gaussian": lambda: groups(gaussian_leaf),
    "groups-checkerboard": lambda: groups(checkerboard),
    "groups-raster": lambda: groups(raster),
}


def busy(codec, seed=0):
    """The codec with larger weights, so that scales, means and contexts differ from place to place."""
    torch.manual_seed(seed)
    for module in codec.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=1.5 / (module.weight[0].numel() ** 0.5))
            nn.init.normal_(module.bias, std=0.5)
    return codec


def hyperprior(name):
    torch.manual_seed(0)
    return busy(HyperpriorLatentCodec({"y": Y_CODECS[name](), "hyper": hyper()}))


@cache
def shared_hyperprior(name, role=""):
    """The same for all tests, with what is derived from its parameters: they set `entropy_coder` alone."""
    return hyperprior(name).eval()


def gain_hyperprior(name="gaussian"):
    torch.manual_seed(0)
    return busy(GainHyperpriorLatentCodec({"y": Y_CODECS[name](), "hyper": hyper(kind=GainHyperLatentCodec)}))


def bottleneck():
    return EntropyBottleneckLatentCodec(channels=C)


def latent(num_items=3, height=5, width=7, seed=1):
    return 4 * torch.randn(num_items, C, height, width, generator=torch.Generator().manual_seed(seed))
