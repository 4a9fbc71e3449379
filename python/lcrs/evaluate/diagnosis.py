"""What is wrong with a file, if anything, and what helps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs import codec, points
from lcrs.errors import (
    CorruptError,
    DesyncError,
    LcrsError,
    LimitError,
    MissingModelError,
    NotPortableError,
    TruncatedError,
    UnsupportedVersionError,
)
from lcrs.packages import load_any_package

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Diagnosis", "diagnose"]

_MAGIC = b"\x8cLCS"
_PICKLE = ("a pickle, as an old torch.save writes", "lcrs zoo import makes a package of a checkpoint")
_KNOWN = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "lcrs encode compresses it"),
    (b"\xff\xd8\xff", "a JPEG picture", "lcrs encode compresses it"),
    (b"GIF8", "a GIF picture", "lcrs encode compresses it"),
    (b"\xff\x0a", "a JPEG XL picture", "lcrs convert makes an .lcrs file of it"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", "lcrs convert makes an .lcrs file of it"),
    (b"BPG\xfb", "a BPG picture", "bpgdec decodes it"),
    (b"BM", "a BMP picture", "lcrs encode compresses it"),
    (b"II*\x00", "a TIFF picture", "lcrs encode compresses it"),
    (b"MM\x00*", "a TIFF picture", "lcrs encode compresses it"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", "lcrs encode compresses it"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 stream", "lcrs encode compresses it"),
    (b"P5", "a PGM picture", "lcrs encode compresses it"),
    (b"P6", "a PPM picture", "lcrs encode compresses it"),
    (b"%PDF", "a PDF document", "save its pages as pictures first"),
    (b"\x7fELF", "a program", "it is none of ours to read"),
    (b"\x93NUMPY", "an array of NumPy", "lcrs.coding has codecs of arrays in Python"),
    (b"jExDU", "base64 text of an .lcrs file", "base64 -d makes the file of it"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data", "unzstd it first"),
    (b"PK\x03\x04", "a zip archive, as torch.save writes", "lcrs zoo import makes a package of a checkpoint"),
    *((bytes([0x80, version]), *_PICKLE) for version in range(2, 6)),
    (b"\x1f\x8b", "gzip data", "gunzip it first"),
    (b"<", "an HTML or XML page", "a download that failed often leaves one: fetch the file again"),
    (b"{", "a JSON file", "lcrs bd and lcrs plot read results"),
)
"""First bytes of files that are taken for ours, what they are, and what helps."""
_NEAR = 3
"""Of the four bytes of the magic number: so many right ones are no accident."""


@dataclass
class Diagnosis:
    """What there is to say of a file."""

    verdict: str
    """One of `healthy, truncated, damaged, newer-format, old-format, foreign, missing-model, wrong-model,
    not-portable, desync, weak-model, too-large, package`.
    """
    words: str
    """The same for people."""
    advice: str
    """What to do."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the file says of itself, and what was measured."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with the file."""
        return self.verdict in ("healthy", "package", "weak-model")


def diagnose(
    path: str | Path,
    *,
    model: Any = None,
    original: NDArray[np.uint8] | None = None,
    max_pixels: int | None = None,
    max_bytes: int | None = None,
) -> Diagnosis:
    """Looks at a file from its first byte to its pixels.

    Args:
        path: The file.
        model: As `lcrs.decompress` takes it; by default the one that the file names.
        original: The picture that was compressed, (H, W, 3): tells a model that is weak from a stream that
            went wrong.
        max_pixels: As there.
        max_bytes: As there.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return Diagnosis("truncated", "the file is empty", "fetch or copy it again")
    if len(head) < len(_MAGIC) and _MAGIC.startswith(head):
        return Diagnosis("truncated", f"all there is of the file is {head.hex(' ')}", "fetch it again")
    if head[:4] != _MAGIC:
        return _of_another_kind(path, head)
    data = path.read_bytes()
    limits: dict[str, Any] = {"max_pixels": max_pixels, "max_bytes": max_bytes}
    try:
        facts = codec.info(data, **limits)
    except LcrsError as error:
        if isinstance(error, UnsupportedVersionError) and head[4:5] == b"\x00":
            words = f"{error}: no release of lcrs has written that"
            return Diagnosis(
                "old-format", words, "decode it with the sources that wrote it, or fetch it again"
            )
        return _in_text_mode(data, limits) or _unreadable(error)
    return _decoded(data, facts, model, original, limits)


def _in_text_mode(data: bytes, limits: dict[str, Any]) -> Diagnosis | None:
    """Whether a transfer in text mode put a carriage return before every newline."""
    if b"\n" not in data or data.count(b"\n") != data.count(b"\r\n"):
        return None
    try:
        codec.info(data.replace(b"\r\n", b"\n"), **limits)
    except LcrsError:
        return None
    words = "every byte 0a has become 0d 0a, as by a transfer in text mode"
    return Diagnosis("damaged", words, "fetch it again, in binary mode")


def _of_another_kind(path: Path, head: bytes) -> Diagnosis:
    right = sum(ours == theirs for ours, theirs in zip(_MAGIC, head, strict=False))
    if path.suffix == ".lcrm" or b'"__metadata__"' in head:
        try:
            package = load_any_package(path)
        except LcrsError as error:
            return Diagnosis("damaged", f"a model package that does not load: {error}", "fetch it again")
        facts = {"name": package.name, "entropy_digest": package.entropy_digest}
        return Diagnosis("package", "a model package, and whole", "lcrs encode --model takes it", facts)
    for magic, what, advice in _KNOWN:
        if head.startswith(magic):
            return Diagnosis("foreign", f"no .lcrs file, but {what}", advice)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Diagnosis("foreign", "no .lcrs file, but a WebP picture", "lcrs encode compresses it")
    if head[4:8] == b"ftyp":
        return Diagnosis("foreign", "no .lcrs file, but AVIF, HEIF or MP4", "lcrs encode compresses pictures")
    if not any(head):
        words = f"the first {len(head)} bytes are zero: a copy that was broken off leaves such holes"
        return Diagnosis("damaged", words, "fetch it again")
    if right >= _NEAR or b"LCS" in head[:8]:
        return Diagnosis(
            "damaged",
            f"begins almost as an .lcrs file does: {head[:4].hex(' ')}, not {_MAGIC.hex(' ')}",
            "it was changed on its way, as by a transfer in text mode: fetch it again, in binary mode",
        )
    words = "no .lcrs file: the first bytes are of nothing that is known here"
    advice = (
        "a file of CompressAI's codec.py has no mark of its own: decode it with that; "
        "or it is damaged from its first byte on"
    )
    return Diagnosis("foreign", words, advice, {"first_bytes": head[:16].hex(" ")})


def _unreadable(error: LcrsError) -> Diagnosis:
    if isinstance(error, TruncatedError):
        return Diagnosis("truncated", str(error), "fetch the rest, or the whole file again")
    if isinstance(error, UnsupportedVersionError):
        return Diagnosis(
            "newer-format",
            f"{error}: it was written by a later lcrs",
            "a newer lcrs reads it; files of older versions are always read",
        )
    if isinstance(error, LimitError):
        options = {"(max_pixels)": "--max-pixels", "(max_bytes)": "--max-bytes"}
        option = next((option for name, option in options.items() if name in str(error)), None)
        advice = f"if you trust it, raise {option}" if option else "lcrs writes no such file: fetch it again"
        return Diagnosis("too-large", str(error), advice)
    if "goes on after" in str(error):
        return Diagnosis("damaged", str(error), "take off what was put behind it, or fetch it again")
    return Diagnosis("damaged", str(error), "bytes were changed after it was written: fetch it again")


def _decoded(
    data: bytes,
    facts: dict[str, Any],
    model: Any,
    original: NDArray[np.uint8] | None,
    limits: dict[str, Any],
) -> Diagnosis:
    """Of a file whose every byte is as it was written: what is left is the model, and the decoding."""
    name = facts["model"]
    is_cloud = "num_points" in facts
    if is_cloud and original is not None:
        raise ValueError("original is a picture, the file holds a point cloud")
    try:
        if is_cloud:
            points.decompress(data, model, max_bytes=limits["max_bytes"])
        else:
            pixels = codec.decompress(data, model, **limits)
    except MissingModelError as error:
        if name in codec.package_names() or model is not None:
            return Diagnosis(
                "wrong-model",
                f"the file is whole, but another model than the one that wrote it is at hand: {error}",
                f"find the package '{name}' of digest {facts['entropy_digest']}: the name alone says little",
                facts,
            )
        return Diagnosis(
            "missing-model",
            f"the file is whole, but its model is not here: {error}",
            "put the package into a folder that LCRS_MODEL_PATH names, or --model FILE",
            facts,
        )
    except NotPortableError as error:
        return Diagnosis(
            "not-portable",
            f"the file is whole, but its model coded it in torch: {error}",
            "decode it with that model in torch, on the machine that wrote it",
            facts,
        )
    except DesyncError as error:
        where = (
            "torch computes other sums here than where it was written"
            if not facts["portable"]
            else "this must not happen: every byte and the model are those it was written with"
        )
        advice = (
            "decode it on the machine, device and torch that wrote it"
            if not facts["portable"]
            else "please report it, with the file: lcrs promises that this does not happen"
        )
        return Diagnosis("desync", f"the stream desynchronised: {error}: {where}", advice, facts)
    except LimitError as error:
        return _unreadable(error)
    except CorruptError as error:
        return Diagnosis("damaged", str(error), "fetch it again; if it stays so, report it", facts)
    whole = "every byte, the model and every symbol are as they were written"
    if not is_cloud and facts["lossless"]:
        whole = "every byte and every pixel are as they were written, lossless"
    if is_cloud:
        return Diagnosis("healthy", whole, "nothing to do", facts)
    if original is None and facts["lossless"]:
        return Diagnosis("healthy", whole, "nothing to do: the pixels are those that were compressed", facts)
    if original is None:
        advice = (
            "nothing to do. If the picture looks bad, its model or its quality is the reason, not the file: "
            "--original PICTURE measures it"
        )
        return Diagnosis("healthy", whole, advice, facts)
    return _against_original(data, facts, pixels, original, whole, model)


def _against_original(
    data: bytes,
    facts: dict[str, Any],
    pixels: NDArray[np.uint8],
    original: NDArray[np.uint8],
    whole: str,
    model: Any,
) -> Diagnosis:
    """Whether what comes back is what the model makes of the original."""
    from lcrs.metrics import measure

    if pixels.ndim == 2:
        original = original[..., 0]
    if pixels.shape != original.shape or pixels.dtype != original.dtype:
        return Diagnosis(
            "healthy",
            f"{whole}; but the original has another size or depth: {original.shape}, not {pixels.shape}",
            "compare it with the picture that it was made of",
            facts,
        )
    values, _ = measure(original, pixels)
    measured = {key: None if math.isinf(value) else value for key, value in values.items()}
    facts = facts | {"measured": measured}
    if facts["lossless"] and bool((original == pixels).all()):
        return Diagnosis("healthy", f"{whole}: those of the original", "nothing to do", facts)
    words = f"{whole}; PSNR {values['psnr-rgb']:.2f} dB"
    if facts["lossless"]:
        return Diagnosis(
            "healthy",
            f"{words}, so this is not what it was made of",
            "compare it with the picture that it was made of, taken with the same options: the file is well",
            facts,
        )
    again = None
    if facts["portable"]:
        again = codec.compress(original, quality=facts["quality"], model=model or facts["model"])
        facts["is_what_the_model_makes"] = bool((codec.decompress(again, model) == pixels).all())
    if facts.get("is_what_the_model_makes") is False:
        return Diagnosis(
            "healthy",
            f"{words}; but the model makes other pixels of this original",
            "it was made of another picture, by another runtime, or with other options: the file is well",
            facts,
        )
    if values["psnr-rgb"] < _WEAK_DB:
        return Diagnosis(
            "weak-model",
            f"{words}: that is poor, and just what the model makes of this picture",
            "no desynchronisation: take a higher quality, or a model for such pictures",
            facts,
        )
    return Diagnosis("healthy", words, "nothing to do", facts)


_WEAK_DB = 25.0
"""A PSNR below this is seen by everyone."""
