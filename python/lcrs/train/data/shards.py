"""Tar shards, read in a stream by webdataset: for pictures that do not fit on one disk.

Shards are taken in an order that the seed and the epoch decide, and mixed in a buffer. The stream is read by
one thread, which only moves bytes; others decode. So what comes does not depend on their number, and a run
goes on by passing over what it has seen of the epoch.
"""

from __future__ import annotations

import importlib
import io
import tarfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lcrs.train.data.batches import to_floats
from lcrs.train.data.crops import crop_of, generator
from lcrs.train.data.pictures import SUFFIXES, LeftOut, Pixels, read_picture

__all__ = ["ShardBatches", "ShardStream", "expand_shards", "sample_pictures"]

_MIXED = 256
"""Pictures among which the next is drawn."""

Raw = tuple[int, int, str, bytes]
"""Epoch, place in it, name and bytes."""


def expand_shards(shards: list[str]) -> list[str]:
    """Shards with `{000..099}` written out."""
    wds = _webdataset()
    return [url for pattern in shards for url in wds.shardlists.expand_urls(pattern)]


class ShardStream:
    """Pictures of shards, as bytes, without end.

    Args:
        shards: Paths or addresses, as webdataset takes them.
        seed: Decides the order.
        left_out: Told of shards that cannot be read.
        rank: Of this process, which has every `world`-th picture.
        world: Number of processes.
        mixed: Size of the buffer.
    """

    def __init__(
        self,
        shards: list[str],
        seed: int,
        left_out: LeftOut,
        *,
        rank: int = 0,
        world: int = 1,
        mixed: int = _MIXED,
    ) -> None:
        self.shards, self.seed, self.left_out = shards, seed, left_out
        self.rank, self.world, self.mixed = rank, world, mixed

    def pictures(self, epoch: int = 0, place: int = 0) -> Iterator[Raw]:
        """From a place of an epoch on.

        Raises:
            ValueError: an epoch has no picture at all.
        """
        while True:
            at = -1
            for at, (name, data) in enumerate(self._mixed(epoch)):
                if at >= place and at % self.world == self.rank:
                    yield epoch, at, name, data
            if at < 0:
                raise ValueError(f"there is no picture in the shards {', '.join(self.shards[:3])} ...")
            epoch, place = epoch + 1, 0

    def _mixed(self, epoch: int) -> Iterator[tuple[str, bytes]]:
        rng = generator(self.seed, 2, epoch)
        order = [self.shards[k] for k in rng.permutation(len(self.shards))]
        waiting: list[tuple[str, bytes]] = []
        for sample in self._samples(order):
            waiting.append(sample)
            if len(waiting) > self.mixed:
                k = int(rng.integers(len(waiting)))
                waiting[k], waiting[-1] = waiting[-1], waiting[k]
                yield waiting.pop()
        for k in rng.permutation(len(waiting)):
            yield waiting[int(k)]

    def _samples(self, shards: list[str]) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of pictures, in the order of the shards; of one name with several endings one."""
        open_shard = _webdataset().gopen
        for shard in shards:
            try:
                with open_shard(shard) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
                    last = ""
                    for member in tar:
                        tar.members = []  # type: ignore[attr-defined]  # it would keep all that it has seen
                        key, _, ending = member.name.rpartition(".")
                        if f".{ending.lower()}" not in SUFFIXES or key == last:
                            continue
                        if (file := tar.extractfile(member)) is not None:
                            last = key
                            yield f"{shard}:{member.name}", file.read()
            except (tarfile.TarError, OSError, EOFError) as error:
                self.left_out.note(shard, "shards not readable", str(error)[:200])


class ShardBatches:
    """Batches of one crop of each picture of a stream; see `lcrs.train.data.batches.Batches`."""

    def __init__(
        self,
        stream: ShardStream,
        batch: int,
        device: torch.device,
        workers: int,
        seed: int,
        *,
        flip: bool = True,
        transpose: bool = False,
        downscale: float = 1.0,
        max_pixels: int = 1 << 28,
        channels_last: bool = False,
    ) -> None:
        self.stream, self.batch, self.device, self.seed = stream, batch, device, seed
        self.channels_last, self.max_pixels = channels_last, max_pixels
        self._how: dict[str, Any] = {"flip": flip, "transpose": transpose, "downscale": downscale}
        self._workers = max(1, workers)
        self._pool = ThreadPoolExecutor(self._workers, "lcrs-data")
        self._size = 0
        self._raw: Iterator[Raw] | None = None
        self._coming: deque[tuple[Raw, Future[Pixels | None]]] = deque()
        self._place = (0, 0)

    def get(self, step: int, size: int) -> Tensor:
        """As in `Batches`; batches follow each other whatever `step` is."""
        if size != self._size:
            self._restart(size)
        assert self._raw is not None
        crops: list[Pixels] = []
        begun = self._place
        while len(crops) < self.batch:
            while len(self._coming) < 2 * self.batch + self._workers:
                raw = next(self._raw)
                self._coming.append((raw, self._pool.submit(self._crop, raw, size)))
            (epoch, place, _, _), future = self._coming.popleft()
            if (crop := future.result()) is not None:
                crops.append(crop)
                begun = (epoch, place)
            elif epoch > begun[0] + 1:
                raise ValueError(
                    f"a whole pass over the shards gave no picture to train on: {self.stream.left_out} left "
                    f"out; crops are {size} on a side"
                )
            self._place = (epoch, place + 1)
        return to_floats(torch.from_numpy(np.stack(crops)), self.device, self.channels_last)

    def _restart(self, size: int) -> None:
        """Begins anew at the present place, with crops of another size."""
        for _, future in self._coming:
            future.cancel()
        self._coming.clear()
        self._size, self._raw = size, self.stream.pictures(*self._place)

    def _crop(self, raw: Raw, size: int) -> Pixels | None:
        epoch, place, name, data = raw
        try:
            picture = read_picture(io.BytesIO(data), self.max_pixels)
        except Exception as error:  # decoders fail in their own ways
            self.stream.left_out.note(name, "not readable", str(error)[:200])
            return None
        if min(picture.shape[:2]) < size:
            self.stream.left_out.note(name, "smaller than the crop")
            return None
        return crop_of(picture, size, generator(self.seed, 0, epoch, place), **self._how)

    def state_dict(self) -> dict[str, Any]:
        """The place in the stream."""
        return {"epoch": self._place[0], "place": self._place[1]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Batches`."""
        self._place, self._size = (int(state["epoch"]), int(state["place"])), 0

    def close(self) -> None:
        """As in `Batches`."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def sample_pictures(shards: list[str], count: int, least: int, left_out: LeftOut) -> list[Pixels]:
    """The first pictures of shards, for validation; sides below `least` do not count."""
    found: list[Pixels] = []
    for name, data in ShardStream(shards, 0, left_out, mixed=0)._samples(shards):
        try:
            picture = read_picture(io.BytesIO(data))
        except Exception as error:
            left_out.note(name, "not readable", str(error)[:200])
            continue
        if min(picture.shape[:2]) >= least:
            found.append(picture)
        if len(found) >= count:
            break
    return found


def _webdataset() -> Any:
    try:
        return importlib.import_module("webdataset")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "tar shards need webdataset: pip install '.[train]' in the sources of lcrs", name="webdataset"
        ) from None
