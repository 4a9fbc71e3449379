"""From a file of CompressAI's `examples/codec.py` to an .lcrs file with the same symbols."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs import coding
from lcrs.errors import MissingModelError
from lcrs.zoo.checkpoints import ARCHITECTURES
from lcrs.zoo.compressai_files import CompressaiFile, parse_compressai_file

if TYPE_CHECKING:
    from torch import nn

__all__ = ["convert"]


def convert(
    data: bytes,
    model: str | Path | None = None,
    name: str | None = None,
    *,
    quality: float | None = None,
    scale: float | None = None,
) -> bytes:
    """The .lcrs file of a picture that CompressAI coded: the same symbols in a native stream.

    Its strings were made with torch's sums, so no arithmetic can promise to decode them. The exact one is
    tried, then torch's; what comes out is accepted only if the coder's final state proves it.

    Args:
        data: The whole file.
        model: The checkpoint that it was made with, or its package (.lcrm; then torch is not needed, and only
            exact arithmetic is tried). By default the published weights that the file names.
        name: What the .lcrs file calls the model, for a checkpoint: as for `lcrs zoo import`.
        quality: Of a variable-rate model, whose files do not say it: 0 to 100, for `100 * s / 7`. By default
            that of s = 1, the only one that codec.py writes.
        scale: The same as the model's `inputscale`.

    Raises:
        ValueError: a fixed-rate model is given a quality or scale, or the model has none such.
        MissingModelError: the model is not at hand, or is of another architecture.
        DesyncError: the strings do not decode here.
        LcrsError: the file is cut off, damaged, or of a kind that cannot be read.
    """
    file = parse_compressai_file(data)
    is_variable = ARCHITECTURES[file.architecture].is_variable_rate
    if not is_variable and (quality, scale) != (None, None):
        raise ValueError(f"the file was made with {file.architecture}, whose rate is fixed: it has no scale")
    latents: tuple[Any, Any]
    if model is not None and Path(model).suffix == ".lcrm":
        package = coding.Package.from_file(model)
        latents = package.latents_of_strings(file.strings, file.shape)
    else:
        from lcrs.zoo.network_latents import latents_of_network

        path = _checkpoint(file) if model is None else Path(model)
        net = _network(file, path)
        package = _package(net, path, name)
        rate = {}
        if is_variable:
            quality = _quality(package, quality, scale)
            rate["inputscale"] = coding.scale_of_quality(package, quality) if scale is None else scale
        latents = latents_of_network(net, file.strings, file.shape, **rate)
    y, z = latents
    size, crop, decoded = file.size, file.crop, file.padded
    return coding.transcode(package, y, z, size=size, crop=crop, decoded=decoded, quality=quality)


def _checkpoint(file: CompressaiFile) -> Path:
    from lcrs.zoo.download import find_checkpoint

    return find_checkpoint(ARCHITECTURES[file.architecture].file_name(file.quality, file.metric))


def _network(file: CompressaiFile, path: Path) -> nn.Module:
    from lcrs.zoo.state_dicts import architecture_of, network_of, read_state_dict

    state_dict = read_state_dict(path)
    architecture = architecture_of(state_dict)
    if architecture != file.architecture:
        raise MissingModelError(f"the file was made with {file.architecture}, {path} is of {architecture}")
    return network_of(state_dict, architecture)


def _package(net: nn.Module, path: Path, name: str | None) -> coding.Package:
    from lcrs.zoo.importing import package_of_network

    with tempfile.TemporaryDirectory() as folder:
        package_path = Path(folder) / "model.lcrm"
        coding.write_package(package_path, *package_of_network(net, path, name))
        return coding.Package.from_file(package_path)


def _quality(package: coding.Package, quality: float | None, scale: float | None) -> float:
    """The quality of the new file."""
    if scale is not None:
        if quality is not None:
            raise ValueError(f"quality {quality} and scale {scale} are given, one of them is enough")
        return coding.quality_of_scale(package, scale)
    return 100 / ((package.levels or 2) - 1) if quality is None else quality
