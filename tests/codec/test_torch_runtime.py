"""g_a and g_s in torch from the same package: symbols stay exact, pixels are equal up to rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lcrs
from lcrs import codec, coding
from lcrs.cli import main

torch = pytest.importorskip("torch")

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.lcrm"))


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal but for a few components that were rounded the other way."""
    difference = np.abs(a.astype(int) - b)
    return bool(difference.max() <= 1 and np.mean(difference > 0) < 0.01)


def test_files_of_torch_decode_everywhere(photo: np.ndarray, model_path: Path) -> None:
    data = lcrs.compress(photo, quality=40, model="tiny", runtime="torch")
    native = lcrs.compress(photo, quality=40, model="tiny")
    assert abs(len(data) - len(native)) < 0.001 * len(native) + 8
    np.testing.assert_allclose(
        lcrs.decompress(data).astype(float), lcrs.decompress(native).astype(float), atol=30
    )
    assert near(lcrs.decompress(data, runtime="torch"), lcrs.decompress(data))


def test_the_decoded_latent_is_the_exact_one(photo: np.ndarray, model_path: Path) -> None:
    package = codec.load_package("tiny")
    data = lcrs.compress(photo[:41, :70], quality=61.5, model="tiny")
    latent = package.decompress_latent(data)
    assert latent["shape"] == (41, 70, 3)
    assert latent["crop"] == (0, 0)
    assert latent["level"] == package.level(61.5) == np.float32(61.5 / 100 * 2)
    assert latent["y"].shape == (48, 12, 18)
    # Coded again under other means, every number moves by half a step at most.
    again = package.decompress_latent(package.compress_latent(latent["y"], 61.5, shape=(41, 70, 3)))
    assert np.abs(again["y"] - latent["y"]).max() < 0.501


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_operation_means_the_same(path: Path, photo: np.ndarray) -> None:
    package = coding.Package.from_file(path)
    quality = None if package.levels is None else 37.3
    part = np.ascontiguousarray(photo[:33, :50])
    data = lcrs.compress(part, quality=quality, model=package, runtime="torch")
    assert near(lcrs.decompress(data, package, runtime="torch"), lcrs.decompress(data, package))
    native = lcrs.compress(part, quality=quality, model=package)
    assert abs(len(data) - len(native)) <= 0.03 * len(native) + 4


def test_metadata_goes_along(photo: np.ndarray, model_path: Path) -> None:
    from PIL import Image, ImageCms

    image = Image.fromarray(photo)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = lcrs.compress(image, quality=10, model="tiny", runtime="torch", device="cpu")
    picture = codec.decompress_picture(data, runtime="torch")
    assert picture.icc == image.info["icc_profile"]
    assert near(picture.pixels, lcrs.decompress(data))


def test_what_cannot_be_is_refused(photo: np.ndarray, model_path: Path) -> None:
    with pytest.raises(ValueError, match="runtime is 'onnx', must be 'native' or 'torch'"):
        lcrs.compress(photo, model="tiny", runtime="onnx")
    with pytest.raises(ValueError, match="device is 'cuda', but the native runtime has none"):
        lcrs.compress(photo, model="tiny", device="cuda")
    with pytest.raises(ValueError, match=r"quality is 101 \(0 to 100\)"):
        lcrs.compress(photo, quality=101, model="tiny", runtime="torch")
    package = codec.load_package("tiny")
    with pytest.raises(ValueError, match=r"y has the shape \(48, 2, 2\)"):
        package.compress_latent(np.zeros((48, 2, 2), np.float32), 5, shape=(41, 70, 3))
    bad = np.zeros((48, 2, 2), np.float32)
    bad[3, 1, 0] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        package.compress_latent(bad, 5, shape=(8, 8, 3))
    with pytest.raises(KeyError, match="nothing"):
        package.parameter("nothing")


def test_damaged_files_are_errors(photo: np.ndarray, model_path: Path) -> None:
    data = lcrs.compress(photo[:16, :16], quality=5, model="tiny")
    for length in range(0, len(data), 3):
        with pytest.raises(lcrs.LcrsError):
            lcrs.decompress(data[:length], runtime="torch")


def test_the_command_line_has_it(photo: np.ndarray, model_path: Path, tmp_path: Path, capsys) -> None:
    from PIL import Image

    source, file, out = (str(tmp_path / name) for name in ("a.png", "a.lcrs", "b.png"))
    Image.fromarray(photo).save(source)
    assert (
        main(["encode", source, "-o", file, "--model", "tiny", "--runtime", "torch", "--device", "cpu"]) == 0
    )
    assert main(["decode", file, "-o", out, "--runtime", "torch"]) == 0
    assert near(np.asarray(Image.open(out)), lcrs.decompress(Path(file).read_bytes()))
    capsys.readouterr()
    assert main(["decode", file, "-o", out, "--force", "--device", "cuda"]) == 2
    assert "--device cuda is for --runtime torch" in capsys.readouterr().err
    assert main(["decode", file, "-o", out]) == 1
    assert "b.png exists; --force replaces it" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_codes_what_every_machine_decodes(photo: np.ndarray, model_path: Path) -> None:
    data = lcrs.compress(photo, quality=40, model="tiny", runtime="torch", device="cuda")
    assert near(lcrs.decompress(data, runtime="torch", device="cuda"), lcrs.decompress(data))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ["photo", "photo-2"])
def test_a_gpu_gives_the_pixels_of_the_cpu(photo: np.ndarray, name: str) -> None:
    """All of binary32: with TF32, over a hundredth of the components would differ."""
    data = lcrs.compress(photo, quality=60, model=name)
    there = lcrs.decompress(data, runtime="torch", device="cuda")
    for here in (lcrs.decompress(data, runtime="torch"), lcrs.decompress(data)):
        difference = np.abs(there.astype(int) - here)
        assert difference.max() <= 1
        assert np.mean(difference > 0) < 0.002
    assert torch.backends.cudnn.allow_tf32, "torch's own setting is as it was"
