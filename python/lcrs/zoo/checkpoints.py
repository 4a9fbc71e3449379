"""The published checkpoints: sizes of their networks, where their files lie, what these hash to.

The checkpoints are CompressAI's (https://github.com/InterDigitalInc/CompressAI), trained on Vimeo-90K, and
come under its licence. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "ARCHITECTURES",
    "BASE_URL",
    "POINTCLOUD_ARCHITECTURES",
    "VIDEO_ARCHITECTURES",
    "Architecture",
    "Weights",
]

BASE_URL = "https://compressai.s3.amazonaws.com/models/v1/"

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Weights:
    """Files of one architecture, trained for one metric.

    Attributes:
        stem: How their names begin.
        hashes: First 8 digits of each file's SHA-256, by quality from 1 up; a variable-rate model has one.
    """

    stem: str
    hashes: tuple[str, ...]

    def file_name(self, quality: int, is_variable_rate: bool) -> str:
        """Name of the file of a quality; a variable-rate model's serves all."""
        if is_variable_rate:
            return f"{self.stem}-{self.hashes[0]}.pth.tar"
        return f"{self.stem}-{quality}-{self.hashes[quality - 1]}.pth.tar"


@dataclass(frozen=True)
class Architecture:
    """A function of the zoo.

    Attributes:
        name: Registered name of the model.
        sizes: Constructor arguments, by quality from 1 up.
        weights: Published files, by metric.
        is_variable_rate: Whether one model serves all qualities.
    """

    name: str
    sizes: tuple[Sizes, ...]
    weights: Mapping[str, Weights] = field(default_factory=dict)
    is_variable_rate: bool = False

    @property
    def num_qualities(self) -> int:
        """Qualities are 1 to this."""
        return len(self.sizes)

    def file_name(self, quality: int, metric: str) -> str:
        """Name of the published file.

        Raises:
            ValueError: there is none.
        """
        if metric not in self.weights:
            known = ", ".join(sorted(self.weights)) or "none"
            raise ValueError(
                f"{self.name} has no published weights for metric {metric!r} (there are: {known})"
            )
        return self.weights[metric].file_name(quality, self.is_variable_rate)


def _google(small: Sizes, num_small: int, large: Sizes, num_large: int) -> tuple[Sizes, ...]:
    return (small,) * num_small + (large,) * num_large


_SMALL: Sizes = {"N": 128, "M": 192}
_LARGE: Sizes = {"N": 192, "M": 320}


def _weights(mse: tuple[str, str], ms_ssim: tuple[str, str]) -> dict[str, Weights]:
    return {
        metric: Weights(stem, tuple(hashes.split()))
        for metric, (stem, hashes) in (("mse", mse), ("ms-ssim", ms_ssim))
    }


def _vbr(name: str, stem: str, digest: str) -> Architecture:
    return Architecture(name, (_LARGE,), {"mse": Weights(stem, (digest,))}, is_variable_rate=True)


_ALL = (
    Architecture(
        "bmshj2018-factorized",
        _google(_SMALL, 5, _LARGE, 3),
        _weights(
            (
                "bmshj2018-factorized-prior",
                "446d5c7f 87279a02 5c6f152b 1ed4405a 866ba797 9b02ea3a 6dfd6734 5232faa3",
            ),
            (
                "bmshj2018-factorized-ms-ssim",
                "9781d705 4a584386 5352f123 4f91b847 b3a88897 ee028763 8c265a29 8811bd14",
            ),
        ),
    ),
    Architecture("bmshj2018-factorized-relu", _google(_SMALL, 5, _LARGE, 3)),
    Architecture(
        "bmshj2018-hyperprior",
        _google(_SMALL, 5, _LARGE, 3),
        _weights(
            (
                "bmshj2018-hyperprior",
                "7eb97409 93677231 6d87be32 de1b779c f8b614e1 1ab9c41e 3804dcbd a583f0cf",
            ),
            (
                "bmshj2018-hyperprior-ms-ssim",
                "5cf249be 1ff60d1f 92dd7878 4377354e c34afc8d 3a6d8229 8747d3bc cc15b5f3",
            ),
        ),
    ),
    Architecture(
        "mbt2018-mean",
        _google(_SMALL, 4, _LARGE, 4),
        _weights(
            ("mbt2018-mean", "e522738d e54a039d 723404a8 6dba02a3 d504e8eb a19628ab d5d441d1 8089ae3e"),
            (
                "mbt2018-mean-ms-ssim",
                "5bf9c0b6 e2a1bf3f 640ce819 12626c13 1be7f059 b83bf379 ddf9644c 0cc7b94f",
            ),
        ),
    ),
    Architecture(
        "mbt2018",
        _google({"N": 192, "M": 192}, 4, _LARGE, 4),
        _weights(
            ("mbt2018", "3f36cd77 43b70cdd 22901978 456e2af9 b4a046dd 7052e5ea 8ba2bf82 dd0097aa"),
            ("mbt2018-ms-ssim", "2878436b c41cb208 d0dd64e8 a120e037 9b30e3b7 f8b3626f 16e6ff50 0cb49d43"),
        ),
    ),
    Architecture(
        "cheng2020-anchor",
        _google({"N": 128}, 3, {"N": 192}, 3),
        _weights(
            ("cheng2020-anchor", "dad2ebff a29008eb e49be189 98b0b468 23852949 4c052b1a"),
            ("cheng2020_anchor-ms-ssim", "20f521db c7ff5812 c23e22d5 0e658304 c0a95e77 f2dc1913"),
        ),
    ),
    Architecture(
        "cheng2020-attn",
        _google({"N": 128}, 3, {"N": 192}, 3),
        _weights(
            ("cheng2020_attn-mse", "465f2b64 e0805385 2d07bbdf f7b0ccf2 26c8920e 730501f2"),
            ("cheng2020_attn-ms-ssim", "c5381d91 5dad201d 5c9be841 8b2f647e 5ca1f34c 216423ec"),
        ),
    ),
    _vbr("bmshj2018-hyperprior-vbr", "bmshj2018-hyperprior-mse-vbr", "cddd26be"),
    _vbr("mbt2018-mean-vbr", "mbt2018-mean-mse-vbr", "45d095e9"),
    _vbr("mbt2018-vbr", "mbt2018-mse-vbr", "f12581a1"),
    # Not in CompressAI's zoo: one size each, as in the papers, and no weights.
    Architecture("cheng2020-anchor-checkerboard", ({"N": 192},)),
    Architecture("elic2022-official", (_LARGE,)),
    Architecture("elic2022-chandelier", (_LARGE,)),
)

ARCHITECTURES: Mapping[str, Architecture] = {entry.name: entry for entry in _ALL}
"""By registered name, in the order of CompressAI's `zoo.models`."""

_SSF_HASHES = "c1ac1a47 79ed4e19 9c8b998d 577c1eda 1dd7d574 59dfb6f9 4d867411 26439e20 e89345c4"
_VIDEO = (Architecture("ssf2020", ({},) * 9, {"mse": Weights("ssf2020-mse", tuple(_SSF_HASHES.split()))}),)

VIDEO_ARCHITECTURES: Mapping[str, Architecture] = {entry.name: entry for entry in _VIDEO}
"""Models of video, by registered name."""

_POINTCLOUD = tuple(
    Architecture(name, sizes=({},))
    for name in ("hrtzxf2022-pcc-rec", "sfu2023-pcc-rec-pointnet", "sfu2024-pcc-rec-pointnet2-ssg")
)

POINTCLOUD_ARCHITECTURES: Mapping[str, Architecture] = {entry.name: entry for entry in _POINTCLOUD}
"""Models of point clouds, by registered name; nobody has published weights of them."""
