"""Measures classical codecs on raw video, with CompressAI's arguments and JSON."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lcrs.datasets.rawvideo import RawVideoSequence
from lcrs.utils.video.bench.codecs import HM, VTM, Codec, x264, x265
from lcrs.utils.video.sequences import (
    collect_videos,
    decibels,
    frame_metrics,
    means_of,
    open_sequence,
    planes_of,
    rgb_of,
)

__all__ = ["codec_classes", "collect", "create_parser", "evaluate", "main"]

codec_classes: list[type[Codec]] = [x264, x265, VTM, HM]


def evaluate(
    org_seq_path: Path, dec_seq_path: Path, bitstream_path: Path, cuda: bool = False
) -> dict[str, float]:
    """The measures of a decoded sequence, PSNR of the mean error of all frames, and its rate in kbit/s.

    Raises:
        RuntimeError: it has another number of frames.
    """
    original = open_sequence(org_seq_path)
    decoded = RawVideoSequence.new_like(original, str(dec_seq_path))
    num_frames, max_val = len(original), 2**original.bitdepth - 1
    if len(decoded) != num_frames:
        raise RuntimeError(f"Invalid number of frames in decoded sequence ({num_frames}!={len(decoded)})")
    device = "cuda" if cuda else "cpu"
    rows = []
    for at in range(num_frames):
        ours, theirs = (planes_of(sequence[at], max_val, device) for sequence in (original, decoded))
        rows.append(frame_metrics(ours, theirs, rgb_of(theirs), max_val))
    means = means_of(rows)
    num_bytes = bitstream_path.stat().st_size
    found = {"ms-ssim-rgb": means["ms-ssim-rgb"]} if "ms-ssim-rgb" in means else {}
    found["bitrate"] = num_bytes * 8 * float(original.framerate or 1) / (num_frames * 1000)
    for name in ("rgb", "y", "u", "v"):
        found[f"psnr-{name}"] = decibels(means[f"mse-{name}"], max_val)
    found["psnr-yuv"] = (4 * found["psnr-y"] + found["psnr-u"] + found["psnr-v"]) / 6
    return found


def measure(
    codec: Codec,
    filepath: Path,
    qp: int,
    outputdir: str,
    inputdir: str,
    cuda: bool,
    force: bool,
    dry_run: bool,
) -> dict[str, float]:
    """Encodes, decodes and measures one sequence; what is there is taken, unless `force`."""
    binpath = codec.get_bin_path(filepath, qp, outputdir, inputdir)
    target = binpath.with_suffix(".json")
    encode = codec.get_encode_cmd(filepath, qp, binpath)
    if dry_run:
        print("--> Running:", *encode, file=sys.stderr)
        return {}
    if target.is_file() and binpath.is_file() and not force:
        print(f"warning: using existing results {target}", file=sys.stderr)
        there: dict[str, float] = json.loads(target.read_text())["results"]
        return there
    with tempfile.TemporaryDirectory() as folder:
        coded, decoded = Path(folder, binpath.name), Path(folder, "decoded.yuv")
        _run(codec.get_encode_cmd(filepath, qp, coded), binpath.with_suffix(".log"))
        _run(codec.get_decode_cmd(coded, decoded, filepath), Path(folder, "log"))
        found = evaluate(filepath, decoded, coded, cuda)
        binpath.write_bytes(coded.read_bytes())
    content = {"source": filepath.stem, "name": codec.name_config(), "description": codec.description}
    target.write_text(json.dumps(content | {"results": found}, indent=2))
    return found


def _run(command: Sequence[Any], log: Path) -> None:
    """Runs a program, whose words are kept.

    Raises:
        RuntimeError: it fails.
    """
    print("--> Running:", *command, file=sys.stderr)
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    log.write_bytes(done.stdout + done.stderr)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"{command[0]} ended with code {done.returncode}: {lines[-1] if lines else ''}")


def collect(
    dataset: str, codec: Codec, outputdir: str, qps: Sequence[int], num_jobs: int = 1, **args: Any
) -> dict[str, list[float]]:
    """Means over the sequences of a folder, a value a setting."""
    Path(outputdir).mkdir(parents=True, exist_ok=True)
    paths = collect_videos(dataset)
    if not paths:
        print("Error: no video found in directory.", file=sys.stderr)
        raise SystemExit(1)
    options = (args["cuda"], args["force"], args["dry_run"])
    runs = [(codec, path, qp, outputdir, dataset, *options) for qp in qps for path in paths]
    if num_jobs > 1:
        with multiprocessing.get_context("spawn").Pool(num_jobs) as pool:
            found: list[dict[str, float]] = pool.starmap(measure, runs)
    else:
        found = [measure(*run) for run in runs]
    if args["dry_run"]:
        return {"qp": [float(qp) for qp in qps]}
    groups = [found[at : at + len(paths)] for at in range(0, len(found), len(paths))]
    means = [means_of(group) for group in groups]
    results = {key: [mean[key] for mean in means] for key in means[0]}
    return {"qp": [float(qp) for qp in qps]} | results


def create_parser() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, Any]:
    """The command's parser, what all codecs take, and what codecs are added to."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.video.bench", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("dataset", help="folder of .yuv files")
    shared.add_argument("outputdir", help="output directory")
    shared.add_argument("-n", "--dry-run", action="store_true", help="say what would be run")
    shared.add_argument("-f", "--force", action="store_true", help="measure again what is there")
    shared.add_argument("-j", "--num-jobs", type=int, metavar="N", default=1, help="processes")
    shared.add_argument("-q", "--qps", default="1", help="settings, such as 22,27,32,37")
    shared.add_argument("--cuda", action="store_true", help="measure on a GPU")
    return parser, shared, parser.add_subparsers(dest="codec", required=True)


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command; `args` is what follows its name."""
    parser, shared, subparsers = create_parser()
    codecs = {kind.name: kind() for kind in codec_classes}
    for name, codec in codecs.items():
        codec.add_parser_args(subparsers.add_parser(name, parents=[shared]))
    arguments = parser.parse_args(None if args is None else list(args))
    codec = codecs[arguments.codec]
    codec.set_args(arguments)
    qps = sorted(int(qp) for qp in arguments.qps.split(",") if qp)
    options = {name: getattr(arguments, name) for name in ("num_jobs", "cuda", "force", "dry_run")}
    results = collect(arguments.dataset, codec, arguments.outputdir, qps, **options)
    description = codec.name if arguments.dry_run else codec.description
    output = {"name": codec.name_config(), "description": description, "results": results}
    if not arguments.dry_run:
        path = Path(arguments.outputdir) / f"{codec.name_config()}.json"
        path.write_text(json.dumps(output, indent=2))
    print(json.dumps(output, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
