"""A few steps of training, the same with lcrs and with CompressAI: `python training.py` writes the latter's.

Weights and noise come from torch's generator, in the same order in both, so losses must agree.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path

import torch

CASES = {
    "bmshj2018-factorized": {"N": 8, "M": 12},
    "bmshj2018-factorized-relu": {"N": 8, "M": 12},
    "bmshj2018-hyperprior": {"N": 8, "M": 12},
    "mbt2018-mean": {"N": 8, "M": 12},
    "mbt2018": {"N": 8, "M": 12},
    "cheng2020-anchor": {"N": 8},
    "cheng2020-attn": {"N": 8},
    "cheng2020-anchor-checkerboard": {"N": 8},
    "elic2022-official": {"N": 8, "M": 16, "groups": [2, 2, 4, 8]},
    "elic2022-chandelier": {"N": 8, "M": 16, "groups": [2, 2, 4, 8]},
    "bmshj2018-hyperprior-vbr": {"N": 8, "M": 12},
    "mbt2018-mean-vbr": {"N": 8, "M": 12},
}
NUM_STEPS = 4
FIXTURE = Path(__file__).parents[1] / "data" / "compressai-training.json"


def train(library, name):
    """Sums of the initial tensors, and the losses of each step, with `library`'s parts.

    Returns:
        [sum, sum of absolute values] of each entry of the state dict, by key; and for each step
        [loss, bits per pixel, mean squared error, auxiliary loss, loss in evaluation mode].
    """
    registry, losses, optimizers = (
        importlib.import_module(f"{library}.{part}") for part in ("registry", "losses", "optimizers")
    )
    importlib.import_module(f"{library}.models")
    torch.set_num_threads(1)
    torch.manual_seed(2024)
    net = registry.MODELS[name](**CASES[name])
    initial = {
        key: [value.double().sum().item(), value.double().abs().sum().item()]
        for key, value in net.state_dict().items()
    }
    config = {"net": {"type": "Adam", "lr": 1e-3}, "aux": {"type": "Adam", "lr": 1e-2}}
    optimizer = optimizers.net_aux_optimizer(net, config)
    criterion = losses.RateDistortionLoss(lmbda=0.01)
    pictures = torch.Generator().manual_seed(1)
    steps = [
        step(net, criterion, optimizer, torch.rand(2, 3, 64, 64, generator=pictures))
        for _ in range(NUM_STEPS)
    ]
    return initial, steps


def step(net, criterion, optimizer, x):
    """One step on pictures `x`, as CompressAI's training script takes it."""
    net.train()
    for part in optimizer.values():
        part.zero_grad()
    out = criterion(net(x), x)
    out["loss"].backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer["net"].step()
    auxiliary = net.aux_loss()
    auxiliary.backward()
    optimizer["aux"].step()
    net.eval()
    with torch.no_grad():
        evaluated = criterion(net(x), x)["loss"]
    values = (out["loss"], out["bpp_loss"], out["mse_loss"], auxiliary, evaluated)
    return [value.item() for value in values]


def main():
    """Writes what CompressAI gives, where it is installed."""
    warnings.simplefilter("ignore")
    found = {}
    for name in CASES:
        initial, steps = train("compressai", name)
        found[name] = {
            "initial": {key: [float(f"{v:.9g}") for v in sums] for key, sums in initial.items()},
            "steps": [[float(f"{value:.7g}") for value in step] for step in steps],
        }
    text = json.dumps(found, separators=(",", ":")).replace('"steps"', '\n"steps"').replace('},"', '},\n"')
    FIXTURE.write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
