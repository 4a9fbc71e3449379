"""Lossless pictures on the command line: every verb takes them, and two options decide."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import lcrs
from lcrs.cli import main
from lcrs.codec import DEFAULT_MODEL
from lcrs.packages import lookup


@pytest.fixture
def page() -> np.ndarray:
    """Words on white, uint8 (64, 110, 3)."""
    image = Image.new("RGB", (110, 64), "white")
    draw = ImageDraw.Draw(image)
    for line in range(4):
        draw.text((4, 2 + 15 * line), f"line {line} of a page", fill="black")
    return np.asarray(image)


@pytest.fixture
def folder(tmp_path: Path, page: np.ndarray, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pages and a photograph lie."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(page).save(folder / "page.png")
    Image.fromarray(page[..., 0]).save(folder / "grey.png")
    Image.fromarray(page[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(photo).save(folder / "photo.png")
    monkeypatch.chdir(folder)
    return folder


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_folder_goes_there_and_back(
    folder: Path, tmp_path: Path, processes: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "-r", ".", "-o", "../out", "-j", processes]) == 0
    assert capfd.readouterr().err.startswith("lcrs encode: 4 written, 0 skipped, 0 failed")
    out, back = tmp_path / "out", tmp_path / "back"
    kept = {path.stem: lcrs.info(path)["lossless"] for path in out.iterdir()}
    assert kept == {"page": True, "grey": True, "deep": True, "photo": False}
    assert (out / "page.lcrs").read_bytes() == lcrs.compress(folder / "page.png", lossless=True)
    assert (out / "photo.lcrs").read_bytes() == lcrs.compress(folder / "photo.png", model=DEFAULT_MODEL)
    assert main(["encode", "-r", ".", "-o", "../out", "--skip-existing"]) == 0
    assert "0 written, 4 skipped" in capfd.readouterr().err
    assert main(["decode", "-r", str(out), "-o", f"{back}/", "-j", processes]) == 0
    for name in ("page", "grey", "deep"):
        np.testing.assert_array_equal(pixels_of(back / f"{name}.png"), pixels_of(folder / f"{name}.png"))
    assert main(["decode", "-r", str(out), "-o", f"{back}/", "--skip-existing"]) == 0
    assert "0 written, 4 skipped" in capfd.readouterr().err


def test_options_decide(
    folder: Path, photo: np.ndarray, page: np.ndarray, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "photo.png", "--lossless"]) == 0
    assert main(["encode", "page.png"]) == 0
    words = capsys.readouterr().err.splitlines()
    assert [line.endswith("bits a pixel, lossless") for line in words] == [True, True]
    np.testing.assert_array_equal(lcrs.decompress("photo.lcrs"), photo)
    for options, quality, model in (
        (["--no-lossless"], 50, DEFAULT_MODEL),
        (["--no-lossless", "-q", "9"], 9, DEFAULT_MODEL),
        (["--model", "tiny"], 50, "tiny"),
        (["--model", DEFAULT_MODEL, "-q", "80"], 80, DEFAULT_MODEL),
        (["--model", "tiny", "--no-lossless"], 50, "tiny"),
    ):
        assert main(["encode", "page.png", "--force", *options]) == 0
        assert Path("page.lcrs").read_bytes() == lcrs.compress(page, quality=quality, model=model)
        assert capsys.readouterr().err.endswith("bits a pixel\n")
    assert main(["encode", "page.png", "--force", "-q", "0"]) == 0
    assert main(["encode", "page.png", "-o", "other.lcrs", "--target-psnr", "90"]) == 0
    assert Path("other.lcrs").read_bytes() == Path("page.lcrs").read_bytes()
    assert Path("page.lcrs").read_bytes() == lcrs.compress(page, lossless=True)
    capsys.readouterr()
    assert main(["encode", "page.png", "--force", "--target-size", "90"]) == 0
    assert "warning: asked for 90 bytes: the file has" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--quality", "5"],
        ["--scale", "1"],
        ["--target-bpp", "1"],
        ["--target-size", "100"],
        ["--target-psnr", "30"],
        ["--model", "tiny"],
        ["--import", "a:B", "--model", "x"],
        ["--import", "a:B"],
        ["--allow-not-portable"],
        ["--runtime", "torch"],
        ["--device", "cpu"],
        ["--voxel", "2"],
        ["--bits", "5"],
    ],
)
def test_what_models_need_does_not_go_together_with_it(
    options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "page.png", "--lossless", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    named = "--model" if "--model" in options else options[0]
    assert f"{named} does not go with --lossless: leave one of them out" in line
    assert not Path("page.lcrs").exists()


def test_every_verb_reads_them_without_a_model(
    folder: Path,
    page: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("page", "photo"):
        assert main(["encode", f"{name}.png", "--lossless", "--quiet"]) == 0
    monkeypatch.setattr(lookup, "_SHIPPED", folder / "none")
    assert main(["info", "--json", "page.lcrs"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields == {"file": "page.lcrs"} | lcrs.info("page.lcrs")
    assert (fields["lossless"], fields["model"], fields["quality"]) == (True, "lossless", None)
    assert main(["info", "page.lcrs"]) == 0
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed["lossless"] == "yes"
    assert not {"model", "quality", "entropy_digest", "synthesis_digest"} & set(printed)
    assert main(["info", "page.lcrs", "photo.lcrs"]) == 0
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert [row[header.index("quality") :] for row in rows] == [
        ["lossless", "-", "page.lcrs"],
        ["lossless", "-", "photo.lcrs"],
    ]
    assert main(["compare", "page.png", "page.lcrs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True
    assert main(["metrics", "page.png", "page.lcrs"]) == 0
    capsys.readouterr()
    assert main(["doctor", "page.lcrs", "--original", "page.png"]) == 0
    said = capsys.readouterr().out
    assert "page.lcrs: healthy\n  every byte and every pixel are as they were written" in said
    assert "those of the original" in said
    assert main(["doctor", "photo.lcrs"]) == 0
    assert "nothing to do: the pixels are those that were compressed" in capsys.readouterr().out
    assert main(["decode", "page.lcrs", "-o", "small.png", "--max-side", "20"]) == 0
    assert pixels_of(folder / "small.png").shape == (12, 20, 3)
    for ending in ("ppm", "tif", "webp"):
        assert main(["decode", "page.lcrs", "-o", f"again.{ending}"]) == 0
        np.testing.assert_array_equal(pixels_of(folder / f"again.{ending}"), page)


def test_another_picture_is_told_from_that_which_was_compressed(
    folder: Path, page: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(255 - page).save("other.png")
    assert main(["encode", "page.png", "--quiet"]) == 0
    assert main(["doctor", "page.lcrs", "--original", "other.png"]) == 0
    assert "so this is not what it was made of" in capsys.readouterr().out


def test_a_model_that_is_named_does_no_harm(folder: Path, page: np.ndarray, model_path: Path) -> None:
    assert main(["encode", "page.png", "--quiet"]) == 0
    assert main(["decode", "page.lcrs", "-o", "back.png", "--model", "tiny"]) == 0
    np.testing.assert_array_equal(pixels_of(folder / "back.png"), page)
    assert main(["info", "page.lcrs", "--model", "tiny"]) == 0
    assert main(["doctor", "page.lcrs", "--model", "tiny"]) == 0


def test_standard_input_and_output(folder: Path, page: np.ndarray, shell) -> None:
    done = shell("lcrs encode - --lossless <in/page.png | tee a.lcrs | lcrs decode - >b.png")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("bits a pixel, lossless\n")
    assert (folder.parent / "a.lcrs").read_bytes() == lcrs.compress(page, lossless=True)
    np.testing.assert_array_equal(pixels_of(folder.parent / "b.png"), page)


def test_damaged_files_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "page.png", "--quiet"]) == 0
    data = Path("page.lcrs").read_bytes()
    flipped = bytes([*data[:-9], data[-9] ^ 4, *data[-8:]])
    for damaged in (data[:-1], data[:40], data + b"x", flipped):
        Path("bad.lcrs").write_bytes(damaged)
        assert main(["decode", "bad.lcrs", "-o", "bad.png"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("lcrs decode: error: bad.lcrs: ")
        assert not Path("bad.png").exists()
        assert main(["doctor", "bad.lcrs"]) == 1
        assert capsys.readouterr().out.startswith(("bad.lcrs: damaged\n", "bad.lcrs: truncated\n"))
    for limit in ("--max-pixels", "--max-bytes"):
        assert main(["decode", "page.lcrs", "-o", "bad.png", limit, "999"]) == 1
        assert limit in capsys.readouterr().err


def test_points_are_lossless_by_themselves(
    folder: Path, model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.xyz").write_text("1 2 3\n4 5 6\n")
    model = Path(__file__).parents[1] / "golden" / "clouds" / "tiny-cloud.lcrm"
    assert main(["encode", "a.xyz", "-o", "a.lcrs", "--lossless"]) == 0
    assert lcrs.info("a.lcrs")["lossless"] is True
    assert main(["encode", "a.xyz", "-o", "b.lcrs", "--no-lossless", "--model", str(model)]) == 2
    assert "--no-lossless is for pictures, not for point clouds" in capsys.readouterr().err
