"""Training of the models that restore point clouds: batches of clouds, Chamfer distance, real strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.errors import LcrsError, NotPortableError
from lcrs.layers.module_state import evaluating
from lcrs.losses.pointcloud import ChamferPccRateDistortionLoss, RateDistortionLoss_hrtzxf2022
from lcrs.models.pointcloud import DensityPreservingReconstructionPccModel
from lcrs.train.config import Config, ConfigError
from lcrs.train.data.clouds import OPTIONS, CloudBatches, find_clouds
from lcrs.train.data.crops import generator
from lcrs.train.data.opening import Data
from lcrs.train.data.options import options_of
from lcrs.train.data.pictures import LeftOut
from lcrs.train.networks import CpuTwin
from lcrs.train.tasks import OneRate, Task
from lcrs.train.validation import TOLERANCE, Point, Validation, sizes_of_strings

__all__ = ["CLOUDS", "CloudSubject"]

_VALIDATED = 8
_FIXED_BITS = 64


class _Objective(nn.Module):
    """A criterion of `lcrs.losses`, as the loop asks it."""

    target_bpp = None
    log_factor: Tensor

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion
        self.register_buffer("log_factor", torch.zeros(()))

    def forward(
        self,
        out: Mapping[str, Any],
        batch: Mapping[str, Tensor],
        lmbda: Tensor | None = None,
        middle: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `lcrs.train.subjects.Subject.objective` says; "chamfer" is the sum of both directions' means."""
        found = self.criterion(out, batch)
        facts = {"loss": found["loss"], "bpp": found["bpp_loss"], "chamfer": found["rec_loss"]}
        return found["loss"], {name: fact.detach() for name, fact in facts.items()}


class _Density(OneRate):
    """The task of the model whose loss is one of its own."""

    def __init__(self, compress_normal: bool, mode: str) -> None:
        self.compress_normal, self.mode = compress_normal, mode


class CloudSubject:
    """Clouds of (B, P, 3) positions, generated or from files; `data.options` are those of `CloudBatches`."""

    rate_unit = "bits a point"
    example_unit = "clouds"

    def task(self, net: nn.Module, config: Config, rank: int = 0, world: int = 1) -> Task:
        """As in `Subject`."""
        if isinstance(net, DensityPreservingReconstructionPccModel):
            mode: Any = net.latent_codec["xyz"]
            return _Density(net.compress_normal, mode.mode)
        return OneRate()

    def open_data(self, config: Config, device: torch.device, *, rank: int = 0, world: int = 1) -> Data:
        """As in `Subject`; validation clouds, a sample by the seed, are batches of one."""
        options = options_of(OPTIONS, config.data.options)
        places, tune = (
            [] if v is None else [v] if isinstance(v, str) else v
            for v in (config.data.train, config.data.tune)
        )
        left_out = LeftOut()
        train, held = find_clouds(places, tune, options, config.seed, left_out)
        batches = CloudBatches(train, config.batch, options["points"], config.seed, device, rank, world)
        number = min(held.count, _VALIDATED, config.data.tune_pictures)
        sample = np.sort(generator(config.seed, 10).choice(held.count, number, replace=False))
        found = (held.read(int(k)) for k in sample)
        validated = [
            batches.stacked([batches.chosen(cloud, generator(config.seed, 9, k))])
            for k, cloud in enumerate(found)
            if cloud is not None
        ]
        if not validated:
            raise ValueError(f"none of the validation clouds can be read: {left_out} left out")
        text = f"{train.count} clouds ({train.identity}), {options['points']} points of each a step"
        return Data(batches, validated, None, f"{train.identity}:{train.count}", left_out, text)

    def objective(self, config: Config, task: Task) -> Any:
        """As in `Subject`: `loss.lmbda` is the weight of the Chamfer distance."""
        loss = config.loss
        if loss.metric != "chamfer":
            raise ConfigError(f"loss.metric is {loss.metric!r}, of clouds it is 'chamfer'")
        if loss.target_bpp is not None:
            raise ConfigError("loss.target_bpp is for models of pictures")
        if loss.lmbda is None or isinstance(loss.lmbda, dict):
            raise ConfigError("loss.lmbda is not set: a number, the weight of the Chamfer distance")
        if isinstance(task, _Density):
            weights = {**RateDistortionLoss_hrtzxf2022.LMBDA_DEFAULT, "chamfer": loss.lmbda}
            return _Objective(RateDistortionLoss_hrtzxf2022(weights, task.compress_normal, task.mode))
        return _Objective(ChamferPccRateDistortionLoss({"rec": loss.lmbda}))

    def validator(
        self, config: Config, task: Task, objective: Any, data: Data
    ) -> Callable[[nn.Module], Validation]:
        """As in `Subject`: the loss, and `validation.coded` clouds as the strings of `compress`."""
        twin = CpuTwin(config.model)

        @torch.no_grad()
        def validate(net: nn.Module) -> Validation:
            # Some models repeat points at random.
            with evaluating(net), torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                facts = [objective(net(batch), batch)[1] for batch in data.tune]
            loss, bpp, chamfer = (
                float(torch.stack([fact[name] for fact in facts]).mean())
                for name in ("loss", "bpp", "chamfer")
            )
            point = Point(None, bpp, None, loss, others={"chamfer": chamfer})
            validation = Validation([point], loss)
            if config.validation.coded:
                coded = data.tune[: config.validation.coded]
                _code(twin.of(net), coded, [fact["bpp"] for fact in facts], validation)
            return validation

        return validate

    def pack(self, checkpoint: Path, output: Path, name: str, card: Mapping[str, Any]) -> None:
        """As in `Subject`."""
        raise NotPortableError(
            "models that restore clouds code tensors (net.compress of the network in model.pt); files of "
            "clouds are the geometry codec's"
        )


def _code(
    net: Any, batches: list[dict[str, Tensor]], estimates: list[Tensor], validation: Validation
) -> None:
    """Codes some clouds by the network's own coding, and compares with the estimate."""
    points, real, estimated = 0, 0.0, 0.0
    for batch, bpp in zip(batches, estimates, strict=False):
        try:
            sizes = sizes_of_strings(
                net.compress({key: value.cpu() for key, value in batch.items()})["strings"]
            )
        except (LcrsError, ValueError, RuntimeError) as error:
            validation.warnings.append(f"clouds cannot be coded: {error}")
            return
        count = batch["pos"].shape[1]
        points, real, estimated = points + count, real + 8 * sum(sizes), estimated + float(bpp) * count
        if abs(8 * sum(sizes) - float(bpp) * count) > TOLERANCE * float(bpp) * count + _FIXED_BITS * len(
            sizes
        ):
            validation.warnings.append(
                f"strings have {8 * sum(sizes)} bits, estimated are {float(bpp) * count:.0f}: symbols lie in "
                "far tails, so train longer"
            )
    (point,) = validation.points
    point.real_bpp, point.estimated_bpp = real / points, estimated / points


CLOUDS = CloudSubject()
