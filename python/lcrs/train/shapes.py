"""Training of networks that restore clouds: generated shapes or ModelNet, Chamfer distance, no package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.errors import NotPortableError
from lcrs.losses import ChamferPccRateDistortionLoss, RateDistortionLoss_hrtzxf2022
from lcrs.train.config import Config, ConfigError
from lcrs.train.data.opening import Data
from lcrs.train.data.pictures import LeftOut
from lcrs.train.data.shapes import OPTIONS, Clouds, ShapeBatches, shapes_in
from lcrs.train.tasks import OneRate, Task
from lcrs.train.validation import Point, Validation

__all__ = ["SHAPES", "CloudLoss", "Shapes"]

_CODED = 2
"""Clouds of a validation that are coded."""


class CloudLoss(nn.Module):
    """The loss that a network is made for, its distortion times lambda.

    Args:
        lmbda: Of the Chamfer distance against bits a point.
        criterion: Computes the terms.

    Attributes:
        log_factor: As of `Objective`; it stays zero.
    """

    target_bpp = None
    log_factor: Tensor

    def __init__(self, lmbda: float, criterion: nn.Module) -> None:
        super().__init__()
        self.lmbda, self.criterion = lmbda, criterion
        self.register_buffer("log_factor", torch.zeros(()))

    def forward(
        self,
        out: Mapping[str, Any],
        clouds: Clouds,
        lmbda: Tensor | None = None,
        middle: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `lcrs.train.subjects.Subject.objective` says; "chamfer" is the distance, unweighted."""
        terms = self.criterion(out, clouds)
        facts = {name: terms[f"{name}_loss"].detach() for name in ("bpp", "rec")}
        return terms["loss"], {
            "loss": terms["loss"].detach(),
            "bpp": facts["bpp"],
            "chamfer": facts["rec"],
        }


def _criterion(net: nn.Module, lmbda: float) -> nn.Module:
    """For density-preserving compression its own loss, by the paper's weights; else the Chamfer distance."""
    codecs = getattr(net, "latent_codec", None)
    if not hasattr(net, "compress_normal") or not isinstance(codecs, nn.ModuleDict):
        return ChamferPccRateDistortionLoss({"rec": lmbda})
    default = RateDistortionLoss_hrtzxf2022.LMBDA_DEFAULT
    scale = lmbda / default["chamfer"]
    kept = {"bpp", "chamfer_layers"}
    weights = {name: value if name in kept else scale * value for name, value in default.items()}
    mode: Any = codecs["xyz"].mode
    return RateDistortionLoss_hrtzxf2022(weights, bool(net.compress_normal), mode)


class _Restoration(OneRate):
    """Knows the network, which says what it is trained for."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net


class Shapes:
    """Clouds of one number of points. `data.train` is ModelNet's folder; without it shapes are generated."""

    rate_unit = "bits a point"

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """As in `Subject`."""
        return _Restoration(net)

    def open_data(self, config: Config, device: torch.device, *, rank: int = 0, world: int = 1) -> Data:
        """As in `Subject`: for validation clouds of the test split, or generated from another seed."""
        options = dict(OPTIONS)
        for name, value in config.data.options.items():
            if name not in OPTIONS:
                raise ConfigError(f"data.options has no {name!r}: there are {', '.join(OPTIONS)}")
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"data.options.{name} is {value!r}, must be a whole number from 1")
            options[name] = value
        place = config.data.train
        if isinstance(place, list):
            raise ConfigError(f"data.train has {len(place)} places, clouds are of one: ModelNet's folder")
        parts = []
        for split, size in (("train", config.batch), ("test", 1)):
            shapes = shapes_in(place, split, options, config.seed)
            parts.append(ShapeBatches(shapes, size, options["num_points"], config.seed, device, rank))
        batches, held_out = parts
        count = min(options["tune_clouds"], len(held_out.shapes))  # type: ignore[arg-type]
        tune = [held_out.cloud(index, index) for index in range(count)]
        name = "generated shapes" if place is None else str(place)
        total = len(batches.shapes)  # type: ignore[arg-type]
        summary = f"{name}: {total} clouds of {options['num_points']} points, {count} for validation"
        return Data(batches, tune, None, f"{name}, {total}", LeftOut(), summary)

    def objective(self, config: Config, task: Task) -> CloudLoss:
        """As in `Subject`."""
        if config.loss.metric != "chamfer" or not isinstance(config.loss.lmbda, float | int):
            raise ConfigError('clouds are trained with loss.metric = "chamfer" and a number as loss.lmbda')
        assert isinstance(task, _Restoration)
        return CloudLoss(config.loss.lmbda, _criterion(task.net, config.loss.lmbda))

    def validator(
        self, config: Config, task: Task, objective: Any, data: Data
    ) -> Callable[[nn.Module], Validation]:
        """As in `Subject`: means over clouds, and of some the bits of real strings."""

        @torch.no_grad()
        def validate(net: nn.Module) -> Validation:
            was_training = net.training
            net.eval()
            device, network = next(net.parameters()).device, _plain(net)
            rows, coded = [], []
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                torch.manual_seed(0)  # of points that are repeated
                for number, cloud in enumerate(data.tune):
                    clouds = {key: value.to(device) for key, value in cloud.items()}
                    loss, facts = objective(network(clouds), clouds)
                    rows.append([float(loss), float(facts["bpp"]), float(facts["chamfer"])])
                    if number < _CODED:
                        size = 8 * _num_bytes(network.compress(clouds)["strings"])
                        coded.append([size / clouds["pos"].shape[1], rows[-1][1]])
            net.train(was_training)
            loss, bpp, chamfer = np.mean(rows, axis=0).tolist()
            real, estimated = np.mean(coded, axis=0).tolist()
            point = Point(None, bpp, None, loss, real, estimated, None, {"chamfer": chamfer})
            return Validation([point], loss)

        return validate

    def pack(self, checkpoint: Path, output: Path, name: str, card: Mapping[str, Any]) -> None:
        """As in `Subject`.

        Raises:
            NotPortableError: always, for there are no files of such networks.
        """
        raise NotPortableError("networks that restore clouds have no package: code with net.compress")


def _plain(net: nn.Module) -> Any:
    """The network itself, without what shares it among processes."""
    return getattr(net, "module", net)


def _num_bytes(strings: Any) -> int:
    return len(strings) if isinstance(strings, bytes) else sum(_num_bytes(part) for part in strings)


SHAPES = Shapes()
