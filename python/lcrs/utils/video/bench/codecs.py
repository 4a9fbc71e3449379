"""CompressAI's classes of video codecs: x264 and x265 in ffmpeg, and the reference software VTM and HM."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from typing import Any

from lcrs.datasets.rawvideo import RawVideoSequence

__all__ = ["HM", "VTM", "Codec", "x264", "x265"]


def first_line(*command: str) -> str:
    """Of what a program says of itself.

    Raises:
        OSError: there is no such program.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0] if lines else "says no version"


class Codec:
    """A codec by its arguments on the command line."""

    name = ""
    suffix = ".bin"
    args: argparse.Namespace

    def add_parser_args(self, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""

    def set_args(self, args: argparse.Namespace) -> None:
        """Takes them."""
        self.args = args

    def name_config(self) -> str:
        """What results call it."""
        return self.name

    @property
    def description(self) -> str:
        """Its program's version."""
        raise NotImplementedError

    def get_bin_path(self, filepath: Path, qp: int, outputdir: str | Path, inputdir: str | Path) -> Path:
        """Where a coded sequence goes."""
        folder = Path(outputdir) / filepath.parent.relative_to(inputdir)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{filepath.stem}_{self.name_config()}_qp{qp}{self.suffix}"

    def get_encode_cmd(self, filepath: Path, qp: int, binpath: Path) -> list[Any]:
        """What encodes."""
        raise NotImplementedError

    def get_decode_cmd(self, binpath: Path, decpath: Path, input_filepath: Path) -> list[Any]:
        """What decodes."""
        raise NotImplementedError


class x264(Codec):
    """H.264 by ffmpeg."""

    name = "x264"
    suffix = ".mp4"
    encoder: tuple[str, ...] = ("-c:v", "h264")
    no_bidirectional: tuple[str, ...] = ("-bf", "0")

    def add_parser_args(self, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-p", "--preset", default="medium")
        parser.add_argument("--tune", default="psnr", help="psnr or ssim (default: %(default)s)")

    def name_config(self) -> str:
        """What results call it."""
        return f"{self.name}-{self.args.preset}-tune-{self.args.tune}"

    @property
    def description(self) -> str:
        """Its program's version."""
        return f"{self.name} {self.args.preset}, {self.args.tune}, {first_line('ffmpeg', '-version')}"

    def get_encode_cmd(self, filepath: Path, qp: int, binpath: Path) -> list[Any]:
        """What encodes."""
        video = RawVideoSequence.from_file(str(filepath))
        given: list[Any] = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s:v", f"{video.width}x{video.height}"]
        given += ["-r", str(video.framerate), "-i", filepath]
        how = [*self.encoder, "-crf", qp, "-preset", self.args.preset, *self.no_bidirectional]
        return ["ffmpeg", "-y", *given, *how, "-tune", self.args.tune, "-pix_fmt", "yuv420p", binpath]

    def get_decode_cmd(self, binpath: Path, decpath: Path, input_filepath: Path) -> list[Any]:
        """What decodes."""
        return ["ffmpeg", "-y", "-i", binpath, "-pix_fmt", "yuv420p", decpath]


class x265(x264):
    """H.265 by ffmpeg."""

    name = "x265"
    encoder = ("-c:v", "hevc")
    no_bidirectional = ("-x265-params", "bframes=0")


class VTM(Codec):
    """VVC's reference software."""

    name = "VTM"
    programs = ("EncoderAppStatic", "DecoderAppStatic")

    def add_parser_args(self, parser: argparse.ArgumentParser) -> None:
        """Adds its own arguments."""
        parser.add_argument("-b", "--build-dir", required=True, help="folder of the programs")
        parser.add_argument("-c", "--config", required=True, help="configuration file")
        parser.add_argument("--rgb", action="store_true", help="code R, G and B")

    def name_config(self) -> str:
        """What results call it."""
        return f"{self.name}-{Path(self.args.config).stem}"

    @property
    def description(self) -> str:
        """Its program's version."""
        return f"{self.name} reference software, {first_line(str(self._program(0)), '--help')}"

    def get_encode_cmd(self, filepath: Path, qp: int, binpath: Path) -> list[Any]:
        """What encodes."""
        video = RawVideoSequence.from_file(str(filepath))
        size = ["-wdt", video.width, "-hgt", video.height, "-fr", video.framerate, "-f", len(video)]
        depth = [f"--InputBitDepth={video.bitdepth}", f"--OutputBitDepth={video.bitdepth}"]
        files = ["-i", filepath, "-c", self.args.config, "-q", qp, "-o", "/dev/null", "-b", binpath]
        colors = ["--InputColourSpaceConvert=RGBtoGBR", "--SNRInternalColourSpace=1"]
        colors += ["--OutputInternalColourSpace=0"]
        return [self._program(0), *files, *size, *depth, *(colors if self.args.rgb else [])]

    def get_decode_cmd(self, binpath: Path, decpath: Path, input_filepath: Path) -> list[Any]:
        """What decodes."""
        depth = RawVideoSequence.from_file(str(input_filepath)).bitdepth
        return [self._program(1), "-b", binpath, "-o", decpath, "-d", depth]

    def _program(self, which: int) -> Path:
        return Path(self.args.build_dir) / self.programs[which]


class HM(VTM):
    """HEVC's reference software."""

    name = "HM"
    programs = ("TAppEncoderStatic", "TAppDecoderStatic")
