"""Pictures to bytes and back, without torch: the same bytes and the same pixels on every machine.

Example:
    >>> import numpy as np
    >>> from lcrs import codec
    >>> data = codec.compress(np.full((20, 30, 3), 128, np.uint8), quality=30)
    >>> codec.decompress(data).shape
    (20, 30, 3)
    >>> codec.info(data)["model"]
    'photo'
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from lcrs import coding
from lcrs.codec.packages import DEFAULT_MODEL, load_package, load_packages, missing, package_names
from lcrs.coding import Package
from lcrs.errors import LcrsError, MissingModelError
from lcrs.pictures import MAX_PIXELS, Background, Picture, PictureError, to_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from lcrs.codec.torch_runtime import TorchRuntime


__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_QUALITY",
    "Picture",
    "PictureError",
    "Runtime",
    "compress",
    "decompress",
    "decompress_picture",
    "info",
    "load_package",
    "package_names",
    "private_metadata",
    "to_picture",
]

DEFAULT_QUALITY = 50.0
"""What `compress` uses when told nothing, for models whose rate can vary."""

Runtime = Literal["native", "torch"]
"""What runs g_a and g_s: the exact engine, or torch. Whatever decides a symbol is always exact."""

_T = TypeVar("_T")
_Model = str | os.PathLike[str] | Package


def compress(
    image: NDArray[Any] | Image.Image | Picture | str | os.PathLike[str] | bytes | BinaryIO,
    *,
    quality: float | None = None,
    model: _Model = DEFAULT_MODEL,
    background: Background | None = None,
    to_8bit: bool = False,
    to_srgb: bool = False,
    frame: int | None = None,
    keep_exif: bool = False,
    keep_metadata: bool = False,
    max_pixels: int = MAX_PIXELS,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> bytes:
    """Compresses a picture to the bytes of an .lcrs file.

    Args:
        image: an array, a Pillow image, or the path, the bytes or an open file of a picture, of any size from
            1 x 1, or what `to_picture` made of one, which tells what had to be left out. EXIF orientation is
            applied; colour profile and resolution are kept.
        quality: from 0 (smallest) to 100 (best), in any steps; 50 if not given. Models of a fixed rate take
            none.
        model: a model's name, an .lcrm file, or a loaded `lcrs.coding.Package`.
        background: the colour to flatten transparency on: a name, ``#rrggbb``, or three numbers from 0 to
            255. Without it pictures with transparent parts are refused.
        to_8bit: whether to round deeper components to 8 bits. Without it such pictures are refused.
        to_srgb: whether to convert colours to sRGB by their profile, instead of keeping it. Without it CMYK
            is refused.
        frame: which frame, page or layer of a file with several to take, from 0.
        keep_exif: whether the picture's EXIF block (camera, time, place) goes along.
        keep_metadata: whether EXIF, XMP and IPTC go along.
        max_pixels: how many pixels are accepted.
        threads: how many to use; by default `lcrs.coding.num_threads`. The bytes do not depend on it.
        runtime: ``native`` writes the same bytes on every machine. ``torch`` runs g_a in torch on ``device``:
            the file decodes everywhere all the same, but another device may round a latent the other way.
        device: of the runtime ``torch``, such as ``cuda``; by default ``cpu``.

    Raises:
        TypeError: if ``image`` is neither an array nor a Pillow image.
        PictureError: if the picture is damaged, or holds what the call does not say what to do with.
        ValueError: if the quality, the runtime or the device is not as above.
        MissingModelError: if there is no such model here.
    """
    package = load_package(model)
    picture = to_picture(
        image, background=background, to_8bit=to_8bit, to_srgb=to_srgb, frame=frame, max_pixels=max_pixels
    )
    if quality is None and package.levels is not None:
        quality = DEFAULT_QUALITY
    left_out = private_metadata(picture, keep_exif=keep_exif, keep_metadata=keep_metadata)
    metadata = {name: value for name, value in picture.metadata().items() if name not in left_out}
    if metadata.get("icc", b"")[16:20] == b"GRAY":
        del metadata["icc"]  # three components are coded
    if (networks := _networks(package, runtime, device)) is not None:
        return networks.compress(picture, quality, metadata=metadata, threads=threads)
    return package.compress(picture.rgb, quality, size=picture.size, metadata=metadata, threads=threads)


def private_metadata(picture: Picture, *, keep_exif: bool, keep_metadata: bool) -> list[str]:
    """What `compress` leaves out because nobody asked for it: it may tell of places and people."""
    kept = {"exif"} if keep_exif else set()
    private = () if keep_metadata else ("exif", "xmp", "iptc")
    return [name for name in private if name not in kept and getattr(picture, name) is not None]


def decompress(
    data: bytes | bytearray | memoryview,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> NDArray[np.uint8]:
    """Restores the pixels of an .lcrs file.

    Args:
        data: the whole file.
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

    def restore(package: Package) -> NDArray[np.uint8]:
        networks = _networks(package, runtime, device)
        return (package if networks is None else networks).decompress(data, threads=threads)

    return _with_model(data, model, restore)


def decompress_picture(
    data: bytes | bytearray | memoryview,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
) -> Picture:
    """Like `decompress`, with the colour profile and the EXIF block; the native one does without NumPy."""

    def restore(package: Package) -> tuple[bytes, tuple[int, int]]:
        networks = _networks(package, runtime, device)
        if networks is None:
            return package.decompress_bytes(data, threads=threads)
        pixels = networks.decompress(data, threads=threads)
        return pixels.tobytes(), (pixels.shape[0], pixels.shape[1])

    samples, size = _with_model(data, model, restore)
    return Picture(samples, size, **coding.metadata(data))


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
    name = coding.info(data)["model"]
    for package in _packages_for(name, model):
        try:
            return decompress(package)
        except MissingModelError as other:
            error = error or other  # another model of that name; perhaps the next one fits
    raise error or missing(model or name)


def info(data: bytes | bytearray | memoryview, model: _Model | None = None) -> dict[str, Any]:
    """What an .lcrs file says about itself. Every byte is checked against its checksum, but nothing is
    decoded.

    Returns:
        At least ``num_bytes, width, height, model, quality, format_version, entropy_digest, synthesis_digest,
        portable, numerics``. A file holds the first bytes of the digests; they are completed to all 64
        hexadecimal digits if the model is at hand.

    Raises:
        LcrsError: if the file is cut off, damaged, or of a later version.
    """
    fields = coding.info(data)
    packages = _packages_for(fields["model"], model)
    with contextlib.suppress(LcrsError):  # a model that is missing or damaged is no fault of this file
        for package in packages:
            digests = {"entropy_digest": package.entropy_digest, "synthesis_digest": package.synthesis_digest}
            if all(full.startswith(fields[key]) for key, full in digests.items()):
                return fields | digests
    return fields


def _packages_for(name: str, model: _Model | None) -> Iterator[Package]:
    """The packages to try for a file that names a model: the one asked for, or all of that name."""
    return load_packages(name) if model is None else iter([load_package(model)])
