"""The geometry codec on point clouds: bits a point by part, seconds on one thread and on two, peak memory.

    python benches/python/geometry.py CLOUD... [--model NAME|FILE] [--turns 3] [--to benches/results/points]
                                      [--kernels 200000]

Each turn is a process of its own, which reads the cloud, then encodes and decodes in memory. Times are the
least of the turns, of the wall clock and of the processors. What was decoded must be the points that were
given. The largest cloud is coded by halves, too: a thread takes half the time for one if it is linear. With
--kernels, those of `point_kernels.py` are measured beside their peers on so many points, in the same run.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lcrs import clouds, coding, packages

TMC13 = {
    "nefertiti_vox9": 0.711,
    "nefertiti_vox10": 0.660,
    "rocker-arm_vox9": 0.605,
    "rocker-arm_vox10": 0.554,
    "kitti-000000_2cm": 7.050,
}
"""Bits a point of MPEG's TMC13 23.0-rc2 (octree, recommended tools on), measured on these very files."""


def timed(job: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a job gives, its seconds by the wall clock and of the processors."""
    wall, processors = time.perf_counter(), time.process_time()
    result = job()
    return result, time.perf_counter() - wall, time.process_time() - processors


def turn(path: Path, model: str, threads: int, is_half: bool) -> dict[str, Any]:
    """One cloud, or the half of it with the lower x, encoded and decoded once."""
    package = packages.load_cloud_package(model)
    positions = np.ascontiguousarray(clouds.read(path).positions)
    if is_half:
        order = np.argsort(positions[:, 0], kind="stable")
        positions = positions[order[: len(order) // 2]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (data, merged), *encoding = timed(lambda: package.compress(positions, {}, threads=threads))
    (restored, _), *decoding = timed(lambda: package.decompress(data, threads=threads))
    if not np.array_equal(np.unique(positions, axis=0), np.unique(restored, axis=0)):
        raise SystemExit(f"{path}: other points came back")
    fields = coding.info(data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = {"encode": encoding, "decode": decoding}
    parts = {part["part"]: part["bits_per_point"] for part in fields["parts"]}
    sizes = {"points": fields["num_points"], "merged": merged, "bytes": len(data), "parts": parts}
    return sizes | times | {"peak_mb": peak / 1024, "before_mb": before / 1024, "model": package.name}


def measure(path: Path, model: str, threads: int, turns: int, *, is_half: bool = False) -> dict[str, Any]:
    command = [sys.executable, __file__, str(path), "--model", model, "--one-turn", str(threads)]
    command += ["--half"] if is_half else []
    found = [json.loads(subprocess.check_output(command)) for _ in range(turns)]
    least = {key: [min(one[key][i] for one in found) for i in (0, 1)] for key in ("encode", "decode")}
    return found[0] | least | {"peak_mb": max(one["peak_mb"] for one in found), "threads": threads}


def table(rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = [
        "| cloud | points | bits a point | TMC13 | ratio | threads | encode s (processors') "
        "| decode s (processors') | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows:
        bits = 8 * row["bytes"] / row["points"]
        known = TMC13.get(name)
        ratio = "" if known is None else f"{bits / known:.3f}"
        seconds = [f"{row[key][0]:.2f} ({row[key][1]:.2f})" for key in ("encode", "decode")]
        cells = [name, f"{row['points']:,}", f"{bits:.4f}", known or "", ratio, row["threads"], *seconds]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row['peak_mb']:.0f}"])) + " |")
    return lines


def linearity(name: str, half: dict[str, Any], whole: dict[str, Any]) -> str:
    """How much longer a cloud takes than half of it, by its points."""
    points = whole["points"] / half["points"]
    times = [f"{key}s {whole[key][1] / half[key][1]:.2f}" for key in ("encode", "decode")]
    return f"{name} has {points:.2f} times the points of its half, and {' and '.join(times)} times as long."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clouds", metavar="CLOUD", nargs="+", type=Path)
    parser.add_argument("--model", default="geometry")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--to", type=Path, help="files to write, without an ending: .md and .json")
    parser.add_argument("--kernels", metavar="N", type=int, help="points that kernels are measured on")
    parser.add_argument("--one-turn", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--half", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_turn is not None:
        print(json.dumps(turn(arguments.clouds[0], arguments.model, arguments.one_turn, arguments.half)))
        return
    load = os.getloadavg()
    rows = [
        (path.stem, measure(path, arguments.model, threads, arguments.turns))
        for path in arguments.clouds
        for threads in arguments.threads
    ]
    largest = max(rows, key=lambda row: row[1]["points"])[0]
    whole = next(row for name, row in rows if name == largest and row["threads"] == arguments.threads[0])
    path = next(path for path in arguments.clouds if path.stem == largest)
    half = measure(path, arguments.model, whole["threads"], arguments.turns, is_half=True)
    commit = subprocess.check_output(["git", "rev-parse", "--short=10", "HEAD"], text=True).strip()
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    digest = packages.load_cloud_package(arguments.model).entropy_digest[:16]
    head = [
        "# Point clouds: lossless geometry",
        "",
        f"{cpu}, {os.cpu_count()} processors, {when}, commit {commit}, path {coding.simd_path()},",
        f"model {rows[0][1]['model']} (entropy digest {digest}...),",
        f"load average {load[0]:.1f} before and {os.getloadavg()[0]:.1f} after.",
        f"Bits of the whole file for each point; the least of {arguments.turns} turns, by the wall clock",
        "and of the processors; the most memory of any, the interpreter and the points themselves included.",
        "TMC13 23.0-rc2, octree, on the same files.",
        "",
    ]
    tail = ["", linearity(largest, half, whole)]
    kernels: dict[str, Any] = {}
    if arguments.kernels is not None:
        peers = importlib.import_module("point_kernels")
        kernels = peers.measure(arguments.kernels)
        tail += ["", f"Kernels on {arguments.kernels:,} points:", "", *peers.ratios(kernels)]
    text = "\n".join(head + table(rows) + tail) + "\n"
    print(text)
    if arguments.to is not None:
        arguments.to.with_suffix(".md").write_text(text)
        arguments.to.with_suffix(".json").write_text(
            json.dumps(
                {"when": when, "commit": commit, "rows": rows, "half": half, "kernels": kernels}, indent=1
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
