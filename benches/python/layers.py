"""Layers beside convolutions: the exact engine and torch on the CPU, each from an NCHW array to another.

    python benches/python/layers.py [--turns 7] [--threads 1] [--only WORD]

An environment with torch and lcrs will do. The two take turns, on the same number of threads, each with an
untimed call before the timed ones; a figure is the median over the turns, and the least. In the engine's
figures is the change of layout at the face of a graph, which inside a network there is none of: it is the
first line, so that it can be taken off.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from lcrs import coding, layers
from lcrs.layers.lowering import lower

CHANNELS, HEIGHT, WIDTH = 128, 128, 192


def family() -> dict[str, nn.Module]:
    """What published networks have besides convolutions."""
    return {
        "change of layout": nn.Identity(),
        "GELU": nn.GELU(),
        "GELU, tanh": nn.GELU(approximate="tanh"),
        "SiLU": nn.SiLU(),
        "Mish": nn.Mish(),
        "ELU": nn.ELU(),
        "hard swish": nn.Hardswish(),
        "PReLU": nn.PReLU(CHANNELS),
        "softmax": nn.Softmax(dim=1),
        "layer norm": layers.LayerNorm2d(CHANNELS),
        "group norm, 8 groups": nn.GroupNorm(8, CHANNELS),
        "batch norm": nn.BatchNorm2d(CHANNELS),
        "average pool 2": nn.AvgPool2d(2),
        "max pool 3, stride 1": nn.MaxPool2d(3, 1, 1),
        "adaptive average pool to 1": nn.AdaptiveAvgPool2d(1),
        "bilinear, factor 2": nn.Upsample(scale_factor=2, mode="bilinear"),
        "nearest, factor 2": nn.Upsample(scale_factor=2),
        "reflect pad 1": nn.ReflectionPad2d(1),
        "conv k3, dilation 2": nn.Conv2d(CHANNELS, CHANNELS, 3, padding=2, dilation=2),
        "attention, windows of 8, 16 heads": layers.WindowAttention(CHANNELS, 8, 16),
        "attention, shifted windows of 8, 4 heads": layers.WindowAttention(CHANNELS, 8, 4, shift_size=4),
        "attention, windows of 4, 8 heads": layers.WindowAttention(CHANNELS, 4, 8),
        "Swin block, shifted windows of 8, 4 heads": layers.SwinBlock(CHANNELS, 4, 8, 4),
    }


def runs(module: nn.Module, threads: int) -> list[Callable[[], object]]:
    """The module on the engine and in torch."""
    lowered = lower(module, "net")
    if not lowered.description["nodes"]:  # a graph that does nothing gives its input back as it is
        lowered = lower(layers.Gain(), "net")
    graph = coding.Graph(lowered.json, lowered.tensors)
    x = torch.randn(1, CHANNELS, HEIGHT, WIDTH)
    return [lambda: graph.run([x.numpy()], threads=threads), lambda: module(x)]


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="layers whose name has this word")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{platform.machine()}, {arguments.threads} threads, torch {torch.__version__}; ", end="")
    print(f"{CHANNELS} x {HEIGHT} x {WIDTH}; milliseconds, median and least of {arguments.turns} turns\n")
    print("| layer | engine | torch | ratio of the medians |\n|---|---|---|---|")
    with torch.inference_mode():
        for name, module in family().items():
            if arguments.only not in name:
                continue
            entrants = runs(module.eval(), arguments.threads)
            turns: list[list[float]] = [[], []]
            for run in entrants:
                run()
            for _ in range(arguments.turns):
                for run, times in zip(entrants, turns, strict=True):
                    times.append(1e3 * seconds(run))
            engine, torchs = (statistics.median(times) for times in turns)
            cells = [f"{statistics.median(times):.1f} ({min(times):.1f})" for times in turns]
            print(f"| {name} | {cells[0]} | {cells[1]} | {torchs / engine:.2f} |", flush=True)


if __name__ == "__main__":
    main()
