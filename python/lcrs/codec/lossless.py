"""Pictures to the bit: what codes them in place of a model, and where it does unasked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from lcrs import coding
from lcrs.codec.samples import Samples
from lcrs.codec.targets import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOSSLESS", "LosslessCoding", "refuse_beside", "unless_larger"]


class LosslessCoding:
    """What codes pictures to the bit, with the members of `lcrs.coding.Package` that count."""

    name = coding.LOSSLESS_NAME
    samples: tuple[str, int] | None = None
    """Pictures, no arrays."""

    def compress(self, samples: Samples, **options: Any) -> bytes:
        """The file of a picture; `options` are those of `lcrs.coding.compress_lossless`."""
        data = coding.compress_lossless(samples.data, **samples.form, **options)
        assert data is not None  # there is no `max_size`
        return data

    def decompress(self, data: bytes | bytearray | memoryview, **options: Any) -> NDArray[Any]:
        """As `lcrs.coding.decompress_lossless`."""
        return coding.decompress_lossless(data, **options)

    def decompress_bytes(
        self, data: bytes | bytearray | memoryview, **options: Any
    ) -> tuple[bytes, tuple[int, ...], str, int | None]:
        """As `lcrs.coding.decompress_lossless_bytes`."""
        return coding.decompress_lossless_bytes(data, **options)


LOSSLESS = LosslessCoding()


def refuse_beside(**given: Any) -> None:
    """Refuses what only a model has in a call that asks for a lossless file.

    Raises:
        ValueError: with the argument's name and its value.
    """
    for name, value in given.items():
        if value is not None:
            is_object = not isinstance(value, str | os.PathLike | int | float)
            said = getattr(value, "name", type(value).__qualname__) if is_object else value
            msg = f"{name} is {said!r}, but lossless=True takes none: leave one of them out"
            raise ValueError(msg)


def unless_larger(
    found: tuple[bytes, str | None], samples: Samples, target: Target | None, options: dict[str, Any]
) -> tuple[bytes, str | None]:
    """The lossless file, if it is as small as one that a model made.

    Where nothing that the model makes is as large as a target of bytes or bits, it may be as large as that.

    Args:
        found: The model's file, and what it reached in place of the target, in words; None if it did.
        samples: The picture.
        target: What was asked for, if not a quality.
        options: As `lcrs.coding.compress_lossless` takes them.

    Returns:
        One of the files, with what is to be said of the target.
    """
    data, shortfall = found
    asked = None if shortfall is None else _bytes_asked(target, samples)
    most = len(data) if asked is None else max(len(data), asked)
    lossless = coding.compress_lossless(samples.data, max_size=most, **samples.form, **options)
    if lossless is None:
        return found
    if target is None or asked is None or len(lossless) <= asked:
        return lossless, None  # equal samples are any PSNR
    unit = "bytes" if target[0] == "size" else "bits a pixel"
    size = len(lossless) if target[0] == "size" else f"{8 * len(lossless) / samples.num_pixels:.4f}"
    told = f"asked for {target[1]} {unit}: the file has {size}, lossless, and the model gives no fewer"
    return lossless, told


def _bytes_asked(target: Target | None, samples: Samples) -> int | None:
    """The bytes that a target allows; None if it is one of distortion."""
    if target is None or target[0] == "psnr":
        return None
    size = target[1] if target[0] == "size" else target[1] * samples.num_pixels / 8
    return int(min(size, sys.maxsize))
