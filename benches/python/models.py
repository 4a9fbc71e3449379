"""Image models of lcrs beside CompressAI's: coding, training steps, and whole processes, in one run.

Run it in the environment that ``make_peers_env.sh`` makes. Both libraries have the same weights, random but
busy: latents and scales vary as in a trained model. Each library has a process for each number of threads;
they take turns, and the figure of a library is that of its best number. Writes ``models.json`` and
``models.md``; with ``--keep`` what these have of other models and parts stays.

    python benches/python/models.py [--models NAME ...] [--parts whole coding training processes] [--keep]
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import tempfile
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cold
from model_work import MODELS, Model, serve

LIBRARIES = ("compressai", "lcrs")
PARTS = ("whole", "coding", "training", "processes")
REPOSITORY = Path(__file__).parents[2]
SLOW, VERY_SLOW = 3.0, 5.0
"""What takes more seconds is timed once; after that, without a turn to warm up."""


def most_turns(taken: list[dict[str, float]], turns: int) -> int:
    """How many turns to take after the first, whose figures are `taken[0]`."""
    slowest = max((s for what, s in taken[0].items() if what != "bytes"), default=0.0) if taken else 0.0
    if slowest > VERY_SLOW:
        return 0
    return 1 if slowest > SLOW else turns


class Workers:
    """A process for each library and number of threads."""

    def __init__(self, threads: list[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes: dict[tuple[str, int], Connection] = {}
        for library in LIBRARIES:
            for count in threads:
                os.environ["OMP_NUM_THREADS"] = str(count)
                pipe, theirs = context.Pipe()
                context.Process(target=serve, args=(theirs, library, count), daemon=True).start()
                self.pipes[library, count] = pipe

    def call(self, key: tuple[str, int], method: str, *arguments: Any) -> Any:
        """Has a worker do something; raises `RuntimeError` if it fails."""
        self.pipes[key].send((method, arguments))
        is_good, result = self.pipes[key].recv()
        if not is_good:
            raise RuntimeError(f"{key[0]}: {result}")
        return result

    def take_turns(self, turns: int, method: str, *arguments: Any) -> dict[str, Any]:
        """For each library and figure the median of the best number of threads; the first turn warms up."""
        times: dict[tuple[str, int], list[dict[str, float]]] = {key: [] for key in self.pipes}
        failures: dict[str, str] = {}
        for turn in range(turns + 1):
            for key, taken in times.items():
                if key[0] in failures or turn > most_turns(taken, turns):
                    continue
                try:
                    taken.append(self.call(key, method, *arguments))
                except RuntimeError as error:
                    failures[key[0]] = str(error)
        result: dict[str, Any] = dict(failures)
        for library in LIBRARIES:
            if library in failures:
                continue
            result[library] = {}
            for what in times[library, next(iter(times))[1]][0]:
                medians = {
                    threads: statistics.median(one[what] for one in taken[1:] or taken)
                    for (name, threads), taken in times.items()
                    if name == library
                }
                best = min(medians, key=lambda threads: medians[threads])
                result[library][what] = {"median": medians[best], "threads": best}
        return result


def measure_coding(
    workers: Workers, model: Model, picture: Path, turns: int, parts: list[str]
) -> dict[str, Any]:
    """`compress` and `decompress`: "whole", and without g_a and g_s ("coding")."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "net.pth"
        for key in workers.pipes:  # CompressAI's first one makes the weights
            workers.call(key, "build", model, state, picture)
        return {what: workers.take_turns(turns, "code", what) for what in parts}


def measure_training(workers: Workers, model: Model, batch: int, side: int, turns: int) -> dict[str, Any]:
    """A training step."""
    for key in workers.pipes:
        workers.call(key, "build_for_training", model, batch, side)
    return workers.take_turns(turns, "step")


def ratio(row: dict[str, Any], what: str) -> float | None:
    """How many times faster lcrs is; None if one of them failed."""
    if any(isinstance(row[library], str) for library in LIBRARIES):
        return None
    figures = [row[library][what]["median"] for library in LIBRARIES]
    return float(figures[0] / figures[1])


def cell(row: dict[str, Any], what: str) -> str:
    """Milliseconds of both and their ratio."""
    texts = [
        "fails" if isinstance(row[library], str) else f"{1e3 * row[library][what]['median']:,.0f}"
        for library in LIBRARIES
    ]
    times = ratio(row, what)
    return f"{texts[0]} / {texts[1]} | {'' if times is None else f'{times:.2f}'}"


def as_text(result: dict[str, Any]) -> str:
    """All results as Markdown."""
    about = result["machine"]
    loads = " and ".join(
        " ".join(f"{load:.1f}" for load in about[key]) for key in ("load_before", "load_after")
    )
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Image models beside CompressAI",
        "",
        f"{about['cpu']}, {about['num_cpus']} processors, {about['time']}, commit {about['commit'][:10]},",
        f"load average {loads} before and after. {versions}.",
        "Milliseconds are medians, CompressAI / lcrs, each at its best of the numbers of threads; the ratio",
        "says how many times faster lcrs is.",
    ]
    for what, title in (("whole", "A picture as a tensor"), ("coding", "The same without g_a and g_s")):
        measured = {name: rows[what] for name, rows in result["coding"].items() if what in rows}
        if measured:
            lines += ["", f"## {title}, {result['picture']}", ""]
            lines += ["| model | compress, ms | ratio | decompress, ms | ratio |", "|---|---|---|---|---|"]
        for name, row in measured.items():
            lines.append(f"| {name} | {cell(row, 'compress')} | {cell(row, 'decompress')} |")
    if result["training"]:
        lines += [
            "",
            f"## A training step, batch {result['batch']}",
            "",
            "| model | ms | ratio |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {cell(row, 'step')} |" for name, row in result["training"].items()]
    if result["processes"]:
        lines += ["", "## Whole processes, cold, with the model that ships with lcrs", ""]
        lines += ["| process | picture | seconds | of processors | peak MB |", "|---|---|---|---|---|"]
        for name, sizes in result["processes"].items():
            for size, row in sizes.items():
                times = f"{row['seconds']:.2f} | {row['cpu']:.2f}"
                lines.append(f"| {name} | {size} | {times} | {row['peak_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line for line in lines if "model name" in line), "").partition(":")[2].strip()
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=REPOSITORY
    ).stdout.strip()
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "cpu": cpu or platform.processor(),
        "num_cpus": os.cpu_count(),
        "load_before": os.getloadavg(),
        "versions": {name: version(name) for name in ("compressai", "torch", "numpy", "lcrs")},
    }


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    kodak = Path(os.environ.get("LCRS_REFERENCE_DIR", "none"), "../data/images/kodak/kodim23.png")
    photo = REPOSITORY / "tests" / "data" / "photo.png"
    names = [model.name for model in MODELS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--picture", type=Path, default=kodak if kodak.exists() else photo)
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch", nargs=2, type=int, default=[8, 256], metavar=("PICTURES", "SIDE"))
    parser.add_argument("--keep", action="store_true", help="keep what --out has of other models and parts")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "benches" / "results")
    return parser.parse_args()


def main() -> None:
    """Measures and writes ``models.json`` and ``models.md``."""
    args = parse_arguments()
    chosen = [model for model in MODELS if model.name in args.models]
    result: dict[str, Any] = {"machine": machine(), "coding": {}, "training": {}, "processes": {}}
    kept = args.out / "models.json"
    if args.keep and kept.exists():
        result = {**json.loads(kept.read_text()), "machine": result["machine"]}
    result["picture"], result["batch"] = args.picture.name, "{0} x {1} x {1}".format(*args.batch)
    with tempfile.TemporaryDirectory() as name:
        picture = cold.enlarged(args.picture, Path(name), (768, 512))
        if "processes" in args.parts:
            result["processes"] = cold.measure(args.picture, args.turns)
        workers = Workers(args.threads)
        for model in chosen:
            if parts := [part for part in ("whole", "coding") if part in args.parts]:
                rows = measure_coding(workers, model, picture, args.turns, parts)
                result["coding"].setdefault(model.name, {}).update(rows)
            if "training" in args.parts and model.in_training:
                result["training"][model.name] = measure_training(workers, model, *args.batch, args.turns)
            print(
                as_text({**result, "machine": {**result["machine"], "load_after": os.getloadavg()}}),
                flush=True,
            )
    result["machine"]["load_after"] = os.getloadavg()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "models.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "models.md").write_text(as_text(result))


if __name__ == "__main__":
    main()
