"""From what a configuration says of data to batches and validation pictures."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lcrs.pictures.limits import memory_of_machine
from lcrs.train.config import Config, ConfigError
from lcrs.train.data import clips, shards
from lcrs.train.data.batches import AheadBatches, Batches, DeviceBatches
from lcrs.train.data.crops import CropMaker
from lcrs.train.data.pictures import (
    FolderPictures,
    LeftOut,
    MemoryPictures,
    Pictures,
    Pixels,
    find_pictures,
    in_memory,
    split_off,
)

__all__ = ["Data", "kind_of", "open_data"]

log = logging.getLogger("lcrs.train")

_LEAST, _LEAST_MS_SSIM = 64, 161
_MEMORY = 4 << 30
"""Bytes of memory that a machine is taken to have that does not say."""


@dataclass
class Data:
    """What a run trains on.

    Attributes:
        batches: Of training.
        tune: Validation pictures, (H, W, 3), clips, (H, W, 3 x frames), or what another subject has.
        sampler: Crops by number, for beginnings that need them.
        identity: Tells whether the training pictures are the same as before.
        left_out: What is not used, and why.
        summary: In a line.
    """

    batches: Batches
    tune: list[Any]
    sampler: CropMaker | None
    identity: str
    left_out: LeftOut
    summary: str


def kind_of(places: Sequence[str]) -> str:
    """What lies at some places: the kind that a configuration calls "auto"."""
    first = Path(places[0])
    if any(".tar" in place for place in places) or "::" in places[0]:
        return "shards"
    if list(first.glob("sep_trainlist.txt")) or list(first.glob("tri_trainlist.txt")):
        return "vimeo90k"
    if (first / "train.list").is_file() and (first / "sequences").is_dir():
        return "video-folder"
    if (first.is_file() and clips.is_raw_video(first)) or (first.is_dir() and _has_raw(first)):
        return "raw-video"
    return "pictures"


def open_data(config: Config, device: torch.device, *, video: bool, rank: int = 0, world: int = 1) -> Data:
    """Batches and validation pictures of a run.

    Args:
        config: Says what and how.
        device: Where batches go.
        video: Whether the model takes clips.
        rank: Of this process.
        world: Number of processes.

    Raises:
        ConfigError: no data are named, or they do not fit the model.
        FileNotFoundError: they are not there.
        ValueError: nothing can be used.
    """
    places = _listed(config.data.train)
    if not places:
        raise ConfigError("data.train is not set: data.train=FOLDER says what to train on")
    kind = config.data.kind if config.data.kind != "auto" else kind_of(places)
    if video and kind not in ("vimeo90k", "raw-video", "video-folder"):
        raise ConfigError(
            f"data.train={places[0]} holds {kind}, and the model is for video: a folder of Vimeo-90K, a "
            "VideoFolder (train.list, sequences/) or raw video (.yuv) is needed"
        )
    left_out = LeftOut()
    if kind == "shards":
        return _open_shards(config, places, device, left_out, rank, world)
    smallest = min(
        [config.crop, config.validation.size, *(phase.crop or config.crop for phase in config.phases)]
    )
    if least_to_validate(config) > max(smallest, _LEAST):
        raise ConfigError(
            f"loss.metric={config.loss.metric} needs crop and validation.size of at least "
            f"{_LEAST_MS_SSIM}, the smallest is {smallest}"
        )
    train, tune_source = _sources(config, kind, places, video, left_out)
    if not len(train):
        raise ValueError(
            f"nothing to train on in {', '.join(places)}: {left_out} left out; crops are "
            f"{config.largest_crop()} on a side"
        )
    if not len(tune_source):
        raise ValueError(f"nothing to validate on in data.tune={config.data.tune}: {left_out} left out")
    tune = _read_some(tune_source, config.data.tune_pictures)
    if not tune:
        raise ValueError("none of the validation pictures can be read")
    batches = _batches(config, train, device, rank, world)
    area = train.sizes.prod(1).sum() / 1e6
    what = "clips" if video else "pictures"
    text = f"{len(train)} {what}, {area:.1f} megapixels; {len(tune)} for validation; left out: {left_out}"
    sampler = CropMaker(train, config.seed, "area")
    return Data(batches, tune, sampler, train.identity, left_out, text)


def least_to_validate(config: Config) -> int:
    """The least side of validation pictures."""
    return _LEAST_MS_SSIM if "ms-ssim" in config.loss.metric.split("+") else _LEAST


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _has_raw(folder: Path) -> bool:
    return any(clips.is_raw_video(path) for path in folder.iterdir())


def _sources(
    config: Config, kind: str, places: list[str], video: bool, left_out: LeftOut
) -> tuple[Pictures, Pictures]:
    """Training and validation pictures."""
    crop, data = config.largest_crop(), config.data
    tune = _listed(data.tune)
    if kind == "pictures":
        return _picture_folders(config, places, tune, left_out)
    frames = data.frames if video else 1
    if kind == "raw-video":
        files = [file for place in places for file in clips.raw_files(_existing(place))]
        held = [file for place in tune for file in clips.raw_files(_existing(place))]
        clip_source: Pictures = clips.RawClips(files, frames, crop, left_out)
        if held:
            return clip_source, clips.RawClips(held, frames, least_to_validate(config), left_out)
        return _divided(clip_source)
    root = _existing(places[0])
    if kind == "vimeo90k":
        train_clips = clips.vimeo_clips(clips.vimeo_frames(root, "train", data.tuplet), frames)
        held_root = Path(tune[0]) if tune else root
        held_clips = clips.vimeo_clips(clips.vimeo_frames(held_root, "valid", data.tuplet), frames)
    else:
        train_clips, held_clips = (_listed_clips(root, split, frames) for split in ("train", "test"))
    held_clips = held_clips[:: max(1, len(held_clips) // data.tune_pictures)][: data.tune_pictures]
    train = clips.FrameClips(train_clips, crop, left_out)
    if not held_clips:
        return _divided(train)
    return train, clips.FrameClips(held_clips, least_to_validate(config), left_out)


def _existing(place: str) -> Path:
    path = Path(place)
    if not path.exists():
        raise FileNotFoundError(f"there is no {place}")
    return path


def _listed_clips(root: Path, split: str, frames: int) -> list[Sequence[Path]]:
    """Clips of CompressAI's layout: folders in `split.list`, below `sequences`."""
    listing = root / f"{split}.list"
    if not listing.is_file():
        return []
    folders = [root / "sequences" / line.strip() for line in listing.read_text().splitlines() if line.strip()]
    every = [sorted(path for path in folder.iterdir() if path.is_file()) for folder in folders]
    return clips.vimeo_clips(every, frames)


@dataclass
class _Some:
    """Some of the pictures of another collection."""

    whole: Pictures
    chosen: list[int]

    def __post_init__(self) -> None:
        self.sizes = self.whole.sizes[self.chosen]
        self.identity = f"{self.whole.identity}:{len(self.chosen)}"

    def __len__(self) -> int:
        return len(self.chosen)

    def read(self, index: int) -> Pixels | None:
        return self.whole.read(self.chosen[index])


def _divided(whole: Pictures) -> tuple[Pictures, Pictures]:
    """All but the last twentieth, and that; clips that follow each other look alike, so it is one piece."""
    total = len(whole)
    if total < 2:
        raise ValueError(f"there are {total} clips to train on, at least 2 are needed: one is for validation")
    number = max(1, min(24, total // 20))
    return _Some(whole, list(range(total - number))), _Some(whole, list(range(total - number, total)))


def _picture_folders(
    config: Config, places: list[str], tune: list[str], left_out: LeftOut
) -> tuple[Pictures, Pictures]:
    """Folders of pictures; CompressAI's layout, `train` beside `test`, is seen."""
    crop, data = config.largest_crop(), config.data
    root = Path(places[0])
    if len(places) == 1 and (root / "train").is_dir() and (root / "test").is_dir():
        log.info("training on %s, validating on %s", root / "train", root / "test")
        places, tune = [str(root / "train")], tune or [str(root / "test")]
    pictures = find_pictures(places, crop, data.max_pixels, left_out)
    if tune:
        return pictures, find_pictures(tune, least_to_validate(config), data.max_pixels, left_out)
    if not len(pictures):
        return pictures, pictures
    rest, held = split_off(pictures, data.tune_pictures, config.seed)
    log.info("%d of the pictures split off for validation (data.tune names others)", len(held))
    return rest, held


def _read_some(source: Pictures, count: int) -> list[Pixels]:
    """Some pictures of a collection, evenly spread over it; others come in place of what cannot be read."""
    step = max(1, len(source) // count)
    chosen = range(0, len(source), step)[:count]
    others = (k for k in range(len(source)) if k not in chosen)
    readable = (p for k in itertools.chain(chosen, others) if (p := source.read(k)) is not None)
    return list(itertools.islice(readable, len(chosen)))


def _batches(config: Config, train: Pictures, device: torch.device, rank: int, world: int) -> Batches:
    data, channels_last = config.data, config.loop.channels_last
    keep = data.keep
    if keep == "auto":
        # Each process has them for itself.
        num_bytes = int(train.sizes.prod(1).sum()) * 3 * world
        is_small = num_bytes < (memory_of_machine() or _MEMORY) / 4
        keep = "memory" if is_small and isinstance(train, FolderPictures) else "disk"
    threads = _num_threads(config.workers)
    if keep == "device":
        if data.downscale < 1:
            raise ConfigError("data.keep=device takes pictures as they are: data.downscale must be 1")
        stored = in_memory(train, threads)
        return DeviceBatches(
            stored, config.batch, device, config.seed,
            flip=data.flip, transpose=data.transpose, channels_last=channels_last,
            graph=config.loop.graph, rank=rank, world=world,
        )  # fmt: skip
    if keep == "memory":
        train = in_memory(train, threads)
    maker = CropMaker(train, config.seed, data.order, data.flip, data.transpose, data.downscale)
    workers = config.workers
    if workers == "auto":
        # Crops of arrays cost next to nothing; a thread makes them while the network computes on a GPU.
        workers = threads if keep == "disk" else int(device.type != "cpu")
    return AheadBatches(
        maker, config.batch, device, workers, channels_last=channels_last, rank=rank, world=world
    )


def _num_threads(workers: Any) -> int:
    return max(1, min(8, os.cpu_count() or 1)) if workers == "auto" else max(1, int(workers))


def _open_shards(
    config: Config, places: list[str], device: torch.device, left_out: LeftOut, rank: int, world: int
) -> Data:
    data = config.data
    urls = shards.expand_shards(places)
    tune = shards.expand_shards(_listed(data.tune))
    if tune and ".tar" not in tune[0]:
        source = find_pictures(tune, least_to_validate(config), data.max_pixels, left_out)
        held = _read_some(source, data.tune_pictures)
    else:
        if not tune:
            if len(urls) < 2:
                raise ConfigError(
                    "data.tune is not set, and one shard alone cannot be split: name pictures for it"
                )
            *urls, last = urls
            tune = [last]
            log.info("the last shard is for validation (data.tune names others)")
        held = shards.sample_pictures(tune, data.tune_pictures, least_to_validate(config), left_out)
    if not held:
        raise ValueError("none of the validation pictures can be read")
    stream = shards.ShardStream(urls, config.seed, left_out, rank=rank, world=world)
    batches = shards.ShardBatches(
        stream, config.batch, device, _num_threads(config.workers), config.seed,
        flip=data.flip, transpose=data.transpose, downscale=data.downscale,
        max_pixels=data.max_pixels, channels_last=config.loop.channels_last,
    )  # fmt: skip
    text = f"{len(urls)} shards; {len(held)} pictures for validation"
    identity = str(np.frombuffer("".join(urls).encode(), np.uint8).astype(np.int64).sum())
    sizes = np.array([picture.shape[:2] for picture in held], np.int64)
    sampler = CropMaker(MemoryPictures(held, sizes, identity), config.seed, "area")
    return Data(batches, held, sampler, identity, left_out, text)
