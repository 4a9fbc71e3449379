"""Made the golden packages, files and pixels of format version 1. It must not be run again: see README.md.

Needs torch, for the models. What it wrote is kept for ever; new cases go into a new folder with a script of
its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from torch import nn

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "models")]

import tiny_networks
from functions_package import functions_package
from mixed_package import mixed_package
from reader import analyse, decode, read_package
from reader.container import MAGIC, crc32c

from lcrs import coding
from lcrs.models.packing import pack

MODELS_BY_FILE: dict[str, tuple[str, dict[str, Any]]] = {
    "factorized": ("bmshj2018-factorized", {"N": 6, "M": 8}),
    "hyperprior": ("bmshj2018-hyperprior", {"N": 6, "M": 8}),
    "mean": ("mbt2018-mean", {"N": 6, "M": 8}),
    "raster": ("mbt2018", {"N": 6, "M": 8}),
    "attention": ("cheng2020-attn", {"N": 4}),
    "checkerboard": ("cheng2020-anchor-checkerboard", {"N": 4}),
    "groups": ("elic2022-official", {"N": 4, "M": 8, "groups": [2, 2, 4]}),
}
VARIABLE_RATES = {"variable-mean": "mbt2018-mean-vbr", "variable-raster": "mbt2018-vbr"}
SIZES = [(37, 51), (64, 48), (1, 1), (40, 75), (70, 33), (33, 66), (51, 80), (17, 130)]
RATES = [(0.0, "lcrs"), (37.3, "ans"), (37.3, "lcrs"), (100.0, "lcrs")]
HEIGHT, WIDTH = 136, 168
SPECIAL_SIZES = {"functions-q100-lcrs": (HEIGHT, WIDTH), "mean-lcrs": (40, 75)}


def model_package(name: str, path: Path) -> coding.Package:
    """Packs a tiny model with random weights."""
    architecture, config = MODELS_BY_FILE[name]
    tiny_networks.TINY[architecture] = config
    net = tiny_networks.make(architecture, seed=len(name))
    if "groups" in config:
        narrow_contexts(net)
    net.update(scale_table=coding.scale_table(0.11, 12, 16).tolist(), force=True)
    coding.write_package(path, *pack(net, name, {"licence": "Apache-2.0"}))
    return coding.Package.from_file(path)


def narrow_contexts(net: nn.Module) -> None:
    """The published layers between the groups have 224 and 128 channels, 6 MB of weights."""
    for name, layers in net.latent_codec.y.channel_context.items():
        inputs, outputs = layers[0].in_channels, layers[-1].out_channels
        sizes = [inputs, 5, 4, outputs]
        convolutions = [nn.Conv2d(a, b, 5, padding=2) for a, b in itertools.pairwise(sizes)]
        parts = [part for conv in convolutions for part in (conv, nn.ReLU())]
        net.latent_codec.y.channel_context[name] = nn.Sequential(*parts[:-1])


def variable_rate_package(name: str, path: Path) -> coding.Package:
    """Gains, offsets and, of the second one, a step of z."""
    architecture = VARIABLE_RATES[name]
    tiny_networks.TINY[architecture] = {"N": 6, "M": 8}
    net = tiny_networks.make(architecture, vr_entbttlnck=name == "variable-mean")
    tiny_networks.show_offsets(net)
    net.update(scale_table=coding.scale_table(0.11, 12, 16).tolist(), force=True)
    coding.write_package(path, *pack(net, name, {"licence": "Apache-2.0"}))
    return coding.Package.from_file(path)


def make_source(photo: np.ndarray) -> np.ndarray:
    """A part of a photo with a corner of noise, for escapes."""
    source = photo[200 : 200 + HEIGHT, 300 : 300 + WIDTH].copy()
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    source[-48:, -64:] = noise
    return source


def write_file(
    package: coding.Package, name: str, source: np.ndarray, place, rate, metadata
) -> dict[str, Any]:
    """Writes one file and its pixels, checks them with the slow reader, and says what they are."""
    (top, left), (height, width), (quality, kind) = *place, rate
    rgb = np.ascontiguousarray(source[top : top + height, left : left + width])
    data = package.compress(rgb, quality, kind=kind, **metadata)
    entry = describe(package, name, data)
    slow = read_package((HERE / f"{package.name}.lcrm").read_bytes())
    assert decode(data, slow).symbols == analyse(rgb, slow, quality), name
    return entry | {"source": [top, left], "quality": quality, "kind": kind}


def describe(package: coding.Package, name: str, data: bytes) -> dict[str, Any]:
    """Writes a file and its pixels."""
    restored = package.decompress(data)
    decoded = decode(data, read_package((HERE / f"{package.name}.lcrm").read_bytes()))
    assert np.array_equal(decoded.pixels, restored), name
    (HERE / f"{name}.lcrs").write_bytes(data)
    Image.fromarray(restored).save(HERE / f"{name}.png", optimize=True)
    print(name, restored.shape, len(data))
    return {
        "name": name,
        "package": package.name,
        "size": list(restored.shape[:2]),
        "sha256": sha256(data),
        "pixels_sha256": sha256(restored.tobytes()),
        "symbols_sha256": [sha256(np.array(symbols, "<i4").tobytes()) for symbols in decoded.symbols],
        "metadata_sha256": {key: sha256(value) for key, value in decoded.metadata.items()},
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def with_everything(data: bytes) -> bytes:
    """The file of a 40 x 75 picture with every field, and a field and a section that are unknown."""
    assert data[:5] == MAGIC + bytes([1])
    assert data[5] < 0x80
    body, payloads = data[6 : 6 + data[5]], data[10 + data[5] :]
    at = 18 + body[17]  # after the model's name; sizes below 128 have one byte each
    assert (body[at], body[at + 1], body[at + 2]) == (75, 40, 2)
    entries, fields = body[at + 3 :], b""
    extra = b"later"
    entries += bytes([0x90, 7, 3, len(extra)]) + crc32c(extra).to_bytes(4, "little")
    for tag, value in {
        2: bytes([7, 5]),
        3: bytes([8, 0]),
        4: bytes([1, 1]),
        5: bytes([0x80, 0x01, 64]),
        0x9A: b"unknown",
    }.items():
        fields += bytes([tag, len(value)]) + value
    body = body[:at] + bytes([60, 30, 3]) + entries + fields
    header = MAGIC + bytes([1]) + len(body).to_bytes(1, "little") + body
    return header + crc32c(header).to_bytes(4, "little") + payloads + extra


def make_package(name: str) -> coding.Package:
    by_hand = {"functions": functions_package, "mixed": mixed_package}
    path = HERE / f"{name}.lcrm"
    if name in by_hand:
        return by_hand[name](path)
    return (variable_rate_package if name in VARIABLE_RATES else model_package)(name, path)


def main() -> None:
    with Image.open(HERE.parent / "data" / "photo.png") as image:
        source = make_source(np.asarray(image.convert("RGB")))
    Image.fromarray(source).save(HERE / "source.png", optimize=True)
    expected: dict[str, Any] = {"packages": [], "files": []}
    exif = Image.Exif()
    exif[0x010F] = "lcrs"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    number = 0
    for name in [*MODELS_BY_FILE, *VARIABLE_RATES, "functions", "mixed"]:
        package = make_package(name)
        data = (HERE / f"{name}.lcrm").read_bytes()
        digests = read_package(data).digests
        expected["packages"].append({"name": name, "sha256": sha256(data), "digests": digests})
        rates = RATES if package.levels else [(None, "lcrs"), (None, "ans")]
        for quality, kind in rates:
            label = f"{name}-{kind}" if quality is None else f"{name}-q{quality:g}-{kind}"
            size = SPECIAL_SIZES.get(label, SIZES[number % len(SIZES)])
            free = HEIGHT - size[0], WIDTH - size[1]
            place = tuple(29 * number * (axis + 1) % (room + 1) for axis, room in enumerate(free))
            metadata = (
                {"icc": icc, "exif": exif.tobytes().removeprefix(b"Exif\0\0")} if label == "mean-ans" else {}
            )
            entry = write_file(package, label, source, (place, size), (quality, kind), metadata)
            expected["files"].append(entry)
            if label == "mean-lcrs":
                everything = with_everything((HERE / f"{label}.lcrs").read_bytes())
                expected["files"].append(describe(package, "every-field", everything))
            number += 1
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    if (HERE / "expected.json").exists():
        sys.exit("the golden files exist and are kept for ever; see README.md")
    main()
