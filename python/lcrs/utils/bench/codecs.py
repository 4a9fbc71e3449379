"""CompressAI's classes of classical codecs, by those of `lcrs.evaluate`.

JPEG and WebP are Pillow's. The others call programs: bpgenc, ffmpeg (openjpeg), VTM, HM, libaom and the
script of tensorflow/compression, which have to be there.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lcrs.evaluate.classical import make_codec
from lcrs.evaluate.external import ExternalCodec
from lcrs.metrics import ms_ssim, psnr

__all__ = ["AV1", "BPG", "HM", "JPEG", "JPEG2000", "TFCI", "VTM", "Codec", "WebP", "compute_metrics"]

_METRICS = {"psnr-rgb": psnr, "ms-ssim-rgb": ms_ssim}


def compute_metrics(
    a: Any, b: Any, metrics: list[str] | None = None, max_val: float = 255.0
) -> dict[str, float]:
    """Measures of two pictures, Pillow's or arrays (H, W, 3)."""
    ours, theirs = np.asarray(a), np.asarray(b)
    return {name: _METRICS[name](ours, theirs, max_val) for name in metrics or ["psnr-rgb"]}


class Codec:
    """A codec by its arguments on the command line."""

    bounds = (-1, 101)
    """Of its settings, both outside."""
    is_ascending = True

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.codec = self.make(args)

    @classmethod
    def setup_args(cls, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""

    def make(self, args: argparse.Namespace) -> Any:
        """What codes."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What results call it."""
        return str(self.codec.name)

    @property
    def description(self) -> str:
        """Its name and version."""
        by = self.codec.identity()["by"]
        return f"{self.name}. {by if isinstance(by, str) else '; '.join(by.values())}"

    def run(
        self,
        in_filepath: str | Path,
        quality: int,
        metrics: list[str] | None = None,
        return_rec: bool = False,
    ) -> Any:
        """Codes a file; its numbers, and the restored picture if that is wanted.

        Raises:
            ValueError: the quality is none of the codec's.
        """
        least, most = self.bounds
        if not least < quality < most:
            raise ValueError(f"Invalid quality value: {quality} ({least + 1},{most - 1})")
        with Image.open(in_filepath) as image:
            pixels = np.asarray(image.convert("RGB"))
        start = time.perf_counter()
        data = self.codec.encode(pixels, quality)
        between = time.perf_counter()
        restored = self.codec.decode(data, pixels.shape, quality)
        end = time.perf_counter()
        info = {
            "bpp": 8 * len(data) / (pixels.shape[0] * pixels.shape[1]),
            "encoding_time": between - start,
            "decoding_time": end - between,
        }
        info |= compute_metrics(restored, pixels, metrics)
        return (info, Image.fromarray(restored)) if return_rec else info


class JPEG(Codec):
    """Pillow's JPEG."""

    def make(self, args: argparse.Namespace) -> Any:
        """What codes."""
        return make_codec("jpeg")


class WebP(Codec):
    """Pillow's WebP."""

    def make(self, args: argparse.Namespace) -> Any:
        """What codes."""
        return make_codec("webp")


class _Program(Codec):
    """A codec that is a program."""

    suffix = ".bin"
    pictures = "png"

    def make(self, args: argparse.Namespace) -> Any:
        """What codes."""
        encode, decode = self.commands(args)
        return ExternalCodec(self.title(args), encode, decode, (), suffix=self.suffix, pictures=self.pictures)

    def title(self, args: argparse.Namespace) -> str:
        """What results call it."""
        return type(self).__name__

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        raise NotImplementedError


class JPEG2000(_Program):
    """openjpeg in ffmpeg."""

    suffix = ".jp2"

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        quiet = "ffmpeg -loglevel panic -y -i {input}"
        encode = f"{quiet} -pix_fmt yuv444p -c:v libopenjpeg -compression_level {{setting}} {{output}}"
        return encode, f"{quiet} {{output}}"


class BPG(_Program):
    """bpgenc and bpgdec."""

    suffix = ".bpg"
    bounds = (-1, 51)
    is_ascending = False

    @classmethod
    def setup_args(cls, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-m", choices=["420", "444"], default="444", help="chroma")
        parser.add_argument("-b", choices=["8", "10"], default="8", help="bit depth")
        parser.add_argument("-c", choices=["rgb", "ycbcr"], default="ycbcr", help="colour space")
        parser.add_argument("-e", choices=["jctvc", "x265"], default="x265", help="encoder")
        parser.add_argument("--encoder-path", default="bpgenc")
        parser.add_argument("--decoder-path", default="bpgdec")

    def title(self, args: argparse.Namespace) -> str:
        """What results call it."""
        return f"BPG {args.b}b {args.m} {args.e} {args.c}"

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        encode, decode = shlex.quote(args.encoder_path), shlex.quote(args.decoder_path)
        options = f"-f {args.m} -e {args.e} -c {args.c} -b {args.b}"
        return (
            f"{encode} -o {{output}} -q {{setting}} {options} {{input}}",
            f"{decode} -o {{output}} {{input}}",
        )


class TFCI(_Program):
    """The script of tensorflow/compression."""

    suffix = ".tfci"
    bounds = (0, 9)
    models = ("bmshj2018-factorized-mse", "bmshj2018-hyperprior-mse", "mbt2018-mean-mse")

    @classmethod
    def setup_args(cls, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-m", "--model", choices=cls.models, default=cls.models[0])
        parser.add_argument("-p", "--path", required=True, help="of tfci.py")

    def title(self, args: argparse.Namespace) -> str:
        """What results call it."""
        return str(args.model)

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        script = f"{shlex.quote(sys.executable)} {shlex.quote(args.path)}"
        return (
            f"{script} compress {args.model}-{{setting}} {{input}} {{output}}",
            f"{script} decompress {{input}} {{output}}",
        )


class VTM(_Program):
    """VVC's reference software, 4:4:4."""

    pictures = "yuv444p"
    bounds = (-1, 64)
    is_ascending = False
    programs = ("EncoderAppStatic", "DecoderAppStatic")
    options = "-fr 1 -f 1 --InputChromaFormat=444 --InputBitDepth=8 --ConformanceMode=1"

    @classmethod
    def setup_args(cls, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-b", "--build-dir", required=True, help="folder of the programs")
        parser.add_argument("-c", "--config", required=True, help="configuration file")
        parser.add_argument("--rgb", action="store_true", help="not here: planes are YCbCr")

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        if getattr(args, "rgb", False):
            raise SystemExit("lcrs feeds these encoders YCbCr only: leave out --rgb")
        encoder, decoder = (shlex.quote(str(Path(args.build_dir) / name)) for name in self.programs)
        size = "-wdt {width} -hgt {height}"
        encode = (
            f"{encoder} -i {{input}} -c {shlex.quote(args.config)} -q {{setting}} -o /dev/null -b {{output}}"
        )
        return f"{encode} {size} {self.options}", f"{decoder} -b {{input}} -o {{output}} -d 8"


class HM(VTM):
    """HEVC's reference software, 4:4:4."""

    bounds = (-1, 52)
    programs = ("TAppEncoderStatic", "TAppDecoderStatic")
    options = f"{VTM.options} --SEIDecodedPictureHash --Level=5.1 --CUNoSplitIntraACT=0"


class AV1(_Program):
    """libaom, 4:4:4."""

    suffix = ".webm"
    pictures = "yuv444p"
    bounds = (-1, 64)
    is_ascending = False

    @classmethod
    def setup_args(cls, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-b", "--build-dir", required=True, help="folder of aomenc and aomdec")

    def commands(self, args: argparse.Namespace) -> tuple[str, str]:
        """Templates of its two command lines."""
        encoder, decoder = (shlex.quote(str(Path(args.build_dir) / name)) for name in ("aomenc", "aomdec"))
        how = (
            "--fps=1/1 --limit=1 --input-bit-depth=8 --cpu-used=0 --threads=1 --passes=2 --end-usage=q "
            "--cq-level={setting} --i444 --skip=0 --tune=psnr --psnr --bit-depth=8"
        )
        return (
            f"{encoder} -w {{width}} -h {{height}} {how} -o {{output}} {{input}}",
            f"{decoder} {{input}} -o {{output}} --rawvideo --output-bit-depth=8",
        )
