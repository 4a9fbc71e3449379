"""Video as pictures with the frames of a clip side by side in their channels, (H, W, 3 x frames)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lcrs.datasets.rawvideo import RawVideoSequence, VideoFormat, get_raw_video_file_info
from lcrs.train.data.pictures import LeftOut, Pixels, read_picture
from lcrs.transforms.functional import ycbcr2rgb, yuv_420_to_444

__all__ = ["FrameClips", "RawClips", "is_raw_video", "raw_files", "raw_frame", "vimeo_clips", "vimeo_frames"]


class FrameClips:
    """Clips whose frames are files; see `lcrs.train.data.pictures.Pictures`."""

    def __init__(self, clips: Sequence[Sequence[Path]], least: int, left_out: LeftOut) -> None:
        self.left_out = left_out
        self.clips: list[Sequence[Path]] = []
        sizes: list[tuple[int, int]] = []
        for clip in clips:
            try:
                with Image.open(clip[0]) as image:
                    size = (image.height, image.width)
            except Exception as error:  # decoders fail in their own ways
                left_out.note(clip[0], "not readable", str(error)[:200])
                continue
            if min(size) < least:
                left_out.note(clip[0], "smaller than the crop", f"{size[1]} x {size[0]}, crop {least}")
                continue
            self.clips.append(clip)
            sizes.append(size)
        self.sizes: NDArray[np.int64] = np.array(sizes, np.int64).reshape(-1, 2)
        self.identity = _digest([str(path) for clip in self.clips for path in clip])

    def __len__(self) -> int:
        return len(self.clips)

    def read(self, index: int) -> Pixels | None:
        """As in `Pictures`."""
        try:
            frames = [read_picture(path) for path in self.clips[index]]
            return np.concatenate(frames, axis=2)
        except Exception as error:
            self.left_out.note(self.clips[index][0].parent, "not readable", str(error)[:200])
            return None


class RawClips:
    """All runs of so many frames in files of raw video; see `lcrs.train.data.pictures.Pictures`.

    Frames of YUV are converted to RGB by BT.709, full range, and deeper samples rounded to 8 bits.
    """

    def __init__(self, files: Sequence[Path], frames: int, least: int, left_out: LeftOut) -> None:
        self.frames, self.left_out = frames, left_out
        self.videos: list[RawVideoSequence] = []
        places: list[tuple[int, int]] = []
        sizes: list[tuple[int, int]] = []
        for file in files:
            try:
                video = RawVideoSequence.from_file(file)
            except (ValueError, RuntimeError, OSError) as error:
                left_out.note(file, "not readable", str(error)[:200])
                continue
            if min(video.height, video.width) < least:
                left_out.note(file, "smaller than the crop", f"{video.width} x {video.height}, crop {least}")
                continue
            firsts = range(0, max(0, len(video) - frames + 1), frames)
            places += [(len(self.videos), first) for first in firsts]
            sizes += [(video.height, video.width)] * len(firsts)
            self.videos.append(video)
        self.places = places
        self.sizes: NDArray[np.int64] = np.array(sizes, np.int64).reshape(-1, 2)
        self.identity = _digest([f"{file}:{frames}" for file in files])

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> Pixels | None:
        """As in `Pictures`."""
        video, first = self.places[index]
        sequence = self.videos[video]
        return np.concatenate([raw_frame(sequence, first + k) for k in range(self.frames)], axis=2)


def raw_frame(video: RawVideoSequence, index: int) -> Pixels:
    """A frame as uint8 RGB, (H, W, 3)."""
    frame = video[index]
    scale = 1 / ((1 << video.bitdepth) - 1)
    planes = [torch.from_numpy(np.asarray(frame[key], np.float32) * scale) for key in ("y", "u", "v")]
    if video.format is VideoFormat.YUV400:
        rgb = planes[0].expand(3, -1, -1)
    elif video.format is VideoFormat.RGB:
        rgb = torch.stack(planes)
    else:
        size = planes[0].shape
        if video.format is VideoFormat.YUV420:
            parts = (planes[0][None, None], planes[1][None, None], planes[2][None, None])
            yuv = yuv_420_to_444(parts)[0]
        else:
            wide = [torch.nn.functional.interpolate(plane[None, None], size)[0, 0] for plane in planes[1:]]
            yuv = torch.stack([planes[0], *wide])
        rgb = ycbcr2rgb(yuv[:, : size[0], : size[1]])
    pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return pixels.contiguous().numpy()


def is_raw_video(path: Path) -> bool:
    """Whether the name of a file says that it is raw video, and of what size."""
    info = get_raw_video_file_info(path.name)
    return path.suffix.lower() in {".yuv", ".rgb", ".raw"} and "width" in info


def raw_files(place: Path) -> list[Path]:
    """The raw video at a place, or in a folder and below."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and is_raw_video(path))


def vimeo_frames(root: Path, split: str, tuplet: int) -> list[list[Path]]:
    """The frames of each tuplet of Vimeo-90K.

    Raises:
        FileNotFoundError: the list of the split is missing.
    """
    name = {"train": "trainlist", "valid": "testlist"}[split]
    listing = root / f"{'sep' if tuplet == 7 else 'tri'}_{name}.txt"
    folders = [line.strip() for line in listing.read_text().splitlines() if line.strip()]
    return [[root / "sequences" / folder / f"im{k}.png" for k in range(1, tuplet + 1)] for folder in folders]


def vimeo_clips(clips: Sequence[Sequence[Path]], frames: int) -> list[Sequence[Path]]:
    """Each tuplet cut into as many clips as it holds."""
    return [clip[k : k + frames] for clip in clips for k in range(0, len(clip) - frames + 1, frames)]


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()[:16]
