"""`lcrs bench`: rate, distortion and times of classical codecs, as `lcrs eval` has them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lcrs.cli.arguments import positive_number
from lcrs.cli.evaluating import Row, add_shared, evaluate, text_of, work_on
from lcrs.cli.jobs import Job
from lcrs.cli.messages import UsageError
from lcrs.cli.subjects import subject_of

NAME = "bench"
SUMMARY = "Measure a classical codec, or any program, over pictures or point clouds"

_EPILOG = """\
codecs: jpeg, webp, avif, jpeg2000 (Pillow), jpegxl (imagecodecs), hevc, av1 (PyAV: x265, SVT-AV1), and, where
their programs are on the path, jpegli, cjxl, avifenc, bpg, vvenc; command: any other, by --command and
--decode-command; of point clouds: draco (DracoPy), gpcc (tmc3 on the path), command; as in

  lcrs bench command photos -q 22,27,32,37 --pictures yuv444p --suffix .vvc --json vtm.json --name VTM \\
    --command 'EncoderAppStatic -c intra.cfg -i {input} -b {output} -o /dev/null -q {setting} -wdt {width}
      -hgt {height} -fr 1 -f 1 --InputChromaFormat=444 --InputBitDepth=8 --ConformanceWindowMode=1' \\
    --decode-command 'DecoderAppStatic -b {input} -o {output} -d 8'

  lcrs bench gpcc clouds --json gpcc.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lcrs bench`."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("codec", metavar="CODEC", help="one of those below")
    add_shared(parser, "settings with commas between, in the codec's own units (default: a ladder)")
    group = parser.add_argument_group("CODEC command")
    group.add_argument("--command", metavar="LINE", help="encodes {input} to {output} at {setting}")
    group.add_argument("--decode-command", metavar="LINE", help="decodes {input} to {output}")
    group.add_argument("--suffix", metavar=".X", help="of files (default: .bin)")
    group.add_argument(
        "--pictures",
        metavar="FORM",
        help="what goes in and comes out: png (default), ppm, yuv444p, yuv420p, yuv444p10, yuv420p10; of "
        "clouds ply (default), ply-ascii",
    )
    group.add_argument("--timeout", metavar="S", type=positive_number, help="of one run (default: 3600)")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints."""
    arguments.subject = subject_of(arguments.inputs)
    codec = _codec(arguments)
    identity = codec.identity()
    description = f"{codec.name}. {identity['by']}, {text_of(identity['settings'])}. {identity['colors']}"
    return evaluate(NAME, codec, arguments, description=description, meta={})


def work(job: Job, arguments: argparse.Namespace) -> Row:
    """Measures one picture at one setting, in a process that keeps the codec."""
    return work_on(_codec, job, arguments)


def _codec(arguments: argparse.Namespace) -> Any:
    own = {name: getattr(arguments, name) for name in ("suffix", "pictures", "timeout")}
    own = {name: value for name, value in own.items() if value is not None}
    lines = (arguments.command, arguments.decode_command)
    arguments.keep_times = False
    if arguments.codec != "command":
        if own or any(lines):
            raise UsageError("--command and what goes with it are for CODEC command")
        if arguments.subject == "cloud":
            from lcrs.evaluate.cloud_codecs import CLOUD_CODECS, make_cloud_codec

            if arguments.codec not in CLOUD_CODECS:
                names = ", ".join([*CLOUD_CODECS, "command"])
                raise UsageError(f"there is no codec of point clouds '{arguments.codec}': there are {names}")
            return make_cloud_codec(arguments.codec)
        from lcrs.evaluate.classical import codec_names, make_codec

        if arguments.codec not in codec_names():
            names = ", ".join([*codec_names(), "command"])
            raise UsageError(f"there is no codec '{arguments.codec}': there are {names}")
        return make_codec(arguments.codec)
    if not all(line and line.strip() for line in lines):
        raise UsageError("CODEC command needs --command and --decode-command")
    if arguments.settings is None:
        raise UsageError("CODEC command needs its settings: -q LIST")
    from lcrs.evaluate.external import ExternalCodec

    name = arguments.name or Path(lines[0].split()[0].strip("'\"")).name
    if arguments.subject == "cloud":
        return _cloud_program(name, lines, own)
    try:
        return ExternalCodec(name, *lines, settings=(0,), **own)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _cloud_program(name: str, lines: tuple[str, str], own: dict[str, Any]) -> Any:
    from lcrs.evaluate.cloud_codecs import ExternalCloudCodec

    forms = {"ply": "binary_little_endian", "ply-ascii": "ascii"}
    form = own.pop("pictures", "ply")
    if form not in forms:
        raise UsageError(f"--pictures {form}: of clouds there are {', '.join(forms)}")
    try:
        return ExternalCloudCodec(name, *lines, settings=(0,), encoding=forms[form], **own)
    except ValueError as error:
        raise UsageError(str(error)) from error
