"""The model that comes with the package, on a real photo."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import codec

pytestmark = pytest.mark.skipif(
    codec.DEFAULT_MODEL not in codec.package_names(), reason="this checkout has no trained model"
)


@pytest.fixture(scope="module")
def picture(data_dir: Path) -> np.ndarray:
    with Image.open(data_dir / "photo.png") as image:
        return np.asarray(image.convert("RGB").crop((64, 64, 448, 320)))


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
    return buffer.getvalue()


def test_size_and_fidelity_rise_with_quality(picture: np.ndarray) -> None:
    picture = np.ascontiguousarray(picture[:128, :192])
    streams = [lcrs.compress(picture, quality=quality) for quality in (0, 17.5, 35, 50, 77, 100)]
    sizes = [len(data) for data in streams]
    fidelities = [psnr_db(lcrs.decompress(data), picture) for data in streams]
    assert sizes == sorted(set(sizes))
    assert fidelities == sorted(set(fidelities))


@pytest.fixture(scope="module")
def rivals(picture: np.ndarray) -> list[bytes]:
    """The picture as JPEG, of every quality."""
    return [jpeg(picture, quality) for quality in range(1, 96)]


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_it_beats_jpeg_of_the_same_size(picture: np.ndarray, rivals: list[bytes], quality: float) -> None:
    data = lcrs.compress(picture, quality=quality)
    rival = max((other for other in rivals if len(other) <= len(data)), key=len, default=rivals[0])
    rival_pixels = np.asarray(Image.open(io.BytesIO(rival)))
    assert psnr_db(lcrs.decompress(data), picture) > psnr_db(rival_pixels, picture) + 1


@pytest.mark.parametrize("shape", [(1, 1), (17, 300), (65, 63)])
def test_every_size_goes_through(picture: np.ndarray, shape: tuple[int, int]) -> None:
    part = np.ascontiguousarray(picture[: shape[0], : shape[1]])
    restored = lcrs.decompress(lcrs.compress(part, quality=100, lossless=False))
    assert restored.shape == part.shape
    assert psnr_db(restored, part) > 30
