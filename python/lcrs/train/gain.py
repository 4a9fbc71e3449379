"""The recipe of the shipped model `photo`: a gain hyperprior trained for an hour or two on two CPU cores.

``python -m lcrs.train.gain --train FOLDER --tune FOLDER --minutes 96 --output photo.pt``

With ``--architecture gain-space-channel-hyperprior`` it trains the network of `photo-2` in the same way.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from lcrs.latent_codecs import CheckerboardLatentCodec
from lcrs.layers.efficient import DenseBlock, DepthwiseBlock
from lcrs.models.gain import GainHyperprior, GainSpaceChannelHyperprior
from lcrs.train.crops import CropSampler, load_folder

log = logging.getLogger(__name__)

GainNetwork = GainHyperprior | GainSpaceChannelHyperprior
ARCHITECTURES = {
    "gain-hyperprior": GainHyperprior,
    "gain-space-channel-hyperprior": GainSpaceChannelHyperprior,
}

BATCH = 4
LEARNING_RATE, LAST_LEARNING_RATE = 2e-3, 1e-5
WARM_UP_STEPS = 200
CROP, LATE_CROP, LATE = 128, 192, 0.75  # the last quarter of the time sees larger crops
# Low rates have large losses per bit saved; this exponent balances the levels' gradients.
LEVEL_WEIGHT = -0.3


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


def bits_per_pixel(likelihoods: dict[str, Tensor], num_pixels: int) -> Tensor:
    """Estimated rate of each picture, (N,), in bits per pixel."""
    return sum((-torch.log2(p).sum((1, 2, 3)) for p in likelihoods.values()), torch.zeros(())) / num_pixels


@torch.no_grad()
def evaluate(net: GainNetwork, pictures: list[np.ndarray]) -> list[tuple[float, float]]:
    """Estimated (bits per pixel, PSNR in dB) at every level, means over centre crops of at most 512 x 512."""
    net.eval()
    points = []
    for level in range(net.num_levels):
        rates, psnrs = [], []
        for picture in pictures:
            height, width = (min(512, side // 64 * 64) for side in picture.shape[:2])
            x = torch.from_numpy(picture[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
            out = net(x, torch.tensor([float(level)]))
            rates.append(float(bits_per_pixel(out["likelihoods"], height * width)))
            error = (out["x_hat"].clamp(0, 1) * 255).round() / 255 - x
            psnrs.append(-10 * math.log10(float(error.square().mean())))
        points.append((round(float(np.mean(rates)), 4), round(float(np.mean(psnrs)), 3)))
    net.train()
    return points


def training_loss(net: GainNetwork, x: Tensor) -> Tensor:
    """Rate plus weighted distortion of a batch whose levels are stratified over the whole range."""
    count = x.shape[0]
    level = (torch.randperm(count) + torch.rand(count)) / count * (net.num_levels - 1)
    out = net(x, level)
    bpp = bits_per_pixel(out["likelihoods"], x.shape[2] * x.shape[3])
    mse = (out["x_hat"] - x).square().mean((1, 2, 3)) * 255**2
    lmbda = net.lmbda(level)
    weight = (lmbda / net.log_lmbda.mean().exp()) ** LEVEL_WEIGHT
    loss: Tensor = (weight * (bpp + lmbda * mse)).mean()
    return loss


def save(net: GainNetwork, path: Path, **facts: object) -> None:
    """Writes a checkpoint in one step: the old one stays until the new one is complete."""
    scratch = path.with_name(path.name + ".tmp")
    architecture = next(name for name, kind in ARCHITECTURES.items() if kind is type(net))
    saved = {"architecture": architecture, "state_dict": net.state_dict(), "config": net.config}
    torch.save({**saved, **facts}, scratch)
    scratch.replace(path)


def train(
    net: GainNetwork,
    sampler: CropSampler,
    tune: list[np.ndarray],
    minutes: float,
    output: Path,
    learning_rate: float = LEARNING_RATE,
) -> int:
    """Trains by the clock, with a cosine of the learning rate; returns the number of steps."""
    optimizer = torch.optim.Adam(net.parameters(), learning_rate, betas=(0.9, 0.99))
    high, low = learning_rate, LAST_LEARNING_RATE
    start = saved = time.monotonic()
    step = 0
    while (done := (time.monotonic() - start) / (60 * minutes)) < 1:
        rate = low + (high - low) * 0.5 * (1 + math.cos(math.pi * done))
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        loss = training_loss(net, sampler.sample(BATCH, CROP if done < LATE else LATE_CROP))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 200 == 0:
            log.info("step %d, %.1f min, loss %.4f", step, (time.monotonic() - start) / 60, float(loss))
        if time.monotonic() - saved > 600:
            saved = time.monotonic()
            log.info("bpp, PSNR: %s", evaluate(net, tune))
            save(net, output, steps=step)
    log.info("bpp, PSNR: %s", evaluate(net, tune))
    save(net, output, steps=step, minutes=minutes)
    return step


def main() -> None:
    """Reads the arguments and trains."""
    parser = argparse.ArgumentParser(description="train the shipped kind of model by the clock")
    parser.add_argument("--train", type=Path, required=True, help="folder of training pictures")
    parser.add_argument("--tune", type=Path, required=True, help="folder of pictures to watch progress on")
    parser.add_argument("--minutes", type=float, default=96.0)
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="gain-hyperprior")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="at the start")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from, with a fresh optimiser")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    sampler = CropSampler(load_folder(arguments.train), arguments.seed)
    net: GainNetwork = ARCHITECTURES[arguments.architecture]()
    if arguments.start:
        net.load_state_dict(torch.load(arguments.start, weights_only=True)["state_dict"])
    else:
        initialise(net, sampler.sample(48, 256))
    net = net.to(memory_format=torch.channels_last)
    tune = load_folder(arguments.tune)[:12]
    steps = train(net, sampler, tune, arguments.minutes, arguments.output, arguments.learning_rate)
    log.info("done after %d steps", steps)


if __name__ == "__main__":
    main()
