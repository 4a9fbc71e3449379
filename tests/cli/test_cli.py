"""The command line: real processes for what they promise, ``main`` for the rest."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import lcrs
from lcrs import coding
from lcrs.cli import main


@pytest.fixture
def png(tmp_path: Path, photo: np.ndarray, model_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path


@pytest.fixture
def encoded(png: Path) -> Path:
    path = png.with_suffix(".lcrs")
    assert main(["encode", str(png), "-o", str(path), "-q", "20", "--model", "tiny"]) == 0
    return path


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m lcrs`` in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "lcrs", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_photo_goes_through_other_processes(png: Path, photo: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "a.lcrs"
    done = run("encode", png, "-o", file, "-q", "20", "--model", "tiny")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{file.stat().st_size} bytes" in done.stderr
    expected = lcrs.decompress(lcrs.compress(photo, quality=20, model="tiny"))
    for path in coding.simd_paths():
        target = tmp_path / f"{path}.png"
        done = run("decode", file, "-o", target, LCRS_SIMD=path, LCRS_NUM_THREADS="3")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        np.testing.assert_array_equal(np.asarray(Image.open(target)), expected)


@pytest.mark.parametrize("limit", ["--max-pixels", "--max-bytes"])
def test_limits_are_kept_and_named_as_they_are_set(
    limit: str, png: Path, encoded: Path, tmp_path: Path, capsys
) -> None:
    target, least = str(tmp_path / "new"), {"--max-pixels": 122 * 83, "--max-bytes": 40_000_000}[limit]
    for arguments in (
        ["encode", str(png), "-o", f"{target}.lcrs", "--model", "tiny"],
        ["decode", str(encoded), "-o", f"{target}.png"],
        ["decode", "-r", str(tmp_path), "-o", f"{target}/", "--max-side", "9"],
        ["info", str(encoded)],
        ["compare", str(encoded), str(encoded)],
    ):
        assert main([*arguments, limit, "99"]) == 1, arguments
        message = capsys.readouterr().err
        assert limit in message
        assert "99" in message
        assert main([*arguments, limit, str(least)]) == 0, capsys.readouterr().err
    assert main(["decode", str(encoded), "-o", f"{target}.png", limit, str(least), "--skip-existing"]) == 0


def test_info_prints_json_or_text(encoded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(encoded), "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields == {"file": str(encoded)} | lcrs.info(encoded.read_bytes())
    assert {
        *("num_bytes", "width", "height", "model", "quality", "format_version"),
        *("entropy_digest", "synthesis_digest", "portable", "numerics"),
    } <= set(fields)
    assert main(["info", str(encoded)]) == 0
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed["width"] == "122"
    assert printed["portable"] == "yes"
    sizes = [section["num_bytes"] for section in fields["sections"]]
    assert printed["sections"] == f"{sizes[0]} bytes lcrs, {sizes[1]} bytes lcrs"


@pytest.mark.parametrize(
    "arguments", [["encode", "IN", "-o", "OUT", "--model", "tiny"], ["decode", "IN", "-o", "OUT"]]
)
def test_nothing_is_overwritten_without_force(arguments: list[str], png: Path, encoded: Path, capsys) -> None:
    source, target = (png, encoded) if arguments[0] == "encode" else (encoded, png)
    filled = [{"IN": str(source), "OUT": str(target)}.get(a, a) for a in arguments]
    before = target.read_bytes()
    assert main(filled) == 1
    assert "exists" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert main([*filled, "--force"]) == 0
    assert target.read_bytes() != before


def test_the_input_is_never_the_output(png: Path, capsys) -> None:
    before = png.read_bytes()
    assert main(["encode", str(png), "-o", str(png), "--force", "--model", "tiny"]) == 1
    assert "is the input itself" in capsys.readouterr().err
    assert png.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["encode"],
        ["encode", "x.png", "y.png", "-o", "-"],
        ["decode", "x.lcrs", "--max-pixels", "0"],
        ["decode", "x.lcrs", "--max-bytes", "many"],
        ["info", "x.lcrs", "--max-pixels", "-1"],
        ["encode", "x.png", "--frame", "x"],
        ["encode", "x.png", "--target-size", "1e4"],
        ["encode", "x.png", "-o", "y", "--model", ""],
        ["encode", "x.png", "-", "-o", "y/"],
        ["encode", "-", "-o", "y/"],
        ["encode", "x.png", "-j", "-1"],
        ["encode", "x.png", "-o", "y", "--device", "cuda"],
        ["decode", "x.lcrs", "--max-side", "0"],
        ["encode", "x.png", "-o", "y", "-q", "101"],
        ["encode", "x.png", "-o", "y", "-q", "-0.5"],
        ["encode", "x.png", "-o", "y", "-q", "nan"],
        ["encode", "x.png", "-o", "y", "-q", "best"],
        ["decode", "x.lcrs", "-o", "y.doc"],
        ["info"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys) -> None:
    try:
        code = main(arguments)
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    if arguments:
        assert captured.err.startswith("lcrs")
        assert captured.err.count("\n") == 1
    else:
        assert captured.err.startswith("usage: lcrs")


def test_failures_exit_with_1_in_one_line_and_leave_nothing(
    png: Path, encoded: Path, tmp_path: Path, capsys
) -> None:
    data = encoded.read_bytes()
    (tmp_path / "cut.lcrs").write_bytes(data[:-1])
    (tmp_path / "text.png").write_text("no picture")
    huge = bytearray(png.read_bytes())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(huge)
    before = sorted(tmp_path.iterdir())
    target = str(tmp_path / "new.png")
    for arguments in (
        ["decode", str(tmp_path / "cut.lcrs"), "-o", target],
        ["decode", str(tmp_path / "text.png"), "-o", target],
        ["decode", str(tmp_path / "missing.lcrs"), "-o", target],
        ["decode", str(encoded), "-o", target, "--model", "nothing"],
        ["decode", str(encoded), "-o", str(tmp_path / "no" / "folder.png")],
        ["encode", str(tmp_path / "text.png"), "-o", target, "--model", "tiny"],
        ["encode", str(png), "-o", target, "--model", "nothing"],
        ["encode", str(tmp_path / "huge.png"), "-o", target, "--model", "tiny"],
        ["encode", str(tmp_path), "-o", target, "--model", "tiny"],
        ["info", str(tmp_path / "cut.lcrs")],
    ):
        assert main(arguments) == 1, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"lcrs {arguments[0]}: error: ")
        assert captured.err.count("\n") == 1
        assert len(captured.err) > len(f"lcrs {arguments[0]}: error: x\n")
    assert sorted(tmp_path.iterdir()) == before


def test_messages_name_the_file_that_is_wrong(encoded: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    cut, notes, folder = Path("cut.lcrs"), Path("notes"), Path("folder.lcrm")
    cut.write_bytes(encoded.read_bytes()[:-1])
    notes.write_text("no package, but long enough for the head of one")
    folder.mkdir()
    wrong = {
        ("decode", str(cut), "-o", "x.png"): f"{cut}: ",
        ("info", str(cut)): f"{cut}: ",
        ("decode", str(encoded), "-o", "x.png", "--model", str(notes)): f"{tmp_path / notes}: ",
        ("info", str(encoded), "--model", str(folder)): f"cannot read {tmp_path / folder}: ",
        (
            "encode",
            str(encoded.with_suffix(".png")),
            "-o",
            "x",
            "--model",
            str(notes),
        ): f"{tmp_path / notes}: ",
        ("encode", str(encoded.with_suffix(".png")), "-o", str(encoded)): f"{encoded} exists; --force ",
    }
    for arguments, words in wrong.items():
        assert main(arguments) == 1
        message = capsys.readouterr().err
        assert message.startswith(f"lcrs {arguments[0]}: error: {words}"), message


def test_a_failed_write_leaves_the_old_file(
    encoded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "old.png"
    target.write_bytes(b"precious")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    before = sorted(tmp_path.iterdir())
    assert main(["decode", str(encoded), "-o", str(target), "--force"]) == 1
    assert target.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_new_files_have_the_usual_mode_and_devices_stay(encoded: Path, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        assert main(["decode", str(encoded), "-o", str(tmp_path / "m.png")]) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "m.png").stat().st_mode) == 0o640
    assert main(["decode", str(encoded), "-o", "/dev/null"]) == 0  # as PNG
    assert main(["decode", str(encoded), "-o", str(tmp_path / "without-ending")]) == 2
    link = tmp_path / "null.png"
    link.symlink_to("/dev/null")
    assert main(["decode", str(encoded), "-o", str(link), "--force"]) == 0
    assert link.is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("extension", ["png", "ppm", "tif", "bmp", "webp"])
def test_lossless_formats_hold_the_pixels(extension: str, encoded: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out.{extension.upper()}"
    assert main(["decode", str(encoded), "-o", str(target)]) == 0
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), lcrs.decompress(encoded.read_bytes()))


def test_profiles_and_exif_come_back(photo: np.ndarray, tmp_path: Path, model_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / "in.jpg"
    Image.fromarray(photo).save(source, quality=95, exif=exif, icc_profile=profile)
    encode = [
        "encode",
        str(source),
        "-o",
        str(tmp_path / "a.lcrs"),
        "--model",
        "tiny",
        "-q",
        "90",
        "--keep-exif",
    ]
    assert main(encode) == 0
    assert main(["decode", str(tmp_path / "a.lcrs"), "-o", str(tmp_path / "out.png")]) == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == photo.shape[:2]  # turned: the width is the height
        assert image.info["icc_profile"] == profile
        assert image.getexif()[0x010F] == "A camera"
        assert image.getexif().get(0x0112, 1) == 1
        error = np.asarray(image).astype(int) - np.rot90(photo, -1)
    assert np.abs(error).mean() < 6


def test_metadata_are_left_out_aloud_or_kept(
    photo: np.ndarray, tmp_path: Path, model_path: Path, capsys
) -> None:
    source, target, restored = tmp_path / "in.jpg", tmp_path / "a.lcrs", tmp_path / "out.bmp"
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    Image.fromarray(photo).save(source, exif=exif, xmp=b"<x/>", dpi=(300, 300), comment="seen")
    encode = ["encode", str(source), "-o", str(target), "--model", "tiny", "--force"]
    assert main(encode) == 0
    said = capsys.readouterr().err
    assert f"{source}: not kept: EXIF, XMP (--keep-metadata keeps them); a comment\n" in said
    assert coding.metadata(target.read_bytes())["resolution"] == (300, 300)
    assert main([*encode, "--keep-exif"]) == 0
    assert f"{source}: not kept: XMP (--keep-metadata keeps it); a comment\n" in capsys.readouterr().err
    assert main([*encode, "--keep-metadata"]) == 0
    assert f"{source}: not kept: a comment\n" in capsys.readouterr().err
    assert coding.metadata(target.read_bytes())["xmp"] == b"<x/>"
    assert main(["decode", str(target), "-o", str(restored)]) == 0
    assert (
        f"{restored}: not kept: EXIF, XMP: lcrs cannot write them to .bmp files\n" in capsys.readouterr().err
    )
    with Image.open(restored) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)


def test_messages_speak_the_command_line(photo: np.ndarray, tmp_path: Path, model_path: Path, capsys) -> None:
    moving, target = tmp_path / "moving.gif", str(tmp_path / "a.lcrs")
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue")]
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    Image.new("CMYK", (9, 9)).save(tmp_path / "inks.jpg")
    Image.fromarray(photo).save(tmp_path / "large.png")
    for name, options, words in (
        ("moving.gif", [], "image has 2 frames, one is needed: --frame 0 to take the first"),
        ("moving.gif", ["--frame", "2"], "image has 2 frames, 2 is none of them (from 0)"),
        ("inks.jpg", [], "image is CMYK without a profile"),
        (
            "large.png",
            ["--max-pixels", "9999"],
            "image has 122 x 83 pixels, 9999 are allowed: --max-pixels",
        ),
    ):
        assert main(["encode", str(tmp_path / name), "-o", target, "--model", "tiny", *options]) == 1
        message = capsys.readouterr().err
        assert message.startswith(f"lcrs encode: error: {tmp_path / name}: {words}")
        assert message.count("\n") == 1
    for arguments, words in (
        (["encode", str(moving), "--frame", "x"], "argument --frame: 'x' is not a whole number from 0 on"),
        (["encode", str(moving), "--model", "nix"], ": --model FILE for its package, or name its folder in "),
        (["encode", str(moving), "--device", "cuda"], "--device cuda is for --runtime torch"),
        (["encode", str(moving), "--scale", "2"], "a gain for each of 256 channels, no single scale"),
        (["compare", str(moving), "-"], "- is standard input, which cannot be compared"),
    ):
        with contextlib.suppress(SystemExit):
            main(arguments)
        assert words in capsys.readouterr().err
    assert main(["encode", str(moving), "-o", target, "--model", "tiny", "--frame", "1"]) == 0
    red, _, blue = lcrs.decompress(Path(target).read_bytes()).reshape(-1, 3).mean(axis=0)
    assert blue > red


def test_pictures_that_lose_something_are_refused_or_converted(
    photo: np.ndarray, data_dir: Path, tmp_path: Path, model_path: Path, capsys
) -> None:
    with_alpha, target = tmp_path / "rgba.png", tmp_path / "out.lcrs"
    seen = Image.fromarray(photo).convert("RGBA")
    seen.putpixel((0, 0), (255, 255, 255, 0))
    seen.save(with_alpha)
    encode = ["encode", str(with_alpha), "-o", str(target), "--model", "tiny"]
    assert main(encode) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"lcrs encode: error: {with_alpha}: image has transparent parts")
    assert "--background white" in message
    assert "background=" not in message
    assert main([*encode, "--background", "white"]) == 0
    flat = photo.copy()
    flat[0, 0] = 255
    np.testing.assert_array_equal(
        lcrs.decompress(target.read_bytes()), lcrs.decompress(lcrs.compress(flat, model="tiny"))
    )
    encode = ["encode", str(data_dir / "rgb16.png"), "-o", str(target), "--model", "tiny", "--force"]
    for options, kind in (([], "uint16"), (["--to-8bit"], "uint8")):
        assert main([*encode, *options]) == 0
        restored = lcrs.decompress(target.read_bytes())
        assert (restored.shape, restored.dtype) == ((2, 3, 3), kind)
        assert main(["decode", str(target), "-o", str(tmp_path / f"{kind}.png")]) == 0
        again = lcrs.codec.to_picture(tmp_path / f"{kind}.png")
        np.testing.assert_array_equal(again.pixels, restored)
    Image.fromarray(photo[..., 0].copy()).save(tmp_path / "grey.png")
    encode = ["encode", str(tmp_path / "grey.png"), "-o", str(target), "--model", "tiny", "--force"]
    assert main(encode) == 0


def test_version_and_help(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lcrs {lcrs.__version__}\n"
    for verb in ("encode", "decode", "info"):
        with pytest.raises(SystemExit) as exit:
            main([verb, "--help"])
        assert exit.value.code == 0
        assert "-h" in capsys.readouterr().out


def test_what_is_no_colour_is_refused_at_once(png: Path, tmp_path: Path, capsys) -> None:
    target = tmp_path / "new.lcrs"
    arguments = ["encode", "--model", "tiny", str(png), "-o", str(target), "--background", "nocolour"]
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "'nocolour', which is no colour: white and #102030 are" in capsys.readouterr().err
    assert main([*arguments[:-1], "#102030"]) == 0


def test_names_and_kinds_that_disagree_are_told(png: Path, encoded: Path, tmp_path: Path, capsys) -> None:
    assert main(["decode", str(encoded), "-o", str(tmp_path / "a.jpg"), "--format", "png"]) == 2
    assert "a.jpg ends in .jpg, but --format says png" in capsys.readouterr().err
    assert not (tmp_path / "a.jpg").exists()
    for name, format in (("a.jpeg", "jpg"), ("a.TIF", "tiff"), ("a.other", "png")):
        assert main(["decode", str(encoded), "-o", str(tmp_path / name), "--format", format]) == 0
    capsys.readouterr()
    named = tmp_path / "named.png"
    assert main(["encode", "--model", "tiny", str(png), "-o", str(named)]) == 0
    assert f"warning: {named} becomes an .lcrs file, though it ends in .png" in capsys.readouterr().err
    lcrs.info(named)


def test_unknown_options_point_to_the_help_of_their_verb(png: Path, capsys) -> None:
    for arguments, prog in (
        ([], "lcrs"),
        (["encode", str(png)], "lcrs encode"),
        (["zoo", "list"], "lcrs zoo"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main([*arguments, "--nothing"])
        words = f"{prog}: error: unrecognized arguments: --nothing ({prog} --help says more)\n"
        assert capsys.readouterr().err == words
    assert not png.with_suffix(".lcrs").exists()


def test_one_file_and_a_folder_that_is_none(png: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["encode", "--model", "tiny", str(png), "-o", f"{tmp_path}/taken/"]) == 2
    assert "taken/ is a file, no folder" in capsys.readouterr().err


def test_formats_are_read_in_any_case(encoded: Path, tmp_path: Path) -> None:
    assert main(["decode", str(encoded), "-o", str(tmp_path / "a"), "--format", "PNG"]) == 0
    assert (tmp_path / "a").read_bytes().startswith(b"\x89PNG")
