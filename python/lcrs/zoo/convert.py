"""From a file of CompressAI's `examples/codec.py` to an .lcrs file with the same symbols."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from lcrs import coding
from lcrs.errors import MissingModelError
from lcrs.zoo.checkpoints import ARCHITECTURES
from lcrs.zoo.peer_files import PeerFile, parse_peer_file

__all__ = ["convert"]


def convert(data: bytes, model: str | Path | None = None, name: str | None = None) -> bytes:
    """The .lcrs file of a picture that CompressAI coded: the same symbols in a native stream.

    Its strings were made with torch's sums, so no arithmetic can promise to decode them. The exact one is
    tried, then torch's; what comes out is accepted only if the coder's final state proves it.

    Args:
        data: The whole file.
        model: The checkpoint that it was made with, or its package (.lcrm; then torch is not needed, and only
            exact arithmetic is tried). By default the published weights that the file names.
        name: What the .lcrs file calls the model, for a checkpoint: as for `lcrs zoo import`.

    Raises:
        MissingModelError: the model is not at hand, or is of another architecture.
        DesyncError: the strings do not decode here.
        LcrsError: the file is cut off, damaged, or of a kind that cannot be read.
    """
    file = parse_peer_file(data)
    if model is not None and Path(model).suffix == ".lcrm":
        from lcrs.zoo.package_latents import latents_of_package

        package = coding.Package.from_file(model)
        latents: tuple[Any, Any] = latents_of_package(Path(model), file.strings, file.shape)
    else:
        package, latents = _by_checkpoint(file, _checkpoint(file) if model is None else Path(model), name)
    y, z = latents
    return coding.transcode(package, y, z, size=file.size, crop=file.crop, decoded=file.padded)


def _checkpoint(file: PeerFile) -> Path:
    from lcrs.zoo.download import find_checkpoint

    return find_checkpoint(ARCHITECTURES[file.architecture].file_name(file.quality, file.metric))


def _by_checkpoint(file: PeerFile, path: Path, name: str | None) -> tuple[coding.Package, tuple[Any, Any]]:
    from lcrs.zoo.importing import package_of_network
    from lcrs.zoo.network_latents import latents_of_network
    from lcrs.zoo.state_dicts import architecture_of, network_of, read_state_dict

    state_dict = read_state_dict(path)
    architecture = architecture_of(state_dict)
    if architecture != file.architecture:
        raise MissingModelError(f"the file was made with {file.architecture}, {path} is of {architecture}")
    net = network_of(state_dict, architecture)
    latents = latents_of_network(net, file.strings, file.shape)
    with tempfile.TemporaryDirectory() as folder:
        package_path = Path(folder) / "model.lcrm"
        coding.write_package(package_path, *package_of_network(net, path, name))
        return coding.Package.from_file(package_path), latents
