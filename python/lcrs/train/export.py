"""From a run to a package, once torch's forward pass, its coding and native coding agree on a picture."""

from __future__ import annotations

from lcrs import needs_torch  # noqa: F401

# isort: split
import inspect
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs import codec, coding
from lcrs.coding import Package
from lcrs.coding.files import refuse_existing
from lcrs.errors import LcrsError, MissingModelError, ModelWarning
from lcrs.models import JointAutoregressiveHierarchicalPriors
from lcrs.packages.from_network import package_of
from lcrs.train.data.pictures import Pixels
from lcrs.train.graphics import as_pixels
from lcrs.train.objective import bits_of, outputs_of
from lcrs.train.onnx_networks import export_onnx
from lcrs.train.pack import network_of_checkpoint
from lcrs.train.tasks import Stages, task_of
from lcrs.train.validation import bits_by_stream, likely_cause

__all__ = ["Agreement", "DisagreementError", "check_agreement", "export_run", "made_picture"]

_QUALITIES = (0.0, 50.0, 100.0)
_LARGEST_STEP = 1.0
"""Levels of 255 between pixels of torch's coding and of native coding."""
_LARGEST_RMS = 1.0
"""Levels of 255 between pixels of the forward pass and of files, in the mean: a latent may round over."""


class DisagreementError(LcrsError):
    """Two ways to code a picture with one network give different results."""


@dataclass(frozen=True)
class Agreement:
    """What was compared, at one quality.

    Attributes:
        quality: Of the file; None for a model of one rate.
        estimated_bits: Of the forward pass.
        torch_bits: Of the strings that the network's own `compress` gives; None if it has none.
        native_bits: Of the streams of the file.
        forward_rms: Between pixels of the forward pass and of the file, in levels of 255.
        torch_step: The largest difference between pixels of torch's coding and of the file, or None.
    """

    quality: float | None
    estimated_bits: float
    torch_bits: float | None
    native_bits: float
    forward_rms: float
    torch_step: float | None


def made_picture(height: int = 128, width: int = 192) -> Pixels:
    """A picture of waves, an edge and a little noise, (height, width, 3), always the same."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (7 + 3 * c)) + np.cos(y / (11 - 2 * c) + c) for c in range(3)]
    edge = np.where(x + 0.5 * y > width * 0.7, 0.6, -0.2)[..., None]
    noise = np.random.default_rng(0).normal(0, 0.05, (height, width, 3))
    values = 128 + 50 * np.stack(waves, 2) + 40 * edge + 255 * noise * 0.2
    return as_pixels(values)


def export_run(
    run: str | Path,
    output: str | Path,
    *,
    name: str | None = None,
    picture: Pixels | None = None,
    onnx: str | Path | None = None,
    overwrite: bool = False,
) -> list[Agreement]:
    """Writes the package of a run, after three ways of coding agree on a picture; nothing is written before.

    Args:
        run: The folder of a run, or a checkpoint as `lcrs.train.pack.network_of_checkpoint` takes it.
        output: The package.
        name: What files call the model; by default the output's name without its ending.
        picture: To code, (H, W, 3), uint8; by default `made_picture`.
        onnx: Folder for the transforms as ONNX; none by default.
        overwrite: Whether files may be replaced.

    Returns:
        What was compared, at each quality.

    Warns:
        ModelWarning: real and estimated bits differ by more than half a percent, and why.

    Raises:
        MissingModelError: there is no such run.
        DisagreementError: two ways differ; the message says which, and how.
        NotPortableError: the network has no package.
        OnnxError: a transform has no form in ONNX.
        FileExistsError: the package exists and may not be replaced.
    """
    path = Path(run) / "model.pt" if Path(run).is_dir() else Path(run)
    if not path.is_file():
        raise MissingModelError(f"there is no {path}: a run writes it when it validates, and at its end")
    if not overwrite:
        refuse_existing(Path(output))
    net, facts = network_of_checkpoint(path)
    description, tensors = package_of(net, name or Path(output).stem)
    package = Package.from_bytes(coding.package_bytes(description, tensors))
    found = check_agreement(net, package, made_picture() if picture is None else picture)
    card: dict[str, Any] = {**facts, "agreement": [asdict(entry) for entry in found]}
    if onnx is not None:
        card["onnx"] = export_onnx(net, Path(onnx), overwrite=overwrite)
    described = {**description, "card": json.loads(json.dumps(card))}
    coding.write_package(output, described, tensors, overwrite=overwrite)
    return found


@torch.no_grad()
def check_agreement(net: nn.Module, package: Package, picture: Pixels) -> list[Agreement]:
    """Compares the forward pass, torch's coding and files, at the ends and the middle of the qualities.

    Raises:
        DisagreementError: they differ.
    """
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    qualities: list[float | None] = [None] if package.levels is None else list(_QUALITIES)
    return [_compared(net, package, picture, x, quality) for quality in qualities]


def _compared(net: Any, package: Package, picture: Pixels, x: Tensor, quality: float | None) -> Agreement:
    told, name = _told(net, quality), type(net).__name__
    x_hat, likelihoods = outputs_of(net(x, **told.forward))
    forward = _pixels(x_hat)
    estimated = float(bits_of(likelihoods).sum())
    data = codec.compress(picture, model=package, quality=quality)
    native = codec.decompress(data, model=package).astype(np.float64)
    streams = [8.0 * section["num_bytes"] for section in codec.info(data)["sections"]]
    at = "" if quality is None else f" at quality {quality:g}"
    torch_bits, torch_step = _torch_coding(net, x, told.coding, native)
    if torch_step is not None and torch_step > _LARGEST_STEP:
        raise DisagreementError(
            f"torch's coding and the package differ by {torch_step:g} of 255 in a pixel{at}, at most "
            f"{_LARGEST_STEP:g} is rounding: compress or decompress of {name} is not what it packs"
        )
    if torch_bits is not None and abs(torch_bits - sum(streams)) > 0.002 * sum(streams) + 128:
        raise DisagreementError(
            f"torch's coding takes {torch_bits:.0f} bits and the package {sum(streams):.0f}{at}: they code "
            "other symbols"
        )
    forward_rms = float(np.sqrt(np.square(forward - native).mean()))
    limit = _LARGEST_RMS
    if isinstance(net, JointAutoregressiveHierarchicalPriors):
        # Their forward pass rounds without the means, as CompressAI's: other noise of the same size.
        limit = max(limit, 2 * float(np.sqrt(np.square(native - picture).mean())))
    if forward_rms > limit:
        raise DisagreementError(
            f"the forward pass and the package differ by {forward_rms:.2f} of 255 in the mean{at}, at "
            f"most {limit:.2g} is rounding: forward of {name} in evaluation mode is not what it packs"
        )
    cause = likely_cause(streams, bits_by_stream(likelihoods, len(streams)), likelihoods)
    if cause is not None:
        message = (
            f"files take {sum(streams):.0f} bits and the forward pass estimates {estimated:.0f}{at}: {cause}"
        )
        warnings.warn(message, ModelWarning, stacklevel=2)
    return Agreement(quality, estimated, torch_bits, sum(streams), forward_rms, torch_step)


def _torch_coding(
    net: Any, x: Tensor, told: dict[str, Any], native: np.ndarray
) -> tuple[float | None, float | None]:
    """Bits of a network's own coding, and its largest distance from the file's pixels; None without."""
    if not (callable(getattr(net, "compress", None)) and callable(getattr(net, "decompress", None))):
        return None, None
    out = net.compress(x, **told)
    bits = 8.0 * sum(len(string) for of_latent in out["strings"] for string in of_latent)
    x_hat = net.decompress(out["strings"], out["shape"], **told)["x_hat"]
    restored = _pixels(x_hat[..., : x.shape[2], : x.shape[3]])
    return bits, float(np.abs(restored - native).max())


@dataclass(frozen=True)
class _Told:
    """What methods of a network are told for a quality."""

    forward: dict[str, Any]
    coding: dict[str, Any]


def _told(net: Any, quality: float | None) -> _Told:
    if quality is None:
        return _Told({}, {})
    if isinstance(task_of(net, 0), Stages):
        # Between the entries of Gain a file's scale is interpolated; where it lies, any inputscale may.
        ladder = net.Gain.detach().abs().numpy()
        place = quality / 100 * (len(ladder) - 1)
        scale = float(np.interp(place, np.arange(len(ladder)), ladder))
        return _Told({"inputscale": scale}, {"inputscale": scale})
    level = float(net.level_of(quality))
    takes_quality = "quality" in inspect.signature(net.compress).parameters
    return _Told({"level": level}, {"quality": quality} if takes_quality else {"level": level})


def _pixels(x_hat: Tensor) -> np.ndarray:
    """Levels 0 to 255 of one restored picture, (H, W, 3), rounded."""
    return (x_hat[0].clamp(0, 1) * 255).round().permute(1, 2, 0).double().numpy()
