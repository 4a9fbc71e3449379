"""Kernels of point clouds beside scipy's cKDTree, fpsample and Open3D, in one run, on one thread and on two.

Clouds are a noisy sphere of N points in random order, float64 for neighbours (which is
cKDTree's type) and float32 beside it. Times are processor time for one thread, which other work
disturbs less, and wall time for one and two; the least and the median of five runs, trees included. Peers
that are not installed are left out. Results are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcrs import coding

_RUNS = 5


def timed(job: Callable[[], Any], clock: Callable[[], float]) -> dict[str, float]:
    """Milliseconds."""
    times = []
    for _ in range(_RUNS):
        begin = clock()
        job()
        times.append(1e3 * (clock() - begin))
    return {"min_ms": round(min(times), 2), "median_ms": round(statistics.median(times), 2)}


def optional(name: str) -> Any:
    """A package, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def clouds(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points, and queries a hundredth away from them."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(count, 3))
    points *= rng.uniform(0.9, 1, (count, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    return points, points + rng.normal(size=points.shape) * 0.01


def by_open3d(core: Any, points: NDArray[np.float64], queries: NDArray[np.float64], k: int) -> Any:
    """Neighbours by Open3D's own search."""
    search = core.nns.NearestNeighborSearch(core.Tensor(points))
    search.knn_index()
    return search.knn_search(core.Tensor(queries), k)


def jobs(count: int) -> dict[str, dict[str, Callable[[int], Any]]]:
    """What is timed: for each task its programs, which take a number of threads."""
    points, queries = clouds(count)
    single, single_queries = points.astype(np.float32), queries.astype(np.float32)
    tree: Any = importlib.import_module("scipy.spatial").cKDTree
    o3d, fps = optional("open3d"), optional("fpsample")
    tasks: dict[str, dict[str, Callable[[int], Any]]] = {}
    for k in (1, 16):
        tasks[f"{k} nearest"] = {
            "lcrs float64": lambda threads, k=k: coding.nearest_points(points, queries, k, threads),
            "lcrs float32": lambda threads, k=k: coding.nearest_points(single, single_queries, k, threads),
            "cKDTree": lambda threads, k=k: tree(points).query(queries, k, workers=threads),
        }
        if o3d is not None:
            tasks[f"{k} nearest"]["Open3D, all processors"] = lambda threads, k=k: by_open3d(
                o3d.core, points, queries, k
            )
    for samples in (1000, 10_000):
        tasks[f"{samples} farthest"] = {
            "lcrs float32": lambda threads, m=samples: coding.farthest_points(single, m, 0, threads)
        }
        if fps is not None:
            found = tasks[f"{samples} farthest"]
            if samples == 1000:
                found["fpsample fps_sampling"] = lambda threads: fps.fps_sampling(single, 1000, start_idx=0)
            found["fpsample bucket_fps_kdline_sampling h=7"] = lambda threads, m=samples: (
                fps.bucket_fps_kdline_sampling(single, m, h=7, start_idx=0)
            )
    tasks["normals of 16"] = {"lcrs float64": lambda threads: coding.normals_of_points(points, 16, threads)}
    tasks["voxels"] = {"lcrs float64": lambda threads: coding.voxelize_points(points, 0.01, threads=threads)}
    if o3d is not None:
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
        knn = o3d.geometry.KDTreeSearchParamKNN(16)
        tasks["normals of 16"]["Open3D, all processors"] = lambda threads: cloud.estimate_normals(knn)
        tasks["voxels"]["Open3D voxel_down_sample"] = lambda threads: cloud.voxel_down_sample(0.01)
    return tasks


def check(count: int) -> None:
    """Fails unless neighbours and samples are those of the peers."""
    points, queries = clouds(count)
    _, expected = importlib.import_module("scipy.spatial").cKDTree(points).query(queries[:2000], 8)
    np.testing.assert_array_equal(coding.nearest_points(points, queries[:2000], 8)[1], expected)
    fps = optional("fpsample")
    if fps is not None:
        single = points.astype(np.float32)
        samples = fps.fps_sampling(single, 500, start_idx=0)
        np.testing.assert_array_equal(coding.farthest_points(single, 500), samples)


def measure(count: int) -> dict[str, Any]:
    """The times of every program by task."""
    check(count)
    results: dict[str, Any] = {}
    for task, programs in jobs(count).items():
        for program, job in programs.items():
            entry = {"one thread, processor time": timed(lambda job=job: job(1), time.process_time)}
            if program.startswith(("lcrs", "cKDTree")):
                entry["one thread, wall"] = timed(lambda job=job: job(1), time.perf_counter)
                entry["two threads, wall"] = timed(lambda job=job: job(2), time.perf_counter)
            results.setdefault(task, {})[program] = entry
            print(task, program, entry)
    return results


def ratios(results: dict[str, Any]) -> list[str]:
    """A table of how many times as fast lcrs is as a peer, and as on one thread."""
    one, two = "one thread, wall", "two threads, wall"
    lines = [
        "| task | lcrs | peer | times as fast, one thread (processors) | two threads | lcrs, two to one |",
        "|---|---|---|---|---|---|",
    ]
    for task, programs in results.items():
        for ours in (name for name in programs if name.startswith("lcrs")):
            found = programs[ours]
            scaling = found[one]["min_ms"] / found[two]["min_ms"]
            for peer in [name for name in programs if not name.startswith("lcrs")] or [""]:
                cells = []
                for key in ("one thread, processor time", two):
                    theirs = programs.get(peer, {}).get(key)
                    cells.append("" if theirs is None else f"{theirs['min_ms'] / found[key]['min_ms']:.2f}")
                lines.append("| " + " | ".join([task, ours[5:], peer, *cells, f"{scaling:.2f}"]) + " |")
    return lines


def main() -> None:
    """Runs everything and writes the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="a JSON file")
    parser.add_argument("points", type=int, nargs="?", default=200_000, help="N (default: %(default)s)")
    arguments = parser.parse_args()
    count = arguments.points
    results = measure(count)
    print(*ratios(results), sep="\n")
    load = Path("/proc/loadavg")
    facts = {
        "points": count,
        "machine": platform.processor() or platform.machine(),
        "load": load.read_text().split()[:3] if load.exists() else None,
        "simd": coding.simd_path(),
        "versions": {
            name: getattr(optional(name), "__version__", None)
            for name in ("numpy", "scipy", "fpsample", "open3d")
        },
    }
    arguments.output.write_text(json.dumps({"facts": facts, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
