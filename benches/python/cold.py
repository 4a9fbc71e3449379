"""Time and memory of whole processes: `lcrs encode` and `decode`, and a script that codes with CompressAI.

Used by `models.py`. A process is started by a small one that does nothing else, since the peak memory that
the system reports for a process includes that of the one that it was forked from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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
