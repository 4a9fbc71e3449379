"""The training engine against CompressAI's loop, a bare loop of the same step, and itself over time.

Three measurements, each printed as a table and written to `benches/results/training.json`:

- images a second of the engine and of the loop of CompressAI's `examples/train.py` (its model, criterion, two
  optimisers, DataLoader, transforms), on the same pictures, batch, crop and threads, in turns in one process;
- the share of time that the engine spends beyond a bare loop of the same step;
- resident memory over 2,000 tiny steps.

`python benches/python/training_engine.py [--part peer overhead memory] [--steps N]`, with CompressAI
installed beside lcrs for the first part (`make bench-peers` makes one, without `.[train]`).
"""

import argparse
import json
import os
import platform
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lcrs.train import load_recipe
from lcrs.train.data.opening import open_data
from lcrs.train.networks import make_network
from lcrs.train.processes import Processes
from lcrs.train.trainer import Trainer

ROOT = Path(__file__).parents[2]
MODELS = ("bmshj2018-factorized", "mbt2018-mean", "cheng2020-attn")
BATCH, CROP = 4, 128


def write_pictures(folder, count=16):
    """Parts of a photo of the tests, as a folder with train and test in it."""
    photo = np.asarray(Image.open(ROOT / "tests" / "data" / "photo.png").convert("RGB"))
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        for k in range(count):
            part = photo[7 * k : 7 * k + 256, 13 * k : 13 * k + 384]
            Image.fromarray(part).save(folder / split / f"{k:02d}.png")
    return folder


def settings_of(name, folder, **more):
    return {
        "data.train": str(folder), "batch": BATCH, "crop": CROP, "device": "cpu", "workers": 0,
        "threads": torch.get_num_threads(), "watch.display": "off", **more,
    }  # fmt: skip


def engine_steps(name, folder):
    """Steps of the engine as a generator: data, step and all that is counted."""
    from lcrs.train.meter import Meter

    config = load_recipe(name, settings_of(name, folder))
    processes = Processes("cpu")
    net = make_network(config.model).train()
    trainer = Trainer(net, config, processes)
    batches = open_data(config, processes.device, video=False).batches
    meter = Meter(config)
    step = 0
    while True:
        trainer.enter_phase(0.0)
        trainer.schedule.before_step(step, 0.0)
        meter.begin_step()
        x = batches.get(step, trainer.crop)
        meter.data_came()
        meter.end_step(trainer.step(x, step))
        step += 1
        yield


def peer_steps(name, folder):
    """Steps of CompressAI's loop as a generator, as its examples/train.py takes them."""
    from compressai.datasets import ImageFolder
    from compressai.losses import RateDistortionLoss
    from compressai.optimizers import net_aux_optimizer
    from compressai.zoo import image_models
    from torch.utils.data import DataLoader
    from torchvision import transforms

    net = image_models[name](quality=3).train()
    transform = transforms.Compose([transforms.RandomCrop((CROP, CROP)), transforms.ToTensor()])
    loader = DataLoader(
        ImageFolder(str(folder), split="train", transform=transform),
        batch_size=BATCH,
        num_workers=0,
        shuffle=True,
    )
    config = {"net": {"type": "Adam", "lr": 1e-4}, "aux": {"type": "Adam", "lr": 1e-3}}
    optimizers = net_aux_optimizer(net, config)
    optimizer, auxiliary = optimizers["net"], optimizers["aux"]
    criterion = RateDistortionLoss(lmbda=0.0067)
    while True:
        for x in loader:
            optimizer.zero_grad()
            auxiliary.zero_grad()
            out = criterion(net(x), x)
            out["loss"].backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            aux_loss = net.aux_loss()
            aux_loss.backward()
            auxiliary.step()
            yield


def bare_steps(name, folder):
    """The engine's own step without the engine: the same batches, objective, clipping and optimiser."""
    config = load_recipe(name, settings_of(name, folder))
    trainer = Trainer(make_network(config.model).train(), config, Processes("cpu"))
    batches = open_data(config, torch.device("cpu"), video=False).batches
    net, objective, optimizer, step = trainer.net, trainer.objective, trainer.optimizer, 0
    while True:
        x = batches.get(step, CROP)
        loss, _ = objective(net(x), x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainer.parameters, 1.0)
        optimizer.step()
        step += 1
        yield


def in_turns(makers, steps, rounds):
    """Seconds a step of several loops, by the clock and of the processor, (loops, rounds, 2).

    They take turns, so that what else runs on the machine is shared, and another one begins each round, since
    how much memory the kernel is asked for again depends on who was before. Seconds of the processor are
    hardly touched by other work, and compare loops of one thread.
    """
    loops = [maker() for maker in makers]
    for loop in loops:
        next(loop)
    times = np.zeros((len(loops), rounds, 2))
    for turn in range(rounds):
        for k in np.roll(range(len(loops)), -turn):
            loop = loops[k]
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(steps):
                next(loop)
            times[k, turn] = time.perf_counter() - wall, time.process_time() - processor
    return times / steps


def compared(times):
    """How many times faster the first loop is than the second, and both."""
    ratios = times[1] / times[0]
    found = {"seconds_a_step": times.round(4).tolist()}
    for k, clock in enumerate(("wall", "processor")):
        found[clock] = {
            "ratio_median": round(float(np.median(ratios[:, k])), 3),
            "ratio_range": [ratios[:, k].min().round(3).item(), ratios[:, k].max().round(3).item()],
            "ratio_of_medians": round(float(np.median(times[1, :, k]) / np.median(times[0, :, k])), 3),
            "ratio_of_minima": round(float(times[1, :, k].min() / times[0, :, k].min()), 3),
        }
    return found


def against(others, names, folder, steps, rounds):
    """The engine against another loop; where that is there twice, also one of them against the other."""
    found = {}
    for name in names:
        times = in_turns([partial(of, name, folder) for of in (engine_steps, *others)], steps, rounds)
        found[name] = compared(times[:2])
        if len(others) > 1:
            found[name]["other_loop_against_itself"] = compared(times[1:])
        print(name, found[name], flush=True)
    return found


def memory(folder, steps=2000):
    """Resident memory of a whole run, with checkpoints and validation, at tenths of its way."""
    from lcrs.train import loop

    seen = []
    settings = settings_of(
        "mbt2018-mean", folder, batch=1, crop=64, steps=steps, output=str(folder / "run"),
        checkpoint_every=200,
    ) | {"model.sizes": {"N": 8, "M": 12}, "validation.every": 400, "validation.size": 128}  # fmt: skip
    config = load_recipe("mbt2018-mean", settings)
    real = loop.Trainer.step

    def step(self, x, number):
        if number % (steps // 20) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            seen.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        return real(self, x, number)

    loop.Trainer.step = step
    start = time.perf_counter()
    loop.run(config)
    loop.Trainer.step = real
    # The first tenth makes what is made once: threads, caches, the first checkpoint and validation.
    later = seen[len(seen) // 4 :]
    found = {
        "mib": [round(value, 1) for value in seen],
        "growth": later[-1] / later[0] - 1,
        "spread": max(later) / min(later) - 1,
    }
    found["seconds"] = time.perf_counter() - start
    print(found, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", default=["peer", "overhead", "memory"])
    parser.add_argument("--steps", type=int, default=4, help="in a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--output", type=Path, default=ROOT / "benches" / "results" / "training.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    result["machine"] = {
        "cpu": platform.processor() or platform.machine(), "threads": arguments.threads, "batch": BATCH,
        "crop": CROP, "torch": torch.__version__, "python": platform.python_version(),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = write_pictures(Path(name) / "pictures")
        for part in arguments.part:
            if part == "peer":
                result[part] = against(
                    [peer_steps], arguments.models, folder, arguments.steps, arguments.rounds
                )
            elif part == "overhead":
                result[part] = against(
                    [bare_steps, bare_steps], arguments.models, folder, arguments.steps, arguments.rounds
                )
            else:
                result[part] = memory(folder)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
