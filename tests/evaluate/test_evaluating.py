"""``lcrs eval`` and ``lcrs bench`` on real files, in processes that fail, end and go on."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import metrics
from lcrs.cli import main
from lcrs.evaluate.classical import make_codec
from lcrs.evaluate.protocol import digest_of, measured, read_picture
from lcrs.evaluate.results import read_results

COPIES = ["--command", "cp {input} {output}", "--decode-command", "cp {input} {output}"]


def test_numbers_are_those_of_real_files(pictures, tmp_path, model_path, capsys):
    assert main(["eval", "tiny", str(pictures), "-q", "20,80", "--json", str(tmp_path / "r.json")]) == 0
    result = read_results(tmp_path / "r.json")
    assert result.results["setting"] == [20, 80]
    assert {picture["name"] for picture in result.pictures} == {
        "a.png",
        "below/b.bmp",
        "deep.png",
        "one.png",
    }  # the grey picture is the deep one, rounded
    assert len(result.rows) == 8
    by_name = {picture["digest"]: picture["name"] for picture in result.pictures}
    for row in result.rows:
        pixels = read_picture(pictures / by_name[row["digest"]]).pixels
        data = lcrs.compress(pixels, quality=row["setting"], model="tiny")
        restored = lcrs.decompress(data, model="tiny")
        assert row["num_bytes"] == len(data)
        assert row["bpp"] == 8 * len(data) / (pixels.shape[0] * pixels.shape[1])
        assert 0 < row["bpp-strings"] < row["bpp"]
        assert row["psnr-rgb"] == pytest.approx(metrics.psnr(pixels, restored), abs=1e-9)
        assert row["encoding_time"] > 0
        assert "ms-ssim-rgb" in row["missing"]
    assert result.results["bpp"] == [
        pytest.approx(np.mean([row["bpp"] for row in result.rows if row["setting"] == setting]))
        for setting in (20, 80)
    ]
    meta = result.meta
    assert meta["rate"] == "bytes"
    assert meta["model"]["tiny"]["entropy_digest"] == lcrs.codec.load_package("tiny").entropy_digest
    assert {"lcrs", "numpy", "python"} <= meta["versions"].keys()
    assert meta["machine"]["cores"] >= 1
    assert "1 file holds a picture that is there already" in capsys.readouterr().err


def test_broken_pictures_do_not_end_the_run(odd, lcrs_command, tmp_path, monkeypatch, capsys):
    done = lcrs_command("eval", "tiny", "pictures", "none.png", "-q", "50", "--json", "r.json", "-j", "2")
    assert done.returncode == 1
    told = done.stderr
    for name in ("cut.png", "words.jpg", "alpha.png", "huge.png", "none.png"):
        assert told.count(f"{name}: ") == 1, told
    assert "background" in told
    result = read_results(tmp_path / "r.json")
    assert len(result.rows) == 4
    assert {failure["name"].rpartition("/")[2] for failure in result.failures} == {
        "cut.png",
        "words.jpg",
        "alpha.png",
        "huge.png",
        "none.png",
    }
    # What helps one of them is all that is done again.
    monkeypatch.chdir(tmp_path)
    words = ["eval", "tiny", "pictures", "-q", "50", "--json", "r.json", "--background", "white"]
    assert main(words) == 1
    assert "background is None there and 'white' here" in capsys.readouterr().err
    assert read_results(tmp_path / "r.json").rows == result.rows
    assert main([*words, "--force"]) == 1
    assert len(read_results(tmp_path / "r.json").rows) == 5


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_ended(pictures, tmp_path, model_path, monkeypatch, capsys):
    """A worker per picture is killed, and then the run itself."""
    slow = tmp_path / "slow.py"
    slow.write_text(
        """import pathlib, shutil, sys, time
calls, go = (pathlib.Path(__file__).with_name(name) for name in ("calls", "go"))
with calls.open("a") as file:
    file.write(".")
while len(calls.read_text()) > 7 and not go.exists():  # that is in the middle, and there the run is killed
    time.sleep(0.01)
shutil.copy(*sys.argv[1:3])
"""
    )
    line = f"{sys.executable} {slow} {{input}} {{output}} {{setting}}"
    words = ["bench", "command", "pictures", "-q", "1,2", "--json", "r.json", "--quiet"]
    words += ["--command", line, "--decode-command", line, "--suffix", ".png"]
    process = subprocess.Popen([sys.executable, "-m", "lcrs", *words], cwd=tmp_path, start_new_session=True)
    partial = tmp_path / "r.json.rows"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if partial.exists() and partial.read_text().count('{"row"') >= 2:
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "go").touch()
    before = partial.read_text()
    num_before = before.count('{"row"')
    assert 2 <= num_before < 8
    partial.write_text(before + '{"row": {"digest": "cut o')
    kept = [json.loads(line)["row"] for line in before.splitlines() if line.startswith('{"row"')]
    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    capsys.readouterr()
    result = read_results(tmp_path / "r.json")
    assert len(result.rows) == 8
    assert not partial.exists()
    assert all(row["encoding_peak_program_bytes"] > 1e6 for row in result.rows)
    for row in kept:  # with the very times that were measured before the kill
        assert any(row["encoding_time"] == other["encoding_time"] for other in result.rows)


def test_a_measure_that_cannot_be_taken_is_told_and_alone_is_a_failure(pictures, capsys):
    words = ["metrics", str(pictures / "one.png"), str(pictures / "one.png"), "--metrics"]
    assert main([*words, "ssim-rgb"]) == 1
    assert "ssim-rgb        not measured: it needs sides of 11 pixels" in capsys.readouterr().out
    assert main([*words, "ssim-rgb,psnr-rgb"]) == 0


def test_kept_pictures_are_none_of_those_measured(pictures, model_path, capsys):
    words = ["eval", "tiny", str(pictures), "-q", "50", "--quiet"]
    result = pictures / "r.json"
    for _ in range(2):
        assert main([*words, "--json", str(result), "--save", str(pictures / "kept")]) == 0
        assert len(read_results(result).pictures) == 4
    assert len(list(pictures.rglob("kept/*.png"))) == 4
    assert main([*words, "--json", str(pictures / "all.json")]) == 0  # where nothing says what they are
    assert len(read_results(pictures / "all.json").pictures) == 8


def test_rows_are_added_to_and_never_lost(pictures, tmp_path, model_path, capsys):
    target = str(tmp_path / "r.json")
    assert main(["eval", "tiny", str(pictures / "a.png"), "-q", "20", "--json", target]) == 0
    first = read_results(target)
    assert main(["eval", "tiny", str(pictures), "-q", "20,90", "--json", target]) == 0
    second = read_results(target)
    assert len(second.rows) == 8
    assert first.rows[0] in second.rows
    assert main(["eval", "tiny", str(pictures / "a.png"), "-q", "20", "--json", target]) == 1
    assert "7 rows" in capsys.readouterr().err
    assert read_results(target).rows == second.rows
    assert main(["eval", "tiny", str(pictures / "a.png"), "-q", "20", "--json", target, "--force"]) == 0
    assert read_results(target).rows == first.rows


def test_another_model_does_not_take_its_rows(pictures, tmp_path, model_path, capsys):
    import tiny_package

    tiny_package.write(tmp_path / "other.lcrm", "tiny", seed=4)
    target = str(tmp_path / "r.json")
    assert main(["eval", "tiny", str(pictures / "a.png"), "-q", "20", "--json", target]) == 0
    again = ["eval", str(tmp_path / "other.lcrm"), str(pictures / "a.png"), "-q", "20", "--json", target]
    assert main(again) == 1
    assert "entropy_digest" in capsys.readouterr().err
    (tmp_path / "words.json").write_text("words")
    assert main([*again[:-1], str(tmp_path / "words.json")]) == 1
    assert (tmp_path / "words.json").read_text() == "words"


def test_classical_codecs_are_those_of_their_libraries(photo):
    big = np.tile(photo, (2, 2, 1))
    given = type("G", (), {"pixels": big, "name": "a", "digest": digest_of(big)})()
    for name, save in (("jpeg", {"subsampling": "4:2:0"}), ("webp", {"method": 4})):
        codec = make_codec(name)
        row, restored, data = measured(codec, given, 40)
        file = io.BytesIO()
        Image.fromarray(big).save(file, name.upper(), quality=40, **save)
        assert data == file.getvalue()
        assert np.array_equal(restored, np.asarray(Image.open(file).convert("RGB")))
        assert row["ms-ssim-rgb"] > 0.8


@pytest.mark.parametrize(
    ("name", "worse", "better", "least_db"),
    [
        ("avif", 30, 90, 35),
        ("jpeg2000", 28, 40, 38),
        ("jpegxl", 6, 0.5, 38),
        ("hevc", 42, 20, 38),
        ("av1", 55, 12, 33),
    ],
)
def test_every_codec_codes_every_size(name, worse, better, least_db, photo):
    try:
        codec = make_codec(name)
    except OSError as error:
        pytest.skip(str(error))
    for pixels in (photo, photo[:33, :65], photo[:1, :1]):
        sizes, errors = [], []
        for setting in (worse, better):
            data = codec.encode(np.ascontiguousarray(pixels), setting)
            restored = codec.decode(data, pixels.shape, setting)
            assert (restored.shape, restored.dtype) == (pixels.shape, np.uint8)
            sizes.append(len(data))
            errors.append(metrics.psnr(pixels, restored))
        if pixels is photo:
            assert sizes[1] > 2 * sizes[0]
            assert errors[1] > max(errors[0] + 3, least_db)
    with pytest.raises(ValueError, match="setting is -1"):
        codec.encode(photo, -1)
    assert codec.identity()["by"]


def test_what_a_program_does_wrong_is_said(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text("import sys\nprint('no such level'); sys.exit(3)\n")
    bad = f"{sys.executable} bad.py {{input}} {{output}}"
    words = ["bench", "command", "pictures/a.png", "-q", "1", "--quiet", "--decode-command", bad]
    assert main([*words, "--command", bad]) == 1
    assert "ended with code 3: no such level" in capsys.readouterr().err
    sleep = f"{sys.executable} -c 'import time; time.sleep(60)' {{input}} {{output}}"
    start = time.monotonic()
    assert main([*words, "--command", sleep, "--timeout", "0.3"]) == 1
    assert "took more than 0.3 seconds" in capsys.readouterr().err
    assert time.monotonic() - start < 30
    assert main([*words, "--command", "nowhere {input} {output}"]) == 1
    assert "no such program" in capsys.readouterr().err
    for line, told in (("python {input}", "{output}"), ("'x {input} {output}", "closing"), (" ", "needs")):
        assert main([*words, "--command", line]) == 2
        assert told in capsys.readouterr().err
    assert main([*words, "--command", bad, "--suffix", "a/b"]) == 2
    assert "must be like .bin" in capsys.readouterr().err


def test_programs_that_leave_something_or_nothing(photo, tmp_path):
    from lcrs.evaluate.external import ExternalCodec

    (tmp_path / "a b").mkdir()
    program = tmp_path / "a b" / "odd.py"
    program.write_text(
        """import os, shutil, subprocess, sys
source, target, what = sys.argv[1:]
if what == "copy":
    shutil.copy(source, target)
elif what == "deep":
    shutil.copy(os.path.join(os.path.dirname(sys.argv[0]), "deep.png"), target)
elif what == "spam":
    sys.exit("x" * 10**6)
elif what == "killed":
    os.kill(os.getpid(), 9)
elif what == "child":
    child = subprocess.Popen(["sleep", "60"])
    open(target, "w").write(str(child.pid))
"""
    )

    def codec(encode, decode):
        lines = (f"{sys.executable} '{program}' {{input}} {{output}} {what}" for what in (encode, decode))
        return ExternalCodec("odd", *lines, (1,), suffix=".png")

    data = codec("copy", "copy").encode(photo, 1)
    for what, words in (
        ("nothing", "wrote no file, though it ended well: without a word"),
        ("spam", "ended with code 1: x{300}$"),
        ("killed", "was ended by signal 9"),
    ):
        with pytest.raises(OSError, match=words):
            codec(what, "copy").encode(photo, 1)
    child = int(codec("child", "copy").encode(photo, 1))
    deadline = time.monotonic() + 10
    while (state := _state(child)) not in ("", "Z") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert state in ("", "Z")  # what a program starts ends with it
    # A decoder's 16-bit picture is rounded, not clipped: 100 of 65535 are less than half of a level.
    grey = photo[..., 1]
    Image.fromarray(np.maximum(grey.astype(np.int64) * 257 - 100, 0).astype(np.uint16)).save(
        tmp_path / "a b" / "deep.png"
    )
    deep = codec("copy", "deep").decode(data, photo.shape, 1)
    assert np.array_equal(deep, np.broadcast_to(grey[..., None], photo.shape))


def _state(pid):
    """Of a process, by the letter that Linux has for it; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_raw_planes_go_through_a_program_unharmed(photo, tmp_path):
    from lcrs.evaluate.external import ExternalCodec

    copy = tmp_path / "copy.py"
    copy.write_text("import shutil, sys\nshutil.copy(*sys.argv[1:])\n")
    line = f"{sys.executable} {copy} {{input}} {{output}}"
    for form, least in (("ppm", 99), ("yuv444p", 47), ("yuv444p10", 55), ("yuv420p", 30), ("yuv420p10", 30)):
        codec = ExternalCodec("copy", line, line, (1,), pictures=form)
        data = codec.encode(photo, 1)
        restored = codec.decode(data, photo.shape, 1)
        assert metrics.psnr(photo, restored) > least


def test_the_table_is_a_head_and_rows(pictures, capsys):
    assert main(["bench", "jpeg", str(pictures / "a.png"), "-q", "50"]) == 0
    told = capsys.readouterr()
    assert "\\n" not in told.out
    assert [line.split()[0] for line in told.out.splitlines()] == ["JPEG:", "setting", "50"]
    assert "means over 1 picture, 0 failed" in told.err
    Image.new("RGB", (32, 16)).save(pictures / "black.png")
    assert main(["bench", "jpeg", str(pictures / "a.png"), str(pictures / "black.png"), "-q", "50"]) == 0
    told = capsys.readouterr()
    words = "psnr-rgb, psnr-y, psnr-cb, psnr-cr, psnr-yuv infinite at some setting, and means with them"
    assert f"{words} (null in JSON): nothing differs there in black.png\n" in told.err
    head, line = (line.split() for line in told.out.splitlines()[1:])
    means = dict(zip(head, line, strict=True))
    assert {means[key] for key in head if key.startswith("psnr")} == {"inf"}
    assert 0 < float(means["ms-ssim-rgb"] if "ms-ssim-rgb" in means else means["ssim-rgb"]) < 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eval", "tiny", "a.png", "-q", "x"], "'x' is no setting"),
        (["eval", "tiny", "a.png", "-q", ","], "names no setting"),
        (["eval", "tiny", "a.png", "--metrics", "vmaf"], "psnr-rgb"),
        (["eval", "tiny", "-"], "standard input"),
        (["bench", "gif", "a.png"], "there is no codec 'gif': there are jpeg, webp"),
        (["bench", "jpeg", "a.png", "--command", "x"], "CODEC command"),
        (["bench", "command", "a.png"], "--decode-command"),
        (
            ["bench", "webp", "a.png", "-q", "50,1000"],
            "1000 is no setting of WebP, it must be a whole number from 0",
        ),
        (["bench", "jpegxl", "a.png", "-q", "-1"], "-1 is no setting of JPEG XL, it must be from 0 to"),
        (
            ["bench", "command", "a.png", "-q", "1,2", *COPIES],
            "--command has no {setting}, so that 2 would be",
        ),
        (
            [
                "bench",
                "command",
                "a.png",
                "-q",
                "1",
                "--command",
                "cp {input} {output} {quality}",
                *COPIES[2:],
            ],
            "has {quality}, and there are {input}, {output}, {setting}, {width}, {height}",
        ),
        (["bench", "webp", "empty"], "there is no picture in empty"),
    ],
)
def test_wrong_usage_is_said_before_any_work(words, told, model_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    assert main(words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("imagecodecs", ["bench", "jpegxl", "a.png"]),
        ("av", ["bench", "hevc", "a.png"]),
        ("bjontegaard", ["bd", "kodak:vtm", "kodak:hm"]),
        ("matplotlib", ["plot", "kodak:vtm", "-o", "a.svg"]),
    ],
)
def test_a_missing_extra_is_one_line(module, words, tmp_path, photo, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("a.png")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "lcrs.evaluate.classical.find_spec", lambda name: None if name == module else found(name)
    )
    for name in [name for name in sys.modules if name.split(".")[0] == module] or [module]:
        monkeypatch.setitem(sys.modules, name, None)
    if module == "matplotlib":
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install '.[evaluate]'" in err


@pytest.mark.slow
def test_nothing_needs_torch_but_what_runs_in_it(fresh_python, model_path, photo, tmp_path):
    Image.fromarray(np.tile(photo, (2, 2, 1))).save(tmp_path / "a.png")
    code = """
import sys
sys.modules["torch"] = None
from lcrs.cli import main
assert main(["eval", "tiny", "a.png", "-q", "10,50,90", "--json", "a.json", "--quiet"]) == 0
assert main(["bench", "jpeg", "a.png", "-q", "5,40,80", "--json", "b.json", "--quiet"]) == 0
assert main(["find", "tiny", "a.png", "--target-bpp", "2", "-o", "a.lcrs"]) == 0
assert main(["metrics", "a.png", "a.lcrs"]) == 0
assert main(["compare", "a.png", "a.lcrs"]) == 0
assert main(["doctor", "a.lcrs"]) == 0
assert main(["eval", "tiny", "a.png", "--estimate"]) == 1
"""
    out = fresh_python(code)
    assert "MS-SSIM 0." in out
    assert "healthy" in out


def test_missing_models_and_folders(model_path, pictures, tmp_path, capsys):
    assert main(["eval", "nothing", str(pictures), "-q", "20"]) == 1
    assert "models are" in capsys.readouterr().err
    assert main(["eval", "tiny", str(pictures), "--json", str(tmp_path / "no" / "r.json")]) == 1
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.slow
def test_networks_in_torch_are_measured_and_estimated(pictures, tmp_path, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    from lcrs.models import FactorizedPrior

    torch.manual_seed(3)
    net = FactorizedPrior(8, 12)
    net.update()
    torch.save(net.state_dict(), tmp_path / "own.pth.tar")
    (tmp_path / "made.py").write_text(
        "from lcrs.models import FactorizedPrior\n\n\ndef net():\n    return FactorizedPrior(8, 12)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "own.pth.tar", str(pictures / "a.png"), "--json", "real.json"]) == 0
    real = read_results("real.json")
    assert real.results["setting"] == ["own"]
    assert (
        main(["eval", "own.pth.tar", str(pictures / "a.png"), "--estimate", "--json", "estimate.json"]) == 0
    )
    estimate = read_results("estimate.json")
    assert estimate.meta["rate"] == "estimate"
    assert "estimated" in estimate.description
    assert "num_bytes" not in estimate.rows[0]
    assert estimate.results["bpp"][0] == pytest.approx(real.results["bpp-strings"][0], rel=0.05)
    assert estimate.results["psnr-rgb"][0] == pytest.approx(real.results["psnr-rgb"][0], abs=0.05)
    own = ["eval", "own.pth.tar", str(pictures / "a.png"), "--import", "made:net", "--json", "own.json"]
    assert main(own) == 0
    assert read_results("own.json").results["bpp"] == real.results["bpp"]
    capsys.readouterr()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tolerance"), [("webp", 1e-12), ("jpeg", 3e-3)])
def test_kodak_agrees_with_published_curves(name, tolerance, reference_data, tmp_path, capsys):
    kodak = reference_data.parent / "data" / "images" / "kodak"
    published = read_results(reference_data / "rd" / f"{name}.json").results
    assert main(["bench", name, str(kodak), "-j", "0", "--json", str(tmp_path / "r.json")]) == 0
    ours = read_results(tmp_path / "r.json").results
    np.testing.assert_allclose(ours["bpp"], published["bpp"], rtol=tolerance)
    if name == "webp":
        np.testing.assert_allclose(ours["psnr-rgb"], published["psnr-rgb"], atol=1e-5)
        np.testing.assert_allclose(ours["ms-ssim-rgb"], published["ms-ssim-rgb"], atol=1e-5)
