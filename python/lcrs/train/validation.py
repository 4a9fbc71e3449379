"""Validation: pictures through the network, and some through real files, against the estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs import codec
from lcrs.codec.torch_model import package_of
from lcrs.coding import Package
from lcrs.errors import NotPortableError
from lcrs.layers.module_state import evaluating
from lcrs.train.config import Config
from lcrs.train.data.pictures import Pixels
from lcrs.train.networks import CpuTwin
from lcrs.train.objective import Objective, bits_of, outputs_of
from lcrs.train.tasks import Task

__all__ = ["Point", "Validation", "Validator", "bits_by_stream", "likely_cause", "sizes_of_strings"]

TOLERANCE = 0.005
"""Of real bits against the estimate."""
_FIXED_BITS = 64
"""What a native stream may cost beyond its symbols, 8 bytes."""
_BOUND = 2e-9
"""Likelihoods are bounded from below a little under it."""


@dataclass
class Point:
    """Means over validation pictures, at one quality or at the one rate of a model.

    Attributes:
        quality: 0 to 100; None for a model of one rate.
        bpp: Estimated bits a pixel.
        psnr: Of RGB rounded to 8 bits, in dB; from the mean of squared errors. None where there is none.
        loss: As in training.
        real_bpp: Bits a pixel of real streams, of the pictures that are coded.
        estimated_bpp: The estimate for just these.
        real_psnr: Of what their files decode to.
        others: What else a subject measures, by name.
    """

    quality: float | None
    bpp: float
    psnr: float | None
    loss: float
    real_bpp: float | None = None
    estimated_bpp: float | None = None
    real_psnr: float | None = None
    others: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, float | None]:
        """As it is in the log, flat."""
        values = {key: value for key, value in vars(self).items() if key != "others"}
        return {**values, **self.others}

    def sentence(self, rate_unit: str) -> str:
        """As a person reads it."""
        parts = [f"{self.bpp:.4f} {rate_unit}"]
        parts += [] if self.psnr is None else [f"{self.psnr:.2f} dB"]
        parts += [f"{name} {value:.4g}" for name, value in self.others.items()]
        at = "" if self.quality is None else f"quality {self.quality:g}: "
        if self.real_bpp is None:
            return at + ", ".join(parts)
        estimated = "" if self.estimated_bpp is None else f" for {self.estimated_bpp:.4f} estimated"
        return f"{at}{', '.join(parts)}; files {self.real_bpp:.4f} {rate_unit}{estimated}"


@dataclass
class Validation:
    """What a validation found.

    Attributes:
        points: One for each quality.
        loss: Mean over them.
        warnings: Where real and estimated bits differ, and why.
        sheet: Columns of originals and what is restored at each point.
    """

    points: list[Point]
    loss: float
    warnings: list[str] = field(default_factory=list)
    sheet: list[list[Pixels]] = field(default_factory=list, repr=False)


class Validator:
    """Validates one network again and again.

    Args:
        config: Of the run.
        task: The kind of network.
        objective: The loss.
        pictures: (H, W, C), cut to `config.validation.size`.
    """

    def __init__(self, config: Config, task: Task, objective: Objective, pictures: list[Pixels]) -> None:
        size = config.validation.size
        self.config, self.task, self.objective = config, task, objective
        self.pictures = [_cut(picture, size) for picture in pictures]
        self._twin = CpuTwin(config.model)

    @torch.no_grad()
    def __call__(self, net: nn.Module) -> Validation:
        """Validates `net`, whose training mode is as before afterwards; takes no random number."""
        with evaluating(net):
            points, columns = self._estimated(net)
        validation = Validation(points, float(np.mean([point.loss for point in points])), sheet=columns)
        if self.config.validation.coded:
            self._code(net, validation)
        return validation

    def _estimated(self, net: nn.Module) -> tuple[list[Point], list[list[Pixels]]]:
        device = next(net.parameters()).device
        points: list[Point] = []
        columns = [[picture[..., :3]] for picture in self.pictures[:4]]
        for quality, drawn in self.task.points(self.config.validation.qualities):
            sums = np.zeros(3)
            for k, picture in enumerate(self.pictures):
                x = _tensor(picture).to(device)
                out = self.task.forward(net, x, drawn)
                _, facts = self.objective(out, x, drawn.get("lmbda"), drawn.get("middle"))
                restored = _restored(out)
                mse = (restored.float() / 255 - (x * 255).round() / 255).square().mean()
                sums += [float(facts["bpp"]), float(facts["loss"]), float(mse)]
                if k < len(columns):
                    shown = restored[0, :3].permute(1, 2, 0).to(torch.uint8)
                    columns[k].append(shown.contiguous().cpu().numpy())
            bpp, loss, mse_mean = (sums / len(self.pictures)).tolist()
            points.append(Point(quality, bpp, _psnr(mse_mean), loss))
        return points, columns

    def _code(self, net: nn.Module, validation: Validation) -> None:
        """Codes some pictures at each point, and compares."""
        twin = self._twin.of(net)
        try:
            package = None if self.task.takes_clips else package_of(twin)
        except NotPortableError as error:
            validation.warnings.append(f"no package can be made: {error}")
            package = None
        pictures = self.pictures[: self.config.validation.coded]
        told: set[str] = set()
        drawn_of = self.task.points(self.config.validation.qualities)
        for point, (quality, drawn) in zip(validation.points, drawn_of, strict=True):
            drawn = {key: v.cpu() if isinstance(v, Tensor) else v for key, v in drawn.items()}
            if package is not None and package.levels is None and quality is None and drawn.get("stage") == 1:
                continue  # files are of stage 2
            sums, num_pixels = np.zeros(3), 0
            for picture in pictures:
                x = _tensor(picture)
                likelihoods = outputs_of(self.task.forward(twin, x, drawn))[1]
                if package is not None and package.levels is not None and quality is None:
                    continue
                real, distance = (
                    _coded(package, picture, quality) if package is not None else _own_coded(twin, x)
                )
                if real is None:
                    return
                estimated = bits_by_stream(likelihoods, len(real))
                frames = picture.shape[2] // 3
                num_pixels += x.shape[2] * x.shape[3] * frames
                sums += [sum(real), sum(estimated), distance]
                cause = likely_cause(real, estimated, likelihoods)
                if cause and cause not in told:
                    told.add(cause)
                    at = "" if quality is None else f" at quality {quality:g}"
                    ratio = 100 * (sum(real) / max(1.0, sum(estimated)) - 1)
                    validation.warnings.append(
                        f"files have {ratio:+.2f} % of the estimated bits{at} ({sum(real):.0f} and "
                        f"{sum(estimated):.0f}): {cause}"
                    )
            if num_pixels:
                point.real_bpp, point.estimated_bpp = (sums[:2] / num_pixels).tolist()
                if not math.isnan(sums[2]):
                    point.real_psnr = _psnr(float(sums[2]) / len(pictures))


def likely_cause(real: list[float], estimated: list[float], likelihoods: Any) -> str | None:
    """Why real bits differ from the estimate by more than half a percent; None if they do not.

    Args:
        real: Bits of each stream.
        estimated: Of the likelihoods of each.
        likelihoods: A mapping from latents, side information last, to tensors.
    """
    difference = sum(real) - sum(estimated)
    allowed = TOLERANCE * sum(estimated)
    if -allowed <= difference <= allowed + _FIXED_BITS * len(real):
        return None
    if 0 < difference <= allowed + 3 * _FIXED_BITS * len(real):
        return "so short streams are mostly what each has beyond its symbols: larger pictures say more"
    worst = int(np.argmax([abs(a - b) for a, b in zip(real, estimated, strict=True)]))
    parts = _parts(likelihoods)
    name, p = (
        parts[worst]
        if len(parts) == len(real)
        else ("all latents", torch.cat([v.flatten() for _, v in parts]))
    )
    at_bound = int((p < _BOUND).sum())
    per_symbol = estimated[worst] / max(1, p.numel())
    if at_bound:
        return (
            f"{at_bound} of {p.numel()} symbols of {name} are in far tails, where the estimate is cut off "
            "at 30 bits: train longer, or lower the learning rate"
        )
    if difference > 0 and per_symbol < 0.01:
        return (
            f"symbols of {name} cost {per_symbol:.4f} bits each, and tables of 16 bits cannot say that they "
            "are so certain: early in a training that passes"
        )
    if difference < 0:
        return (
            f"the estimate of {name} is of other values than are coded: noise leaks into evaluation, or "
            "forward differs"
        )
    return (
        f"{name} is coded under a table that fits its likelihoods badly: quantiles whose median moved away, "
        "scales outside of 0.11 to 256, or a forward pass that rounds differently"
    )


def _parts(likelihoods: Any, name: str = "") -> list[tuple[str, Tensor]]:
    """Latents with their names, in the order of a file's streams: side information first."""
    if isinstance(likelihoods, Tensor):
        return [(name or "y", likelihoods)]
    if isinstance(likelihoods, Mapping):
        items = sorted(likelihoods.items(), key=lambda item: item[0] != "z")
    else:
        items = list(enumerate(likelihoods))
    return [part for key, value in items for part in _parts(value, f"{name}.{key}" if name else str(key))]


def bits_by_stream(likelihoods: Any, num_streams: int) -> list[float]:
    """Estimated bits of each stream of a file; evenly divided where latents and streams are not the same."""
    parts = _parts(likelihoods)
    if len(parts) == num_streams:
        return [float(bits_of(p).sum()) for _, p in parts]
    return [float(bits_of(likelihoods).sum()) / num_streams] * num_streams


def _coded(package: Package, picture: Pixels, quality: float | None) -> tuple[list[float], float]:
    """Bits of the streams of a file, and the mean squared error of what it decodes to, in [0, 1]."""
    data = codec.compress(picture, model=package, quality=quality)
    sections = codec.info(data)["sections"]
    restored = codec.decompress(data, model=package)
    error = np.square(restored.astype(np.float64) - picture).mean() / 255**2
    return [8.0 * section["num_bytes"] for section in sections], float(error)


def _own_coded(net: Any, x: Tensor) -> tuple[list[float] | None, float]:
    """Bits of the strings that a network's own `compress` gives; None if it has none."""
    if not callable(getattr(net, "compress", None)):
        return None, math.nan
    is_video = x.shape[1] > 3
    try:
        out = net.compress(list(torch.split(x, 3, dim=1)) if is_video else x)
    except Exception:  # networks that nobody here knows end in all sorts of ways
        return None, math.nan
    return [8.0 * size for size in sizes_of_strings(out[0] if is_video else out["strings"])], math.nan


def sizes_of_strings(strings: Any) -> list[int]:
    """Bytes of each string, however they are nested."""
    if isinstance(strings, bytes):
        return [len(strings)]
    inner = strings.values() if isinstance(strings, Mapping) else strings
    return [size for part in inner for size in sizes_of_strings(part)]


def _cut(picture: Pixels, size: int) -> Pixels:
    """The middle of a picture, at most `size` on a side."""
    height, width = (min(side, size) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    cut: Pixels = picture[top : top + height, left : left + width].copy()
    return cut


def _tensor(picture: Pixels) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def _restored(out: Any) -> Tensor:
    """Restored pictures as levels 0 to 255, frames in channels."""
    x_hat, _ = outputs_of(out)
    joined = torch.cat(list(x_hat), 1) if isinstance(x_hat, list | tuple) else x_hat
    return (joined.float().clamp(0, 1) * 255).round()


def _psnr(mse: float) -> float:
    return -10 * math.log10(max(mse, 1e-10))
