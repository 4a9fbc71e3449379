"""Gain hyperpriors whose transforms begin as truncated principal-component transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lcrs.latent_codecs import CheckerboardLatentCodec
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.models.variable_rate import GainHyperprior, GainSpaceChannelHyperprior

__all__ = ["GainNetwork", "initialise"]

GainNetwork = GainHyperprior | GainSpaceChannelHyperprior


@torch.no_grad()
def initialise(net: GainNetwork, crops: Tensor) -> None:
    """Starts the transforms as truncated principal-component transforms.

    Each down 1x1 holds the top eigenvectors of its input's covariance, each up 1x1 the transpose; residual
    branches start near zero; scales start at the standard deviation of their channel. Within a small
    budget this decides more than any detail of the network.

    Args:
        net: the network, changed in place.
        crops: pictures in [0, 1], (N, 3, H, W).
    """
    downs, ups = resamplers(net.g_a), resamplers(net.g_s)[::-1]
    features = crops - 0.5
    for (factor, down), (_, up) in zip(downs, ups, strict=True):
        features = F.pixel_unshuffle(features, factor)
        channels, count = features.shape[1], down.out_channels
        vectors = features.permute(1, 0, 2, 3).reshape(channels, -1)
        basis = torch.linalg.eigh(vectors @ vectors.T / vectors.shape[1])[1].flip(1)[:, :count]
        for conv, shape, known in ((down, (count, channels), basis.T), (up, (channels, count), basis)):
            weight = 0.02 * torch.randn(shape)
            weight[: known.shape[0], : known.shape[1]] = known
            conv.weight.copy_(weight[:, :, None, None])
            zero_bias(conv)
        features = down(features)
    for block in net.modules():
        if isinstance(block, DenseBlock | DepthwiseBlock):
            block.conv2.weight.mul_(0.03)
            zero_bias(block.conv2)
    if isinstance(net, GainHyperprior):
        begin_at_deviations(net.h_s[-1], 4 * net.g_a(crops - 0.5).std((0, 2, 3)))
        return
    deviations_of = torch.split(features.std((0, 2, 3)), net.groups)
    for codec, deviations in zip(net.latent_codec.latent_codec.values(), deviations_of, strict=True):
        assert isinstance(codec, CheckerboardLatentCodec)
        assert isinstance(codec.context_prediction, nn.Conv2d)
        assert isinstance(codec.entropy_parameters, nn.Sequential)
        codec.context_prediction.weight.mul_(0.5)
        begin_at_deviations(codec.entropy_parameters[-1], deviations)


def begin_at_deviations(last: nn.Module, deviations: Tensor) -> None:
    """Has the layer `last` give means of about zero, then log scales of about these deviations (C,)."""
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    last.weight.mul_(0.3)
    last.bias[: len(deviations)].zero_()
    last.bias[len(deviations) :].copy_(torch.log(deviations + 1e-6))


def resamplers(transform: nn.Module) -> list[tuple[int, nn.Conv2d]]:
    """The pixel-shuffle factors of a pyramid with their 1x1 convolutions, in order."""
    found = []
    for stage in transform.modules():
        layers = list(stage) if isinstance(stage, nn.Sequential) else []
        factors = [
            getattr(layer, "downscale_factor", getattr(layer, "upscale_factor", 0)) for layer in layers
        ]
        if any(factors):
            (conv,) = (layer for layer in layers if isinstance(layer, nn.Conv2d))
            found.append((max(factors), conv))
    return found


def zero_bias(conv: nn.Conv2d) -> None:
    """Sets the bias to zero, if there is one."""
    if conv.bias is not None:
        conv.bias.zero_()
