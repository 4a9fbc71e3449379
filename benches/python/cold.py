"""Time and memory of whole processes: `lcrs encode` and `decode`, and a script that codes with CompressAI.

Used by `models.py`. By itself it writes ``results/cold.json`` and ``.md``: lcrs alone, and the program
``lcrs-codec`` if it was built, for pictures up to 8K, with time a pixel. A process is started by a small one
that does nothing else, since the peak memory that the system reports for a process includes that of the one
that it was forked from.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SIZES = [(768, 512), (1920, 1080), (3840, 2160), (7680, 4320)]
PROGRAM = ROOT / "target" / "release" / "lcrs-codec"
SHIPPED = ROOT / "python" / "lcrs" / "zoo" / "weights" / "photo-2.lcrm"

LAUNCHER = """
import json, os, sys, time
begin = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - begin
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({"status": status, "seconds": seconds, "cpu": cpu, "peak_mb": usage.ru_maxrss / 1024}))
"""

COMPRESSAI = """
import sys, numpy as np, torch
from PIL import Image
from compressai.models import MeanScaleHyperprior
net = MeanScaleHyperprior(128, 192).eval()
net.update()
x = torch.from_numpy(np.array(Image.open(sys.argv[1]).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
side = [(-size) % 64 for size in x.shape[2:]]
x = torch.nn.functional.pad(x, (0, side[1], 0, side[0]))
with torch.no_grad():
    coded = net.compress(x)
    net.decompress(coded["strings"], coded["shape"])
"""


def run(*command: str) -> dict[str, float]:
    """Seconds, seconds of all processors, and peak resident megabytes; raises `RuntimeError` on failure."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", LAUNCHER, *command], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if result.pop("status"):
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return result


def enlarged(picture: Path, folder: Path, size: tuple[int, int]) -> Path:
    """A copy of `picture` of another size."""
    from PIL import Image

    path = folder / f"{size[0]}x{size[1]}.png"
    with Image.open(picture) as image:
        image.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(path, compress_level=1)
    return path


def measure(picture: Path, turns: int) -> dict[str, Any]:
    """The best of some turns, for each picture size and command."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = {
            "768x512": enlarged(picture, folder, (768, 512)),
            "1920x1080": enlarged(picture, folder, (1920, 1080)),
            "3840x2160": enlarged(picture, folder, (3840, 2160)),
        }
        for size, path in pictures.items():
            coded, out = str(folder / "x.lcrs"), str(folder / "x.ppm")
            commands = {
                "lcrs encode": (sys.executable, "-m", "lcrs", "encode", str(path), "-o", coded, "--force"),
                "lcrs decode": (sys.executable, "-m", "lcrs", "decode", coded, "-o", out, "--force"),
            }
            if size != "3840x2160":
                commands["CompressAI, mbt2018-mean"] = (sys.executable, "-c", COMPRESSAI, str(path))
            for what, command in commands.items():
                runs = [run(*command) for _ in range(turns if what.startswith("lcrs") else 1)]
                results.setdefault(what, {})[size] = {
                    "seconds": min(one["seconds"] for one in runs),
                    "cpu": min(one["cpu"] for one in runs),
                    "peak_mb": max(one["peak_mb"] for one in runs),
                }
    return results


def commands(picture: Path, folder: Path) -> dict[str, tuple[str, ...]]:
    """What is run on a picture, in this order: later commands take the file that the first one writes."""
    lcrs, coded, out = (sys.executable, "-m", "lcrs"), str(folder / "x.lcrs"), str(folder / "x.ppm")
    programs = {
        "lcrs encode": (*lcrs, "encode", str(picture), "-o", coded, "--force"),
        "lcrs decode": (*lcrs, "decode", coded, "-o", out, "--force"),
    }
    if PROGRAM.exists():
        model = ("--model", str(SHIPPED), "--force")
        programs["lcrs-codec decode"] = (str(PROGRAM), "decode", coded, "-o", out, *model)
    return programs


def measure_alone(picture: Path, turns: int) -> list[dict[str, Any]]:
    """Medians and quartiles for each size and command."""
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in SIZES:
            path = enlarged(picture, folder, (width, height))
            for what, command in commands(path, folder).items():
                few = turns if width < 3000 else turns // 3 if width < 6000 else 2
                runs = [run(*command) for _ in range(few)]
                seconds = [one["seconds"] for one in runs]
                quartiles = statistics.quantiles(seconds, n=4, method="inclusive")
                results.append(
                    {
                        "command": what,
                        "size": [width, height],
                        "turns": few,
                        "seconds": quartiles[1],
                        "quartiles": [quartiles[0], quartiles[2]],
                        "cpu": statistics.median(one["cpu"] for one in runs),
                        "peak_mb": max(one["peak_mb"] for one in runs),
                    }
                )
    return results


def about(picture: Path) -> dict[str, Any]:
    """What was measured, and where."""
    git = ["git", "rev-parse", "HEAD"]
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].split(":")[1].strip() if model else platform.processor(),
        "num_cpus": len(os.sched_getaffinity(0)),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip(),
        "python": platform.python_version(),
        "picture": picture.name,
        "load_average": os.getloadavg(),
    }


def report(result: dict[str, Any]) -> str:
    """The results as Markdown."""
    facts = result["about"]
    lines = [
        "# Whole processes, cold: the model that ships with lcrs, quality 50",
        "",
        f"{facts['cpu']}, {facts['num_cpus']} processors, Python {facts['python']}, {facts['time']},",
        f"commit {facts['commit'][:10]}, {facts['picture']} enlarged,",
        f"load average {facts['load_average'][0]:.1f} before.",
        "Medians and quartiles of the turns; the most memory of any. PNG is read, PPM is written.",
        "The last column is the time for each pixel more than in the first picture: linear if it stays.",
        "",
        "| command | picture | seconds | quartiles | processors' | peak MB | ns a pixel more |",
        "|---|---|---|---|---|---|---|",
    ]
    smallest = {row["command"]: row for row in reversed(result["runs"])}
    for row in result["runs"]:
        width, height = row["size"]
        first = smallest[row["command"]]
        pixels = width * height - first["size"][0] * first["size"][1]
        slope = f"{1e9 * (row['seconds'] - first['seconds']) / pixels:.0f}" if pixels else ""
        low, high = row["quartiles"]
        lines.append(
            f"| {row['command']} | {width} x {height} | {row['seconds']:.3f} | {low:.3f} to {high:.3f} "
            f"| {row['cpu']:.3f} | {row['peak_mb']:.0f} | {slope} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=ROOT / "tests" / "data" / "photo.png")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--output", type=Path, default=ROOT / "benches" / "results")
    arguments = parser.parse_args()
    facts = about(arguments.picture)
    result = {"about": facts, "runs": measure_alone(arguments.picture, arguments.turns)}
    (arguments.output / "cold.json").write_text(json.dumps(result, indent=1) + "\n")
    (arguments.output / "cold.md").write_text(report(result))
    print(report(result))


if __name__ == "__main__":
    main()
