"""The last phase of the shipped model: its synthesis learns pictures that no camera took.

`python -m lcrs.train.finetune --start A.pt --train FOLDER --tune FOLDER --minutes 15 --output B.pt`

Photographs hold no saturated flat colours, text or patterns, and a network that never saw any misses them
by tens of levels, most at the borders of the picture. Their latents hold what is needed, so that only `g_s`
has to learn: files keep their symbols, sizes and rates, and what is trained sees the symbols that files hold.
Drawn pictures have gradients a hundred times those of photographs: each kind's is limited in norm before they
are added, and steps are short where photographs are sensitive.
"""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
import argparse
import copy
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.models import GainSpaceChannelHyperprior
from lcrs.train.checkpoints import save_tensors
from lcrs.train.crops import CropSampler, load_folder
from lcrs.train.graphics import GraphicsSampler, any_colour, find_fonts
from lcrs.train.objective import bits_of
from lcrs.zoo.state_dicts import read_state_dict

log = logging.getLogger(__name__)

# Low rates have large losses per bit saved; this exponent balances the levels' gradients.
LEVEL_WEIGHT = -0.3

PHOTOGRAPHS, CROP = 4, 128  # a step
SENSITIVITY_CROPS = 20
LEARNING_RATE, BETAS, WARM_UP_STEPS = 2e-4, (0.9, 0.98), 20
HOLD = 0.2  # of the time, before the rate falls
AVERAGE = 0.97  # decay of the moving average of weights, which is what is kept
# Largest norms of gradients before they are added, and the most that one picture counts.
PHOTO_LIMIT, DRAWN_LIMIT, FLAT_LIMIT = 2.0, 0.7, 1.0
PHOTO_CAP, DRAWN_CAP, PATTERN_CAP, FLAT_CAP = 8.0, 4.0, 2.0, 1.0


@torch.no_grad()
def quantised(net: GainSpaceChannelHyperprior, x: Tensor, level: Tensor) -> Tensor:
    """The y that a decoder has of pictures (N, 3, H, W), (N, M, H / 16, W / 16)."""
    y = net._analysis(x, level).float()
    z_gain, z_mean = torch.exp(net.z_log_gain(level)), net.z_mean(level)
    z_hat = torch.round(net.h_a(y).float() * z_gain - z_mean) + z_mean
    side = net.h_s(z_hat / z_gain)[..., : y.shape[2], : y.shape[3]]
    y_hat, _ = net._quantized_y(y, side.float(), level)
    return y_hat


def losses(net: GainSpaceChannelHyperprior, x: Tensor, level: Tensor, cap: float) -> Tensor:
    """The weighted distortion of each picture after its file, (N,).

    Args:
        net: the network, in evaluation mode.
        x: pictures in [0, 1], (N, 3, H, W), sides multiples of 16.
        level: their rate levels, (N,).
        cap: a picture whose loss is larger counts as if it were this much.
    """
    x_hat = net._synthesis(quantised(net, x, level), level).float()
    beyond = x_hat - x_hat.clamp(-0.02, 1.02)  # what is cut off costs nothing, but must not run away
    mse = (x_hat.clamp(0, 1) - x).square().mean((1, 2, 3)) + 0.02 * beyond.square().mean((1, 2, 3))
    lmbda = net.lmbda(level)
    loss = (lmbda / net.log_lmbda.mean().exp()) ** LEVEL_WEIGHT * lmbda * 255**2 * mse
    return loss * (cap / loss.detach().clamp(min=cap))


@contextmanager
def endless(net: nn.Module) -> Iterator[None]:
    """Within, convolutions go on at the opposite border: a tile stands for a picture without borders."""
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    try:
        for module in convolutions:
            module.padding_mode = "circular"
        yield
    finally:
        for module in convolutions:
            module.padding_mode = "zeros"


def patterns(rng: np.random.Generator) -> Tensor:
    """Tiles of an endless checkerboard and of stripes, (2, 3, 64, 64), most with steps of a pixel."""
    y, x = np.mgrid[0:64, 0:64]
    made = []
    for is_second in (False, True):
        first, last = np.zeros(3, int), np.full(3, 255)
        if rng.random() < 0.4:
            first, last = np.array(any_colour(rng)), np.array(any_colour(rng))
        step = 1 if rng.random() < 0.7 else 2
        index = (x // step + y // step) % 2
        if is_second:
            index = (x + rng.integers(8)) // int(rng.choice((1, 2, 4))) % 2
            index = index.T if rng.random() < 0.5 else index
        elif rng.random() < 0.5:
            index = 1 - index
        made.append(np.where(index[..., None] == 0, first, last))
    return torch.from_numpy(np.stack(made).astype(np.uint8)).permute(0, 3, 1, 2).float() / 255


def flat_squares(rng: np.random.Generator, count: int) -> Tensor:
    """Flat pictures, (count, 3, 64, 64)."""
    colours = torch.tensor([any_colour(rng) for _ in range(count)], dtype=torch.float32) / 255
    return colours[:, :, None, None].expand(-1, -1, 64, 64)


class Finetuner:
    """Steps of the last phase, and the moving average of the weights.

    Steps are Adam's, shortened for weights that photographs are sensitive to and lengthened for others: drawn
    pictures are to be learned where photographs do not notice.

    Args:
        net: the network, whose `g_s` and scale of y before it are trained in place; the rest stays.
        photographs: where crops of photographs come from.
        drawn: where drawn pictures come from.
        seed: of flat colours, checkers and levels.
        learning_rate: until it falls.
        crop: side of photographs and drawn pictures, a multiple of 64.
        bf16: whether they run in bfloat16; flat colours and patterns never do.
    """

    def __init__(
        self,
        net: GainSpaceChannelHyperprior,
        photographs: CropSampler,
        drawn: GraphicsSampler,
        seed: int = 0,
        learning_rate: float = LEARNING_RATE,
        crop: int = CROP,
        bf16: bool = True,
    ) -> None:
        self.net, self.photographs, self.drawn, self.crop, self.bf16 = net, photographs, drawn, crop, bf16
        self.rng, self.learning_rate, self.num_steps = np.random.default_rng(seed), learning_rate, 0
        net.eval().requires_grad_(False)
        self.parameters = [*net.y_log_scale.parameters(), *net.g_s.parameters()]
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]
        self.factors = [torch.ones_like(p) for p in self.parameters]
        self.average = copy.deepcopy(net).requires_grad_(False)

    def levels(self, count: int) -> Tensor:
        """Levels spread evenly over the range, in any order."""
        places = self.rng.permutation(count) + self.rng.random(count)
        return torch.from_numpy(places / count * (self.net.num_levels - 1)).float()

    def gradient(self, loss: Tensor, limit: float = math.inf) -> list[Tensor]:
        """The gradient of `loss`, scaled down to the norm `limit`; zero if it is not finite."""
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        pairs = zip(found, self.parameters, strict=True)
        gradients = [torch.zeros_like(p) if g is None else g for g, p in pairs]
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])))
        factor = min(1.0, limit / (norm + 1e-9)) if math.isfinite(norm) else 0.0
        return [g * factor if factor else torch.zeros_like(g) for g in gradients]

    def loss(self, x: Tensor, level: Tensor, cap: float, bf16: bool = False) -> Tensor:
        """Mean over pictures, in bfloat16 or not."""
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16 and self.bf16):
            return losses(self.net, x, level, cap).mean()

    def feel(self, count: int = SENSITIVITY_CROPS) -> None:
        """Sets the factors of steps from gradients of `count` photographs, one by one."""
        squares = [torch.zeros_like(p) for p in self.parameters]
        for level in (torch.arange(count) + 0.5) / count * (self.net.num_levels - 1):
            x = self.photographs.sample(1, self.crop)
            loss = self.loss(x, level[None], PHOTO_CAP, bf16=True)
            for square, gradient in zip(squares, self.gradient(loss), strict=True):
                square.add_(gradient.square())
        self.factors = []
        for square in squares:
            size = (square / count).sqrt()
            mean = size.mean().clamp(min=1e-12)
            self.factors.append(0.5 * (mean / (size + 0.1 * mean)).clamp(max=4.0))

    def step(self, done: float) -> float:
        """One step at the fraction `done` of the time; returns the loss of the photographs."""
        x = self.photographs.sample(PHOTOGRAPHS, self.crop)
        loss = self.loss(x, self.levels(PHOTOGRAPHS), PHOTO_CAP, bf16=True)
        parts = [self.gradient(loss, PHOTO_LIMIT)]
        flat = self.loss(flat_squares(self.rng, 4), self.levels(4), FLAT_CAP)
        parts.append(self.gradient(flat, FLAT_LIMIT))
        if self.num_steps % 2 == 0:
            # Fine patterns are lost at low rates; it is the highest that must hold them.
            last = self.net.num_levels - 1
            with endless(self.net):
                fine = self.loss(patterns(self.rng), last * (1 - 3 / 7 * torch.rand(2).square()), PATTERN_CAP)
                parts.append(self.gradient(fine, DRAWN_LIMIT))
        else:
            drawn = self.loss(self.drawn.sample(1, self.crop), self.levels(1), DRAWN_CAP, bf16=True)
            parts.append(self.gradient(drawn, DRAWN_LIMIT))
        self._move([torch.stack(same).sum(0) for same in zip(*parts, strict=True)], done)
        return float(loss.detach())

    @torch.no_grad()
    def _move(self, gradients: list[Tensor], done: float) -> None:
        """Adam's step times the factors, and the moving average."""
        falling = max(0.0, done - HOLD) / (1 - HOLD)
        rate = self.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))
        rate *= min(1.0, (self.num_steps + 1) / WARM_UP_STEPS)
        self.num_steps += 1
        unbias = [1 - beta**self.num_steps for beta in BETAS]
        for parameter, gradient, (first, second), factor in zip(
            self.parameters, gradients, self.moments, self.factors, strict=True
        ):
            first.lerp_(gradient, 1 - BETAS[0])
            second.lerp_(gradient.square(), 1 - BETAS[1])
            direction = (first / unbias[0]) / ((second / unbias[1]).sqrt() + 1e-8)
            parameter.sub_(rate * factor * direction)
        decay = min(AVERAGE, self.num_steps / (self.num_steps + 10))
        for mean, parameter in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(parameter, 1 - decay)


@torch.no_grad()
def evaluate(net: GainSpaceChannelHyperprior, pictures: list[np.ndarray]) -> list[tuple[float, float]]:
    """Estimated (bits per pixel, PSNR in dB) at every level, means over centre crops of at most 512 x 512."""
    net.eval()
    points = []
    for level in range(net.num_levels):
        rates, psnrs = [], []
        for picture in pictures:
            height, width = (min(512, side // 64 * 64) for side in picture.shape[:2])
            x = torch.from_numpy(picture[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
            out = net(x, torch.tensor([float(level)]))
            rates.append(float(bits_of(out["likelihoods"])) / (height * width))
            error = (out["x_hat"].clamp(0, 1) * 255).round() / 255 - x
            psnrs.append(-10 * math.log10(float(error.square().mean())))
        points.append((round(float(np.mean(rates)), 4), round(float(np.mean(psnrs)), 3)))
    net.train()
    return points


def save(net: GainSpaceChannelHyperprior, path: Path, **facts: object) -> None:
    """Writes a checkpoint in one step: the old one stays until the new one is complete."""
    saved = {"architecture": "gain-space-channel-hyperprior", "state_dict": net.state_dict()}
    save_tensors({**saved, "config": net.config, **facts}, path)


def main() -> None:
    """Reads the arguments and trains by the clock; it may be stopped at any time."""
    parser = argparse.ArgumentParser(description="train the last phase of the shipped model")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint, of this or the plain network")
    parser.add_argument("--train", type=Path, required=True, help="folder of training pictures")
    parser.add_argument("--tune", type=Path, required=True, help="folder of pictures to watch progress on")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="at the start")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    state = read_state_dict(arguments.start)
    net = GainSpaceChannelHyperprior.from_state_dict(state).to(memory_format=torch.channels_last)
    photographs = CropSampler(load_folder(arguments.train), arguments.seed)
    drawn = GraphicsSampler(arguments.seed, find_fonts())
    tuner = Finetuner(net, photographs, drawn, arguments.seed, arguments.learning_rate)
    tune = load_folder(arguments.tune)[::5]
    log.info("before: bpp, PSNR %s", evaluate(net, tune))
    tuner.feel()
    start = saved = time.monotonic()
    while (done := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        loss = tuner.step(done)
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            log.info("step %d, %.1f min, loss %.4f", tuner.num_steps, (saved - start) / 60, loss)
            save(tuner.average, arguments.output, steps=tuner.num_steps)
    save(tuner.average, arguments.output, steps=tuner.num_steps, minutes=arguments.minutes)
    log.info("after %d steps: bpp, PSNR %s", tuner.num_steps, evaluate(tuner.average, tune))


if __name__ == "__main__":
    main()
