"""What is compressed, a picture or an array, as packages take it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from lcrs.pictures import Picture, to_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Samples", "private_metadata", "to_samples"]


@dataclass(frozen=True)
class Samples:
    """Samples, and what says how they are meant."""

    data: Any
    """The bytes of a picture, or an array."""
    form: dict[str, Any] = field(default_factory=dict)
    """`shape`, `dtype` and `bit_depth` of bytes, as `lcrs.coding.Package.compress` takes them."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What travels with a picture."""

    @property
    def num_pixels(self) -> int:
        """Of a picture."""
        height, width = self.form["shape"][:2]
        return int(height * width)

    def array(self) -> NDArray[Any]:
        """The samples as an array (H, W, C) or (H, W), not to be written to."""
        import numpy as np

        array: NDArray[Any] = np.asarray(self.data)
        if self.form:
            dtype = np.dtype(self.form["dtype"]).newbyteorder("<")
            array = np.frombuffer(self.data, dtype).reshape(self.form["shape"])
        return array


class Coding(Protocol):
    """What compresses: a package, or a network that codes by itself."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def samples(self) -> tuple[str, int] | None:
        """Type and channels of the arrays that it codes; None for pictures."""


def to_samples(
    package: Coding,
    image: Any,
    choices: dict[str, Any],
    *,
    bit_depth: int | None,
    max_pixels: int | None,
    max_bytes: int | None,
) -> Samples:
    """What `package` compresses of `image`; `choices` are those of `lcrs.pictures.to_picture`.

    Raises:
        ValueError: an argument does not go with the model or the picture.
    """
    if package.samples is not None:
        for name, value in (choices | {"bit_depth": bit_depth}).items():
            if value is not None and value is not False:
                msg = f"{name} is for pictures, model '{package.name}' codes arrays"
                raise ValueError(msg)
        _refuse_no_array(package, image)
        return Samples(_contiguous(image))

    picture = to_picture(image, **choices, max_pixels=max_pixels, max_bytes=max_bytes)
    if bit_depth is not None:
        picture = _in_bits(picture, bit_depth, image, to_8bit=choices["to_8bit"])
    has_axis = picture.channels > 1 or getattr(image, "ndim", 2) == 3
    form = {
        "shape": (*picture.size, picture.channels) if has_axis else picture.size,
        "dtype": "uint8" if picture.bit_depth <= 8 else "uint16",
        "bit_depth": picture.bit_depth,
    }
    return Samples(picture.samples, form, picture.metadata())


def private_metadata(metadata: Container[str], *, keep_exif: bool, keep_metadata: bool) -> list[str]:
    """What `lcrs.codec.compress` leaves out unless told to keep it: it may tell of places and people."""
    private = () if keep_metadata else ("xmp", "iptc") if keep_exif else ("exif", "xmp", "iptc")
    return [name for name in private if name in metadata]


def _in_bits(picture: Picture, bit_depth: int, image: Any, *, to_8bit: bool) -> Picture:
    """The same components, as numbers of fewer bits than their type has."""
    if not hasattr(image, "__array_interface__") or hasattr(image, "getbands"):
        msg = f"bit_depth is {bit_depth}, but image is no array: files and Pillow images say it themselves"
        raise ValueError(msg)
    if to_8bit:
        msg = f"bit_depth is {bit_depth}, which does not go together with to_8bit"
        raise ValueError(msg)
    least, most = (1, 8) if picture.bit_depth <= 8 else (9, 16)
    if not least <= bit_depth <= most:
        msg = f"bit_depth is {bit_depth} ({least} to {most} for {'uint8' if most == 8 else 'uint16'})"
        raise ValueError(msg)
    return replace(picture, bit_depth=bit_depth)


def _refuse_no_array(package: Coding, image: Any) -> None:
    """Raises `TypeError` for what a model of pictures would take, and one of arrays does not."""
    is_array = any(hasattr(image, name) for name in ("__array_interface__", "__dlpack__"))
    if is_array or package.samples is None:
        return
    given = type(image).__qualname__
    dtype, channels = package.samples
    shape = f"(H, W, {channels})" if channels > 1 else "(H, W) or (H, W, 1)"
    msg = f"image is a {given}, but model '{package.name}' codes arrays: {dtype}, {shape}, is needed"
    raise TypeError(msg)


def _contiguous(image: Any) -> Any:
    """An array, or what is one, row after row; tensors stay as they are."""
    if not hasattr(image, "__array_interface__"):
        return image
    import numpy as np

    return np.ascontiguousarray(image)
