"""Pictures to bytes and back, without torch: the same bytes and the same pixels on every machine.

Example:
    >>> import numpy as np
    >>> from lcrs import codec
    >>> data = codec.compress(np.full((20, 30, 3), 128, np.uint8), quality=30)
    >>> codec.decompress(data).shape
    (20, 30, 3)
    >>> codec.info(data)["model"] == codec.DEFAULT_MODEL
    True
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lcrs import coding
from lcrs.codec.containers import Container, read_container
from lcrs.codec.packages import DEFAULT_MODEL, load_package, load_packages, missing, package_names
from lcrs.codec.picture import Background, Picture
from lcrs.coding import Package
from lcrs.errors import LcrsError, MissingModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from lcrs.codec.torch_runtime import TorchRuntime


__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_QUALITY",
    "Picture",
    "Runtime",
    "compress",
    "decompress",
    "decompress_picture",
    "info",
    "load_package",
    "package_names",
]

DEFAULT_QUALITY = 50.0
"""What `compress` uses when told nothing, for models whose rate can vary."""

Runtime = Literal["native", "torch"]
"""What runs g_a and g_s: the exact engine, or torch. Whatever decides a symbol is always exact."""

_T = TypeVar("_T")
_Model = str | os.PathLike[str] | Package


def compress(
    image: NDArray[Any] | Image.Image,
    *,
    quality: float | None = None,
    model: _Model = DEFAULT_MODEL,
    background: Background | None = None,
    to_8bit: bool = False,
    keep_exif: bool = False,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> bytes:
    """Compresses a picture to the bytes of an .lcrs file.

    Args:
        image: a uint8 array (H, W, 3), or a Pillow image, of any size from 1 x 1. Grey pictures, (H, W) or
            (H, W, 1), and palettes are taken as colour ones; EXIF orientation is applied; an RGB colour
            profile is kept.
        quality: from 0 (smallest) to 100 (best), in any steps; 50 if not given. Models of a fixed rate take
            none.
        model: a model's name, an .lcrm file, or a loaded `lcrs.coding.Package`.
        background: the colour to flatten transparency on: a name, ``#rrggbb``, or three numbers from 0 to
            255. Without it pictures with an alpha channel are refused.
        to_8bit: whether to round 16-bit components to 8 bits. Without it such pictures are refused.
        keep_exif: whether the picture's EXIF block (camera, time, place) goes along.
        threads: how many to use; by default `lcrs.coding.num_threads`. The bytes do not depend on it.
        runtime: ``native`` writes the same bytes on every machine. ``torch`` runs g_a in torch on ``device``:
            the file decodes everywhere all the same, but another device may round a latent the other way.
        device: of the runtime ``torch``, such as ``cuda``; by default ``cpu``.

    Raises:
        TypeError: if ``image`` is neither an array nor a Pillow image.
        ValueError: if the picture, the quality, the runtime or the device is not as above.
        MissingModelError: if there is no such model here.
    """
    from lcrs.codec.pictures import to_picture

    package = load_package(model)
    picture = to_picture(image, background=background, to_8bit=to_8bit)
    if quality is None and package.levels is not None:
        quality = DEFAULT_QUALITY
    exif = picture.exif if keep_exif else None
    if (networks := _networks(package, runtime, device)) is not None:
        return networks.compress(picture, quality, icc=picture.icc, exif=exif, threads=threads)
    return package.compress(
        picture.rgb, quality, size=picture.size, icc=picture.icc, exif=exif, threads=threads
    )


def decompress(
    data: Container,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> NDArray[np.uint8]:
    """Restores the pixels of an .lcrs file.

    Args:
        data: the file: its bytes, its path, or a binary file object that is open for reading.
        model: as in `compress`; by default the model that the file names.
        threads: how many to use. The pixels do not depend on it.
        runtime: ``native`` gives the same pixels on every machine. ``torch`` runs g_s in torch on ``device``,
            from the same exact symbols: the pixels are equal up to rounding.
        device: of the runtime ``torch``, such as ``cuda``; by default ``cpu``.

    Returns:
        uint8, (H, W, 3).

    Raises:
        ValueError: if the runtime or the device is not as above.
        MissingModelError: if the model is not at hand, or another one goes by its name.
        LcrsError: if the file is cut off, damaged, or of a later version.
    """
    data = read_container(data)

    def restore(package: Package) -> NDArray[np.uint8]:
        networks = _networks(package, runtime, device)
        return (package if networks is None else networks).decompress(data, threads=threads)

    return _with_model(data, model, restore)


def decompress_picture(
    data: Container,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> Picture:
    """Like `decompress`, with the colour profile and the EXIF block; the native one does without NumPy."""
    data = read_container(data)

    def restore(package: Package) -> tuple[bytes, tuple[int, int]]:
        networks = _networks(package, runtime, device)
        if networks is None:
            return package.decompress_bytes(data, threads=threads)
        pixels = networks.decompress(data, threads=threads)
        return pixels.tobytes(), (pixels.shape[0], pixels.shape[1])

    rgb, size = _with_model(data, model, restore)
    return Picture(rgb, size, **coding.metadata(data))


def _networks(package: Package, runtime: Runtime, device: str | None) -> TorchRuntime | None:
    """What runs g_a and g_s, unless that is the package itself."""
    if runtime == "torch":
        from lcrs.codec.torch_runtime import torch_runtime

        return torch_runtime(package, device or "cpu")
    if runtime != "native":
        msg = f"runtime is {runtime!r}, must be 'native' or 'torch'"
        raise ValueError(msg)
    if device is not None:
        msg = f"device is {device!r}, but the native runtime has none: pass runtime='torch' (--runtime torch)"
        raise ValueError(msg)
    return None


def _with_model(
    data: bytes | bytearray | memoryview, model: _Model | None, decompress: Callable[[Package], _T]
) -> _T:
    """What ``decompress`` makes of the first package that the file was made with."""
    error: MissingModelError | None = None
    fields = coding.info(data)
    for package in _packages_for(fields, model):
        try:
            return decompress(package)
        except MissingModelError as other:
            error = error or other  # another model of that name; perhaps the next one fits
    raise error or missing(model or fields["model"])


def info(data: Container, model: _Model | None = None) -> dict[str, Any]:
    """What an .lcrs file says about itself: its bytes, a path, or a binary file object. Every byte is checked
    against its checksum, but nothing is decoded.

    Returns:
        At least ``num_bytes, width, height, model, quality, format_version, entropy_digest, synthesis_digest,
        portable, numerics``. A file holds the first bytes of the digests; they are completed to all 64
        hexadecimal digits if the model is at hand.

    Raises:
        LcrsError: if the file is cut off, damaged, or of a later version.
    """
    fields = coding.info(read_container(data))
    packages = _packages_for(fields, model)
    with contextlib.suppress(LcrsError):  # a model that is missing or damaged is no fault of this file
        for package in packages:
            digests = {"entropy_digest": package.entropy_digest, "synthesis_digest": package.synthesis_digest}
            if all(full.startswith(fields[key]) for key, full in digests.items()):
                return fields | digests
    return fields


def _packages_for(fields: dict[str, Any], model: _Model | None) -> Iterator[Package]:
    """The packages to try for a file of these fields: the one asked for, or all that may have written it."""
    return load_packages(fields) if model is None else iter([load_package(model)])
