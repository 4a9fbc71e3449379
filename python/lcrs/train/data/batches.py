"""Batches: what a step asks for by its number, made ahead by threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lcrs.train.data.crops import CropMaker
from lcrs.train.data.pictures import Pictures, Pixels

__all__ = ["AheadBatches", "Batches", "DeviceBatches", "Stateless", "to_floats"]

_AHEAD = 3
"""Batches that are being made while one is used."""


class Batches(Protocol):
    """Gives the batch of a step, on the device of the run: of pictures (B, C, S, S) in [0, 1]."""

    def get(self, step: int, size: int) -> Any:
        """The batch of `step`, counted from 0, with crops of `size`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on, beside the number of the step."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        ...

    def close(self) -> None:
        """Ends what runs in the background."""
        ...


class Stateless:
    """Batches that follow from the number of the step alone, and have nothing in the background."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the step says all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Batches`."""

    def close(self) -> None:
        """As in `Batches`."""


def to_floats(batch: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    """uint8 (B, C, H, W) as numbers in [0, 1] on a device."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return batch.to(device, non_blocking=True).to(torch.float32, memory_format=layout).div_(255)


class AheadBatches(Stateless):
    """Batches of a `CropMaker`, the next few being made by threads.

    Threads suffice: decoders of pictures let others run, and nothing has to be copied between processes.

    Args:
        maker: Makes crops by number.
        batch: Pictures of this process in a step.
        device: Where batches go.
        workers: Threads; 0 makes each batch when it is asked for.
        channels_last: Their layout.
        rank: Of this process: batches of all processes of a step follow each other.
        world: Number of processes.
    """

    def __init__(
        self,
        maker: CropMaker,
        batch: int,
        device: torch.device,
        workers: int = 0,
        *,
        channels_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.maker, self.batch, self.device = maker, batch, device
        self.channels_last, self.rank, self.world = channels_last, rank, world
        self._pool = ThreadPoolExecutor(workers, "lcrs-data") if workers else None
        self._coming: dict[tuple[int, int], list[Future[Pixels]]] = {}

    def numbers(self, step: int) -> range:
        """Numbers of the crops that this process has in a step."""
        first = (step * self.world + self.rank) * self.batch
        return range(first, first + self.batch)

    def get(self, step: int, size: int) -> Tensor:
        """As in `Batches`."""
        if self._pool is None:
            crops = [self.maker.make(number, size) for number in self.numbers(step)]
        else:
            for ahead in range(step, step + _AHEAD + 1):
                if (ahead, size) not in self._coming:
                    self._coming[ahead, size] = list(self._submitted(self._pool, ahead, size))
            crops = [future.result() for future in self._coming.pop((step, size))]
            for key in [key for key in self._coming if key[0] <= step or key[1] != size]:
                for future in self._coming.pop(key):
                    future.cancel()
        batch = torch.from_numpy(np.stack(crops))
        if self.device.type == "cuda":
            batch = batch.pin_memory()
        return to_floats(batch, self.device, self.channels_last)

    def _submitted(self, pool: ThreadPoolExecutor, step: int, size: int) -> Iterator[Future[Pixels]]:
        for number in self.numbers(step):
            yield pool.submit(self.maker.make, number, size)

    def close(self) -> None:
        """As in `Batches`."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


class DeviceBatches(Stateless):
    """Crops of uint8 pictures that lie in the memory of the device; every pixel is as likely.

    Nothing waits for a disk or for the CPU, and a CUDA graph can hold the sampling as well.

    Args:
        pictures: All are read, and copied once.
        batch: Pictures of this process in a step.
        device: Where they lie.
        seed: With the step it decides the crops of all processes, unless `graph`.
        flip: Flips at random.
        transpose: Transposes at random.
        channels_last: Layout of batches.
        graph: Numbers come from the device's own generator, which graphs know.
        rank: Of this process: it has its part of the crops of a step.
        world: Number of processes.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch: int,
        device: torch.device,
        seed: int,
        *,
        flip: bool = True,
        transpose: bool = False,
        channels_last: bool = False,
        graph: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        arrays = [array for k in range(len(pictures)) if (array := pictures.read(k)) is not None]
        self.batch, self.device, self.seed = batch, device, seed
        self.rank, self.world = rank, world
        self.flip, self.transpose, self.channels_last = flip, transpose, channels_last
        self.channels = arrays[0].shape[2]
        shapes = np.array([array.shape[:2] for array in arrays], np.int64)
        areas = shapes.prod(1)
        self._samples = torch.from_numpy(np.concatenate([array.reshape(-1) for array in arrays])).to(device)
        self._heights, self._widths = (torch.from_numpy(shapes[:, k].copy()).to(device) for k in (0, 1))
        starts = np.concatenate([[0], np.cumsum(areas)[:-1]]) * self.channels
        self._starts = torch.from_numpy(starts).to(device)
        self._shares = torch.from_numpy((np.cumsum(areas) / areas.sum()).astype(np.float32)).to(device)
        self._generator = None if graph else torch.Generator(device)
        self._channel = torch.arange(self.channels, device=device)

    def get(self, step: int, size: int) -> Tensor:
        """As in `Batches`."""
        if self._generator is not None:
            mixed = np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)
            self._generator.manual_seed(int(mixed[0] >> np.uint64(1)))
        return self.draw(size)

    def draw(self, size: int) -> Tensor:
        """A batch by the next random numbers; the same operations each time, without a look at values."""
        count, device = self.batch, self.device
        first = self.rank * count
        u = torch.rand(6, self.world * count, device=device, generator=self._generator)
        u = u[:, first : first + count]
        index = torch.searchsorted(self._shares, u[0].contiguous()).clamp(max=len(self._shares) - 1)
        width = self._widths[index]
        top = (u[1] * (self._heights[index] - size + 1)).long()
        left = (u[2] * (width - size + 1)).long()
        along = torch.arange(size, device=device)
        rows = torch.where((u[3, :, None] < 0.5) & self.flip, size - 1 - along, along)
        columns = torch.where((u[4, :, None] < 0.5) & self.flip, size - 1 - along, along)
        width = width[:, None, None]
        y, x = top[:, None] + rows, left[:, None] + columns
        straight = y[:, :, None] * width + x[:, None, :]
        turned = y[:, None, :] * width + x[:, :, None]
        place = torch.where((u[5, :, None, None] < 0.5) & self.transpose, turned, straight)
        place = place * self.channels + self._starts[index, None, None]
        crops = self._samples[place[..., None] + self._channel].permute(0, 3, 1, 2)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return crops.to(torch.float32, memory_format=layout) / 255
