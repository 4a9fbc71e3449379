"""Evaluates a model on a folder of pictures as CompressAI does, with its arguments and its JSON.

Its protocol, which is not that of `lcrs eval`: pictures are padded with zeros on all sides to multiples of
64, the rate is that of the strings alone, and times are those of the calls.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lcrs
from lcrs.metrics import MIN_SIDE_MS_SSIM, tensors
from lcrs.ops import compute_padding
from lcrs.utils.pictures import collect_images, read_image
from lcrs.zoo import image_models, load_checkpoint, load_model

__all__ = ["collect_images", "compute_metrics", "eval_model", "inference", "main", "read_image", "setup_args"]

_QUANTSTEPS = "10.0000,7.1715,5.1832,3.7211,2.6833,1.9305,1.3897,1.0000"


def compute_metrics(org: Tensor, rec: Tensor, max_val: int = 255) -> dict[str, float]:
    """PSNR and MS-SSIM of two pictures (1, 3, H, W) in [0, 1], rounded to `max_val` steps."""
    a, b = ((x.float() * max_val).clamp(0, max_val).round() for x in (org, rec))
    values = {"psnr-rgb": float(tensors.psnr(a, b, max_val))}
    if min(a.shape[-2:]) >= MIN_SIDE_MS_SSIM:
        values["ms-ssim-rgb"] = float(tensors.ms_ssim(a, b, max_val))
    return values


def _synchronized(x: Tensor) -> float:
    """The time when all that was asked of a device is done."""
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter()


@torch.no_grad()
def inference(model: nn.Module, x: Tensor, vbr_stage: Any = None, vbr_scale: Any = None) -> dict[str, float]:
    """Codes one picture (3, H, W) to strings and back."""
    net: Any = model
    x = x[None]
    pad, unpad = compute_padding(x.shape[2], x.shape[3], min_div=64)
    options = {} if vbr_scale is None else {"stage": vbr_stage, "s": 0, "inputscale": vbr_scale}
    padded = F.pad(x, pad)
    start = _synchronized(x)
    coded = net.compress(padded, **options)
    between = _synchronized(x)
    x_hat = net.decompress(coded["strings"], coded["shape"], **options)["x_hat"]
    end = _synchronized(x)
    values = compute_metrics(x, F.pad(x_hat, unpad))
    num_bytes = sum(len(strings[0]) for strings in coded["strings"])
    return values | {
        "bpp": 8 * num_bytes / (x.shape[2] * x.shape[3]),
        "encoding_time": between - start,
        "decoding_time": end - between,
    }


@torch.no_grad()
def inference_entropy_estimation(
    model: nn.Module, x: Tensor, vbr_stage: Any = None, vbr_scale: Any = None
) -> dict[str, float]:
    """The same with the bits that likelihoods stand for; half of the time counts for either way."""
    x = x[None]
    options = {} if vbr_scale is None else {"stage": vbr_stage, "inputscale": vbr_scale}
    start = _synchronized(x)
    out = model(x, **options)
    elapsed = _synchronized(x) - start
    bits = sum(float(torch.log(part).sum()) for part in out["likelihoods"].values()) / -math.log(2)
    return compute_metrics(x, out["x_hat"]) | {
        "bpp": bits / (x.shape[2] * x.shape[3]),
        "encoding_time": elapsed / 2,
        "decoding_time": elapsed / 2,
    }


def load_pretrained(model: str, metric: str, quality: int) -> nn.Module:
    """A published model."""
    net: nn.Module = image_models[model](quality=quality, metric=metric, pretrained=True, progress=False)
    return net.eval()


def load_checkpoint_of(arch: str, no_update: bool, checkpoint_path: str) -> nn.Module:
    """The model of a checkpoint, its tables made anew unless told otherwise; packages are taken, too."""
    if Path(checkpoint_path).suffix == ".lcrm":
        return load_model(checkpoint_path)
    net: Any = load_checkpoint(checkpoint_path, arch)
    if not no_update:
        is_scaled = getattr(net, "vr_entbttlnck", False)
        net.update(force=True, **({"scale": net.Gain[-1]} if is_scaled else {}))
    evaluated: nn.Module = net.eval()
    return evaluated


def eval_model(
    model: nn.Module,
    outputdir: str | Path,
    inputdir: str | Path,
    filepaths: Sequence[Path],
    entropy_estimation: bool = False,
    trained_net: str = "",
    description: str = "",
    vbr_stage: Any = None,
    vbr_scale: Any = None,
    **args: Any,
) -> dict[str, float]:
    """Means over pictures; with `per_image` each picture's numbers are written to `outputdir`, too.

    Raises:
        FileNotFoundError: these have no folder.
    """
    device = next(model.parameters()).device
    sums: dict[str, list[float]] = defaultdict(list)
    infer = inference_entropy_estimation if entropy_estimation else inference
    for path in filepaths:
        x = read_image(path).to(device)
        if args.get("half") and not entropy_estimation:
            model, x = model.half(), x.half()
        values = infer(model, x, vbr_stage, vbr_scale)
        for key, value in values.items():
            sums[key].append(value)
        if args.get("per_image"):
            if not Path(outputdir).is_dir():
                raise FileNotFoundError("Please specify output directory")
            folder = Path(outputdir) / path.parent.relative_to(inputdir)
            folder.mkdir(parents=True, exist_ok=True)
            content = {
                "source": path.stem,
                "name": args["architecture"],
                "description": f"Inference ({description})",
                "results": values,
            }
            (folder / f"{path.stem}-{trained_net}.json").write_text(json.dumps(content, indent=2))
    return {key: math.fsum(values) / len(filepaths) for key, values in sums.items()}


def setup_args() -> argparse.ArgumentParser:
    """The command's arguments."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("dataset", help="folder of pictures")
    shared.add_argument("-a", "--architecture", choices=list(image_models), required=True)
    coders = lcrs.available_entropy_coders()
    shared.add_argument("-c", "--entropy-coder", choices=coders, default="ans", help="default: CompressAI's")
    shared.add_argument("--cuda", action="store_true", help="run on a GPU")
    shared.add_argument("--half", action="store_true", help="run in half precision")
    shared.add_argument("--entropy-estimation", action="store_true", help="estimate bits, write no strings")
    shared.add_argument("-v", "--verbose", action="store_true")
    shared.add_argument("-m", "--metric", choices=["mse", "ms-ssim"], default="mse")
    shared.add_argument("-d", "--output_directory", default="", help="folder of the result")
    shared.add_argument("-o", "--output-file", default="", help="its name")
    shared.add_argument("--per-image", action="store_true", help="write each picture's numbers, too")
    shared.add_argument("--vbr_quantstep", dest="vbr_quantstepsizes", default=_QUANTSTEPS)
    shared.add_argument("--vbr_tr_stage", type=int, choices=[1, 2], default=2)
    parser = argparse.ArgumentParser(prog="python -m lcrs.utils.eval_model", description=__doc__)
    sources = parser.add_subparsers(dest="source")
    pretrained = sources.add_parser("pretrained", parents=[shared])
    pretrained.add_argument("-q", "--quality", dest="qualities", default="1", help="such as 1,2,3")
    checkpoint = sources.add_parser("checkpoint", parents=[shared])
    checkpoint.add_argument("-p", "--path", dest="checkpoint_paths", nargs="*", required=True)
    checkpoint.add_argument("--no-update", action="store_true", help="keep the tables of the checkpoint")
    return parser


def main(argv: Sequence[str]) -> None:
    """Runs the command; `argv` is what follows its name."""
    parser = setup_args()
    args = parser.parse_args(list(argv))
    if args.source is None:
        print("Error: missing 'checkpoint' or 'pretrained' source.", file=sys.stderr)
        parser.print_help()
        raise SystemExit(1)
    filepaths = collect_images(args.dataset)
    if not filepaths:
        print("Error: no images found in directory.", file=sys.stderr)
        raise SystemExit(1)
    lcrs.set_entropy_coder(args.entropy_coder)
    if args.output_directory:
        Path(args.output_directory).mkdir(parents=True, exist_ok=True)
    is_cuda = args.cuda and torch.cuda.is_available()
    description = "entropy-estimation" if args.entropy_estimation else args.entropy_coder
    results: dict[str, list[float]] = defaultdict(list)
    for model, trained_net, options in _runs(args, description):
        if args.verbose:
            print(f"Evaluating {trained_net}", file=sys.stderr)
        print(f"Using trained model {trained_net}", file=sys.stderr)
        net = model.to("cuda") if is_cuda else model
        found = eval_model(
            net,
            args.output_directory,
            args.dataset,
            filepaths,
            trained_net=trained_net,
            description=description,
            **options,
            **vars(args),
        )
        for key, value in found.items():
            results[key].append(value)
    words = "entropy estimation" if args.entropy_estimation else args.entropy_coder
    output = {
        "name": f"{args.architecture}-{args.metric}",
        "description": f"Inference ({words})",
        "results": results,
    }
    if args.output_directory:
        name = args.output_file or f"{args.architecture}-{words}"
        path = Path(f"{args.output_directory}/{name}").with_suffix(".json")
        path.write_text(json.dumps(output, indent=2))
    print(json.dumps(output, indent=2))


def _runs(args: argparse.Namespace, description: str) -> Any:
    """The models one after another, what each is called, and the scale of one of variable rate."""
    is_variable = args.architecture.endswith("-vbr")
    load: Callable[..., nn.Module]
    if args.source == "pretrained":
        load, first = load_pretrained, (args.architecture, args.metric)
        runs: list[Any] = sorted(int(q) for q in args.qualities.split(",") if q)
        names = [f"{args.architecture}-{args.metric}-{run}-{description}" for run in runs]
    else:
        load, first = load_checkpoint_of, (args.architecture, args.no_update)
        runs = args.checkpoint_paths
        names = [f"{Path(run).name[: -len('.tar.pth')]}-{description}" for run in runs]
    if not is_variable:
        for run, name in zip(runs, names, strict=True):
            yield load(*first, run), name, {}
        return
    if args.source == "checkpoint" and len(runs) > 1:
        raise SystemExit("Error: use only one checkpoint for a model of variable rate.")
    only: Any = 0 if args.source == "pretrained" else runs[0]
    net: Any = load(*first, only)
    for scale in sorted(1 / float(step) for step in args.vbr_quantstepsizes.split(",") if step):
        if getattr(net, "vr_entbttlnck", False) and args.vbr_tr_stage == 2:
            net.update(force=True, scale=torch.tensor(scale))
        yield net, names[0], {"vbr_stage": args.vbr_tr_stage, "vbr_scale": torch.tensor(scale)}


if __name__ == "__main__":
    main(sys.argv[1:])
