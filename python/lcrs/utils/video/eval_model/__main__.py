"""Evaluates a model on raw video as CompressAI does, with its arguments and its JSON."""

from __future__ import annotations

import argparse
import json
import math
import struct
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lcrs
from lcrs.ops import compute_padding
from lcrs.utils.video.sequences import (
    aggregate_results,
    collect_videos,
    decibels,
    frame_metrics,
    means_of,
    open_sequence,
    planes_of,
    rgb_of,
    yuv_of,
)
from lcrs.zoo import load_checkpoint, video_models

__all__ = ["collect_videos", "create_parser", "eval_model", "eval_model_entropy_estimation", "main"]

_MULTIPLE = 128
"""What frames are padded to, with zeros on all sides."""


def _frames(net: nn.Module, sequence: Any) -> Any:
    """Each frame as the model takes it, its planes, and how the padding is undone."""
    device = next(net.parameters()).device
    max_val = 2**sequence.bitdepth - 1
    for at in range(len(sequence)):
        planes = planes_of(sequence[at], max_val, device)
        x = rgb_of(planes)
        pad, unpad = compute_padding(x.shape[2], x.shape[3], min_div=_MULTIPLE)
        yield at, F.pad(x, pad), planes, unpad, max_val


def _measured(planes: Sequence[Tensor], x_rec: Tensor, unpad: Any, max_val: int) -> dict[str, float]:
    visible = F.pad(x_rec, unpad)
    values = frame_metrics(planes, yuv_of(visible), visible, max_val)
    found = {f"psnr-{name}": decibels(values[f"mse-{name}"], max_val) for name in "yuv"}
    found["psnr-yuv"] = (4 * found["psnr-y"] + found["psnr-u"] + found["psnr-v"]) / 6
    found |= {key: value for key, value in values.items() if key in ("ms-ssim-rgb", "mse-rgb")}
    return found | {"psnr-rgb": decibels(values["mse-rgb"], max_val)}


def _write_strings(file: BinaryIO, shape: Any, strings: Sequence[Sequence[bytes]]) -> None:
    file.write(struct.pack(">3I", int(shape[0]), int(shape[1]), len(strings)))
    for batch in strings:
        file.write(struct.pack(">I", len(batch[0])) + batch[0])


@torch.no_grad()
def eval_model(
    net: nn.Module, sequence: Path, binpath: Path, keep_binaries: bool = False
) -> dict[str, float]:
    """Codes a sequence into a file; its measures, and the rate of the file in kbit/s."""
    model: Any = net
    video = open_sequence(sequence)
    print(f" encoding {Path(sequence).stem}", file=sys.stderr)
    rows = []
    x_rec: Any = None
    with binpath.open("wb") as file:
        file.write(struct.pack(">2IBI", video.height, video.width, video.bitdepth, len(video)))
        for at, x, planes, unpad, max_val in _frames(net, video):
            if at == 0:
                x_rec, coded = model.encode_keyframe(x)
                _write_strings(file, coded["shape"], coded["strings"])
            else:
                x_rec, coded = model.encode_inter(x, x_rec)
                for part, shape in coded["shape"].items():
                    _write_strings(file, shape, coded["strings"][part])
            x_rec = x_rec.clamp(0, 1)
            rows.append(_measured(planes, x_rec, unpad, max_val))
    num_bytes = binpath.stat().st_size
    if not keep_binaries:
        binpath.unlink()
    return means_of(rows) | {"bitrate": num_bytes * 8 * float(video.framerate or 1) / (len(video) * 1000)}


@torch.no_grad()
def eval_model_entropy_estimation(net: nn.Module, sequence: Path) -> dict[str, float]:
    """The same with the bits that likelihoods stand for."""
    model: Any = net
    video = open_sequence(sequence)
    print(f" encoding {Path(sequence).stem}", file=sys.stderr)
    rows, bits = [], []
    x_rec: Any = None
    for at, x, planes, unpad, max_val in _frames(net, video):
        x_rec, found = model.forward_keyframe(x) if at == 0 else model.forward_inter(x, x_rec)
        x_rec = x_rec.clamp(0, 1)
        parts = [found] if isinstance(found.get("y"), Tensor) else found.values()
        bits.append(sum(float(torch.log(part[k]).sum()) for part in parts for k in "yz") / -math.log(2))
        rows.append(_measured(planes, x_rec, unpad, max_val))
    return means_of(rows) | {"bitrate": sum(bits) / len(bits) * float(video.framerate or 1) / 1000}


def load_pretrained(model: str, metric: str, quality: int) -> nn.Module:
    """A published model."""
    net: nn.Module = video_models[model](quality=quality, metric=metric, pretrained=True, progress=False)
    return net.eval()


def load_checkpoint_of(arch: str, no_update: bool, path: str) -> nn.Module:
    """The model of a checkpoint, its tables made anew unless told otherwise."""
    net: Any = load_checkpoint(path, arch)
    if not no_update:
        net.update(force=True)
    evaluated: nn.Module = net.eval()
    return evaluated


def run_inference(
    filepaths: Sequence[Path],
    inputdir: str | Path,
    net: nn.Module,
    outputdir: str | Path,
    force: bool = False,
    entropy_estimation: bool = False,
    trained_net: str = "",
    description: str = "",
    **args: Any,
) -> dict[str, float]:
    """Means over sequences; each one's result is written, and taken from there unless `force`."""
    results = []
    for path in filepaths:
        folder = Path(outputdir) / path.parent.relative_to(inputdir)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{path.stem}-{trained_net}.json"
        if force or not target.is_file():
            if entropy_estimation:
                found = eval_model_entropy_estimation(net, path)
            else:
                binary = target.with_suffix(".bin")
                found = eval_model(net, path, binary, bool(args.get("keep_binaries")))
            content = {
                "source": path.stem,
                "name": args["architecture"],
                "description": f"Inference ({description})",
                "results": found,
            }
            target.write_text(json.dumps(content, indent=2))
        results.append(target)
    return aggregate_results(results)


def create_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.video.eval_model", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("dataset", help="folder of .yuv files")
    shared.add_argument("output", help="output directory")
    shared.add_argument("-a", "--architecture", choices=list(video_models), required=True)
    shared.add_argument("-f", "--force", action="store_true", help="measure again what is there")
    shared.add_argument("--cuda", action="store_true", help="run on a GPU")
    shared.add_argument("--half", action="store_true", help="run in half precision, on a GPU")
    shared.add_argument("--entropy-estimation", action="store_true", help="estimate bits, write no strings")
    shared.add_argument("-c", "--entropy-coder", choices=lcrs.available_entropy_coders(), default="ans")
    shared.add_argument("--keep_binaries", action="store_true", help="keep the coded files")
    shared.add_argument("-v", "--verbose", action="store_true")
    shared.add_argument("-m", "--metric", choices=["mse", "ms-ssim"], default="mse")
    shared.add_argument("-d", "--output_directory", default="", help="folder of the result")
    shared.add_argument("-o", "--output-file", default="", help="its name")
    sources = parser.add_subparsers(dest="source", required=True)
    pretrained = sources.add_parser("pretrained", parents=[shared])
    pretrained.add_argument("-q", "--quality", dest="qualities", default="1", help="such as 1,2,3")
    checkpoint = sources.add_parser("checkpoint", parents=[shared])
    checkpoint.add_argument("-p", "--path", dest="paths", nargs="*", required=True)
    checkpoint.add_argument("--no-update", action="store_true", help="keep the tables of the checkpoint")
    return parser


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command; `args` is what follows its name."""
    arguments = create_parser().parse_args(None if args is None else list(args))
    description = "entropy-estimation" if arguments.entropy_estimation else arguments.entropy_coder
    filepaths = collect_videos(arguments.dataset)
    if not filepaths:
        print("Error: no video found in directory.", file=sys.stderr)
        raise SystemExit(1)
    lcrs.set_entropy_coder(arguments.entropy_coder)
    folder = Path(arguments.output_directory or arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    is_cuda = arguments.cuda and torch.cuda.is_available()
    results: dict[str, list[Any]] = defaultdict(list)
    is_pretrained = arguments.source == "pretrained"
    runs: list[Any] = (
        arguments.paths
        if not is_pretrained
        else sorted(int(quality) for quality in arguments.qualities.split(",") if quality)
    )
    for run in runs:
        if is_pretrained:
            net = load_pretrained(arguments.architecture, arguments.metric, run)
            trained_net = f"{arguments.architecture}-{arguments.metric}-{run}-{description}"
        else:
            net = load_checkpoint_of(arguments.architecture, arguments.no_update, run)
            trained_net = f"{Path(run).name[: -len('.tar.pth')]}-{description}"
        print(f"Using trained model {trained_net}", file=sys.stderr)
        if is_cuda:
            net = net.to("cuda")
            net = net.half() if arguments.half else net
        found = run_inference(
            filepaths,
            arguments.dataset,
            net,
            folder,
            trained_net=trained_net,
            description=description,
            **vars(arguments),
        )
        results["q"].append(trained_net)
        for key, value in found.items():
            results[key].append(value)
    output = {
        "name": f"{arguments.architecture}-{arguments.metric}",
        "description": f"Inference ({description})",
        "results": results,
    }
    name = arguments.output_file or f"{arguments.architecture}-{description}"
    (folder / name).with_suffix(".json").write_text(json.dumps(output, indent=2))
    print(json.dumps(output, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
