"""Convolutions side by side: the exact engine and torch on the CPU, on the shapes of the image family.

    python benches/python/convolutions.py [--turns 7] [--threads 1 2] [--clock wall|cpu] [--simd PATH]

An environment with torch and lcrs will do. The engine runs in a process of its own,
``benches/src/bin/layers.rs``, which cargo builds first. For each layer the two take turns, on the same number
of threads, each with an untimed call before the timed ones; a figure is the median over the turns. Both are
timed as inside a network: the engine from one channels-last tensor to the next, torch under
``inference_mode`` from NCHW to NCHW, as CompressAI's models run, and from channels-last to channels-last.
Neither figure has a change of layout in it; what the change costs at the face of a graph is a line of its
own. Heights and widths are those of a 768 x 512 picture.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Layer:
    """One layer at one size, and its times in seconds by entrant and number of threads."""

    where: str
    kind: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    height: int
    width: int
    groups: int = 1
    times: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        what = "depthwise" if self.groups > 1 else self.kind
        channels = f"{self.inputs}" if self.inputs == self.outputs else f"{self.inputs} to {self.outputs}"
        return f"{what} {channels} k{self.kernel} s{self.stride}, {self.width} x {self.height}"

    @property
    def macs(self) -> float:
        """Multiplications of one run that do not meet padding."""
        places = self.height * self.width / (self.stride**2 if self.kind == "conv" else 1)
        return places * self.inputs * self.outputs / self.groups * self.kernel**2

    def module(self) -> nn.Module:
        k, s, groups = self.kernel, self.stride, self.groups
        if self.kind == "conv":
            return nn.Conv2d(self.inputs, self.outputs, k, s, k // 2, groups=groups)
        padding = (k - 1) // 2
        rest = s + 2 * padding - k
        return nn.ConvTranspose2d(self.inputs, self.outputs, k, s, padding, rest, groups=groups)

    def median(self, entrant: str, threads: int) -> float:
        return statistics.median(self.times[entrant][threads])

    def ratio(self, threads: int, entrant: str = "torch") -> float:
        """How many times faster the engine is: the median over the turns of the ratio within a turn."""
        pairs = zip(self.times[entrant][threads], self.times["engine"][threads], strict=True)
        return statistics.median(peer / engine for peer, engine in pairs)


def conv(
    where: str, inputs: int, outputs: int, kernel: int, stride: int, height: int, groups: int = 1
) -> Layer:
    return Layer(where, "conv", inputs, outputs, kernel, stride, height, height * 3 // 2, groups)


def transposed(where: str, inputs: int, outputs: int, kernel: int, stride: int, height: int) -> Layer:
    return Layer(where, "transposed", inputs, outputs, kernel, stride, height, height * 3 // 2)


def family() -> list[Layer]:
    """The layers that the models spend their time in."""
    return [
        conv("bmshj2018 g_a, first", 3, 128, 5, 2, 512),
        conv("bmshj2018 g_a", 128, 128, 5, 2, 256),
        conv("bmshj2018 g_a", 128, 128, 5, 2, 128),
        conv("bmshj2018 h_a", 128, 128, 5, 2, 32),
        conv("mbt2018 g_a, first", 3, 192, 5, 2, 512),
        conv("mbt2018 g_a", 192, 192, 5, 2, 256),
        conv("mbt2018 g_a", 192, 192, 5, 2, 128),
        conv("mbt2018 g_a, last", 192, 320, 5, 2, 64),
        conv("mbt2018 h_a, first", 320, 192, 3, 1, 32),
        conv("mbt2018 h_a", 192, 192, 5, 2, 32),
        conv("mbt2018 parameters", 640, 512, 1, 1, 32),
        conv("layer by layer context", 192, 384, 1, 1, 128),
        conv("cheng2020 blocks", 192, 192, 3, 1, 32),
        conv("cheng2020 blocks", 192, 192, 3, 1, 64),
        conv("cheng2020 blocks", 128, 128, 3, 1, 128),
        conv("cheng2020 blocks", 128, 128, 3, 1, 256),
        conv("cheng2020 g_a", 192, 192, 3, 2, 128),
        conv("cheng2020 attention", 192, 96, 1, 1, 64),
        conv("cheng2020 attention", 96, 96, 3, 1, 64),
        conv("cheng2020 upsampling", 192, 768, 3, 1, 64),
        conv("cheng2020 g_s, last", 128, 12, 3, 1, 256),
        conv("elic2022 bottleneck", 96, 96, 3, 1, 128),
        conv("elic2022 channel context", 16, 224, 5, 1, 32),
        conv("elic2022 channel context", 224, 128, 5, 1, 32),
        conv("depthwise blocks", 192, 192, 3, 1, 64, 192),
        conv("depthwise blocks", 128, 128, 5, 1, 128, 128),
        transposed("hyper synthesis", 192, 192, 5, 2, 8),
        transposed("bmshj2018 g_s", 128, 128, 5, 2, 64),
        transposed("bmshj2018 g_s", 128, 128, 5, 2, 128),
        transposed("bmshj2018 g_s, last", 128, 3, 5, 2, 256),
        transposed("mbt2018 g_s, first", 320, 192, 5, 2, 32),
        transposed("mbt2018 g_s", 192, 192, 5, 2, 32),
        transposed("mbt2018 g_s", 192, 192, 5, 2, 64),
        transposed("mbt2018 g_s", 192, 192, 5, 2, 128),
        transposed("mbt2018 g_s, last", 192, 3, 5, 2, 256),
    ]


class Engine:
    """The exact engine in its process."""

    def __init__(self, simd: str | None) -> None:
        build = "cargo build --release --locked --quiet -p lcrs-benches --bin layers"
        subprocess.run(build.split(), cwd=ROOT, check=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        environment = os.environ | ({"LCRS_SIMD": simd} if simd else {})
        program, pipe = target / "release" / "layers", subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True, env=environment)

    def seconds(self, layer: Layer, threads: int, repeats: int, clock: str) -> float:
        words = [layer.kind, layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.groups]
        words += [layer.height, layer.width, threads, repeats]
        requests, answers = pipes(self.process)
        print(*words, file=requests, flush=True)
        wall, cpu, _ = answers.readline().split()
        return float(wall if clock == "wall" else cpu)


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("the engine's process has no pipes")
    return process.stdin, process.stdout


def torch_seconds(module: nn.Module, x: torch.Tensor, repeats: int, clock: Callable[[], float]) -> float:
    module(x)
    begin = clock()
    for _ in range(repeats):
        module(x)
    return (clock() - begin) / repeats


def measure(engine: Engine, layer: Layer, threads: int, turns: int, clock: str) -> None:
    """Fills in the times of `layer` on `threads` threads."""
    torch.set_num_threads(threads)
    x = torch.randn(1, layer.inputs, layer.height, layer.width)
    entrants = {"torch": (layer.module(), x)}
    last = {"memory_format": torch.channels_last}
    entrants["torch, channels last"] = (layer.module().to(**last), x.contiguous(**last))
    # about thirty milliseconds a turn: the clock's own time and its grain do not count then
    repeats = max(1, round(0.03 * threads / (layer.macs / 8e10)))
    for _ in range(turns):
        for name, (module, value) in entrants.items():
            seconds = torch_seconds(module, value, repeats, CLOCKS[clock])
            layer.times.setdefault(name, {}).setdefault(threads, []).append(seconds)
        seconds = engine.seconds(layer, threads, repeats, clock)
        layer.times.setdefault("engine", {}).setdefault(threads, []).append(seconds)


def change_of_layout(turns: int, clock: str) -> dict[str, float]:
    """Median milliseconds of a graph that does nothing, from and to NCHW arrays."""
    from lcrs import coding

    node = {"op": "mul_scalar", "in": [0], "place": "", "value": 1.0}
    description = {"version": 1, "inputs": ["x"], "outputs": [["y", 1]], "nodes": [node]}
    graph = coding.Graph(json.dumps(description), {})
    times = {}
    for shape in ((3, 512, 768), (192, 32, 48), (128, 256, 384)):
        x = torch.randn(shape).numpy()
        samples = []
        for _ in range(turns):
            begin = CLOCKS[clock]()
            graph.run([x], threads=1)
            samples.append(CLOCKS[clock]() - begin)
        times[" x ".join(map(str, shape))] = 1e3 * statistics.median(samples)
    return times


def machine(clock: str, simd: str | None) -> dict[str, Any]:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "cpu": cpu.partition(":")[2].strip() or platform.processor(),
        "num_cpus": os.cpu_count(),
        "load_average": os.getloadavg(),
        "clock": clock,
        "simd": simd or "fastest",
        "torch": torch.__version__,
    }


def as_table(layers: list[Layer], threads: list[int]) -> str:
    head = ["layer", "in"]
    for count in threads:
        unit = f"{count} thread" + "s" * (count > 1)
        head += [f"engine ms, {unit}", "GMAC/s", "ratio to torch", "to torch, channels last"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for layer in layers:
        cells = [layer.name, layer.where]
        for count in threads:
            seconds = layer.median("engine", count)
            ratios = [layer.ratio(count), layer.ratio(count, "torch, channels last")]
            cells += [f"{1e3 * seconds:.2f}", f"{layer.macs / seconds / 1e9:.0f}"]
            cells += [f"{ratio:.2f}" for ratio in ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(layers: list[Layer], threads: list[int]) -> dict[str, dict[str, float]]:
    """Median and worst ratio to torch as CompressAI runs it, by kind and number of threads."""
    out = {}
    for kind in ("conv", "transposed"):
        for count in threads:
            ratios = [layer.ratio(count) for layer in layers if layer.kind == kind]
            out[f"{kind}, {count}"] = {"median": statistics.median(ratios), "worst": min(ratios)}
    return out


def report(about: dict[str, Any], layers: list[Layer], threads: list[int], faces: dict[str, float]) -> str:
    loads = [" ".join(f"{load:.1f}" for load in about[key]) for key in ("load_average", "load_average_after")]
    kinds = {"conv": "Convolutions", "transposed": "Transposed convolutions"}
    lines = []
    for name, ratios in summary(layers, threads).items():
        kind, count = name.split(", ")
        worst, median = f"{ratios['worst']:.2f}", f"{ratios['median']:.2f}"
        lines.append(f"- {kinds[kind]}, threads: {count}: median ratio {median}, worst {worst}")
    face = ", ".join(f"{shape}: {milliseconds:.2f} ms" for shape, milliseconds in faces.items())
    return "\n".join([
        "# Convolutions of the exact engine beside torch's",
        "",
        f"{about['cpu']}, {about['num_cpus']} processors, {about['time']}, commit {about['commit'][:10]},",
        f"engine path: {about['simd']}, torch {about['torch']}, {about['clock']} clock,",
        f"load average {loads[0]} before and {loads[1]} after.",
        "A ratio above 1 says that the engine is faster; medians over the turns, NCHW for torch unless said.",
        "",
        *lines,
        "",
        as_table(layers, threads),
        "",
        f"From and to NCHW at the face of a graph (not in the figures above), one thread: {face}.",
        "",
    ])  # fmt: skip


def main() -> None:
    """Measures and writes ``convolutions.json`` and ``convolutions.md``."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    clocks = "cpu: processor time, for a busy machine and one thread"
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help=clocks)
    parser.add_argument("--simd", help="path of the engine, for example avx2; by default the fastest")
    parser.add_argument("--only", default="", help="layers whose name contains this")
    parser.add_argument("--out", type=Path, default=ROOT / "benches" / "results")
    args = parser.parse_args()
    about, engine = machine(args.clock, args.simd), Engine(args.simd)
    layers = [layer for layer in family() if args.only in layer.name]
    with torch.inference_mode():
        for layer in layers:
            for threads in args.threads:
                measure(engine, layer, threads, args.turns, args.clock)
            print(as_table([layer], args.threads).splitlines()[-1], flush=True)
    faces = change_of_layout(args.turns, args.clock)
    about["load_average_after"] = os.getloadavg()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = [vars(layer) | {"name": layer.name} for layer in layers]
    result = {"machine": about, "summary": summary(layers, args.threads), "layers": rows, "face_ms": faces}
    (args.out / "convolutions.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "convolutions.md").write_text(report(about, layers, args.threads, faces))
    print(json.dumps(summary(layers, args.threads), indent=1))


if __name__ == "__main__":
    main()
