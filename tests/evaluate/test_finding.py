"""``lcrs find`` and ``lcrs metrics``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import metrics
from lcrs.cli import main
from lcrs.evaluate.classical import make_codec
from lcrs.evaluate.finding import find
from lcrs.evaluate.protocol import read_picture


@pytest.fixture
def picture(tmp_path, photo):
    path = tmp_path / "a.png"
    Image.fromarray(np.tile(photo, (2, 2, 1))).save(path)
    return read_picture(path)


@pytest.mark.parametrize("target", [1.0, 2.0, 3.5])
def test_no_setting_is_nearer(target, picture):
    codec = make_codec("jpeg")
    found = find(codec, [picture], "bpp", target)
    area = picture.pixels.shape[0] * picture.pixels.shape[1]
    every = {q: 8 * len(codec.encode(picture.pixels, q)) / area for q in range(101)}
    nearest = min(every.values(), key=lambda bpp: abs(bpp - target))
    assert abs(found.value - target) == pytest.approx(abs(nearest - target), abs=0.02)
    assert found.value == every[found.setting]
    assert len(found.trials) <= 10
    assert found.files == [codec.encode(picture.pixels, found.setting)]
    assert found.is_reached


def test_sizes_are_never_above(picture):
    for name in ("jpeg", "webp"):
        found = find(make_codec(name), [picture], "num_bytes", 9000)
        assert len(found.files[0]) <= 9000
        assert len(found.files[0]) > 8000


@pytest.mark.parametrize(("what", "target"), [("psnr-rgb", 33.0), ("ms-ssim-rgb", 0.97), ("bpp", 3.0)])
def test_a_model_reaches_what_it_is_told(what, target, picture, model_path, tmp_path, capsys):
    option = {"psnr-rgb": "--target-psnr", "ms-ssim-rgb": "--target-ms-ssim", "bpp": "--target-bpp"}[what]
    out = tmp_path / "out" / "b.lcrs"
    words = ["find", "tiny", str(tmp_path / "a.png"), option, str(target), "-o", str(out), "--json"]
    assert main(words) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields[what] == pytest.approx(target, abs={"ms-ssim-rgb": 1e-3}.get(what, 0.02))
    restored = lcrs.decompress(out, model="tiny")
    values = metrics.measure(picture.pixels, restored)[0]
    area = restored.shape[0] * restored.shape[1]
    values["bpp"] = 8 * out.stat().st_size / area
    assert values[what] == pytest.approx(fields[what])
    assert main(words) == 1  # the file is there
    assert "--force" in capsys.readouterr().err


def test_a_codec_that_jumps_is_as_near_as_it_comes(picture):
    """Its settings are continuous and its sizes are not: no setting is within the tolerance."""

    class Jumping:
        name, settings = "jumping", (0.0, 100.0)
        least, most, step, is_ascending = 0.0, 100.0, 0.0, True

        def encode(self, pixels, setting):
            return bytes(1000 + 300 * int(setting / 7.3))

        def decode(self, data, shape, setting):
            return np.zeros(shape, np.uint8)

    for target, size in ((2000, 1900), (2200, 2200), (10**6, 1000 + 300 * 13)):
        found = find(Jumping(), [picture], "num_bytes", target)
        assert (found.value, found.is_reached) == (size, True)
    found = find(Jumping(), [picture], "num_bytes", 999)
    assert (found.value, found.is_reached) == (1000, False)
    area = picture.pixels.shape[0] * picture.pixels.shape[1]
    assert find(Jumping(), [picture], "bpp", 8 * 2150 / area).is_reached
    assert not find(Jumping(), [picture], "bpp", 8 * 5000 / area).is_reached


def test_a_folder_has_one_setting(pictures, tmp_path, capsys):
    (pictures / "one.png").unlink()  # its header is all there is of it
    words = ["find", "webp", str(pictures), "--target-psnr", "32", "-o", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    fields = json.loads(capsys.readouterr().out)
    assert len(fields["pictures"]) == 4
    mean = np.mean([row["psnr-rgb"] for row in fields["pictures"]])
    assert mean == pytest.approx(fields["psnr-rgb"])
    assert mean == pytest.approx(32, abs=0.5)
    assert (tmp_path / "out" / "below" / "b.webp").exists()


def test_what_is_out_of_reach_is_said(picture, tmp_path, capsys):
    assert main(["find", "jpeg", str(tmp_path / "a.png"), "--target-bpp", "0.001", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "lcrs find: warning: asked for bpp 0.001: found " in err
    assert "the least that JPEG gives (setting " in err
    assert json.loads(out)["is_reached"] is False
    assert main(["find", "jpeg", str(tmp_path / "a.png"), "--target-size", "100000000"]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in err  # fewer bytes are what was asked for
    assert "JPEG: setting 100 gives num_bytes" in out
    with pytest.raises(SystemExit):
        main(["find", "jpeg", str(tmp_path / "a.png"), "--target-ms-ssim", "1.5"])
    assert "'1.5' is not below 1" in capsys.readouterr().err
    assert main(["find", "nothing", str(tmp_path / "a.png"), "--target-bpp", "1"]) == 1
    assert "models are" in capsys.readouterr().err
    with pytest.raises(ValueError, match="above 0"):
        find(make_codec("jpeg"), [picture], "bpp", float("nan"))


def test_small_pictures_have_no_ms_ssim(tmp_path, photo, capsys):
    Image.fromarray(photo).save(tmp_path / "small.png")
    assert main(["find", "jpeg", str(tmp_path / "small.png"), "--target-ms-ssim", "0.9"]) == 1
    assert "161" in capsys.readouterr().err


def test_metrics_of_files(picture, tmp_path, capsys):
    Image.fromarray(picture.pixels).save(tmp_path / "b.jpg", quality=40)
    paths = [str(tmp_path / "a.png"), str(tmp_path / "b.jpg")]
    assert main(["metrics", *paths, "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    restored = np.asarray(Image.open(tmp_path / "b.jpg"))
    assert fields["values"] == pytest.approx(metrics.measure(picture.pixels, restored)[0])
    assert "lpips" in fields["missing"] | fields["values"]
    assert main(["metrics", paths[0], paths[0], "--metrics", "psnr-rgb,ssim-rgb", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields == {
        "values": {"psnr-rgb": None, "ssim-rgb": 1.0},
        "missing": {"psnr-rgb": "nothing differs"},
    }
    assert main(["metrics", *paths, "--metrics", "vmaf"]) == 2


def test_metrics_of_two_depths(tmp_path, photo, capsys):
    Image.fromarray(photo[..., 0]).save(tmp_path / "a.png")
    Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(tmp_path / "b.png")
    assert main(["metrics", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["psnr-rgb"] is None
