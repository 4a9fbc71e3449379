"""Every figure of rate and distortion that the README has, from one committed configuration.

``python benches/python/results.py benches/kodak.json --pictures KODAK [--first 2] [--output FOLDER]``, which
is what ``make results PICTURES=KODAK`` does: each curve by ``lcrs eval`` or ``lcrs bench`` into a result file
of its own, which a run that was ended goes on with; then a page of tables, drawings, and ``report.html``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lcrs.cli import main as lcrs
from lcrs.evaluate.bjontegaard import compare
from lcrs.evaluate.curves import load
from lcrs.evaluate.plotting import LABELS, draw
from lcrs.evaluate.results import Results

SUFFIXES = frozenset({".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp"})


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def measure(config: dict[str, Any], pictures: list[Path], folder: Path, jobs: int) -> list[Results]:
    found = []
    for curve in config["curves"]:
        start = time.monotonic()
        target = folder / f"{curve['name']}.json"
        words = [curve["verb"], curve["codec"], *map(str, pictures), "-q", curve["settings"]]
        # Models use all processors by themselves, and their times are to be those of one picture at a time.
        words += ["--json", str(target), "-j", "1" if curve["verb"] == "eval" else str(jobs)]
        if lcrs(words) != 0:
            raise SystemExit(f"lcrs {' '.join(words)} failed")
        print(f"{curve['name']}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        found.append(load(target))
    return found


def load_average() -> float:
    """Of the last minutes: what else the machine does beside this."""
    return os.getloadavg()[1] if hasattr(os, "getloadavg") else 0.0


def busy(loads: Sequence[float], cores: int) -> str:
    words = f"The load average was {loads[0]:.1f} when it began and {loads[1]:.1f} when it ended"
    return f"{words}: times are those of a busy machine." if max(loads) > cores + 1 else f"{words}."


def number(value: float | None, form: str) -> str:
    return "refused" if value is None else format(value, form)


def tables(config: dict[str, Any], curves: list[Results], published: list[Results]) -> list[str]:
    ours = next(c for c in curves if Path(c.source).stem == config["anchor"])
    settings = ours.results["setting"]
    keys = [
        key for key in ("bpp", *config["metrics"], "encoding_time", "decoding_time") if key in ours.results
    ]
    rows = [[key, *(f"{v:.3f}" if v is not None else "-" for v in ours.results[key])] for key in keys]
    lines = [f"## {ours.name}", "", *table(["setting", *map(str, settings)], rows), ""]
    lines += [f"## BD-rate of {ours.name} against others", ""]
    head = ["against", *(f"{name}, %" for name in config["metrics"]), "pictures", "how"]
    body = []
    for other in [*(c for c in curves if c is not ours), *published]:
        cells, pictures = [other.name], "?"
        for name in config["metrics"]:
            if name not in other.results:
                cells.append("-")
                continue
            comparison = compare(other, ours, measure=name)
            cells.append(number(comparison.bd_rate, "+.1f"))
            pictures = pictures if comparison.num_pictures is None else str(comparison.num_pictures)
            for note in filter(None, [*comparison.notes, comparison.refused]):
                print(f"{ours.name} against {other.name}, {name}: {note}", file=sys.stderr)
        how = f"published, {other.source}" if other in published else other.description
        body.append([*cells, pictures, how])
    lines += [*table(head, body), "", "## Means of every curve", ""]
    head = ["curve", "setting", "bpp", *config["metrics"], "encoding, s", "decoding, s"]
    keys = ["setting", "bpp", *config["metrics"], "encoding_time", "decoding_time"]
    body = [
        [curve.name, *(f"{value:g}" if key == "setting" else f"{value:.4f}" for key, value in point)]
        for curve in curves
        for point in (
            [(key, curve.results[key][at]) for key in keys if key in curve.results]
            for at in range(len(curve.results["bpp"]))
        )
    ]
    return [*lines, *table(head, body)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--first", type=int, help="only so many pictures")
    parser.add_argument("--output", type=Path, default=Path("benches/results"))
    parser.add_argument("--jobs", type=int, default=2, help="processes of classical codecs")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    pictures = sorted(p for p in arguments.pictures.iterdir() if p.suffix.lower() in SUFFIXES)
    if not pictures:
        raise SystemExit(f"no pictures in {arguments.pictures}")
    folder = arguments.output / config["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    loads = [load_average()]
    curves = measure(config, pictures[: arguments.first], folder, arguments.jobs)
    loads.append(load_average())
    published = [load(name) for name in config["published"]]
    for metric in config["metrics"]:
        shown = [*curves, *(c for c in published if metric in c.results)]
        name = metric.removesuffix("-rgb")
        title = f"{config['title']}, {LABELS[metric]}"
        draw(shown, folder / f"rd-{name}.svg", measure=metric, title=title)
    title = f"{config['title']}, times of one picture"
    draw(curves, folder / "rate-time.svg", kind="rate-time", title=title)
    names = [str(folder / f"{curve['name']}.json") for curve in config["curves"]]
    report = ["report", *names, *config["published"], "-o", str(folder / "report.html"), "--force"]
    if lcrs([*report, "--title", config["title"]]) != 0:
        raise SystemExit("lcrs report failed")
    machine = curves[0].meta["machine"]
    head = [
        f"# {config['title']}",
        "",
        f"Made by `make results` from `{arguments.config}`, {len(pictures[: arguments.first])} pictures, on "
        f"{machine['processor']}, {machine['cores']} cores. {busy(loads, machine['cores'])}",
        "Files beside this one have every row, with versions, settings and digests; the run makes "
        "`report.html` from them.",
        "",
    ]
    text = "\n".join([*head, *tables(config, curves, published)]) + "\n"
    (folder / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
