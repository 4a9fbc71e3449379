"""Pictures to bytes and back, without torch: the same bytes and the same pixels on every machine.

Example:
    >>> import numpy as np
    >>> from lcrs import codec
    >>> data = codec.compress(np.full((20, 30, 3), 128, np.uint8), quality=30, lossless=False)
    >>> codec.decompress(data).shape
    (20, 30, 3)
    >>> codec.info(data)["model"] == codec.DEFAULT_MODEL
    True
    >>> codec.info(codec.compress(np.full((20, 30, 3), 128, np.uint8)))["lossless"]
    True
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypeVar

from lcrs import coding
from lcrs.codec.call_checks import check_choice, check_numbers, refuse_url
from lcrs.codec.containers import Container, Output, give, give_picture, read_container
from lcrs.codec.lossless import LOSSLESS, LosslessCoding, refuse_beside, unless_larger
from lcrs.codec.samples import Samples, private_metadata, to_samples
from lcrs.codec.targets import Target, only_target, reached
from lcrs.coding import Package
from lcrs.errors import LcrsError, MissingModelError, NotPortableError
from lcrs.packages import (
    DEFAULT_MODEL,
    load_cloud_package,
    load_cloud_packages,
    load_package,
    load_packages,
    missing,
    package_names,
)
from lcrs.pictures import Background, Picture, PictureError, to_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import nn
    from typing_extensions import TypeIs

    from lcrs.codec.torch_model import OwnCoding
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
_Model: TypeAlias = "str | os.PathLike[str] | Package | nn.Module"


def compress(
    image: NDArray[Any] | Image.Image | Picture | str | os.PathLike[str] | bytes | BinaryIO,
    *,
    quality: float | None = None,
    target_bpp: float | None = None,
    target_size: int | None = None,
    target_psnr: float | None = None,
    lossless: bool | None = None,
    model: _Model | None = None,
    allow_not_portable: bool = False,
    background: Background | None = None,
    to_8bit: bool = False,
    to_srgb: bool = False,
    frame: int | None = None,
    bit_depth: int | None = None,
    keep_exif: bool = False,
    keep_metadata: bool = False,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
    output: Output | None = None,
) -> bytes:
    """Compresses a picture, or an array, to the bytes of an .lcrs file.

    Args:
        image: a uint8 or uint16 array (H, W, 3), or grey: (H, W) or (H, W, 1); a Pillow image; or the path,
            the bytes or an open file of a picture, of any size from 1 x 1; or what `to_picture` made of one,
            which tells what had to be left out. EXIF orientation is applied; colour profile and resolution
            are kept. A model of arrays takes those of its type and channels, (H, W, C), or (H, W) if it has
            one channel; numbers outside of its range count as the end of that.
        quality: from 0 (smallest) to 100 (best), in any steps; 50 if not given. Models of a fixed rate take
            none.
        target_bpp: in place of a quality: bits of the whole file for each pixel, reached to within 1 %.
        target_size: in place of a quality: bytes of the whole file, metadata included. It gets no more, and
            no less than 99 % of it unless it is lossless.
        target_psnr: in place of a quality: PSNR of the decoded samples in decibels, to within 0.05. Targets
            are found by trials, mostly three to five; each decodes, too, for a PSNR. What of g_a is the same
            at every quality runs once: all of it where gains come after it, the first stage where they come
            in between; the rest and the coder run for each trial. One that the model does not reach gives the
            nearest file that it does, and a `TargetWarning`.
        lossless: whether the picture is kept to the bit, whatever its depth, grey or in colours. That takes
            no model, quality, target, runtime or device. Where nothing is said and no model is named, it is
            kept so if the file is not larger than what the default model writes; or, where all that the model
            writes is below a target of bytes or bits, not above the target. Text, drawings and pictures of
            screens mostly are.
        model: a model's name, an .lcrm file, a loaded `lcrs.coding.Package`, or a model in torch, which is
            made a package of at each call; by default `DEFAULT_MODEL`.
        allow_not_portable: whether a model in torch that no package can say codes by its own `compress`. The
            file says that it is not portable: it decodes only with this model, the same weights, and where
            torch computes the same sums. What the model lacks for a package is in the error without this.
        background: the colour to flatten transparency on: a name, `#rrggbb`, or three numbers from 0 to
            255. Without it pictures with transparent parts are refused.
        to_8bit: whether to round deeper components to 8 bits.
        to_srgb: whether to convert colours to sRGB by their profile, instead of keeping it. Without it CMYK
            is refused.
        frame: which frame, page or layer of a file with several to take, from 0.
        bit_depth: of an array whose components use fewer bits than its type has: 1 to 8 of uint8, 9 to 16 of
            uint16. The largest component is `2**bit_depth - 1`.
        keep_exif: whether the picture's EXIF block (camera, time, place) goes along.
        keep_metadata: whether EXIF, XMP and IPTC go along.
        threads: how many to use; by default `lcrs.coding.num_threads`. The bytes do not depend on it.
        runtime: `native` writes the same bytes on every machine. `torch` runs g_a in torch on `device`:
            the file decodes everywhere all the same, but another device may round a latent the other way.
        device: of the runtime `torch`, such as `cuda`; by default `cpu`.
        max_pixels: of the picture; by default 2^28.
        max_bytes: that the call may hold at a time, beside the model; by default 2^31. What is given counts,
            and so do copies of it. Freed memory that the system's allocator keeps does not.
        output: where to write the file, too: a path, whose file is replaced if it is there, or a binary file
            object that is open for writing.

    Raises:
        TypeError: `image` is none of these, or an argument is no number where one is needed.
        PictureError: the picture is damaged, or holds what the call does not say what to do with.
        ValueError: the quality, a target, the runtime or the device is not as above, or given beside
            `lossless=True`.
        MissingModelError: there is no such model here.
        NotPortableError: a model in torch has no package, unless that is allowed.
        LimitError: the picture is above `max_pixels` or needs more than `max_bytes`.

    Warns:
        TargetWarning: the model does not reach a target, unless the file is lossless and not above it. The
            file is the nearest that there is, for a size the largest that is not above, if there is one.
    """
    targets = {"target_bpp": target_bpp, "target_size": target_size, "target_psnr": target_psnr}
    check_numbers(quality=quality, **targets, frame=frame, bit_depth=bit_depth, threads=threads)
    check_numbers(max_pixels=max_pixels, max_bytes=max_bytes)
    check_choice(lossless=lossless)
    refuse_url(image)
    target = only_target(quality, **targets)
    package: Package | OwnCoding | LosslessCoding = LOSSLESS
    if lossless:
        other_runtime = None if runtime == "native" else runtime
        given = {"allow_not_portable": allow_not_portable or None, "runtime": other_runtime, "device": device}
        refuse_beside(model=model, quality=quality, **targets, **given)
    else:
        package = _coder(DEFAULT_MODEL if model is None else model, allow_not_portable=allow_not_portable)
    choices = {"background": background, "to_8bit": to_8bit, "to_srgb": to_srgb, "frame": frame}
    limits = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    samples = to_samples(package, image, choices, bit_depth=bit_depth, **limits)
    private = private_metadata(samples.metadata, keep_exif=keep_exif, keep_metadata=keep_metadata)
    options: dict[str, Any] = {
        "metadata": {key: value for key, value in samples.metadata.items() if key not in private},
        "threads": threads,
        "max_pixels": max_pixels,
        "max_bytes": max_bytes,
    }
    if isinstance(package, LosslessCoding):
        data = package.compress(samples, **options)
    else:
        found = _by_model(package, samples, options, (quality, target), (runtime, device))
        if lossless is None and model is None and package.samples is None:
            found = unless_larger(found, samples, target, options)
        data = reached(found)
    if output is not None:
        give(data, output)
    return data


def _by_model(
    package: Package | OwnCoding,
    samples: Samples,
    options: dict[str, Any],
    rate: tuple[float | None, Target | None],
    where: tuple[Runtime, str | None],
) -> tuple[bytes, str | None]:
    """The file that a model makes of a quality or a target, by a runtime on a device; and what it reached in
    place of the target, in words, if it did not reach it.
    """
    quality, target = rate
    if quality is None and package.levels is not None:
        quality = DEFAULT_QUALITY
    if not isinstance(package, Package):
        _refuse(package, quality=quality, target=target)
    networks = _networks(package, *where, options["threads"])
    if not isinstance(package, Package):
        metadata, max_pixels = options["metadata"], options["max_pixels"]
        return package.compress(samples, metadata=metadata, max_pixels=max_pixels), None
    if target is not None:
        if networks is not None:
            return networks.compress_to_target(samples, target, **options)
        return package.compress_to_target(samples.data, *target, **samples.form | options)
    if networks is not None:
        return networks.compress(samples, quality, **options), None
    return package.compress(samples.data, quality, **samples.form, **options), None


def decompress(
    data: Container,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
    output: Output | None = None,
) -> NDArray[Any]:
    """Restores the pixels of an .lcrs file.

    Args:
        data: the file: its bytes, its path, or a binary file object that is open for reading.
        model: as in `compress`; by default the model that the file names. A file that is not portable needs
            the model in torch, a lossless one none, whatever is named.
        threads: how many to use. The pixels do not depend on it.
        runtime: `native` gives the same pixels on every machine. `torch` runs g_s in torch on `device`,
            from the same exact symbols: the pixels are equal up to rounding.
        device: of the runtime `torch`, such as `cuda`; by default `cpu`.
        max_pixels: of the picture; by default 2^28.
        max_bytes: that the call may hold at a time, as in `compress`; by default 2^31.
        output: where to write the picture, too: a path, whose file is replaced if it is there, or a binary
            file object that is open for writing. The ending of its name says the format; PNG without one.

    Returns:
        An array of the shape and type that `compress` was given: uint8 (H, W, 3) of an RGB picture, (H, W) of
        a grey one (what was given as (H, W, 1) comes back as that); uint16 above 8 bits.

    Raises:
        ValueError: the runtime or the device is not as above.
        MissingModelError: the model is not at hand, or another one goes by its name.
        NotPortableError: the file is not portable, and `model` is none in torch.
        DesyncError: it is not, and torch computes other sums here.
        LcrsError: the file is cut off, damaged, of a later version, or above a limit.
    """
    limits: dict[str, Any] = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    check_numbers(threads=threads, **limits)
    data = read_container(data, **limits)
    if output is not None:
        picture = decompress_picture(data, model, threads=threads, runtime=runtime, device=device, **limits)
        give_picture(picture, output)
        pixels: NDArray[Any] = picture.pixels.copy()
        return pixels

    def restore(package: Package | OwnCoding | LosslessCoding) -> NDArray[Any]:
        networks = _networks(package, runtime, device, threads)
        return (networks or package).decompress(data, threads=threads, **limits)

    return _with_model(data, model, restore, limits)


def decompress_picture(
    data: Container,
    model: _Model | None = None,
    *,
    threads: int | None = None,
    runtime: Runtime = "native",
    device: str | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> Picture:
    """Like `decompress`, with what travels with the picture; the native one does without NumPy.

    Raises:
        ValueError: the file holds an array; and as `decompress`.
    """
    limits: dict[str, Any] = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    check_numbers(threads=threads, **limits)
    data = read_container(data, **limits)
    fields = coding.info(data, **limits)
    _refuse_cloud(fields)
    if fields["color"] is None:
        msg = (
            f"the file holds {fields['channels']} channels of {fields['dtype']}, no picture: "
            "lcrs.decompress gives the array"
        )
        raise ValueError(msg)

    def restore(package: Package | OwnCoding | LosslessCoding) -> bytes:
        networks = _networks(package, runtime, device, threads)
        if networks is None and isinstance(package, Package | LosslessCoding):
            return package.decompress_bytes(data, threads=threads, **limits)[0]
        pixels = (networks or package).decompress(data, threads=threads, **limits)
        return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()

    samples = _with_model(data, model, restore, limits)
    size = fields["height"], fields["width"]
    return Picture(samples, size, fields["channels"], fields["bit_depth"], **coding.metadata(data, **limits))


def _is_torch_model(model: object) -> TypeIs[nn.Module]:
    """Whether `model` is a torch module; torch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _coder(model: _Model, *, allow_not_portable: bool) -> Package | OwnCoding:
    """What codes with `model`: its package, or, if that is allowed and there is none, the model itself."""
    if not _is_torch_model(model):
        return load_package(model)
    from lcrs.codec.torch_model import own_coding_of, package_of

    try:
        return package_of(model)
    except NotPortableError as error:
        if not allow_not_portable:
            msg = (
                f"{error}; allow_not_portable=True writes a file all the same, that decodes only with this "
                "model, where torch computes the same sums"
            )
            raise NotPortableError(msg) from error
    return own_coding_of(model)


def _refuse(coder: OwnCoding, **options: object) -> None:
    """Refuses what a model that codes by itself is not told."""
    for name, value in options.items():
        if value is not None:
            msg = f"{name} is for packages: model '{coder.name}' codes by itself in torch, as that is set"
            raise ValueError(msg)


def _networks(
    package: Package | OwnCoding | LosslessCoding, runtime: Runtime, device: str | None, threads: int | None
) -> TorchRuntime | None:
    """What runs g_a and g_s, unless that is the package itself, or there are none."""
    if not isinstance(package, Package | LosslessCoding):
        _refuse(package, runtime=None if runtime == "native" else runtime, device=device, threads=threads)
        return None
    if runtime not in ("native", "torch"):
        msg = f"runtime is {runtime!r}, must be 'native' or 'torch'"
        raise ValueError(msg)
    if runtime == "native" and device is not None:
        msg = f"device is {device!r}, but the native runtime has none: pass runtime='torch'"
        raise ValueError(msg)
    if runtime == "native" or isinstance(package, LosslessCoding):
        return None
    from lcrs.codec.torch_runtime import torch_runtime

    return torch_runtime(package, device or "cpu")


def _refuse_cloud(fields: dict[str, Any]) -> None:
    if "num_points" in fields:
        raise LcrsError("the file holds a point cloud, no picture: lcrs.points.decompress gives the points")


def _with_model(
    data: bytes | bytearray | memoryview,
    model: _Model | None,
    decompress: Callable[[Package | OwnCoding | LosslessCoding], _T],
    limits: dict[str, Any],
) -> _T:
    """What `decompress` makes of the first package that the file was made with."""
    error: MissingModelError | None = None
    fields = coding.info(data, **limits)
    _refuse_cloud(fields)
    if not fields["portable"] and not _is_torch_model(model):
        msg = (
            f"the file is not portable: model '{fields['model']}' coded it in torch, and only that decodes "
            "it: pass model=NET, the model in torch"
        )
        raise NotPortableError(msg)
    for package in _packages_for(fields, model):
        try:
            return decompress(package)
        except MissingModelError as other:
            error = error or other  # another model of that name; perhaps the next one fits
    raise error or missing(fields["model"])


def info(
    data: Container,
    model: _Model | None = None,
    *,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> dict[str, Any]:
    """What an .lcrs file says about itself. Every byte is checked against its checksum, but nothing is
    decoded.

    Args:
        data: the file: its bytes, its path, or a binary file object that is open for reading.
        model: as in `compress`; by default the model that the file names. It is not needed.
        max_pixels: of the picture; by default 2^28.
        max_bytes: that the call may hold at a time, as in `compress`; by default 2^31.

    Returns:
        At least `num_bytes, width, height, model, quality, lossless, format_version, entropy_digest,
        synthesis_digest, portable, numerics`; `shape` and `dtype` of the array that `decompress` gives, its
        `channels`, and, of pictures, `color` and `bit_depth`, else None. A file holds the first bytes of the
        digests; they are completed to all 64 hexadecimal digits if the model is at hand. A `lossless`
        picture has no model: `model` is "lossless", the quality None, the digests are zeros.

    Raises:
        LcrsError: the file is cut off, damaged, of a later version, or above a limit.
    """
    limits: dict[str, Any] = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    check_numbers(**limits)
    fields = coding.info(read_container(data, **limits), **limits)
    packages: Iterator[Any]
    if "num_points" not in fields:
        packages = _packages_for(fields, model)
    else:
        packages = load_cloud_packages(fields) if model is None else iter([load_cloud_package(model)])  # type: ignore[arg-type]
    with contextlib.suppress(LcrsError):  # a model that is missing or damaged is no fault of this file
        for package in packages:
            names = ("entropy_digest", "synthesis_digest")
            digests = {name: getattr(package, name) for name in names if hasattr(package, name)}
            if all(full.startswith(fields[key]) for key, full in digests.items()):
                return fields | digests
    return fields


def _packages_for(
    fields: dict[str, Any], model: _Model | None
) -> Iterator[Package | OwnCoding | LosslessCoding]:
    """What to try for a file of these fields: the model asked for, or all that may have written it."""
    if fields["lossless"]:
        return iter([LOSSLESS])
    if model is None:
        return load_packages(fields)
    if not _is_torch_model(model):
        return iter([load_package(model)])
    from lcrs.codec.torch_model import own_coding_of, package_of

    return iter([package_of(model) if fields["portable"] else own_coding_of(model)])
