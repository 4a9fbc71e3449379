"""Files of a size, a rate or a PSNR that is asked for."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import coding
from lcrs.cli import main
from lcrs.codec.targets import psnr


@pytest.fixture
def picture(photo: np.ndarray, model_path: Path) -> np.ndarray:
    return np.ascontiguousarray(np.tile(photo, (2, 3, 1))[:150, :300])


@pytest.mark.parametrize("runtime", ["native", "torch"])
def test_sizes_and_rates_within_the_range_are_reached(picture: np.ndarray, runtime: str) -> None:
    if runtime == "torch":
        pytest.importorskip("torch")
    ends = [len(lcrs.compress(picture, quality=quality, model="tiny")) for quality in (0, 100)]
    for part in (0.05, 0.3, 0.9):
        size = int(ends[0] + part * (ends[1] - ends[0]))
        data = lcrs.compress(picture, target_size=size, model="tiny", runtime=runtime)
        assert 0.99 * size <= len(data) <= size
        bpp = 8 * size / (150 * 300)
        data = lcrs.compress(picture, target_bpp=bpp, model="tiny", runtime=runtime)
        assert abs(len(data) / size - 1) <= 0.01
        assert lcrs.decompress(data).shape == picture.shape


@pytest.mark.parametrize("runtime", ["native", "torch"])
def test_a_psnr_within_the_range_is_reached(picture: np.ndarray, runtime: str) -> None:
    if runtime == "torch":
        pytest.importorskip("torch")
    data = lcrs.compress(picture, target_psnr=27.5, model="tiny", runtime=runtime)
    restored = lcrs.decompress(data, runtime=runtime)
    assert abs(psnr(picture, restored, 255) - 27.5) <= 0.05
    # the shipped pixels are those of 8 bits, so the usual formula holds
    assert psnr(picture, restored, 255) == pytest.approx(
        10 * np.log10(255**2 / np.square(picture.astype(float) - restored).mean())
    )


def test_what_is_asked_for_is_all_that_matters(picture: np.ndarray) -> None:
    data = lcrs.compress(picture, target_bpp=1.5, model="tiny")
    quality = lcrs.info(data)["quality"]
    assert data == lcrs.compress(picture, quality=quality, model="tiny")
    assert data == lcrs.compress(picture, target_bpp=1.5, model="tiny", threads=3)


def test_beyond_the_range_a_warning_says_what_there_is(picture: np.ndarray) -> None:
    with pytest.warns(lcrs.TargetWarning, match=r"asked for 100 bytes: .* the least that the model gives"):
        data = lcrs.compress(picture, target_size=100, model="tiny")
    assert data == lcrs.compress(picture, quality=0, model="tiny")
    with pytest.warns(lcrs.TargetWarning, match=r"asked for 90 dB: .* the most that the model gives"):
        data = lcrs.compress(picture, target_psnr=90, model="tiny")
    assert data == lcrs.compress(picture, quality=100, model="tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_bpp": 0.0}, "target_bpp is 0, must be above 0 and finite"),
        ({"target_bpp": float("nan")}, "target_bpp is NaN"),
        ({"target_psnr": float("inf")}, "target_psnr is inf"),
        ({"target_size": -5}, "target_size is -5, must be a whole number from 1"),
        ({"target_bpp": 1, "target_size": 9}, "target_bpp and target_size are given"),
        ({"target_bpp": 1, "quality": 9}, "quality and target_bpp are given: one of them sets the rate"),
    ],
)
def test_targets_are_checked(picture: np.ndarray, options: dict, message: str) -> None:
    is_number_of_another_kind = options.get("target_size") == 2.5
    with pytest.raises(TypeError if is_number_of_another_kind else ValueError, match=message):
        lcrs.compress(picture, model="tiny", **options)


def test_a_size_is_a_whole_number(picture: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"target_size is 2\.5, a whole number from 1 is needed"):
        lcrs.compress(picture, model="tiny", target_size=2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("runtime", ["native", "torch"])
def test_a_fixed_rate_has_no_target(picture: np.ndarray, runtime: str) -> None:
    if runtime == "torch":
        pytest.importorskip("torch")
    fixed = Path(__file__).parents[1] / "golden" / "factorized.lcrm"
    with pytest.raises(ValueError, match="model 'factorized' has a fixed rate: a target needs one of"):
        lcrs.compress(picture, target_size=900, model=fixed, runtime=runtime)


CODE = """
import hashlib, sys
import numpy as np
import lcrs
from PIL import Image
with Image.open(sys.argv[1]) as image:
    picture = np.ascontiguousarray(np.asarray(image.convert("RGB"))[100:148, 200:264])
files = [lcrs.compress(picture, model="tiny", **{key: value}) for key, value in
         (("target_bpp", 1.5), ("target_size", 700), ("target_psnr", 27.5))]
print(hashlib.sha256(b"".join(files)).hexdigest())
"""


def test_fresh_processes_write_the_same_bytes_on_every_path(
    data_dir: Path, fresh_python, model_path: Path
) -> None:
    found = {
        fresh_python(CODE, str(data_dir / "photo.png"), LCRS_SIMD=path, LCRS_NUM_THREADS=threads)
        for path, threads in zip(coding.simd_paths(), "131" * 9, strict=False)
    }
    assert len(found) == 1


def test_the_command_line_has_it(picture: np.ndarray, tmp_path: Path, capsys) -> None:
    source, out = tmp_path / "a.png", tmp_path / "a.lcrs"
    Image.fromarray(picture).save(source)
    arguments = ["encode", str(source), "-o", str(out), "--model", "tiny", "--force"]
    assert main([*arguments, "--target-size", "12000"]) == 0
    assert 11_880 <= out.stat().st_size <= 12_000
    assert main([*arguments, "--target-bpp", "1.5"]) == 0
    assert abs(8 * out.stat().st_size / 45_000 / 1.5 - 1) <= 0.01
    assert main([*arguments, "--target-psnr", "26"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([*arguments, "--target-size", "10"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "asked for 10 bytes" in line
    with pytest.raises(SystemExit):
        main([*arguments, "--target-size", "10", "-q", "5"])
    for wrong in ("-1", "0", "inf", "nan", "much"):
        with pytest.raises(SystemExit):
            main([*arguments, "--target-bpp", wrong])
        assert f"'{wrong}' is not a number above 0" in capsys.readouterr().err


def test_within_the_range_nothing_is_said(picture: np.ndarray) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lcrs.compress(picture, target_bpp=1.5, model="tiny")
    assert said == []
