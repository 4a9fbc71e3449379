"""`lcrs eval`: rate, distortion and times of a learned codec over pictures or point clouds."""

from __future__ import annotations

import argparse
from typing import Any

from lcrs.cli.arguments import add_runtime, check_runtime, refuse_options, require_torch
from lcrs.cli.evaluating import Row, add_shared, evaluate, work_on
from lcrs.cli.jobs import Job
from lcrs.cli.messages import UsageError
from lcrs.cli.own_model import add_import, check_import, model_of
from lcrs.cli.subjects import subject_of

NAME = "eval"
SUMMARY = "Measure a model over pictures or point clouds: bits, PSNR, MS-SSIM, D1 and D2, times, memory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs eval`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model's name or .lcrm file, a checkpoint, a published architecture (NAME, NAME:QUALITY, "
        "NAME:QUALITY:METRIC); several of a fixed rate with commas between",
    )
    add_shared(
        parser,
        "qualities with commas between; of models of a fixed rate their names "
        "(default: 0,10,...,100, or all models); of point clouds lossless (default), or bits of a coordinate",
    )
    parser.add_argument("--architecture", metavar="NAME", help="of a checkpoint whose keys do not tell it")
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="take the bits that likelihoods stand for in place of those of files (needs torch)",
    )
    add_import(parser)
    add_runtime(parser, "latents and pixels")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints."""
    arguments.subject = subject_of(arguments.inputs)
    check_import(arguments)
    check_runtime("torch" if arguments.estimate else arguments.runtime, arguments.device)
    codec = _codec(arguments)
    if arguments.estimate:
        description = "bits estimated from likelihoods, no files"
    elif arguments.subject == "cloud":
        description = codec.identity()["rate"]
    else:
        description = "real .lcrs files, every byte counted"
    meta = {"model": codec.identity()["models"], "complexity": getattr(codec, "complexity", dict)()}
    return evaluate(NAME, codec, arguments, description=description, meta=meta)


def work(job: Job, arguments: argparse.Namespace) -> Row:
    """Measures one picture at one setting, in a process that keeps the model."""
    return work_on(_codec, job, arguments)


def _codec(arguments: argparse.Namespace) -> Any:
    names = [name for name in arguments.model.split(",") if name]
    if not names:
        raise UsageError("MODEL is empty")
    arguments.keep_times = False
    if arguments.subject == "cloud":
        return _cloud_codec(names, arguments)
    if arguments.estimate:
        require_torch("--estimate")
        from lcrs.evaluate.learned import EstimatedBits
        from lcrs.evaluate.models import load_networks

        return EstimatedBits(
            load_networks(names, arguments.architecture), name=arguments.name, device=arguments.device
        )
    from lcrs.evaluate.learned import LearnedCodec
    from lcrs.evaluate.models import load_models

    models: dict[str, Any]
    if arguments.import_ is not None:
        models = {arguments.import_.rpartition(":")[2]: model_of(arguments)}
    else:
        models = load_models(names, arguments.architecture)
    return LearnedCodec(models, name=arguments.name, runtime=arguments.runtime, device=arguments.device)


def _cloud_codec(names: list[str], arguments: argparse.Namespace) -> Any:
    from lcrs.evaluate.cloud_models import GeometryCodec, NetworkCloudCodec, load_cloud_model

    refuse_options(arguments, ["estimate"], "pictures")
    if len(names) > 1:
        raise UsageError(f"MODEL is {arguments.model}: models of point clouds are measured one at a time")
    if arguments.import_ is not None:
        name = arguments.name or arguments.import_.rpartition(":")[2]
        net: Any = model_of(arguments)
        return NetworkCloudCodec(net, name=name, device=arguments.device)
    codec = load_cloud_model(
        names[0], architecture=arguments.architecture, title=arguments.name, device=arguments.device
    )
    if isinstance(codec, GeometryCodec):
        refuse_options(arguments, ["runtime"], "pictures")
    return codec
