"""CompressAI's commands, by its arguments and in its JSON."""

from __future__ import annotations

import importlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lcrs import metrics

torch = pytest.importorskip("torch")


def command(name):
    return importlib.import_module(f"lcrs.utils.{name}.__main__")


@pytest.fixture
def folder(tmp_path, photo):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    Image.fromarray(np.tile(photo, (2, 2, 1))).save(tmp_path / "in" / "a.png")
    Image.fromarray(np.tile(photo[::-1], (2, 2, 1))).save(tmp_path / "in" / "deep" / "b.png")
    return tmp_path / "in"


@pytest.fixture
def checkpoint(tmp_path):
    from lcrs.models import FactorizedPrior

    torch.manual_seed(1)
    net = FactorizedPrior(8, 12)
    path = tmp_path / "net-12345678.pth.tar"
    torch.save({"state_dict": net.state_dict()}, path)
    return path


@pytest.mark.filterwarnings("ignore")
def test_eval_model(folder, checkpoint, tmp_path, capsys):
    from lcrs.coding.default_kind import get_entropy_coder, set_entropy_coder

    eval_model = command("eval_model")
    out = tmp_path / "out"
    words = ["checkpoint", str(folder), "-a", "bmshj2018-factorized", "-p", str(checkpoint), "-d", str(out)]
    before = get_entropy_coder()
    try:
        eval_model.main([*words, "-o", "real", "--per-image"])
        printed = json.loads(capsys.readouterr().out)
        eval_model.main([*words, "-o", "estimate", "--entropy-estimation"])
    finally:
        set_entropy_coder(before)
    real, estimate = (json.loads((out / f"{name}.json").read_text()) for name in ("real", "estimate"))
    assert printed == real
    assert (real["name"], real["description"]) == ("bmshj2018-factorized-mse", "Inference (ans)")
    assert estimate["description"] == "Inference (entropy estimation)"
    keys = {"psnr-rgb", "ms-ssim-rgb", "bpp", "encoding_time", "decoding_time"}
    assert keys == set(real["results"]) == set(estimate["results"])
    assert real["results"]["psnr-rgb"] == pytest.approx(estimate["results"]["psnr-rgb"], abs=0.3)
    single = json.loads((out / "deep" / "b-net-12345678-ans.json").read_text())
    other = json.loads((out / "a-net-12345678-ans.json").read_text())
    mean = (single["results"]["bpp"] + other["results"]["bpp"]) / 2
    assert real["results"]["bpp"] == [pytest.approx(mean)]
    for wrong in ([], ["pretrained"], ["--help"]):
        with pytest.raises(SystemExit):
            eval_model.main(wrong)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        eval_model.main(["checkpoint", str(tmp_path / "empty"), *words[2:]])
    assert "no images found" in capsys.readouterr().err


def test_bench(folder, capsys):
    command("bench").main(["webp", str(folder), "-q", "80,20"])
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "WebP"
    pixels = np.asarray(Image.open(folder / "a.png"))
    assert found["results"]["bpp"][0] < found["results"]["bpp"][1]
    assert found["results"]["psnr-rgb"][0] > 25
    assert len(found["results"]["ms-ssim-rgb"]) == 2
    codec = command("bench").codecs[1](None)
    info, restored = codec.run(folder / "a.png", 20, ["psnr-rgb"], return_rec=True)
    assert info["psnr-rgb"] == pytest.approx(metrics.psnr(pixels, np.asarray(restored)))
    with pytest.raises(ValueError, match="Invalid quality value: 101"):
        codec.run(folder / "a.png", 101)
    with pytest.raises(SystemExit):
        command("bench").main(["jpeg"])
    with pytest.raises(OSError, match="No such directory"):
        command("bench").main(["jpeg", str(folder / "none")])


@pytest.mark.parametrize(("metric", "target"), [("psnr-rgb", 30.0), ("bpp", 0.9)])
def test_find_close(metric, target, folder, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command("find_close").main(["jpeg", str(folder / "a.png"), str(target), "-m", metric, "--save"])
    out = capsys.readouterr().out
    value = float(out.partition(f"{metric}: ")[2].split()[0])
    assert abs(value - target) < 0.05 + 0.05 * value
    assert list(tmp_path.glob("output_jpeg_q*.png"))


def test_plots(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.json"
    path.write_text(
        '{"name": "x", "results": {"bpp": [0.1, 0.2], "psnr-rgb": [30, 33], "ms-ssim-rgb": [0.9, 0.95]}}'
    )
    for metric in ("psnr", "psnr-rgb", "ms-ssim-rgb"):
        target = tmp_path / f"{metric}.png"
        command("plot").main(["-f", str(path), "--title", "T", "-m", metric, "-o", str(target)])
        assert target.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="not available"):
        command("plot").main(["-f", str(path), "-m", "vmaf"])
    video = tmp_path / "v.json"
    video.write_text('{"bitrate": [100, 200], "psnr-rgb": [30, 33]}')
    command("video.plot").main(["-f", str(video), "-o", str(tmp_path / "v.svg")])
    assert (tmp_path / "v.svg").stat().st_size > 1000
    with pytest.raises(ValueError, match="select output"):
        command("video.plot").main(["-f", str(video)])


@pytest.fixture
def sequence(tmp_path, photo):
    """Two frames of 64 x 64, raw 4:2:0."""
    folder = tmp_path / "video"
    folder.mkdir()
    frames = []
    for at in range(2):
        y = photo[at : at + 64, at : at + 64, 1]
        frames += [y, y[::2, ::2] // 2 + 64, y[1::2, 1::2] // 3 + 90]
    data = b"".join(np.ascontiguousarray(plane).tobytes() for plane in frames)
    (folder / "clip_64x64_30Hz_8bit_P420.yuv").write_bytes(data)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_video_models(sequence, tmp_path, capsys):
    from lcrs.models import ScaleSpaceFlow

    torch.manual_seed(0)
    net = ScaleSpaceFlow()
    torch.save(net.state_dict(), tmp_path / "ssf.pth.tar")
    words = ["checkpoint", str(sequence), str(tmp_path / "out"), "-a", "ssf2020", "-p"]
    words += [str(tmp_path / "ssf.pth.tar"), "-d", str(tmp_path / "out")]
    command("video.eval_model").main([*words, "-o", "real", "--keep_binaries"])
    command("video.eval_model").main([*words, "-o", "estimate", "--entropy-estimation"])
    real, estimate = (
        json.loads((tmp_path / "out" / f"{name}.json").read_text())["results"]
        for name in ("real", "estimate")
    )
    (binary,) = (tmp_path / "out").glob("*.bin")
    assert real["bitrate"] == [pytest.approx(binary.stat().st_size * 8 * 30 / 2000)]
    assert real["bitrate"][0] > 0.9 * estimate["bitrate"][0]
    assert real["psnr-y"] == pytest.approx(estimate["psnr-y"], abs=0.3)
    assert real["psnr-yuv"][0] == pytest.approx(
        (4 * real["psnr-y"][0] + real["psnr-u"][0] + real["psnr-v"][0]) / 6
    )
    capsys.readouterr()


def test_video_bench_measures_what_it_decodes(sequence, tmp_path, monkeypatch, capsys):
    bench = command("video.bench")

    def run(line, log):
        """A codec that keeps the frames as they are but for their last bit."""
        source, target = (line[line.index("-i") + 1], line[-1])
        data = np.frombuffer(source.read_bytes(), np.uint8)
        target.write_bytes((data & 254).tobytes())
        log.write_text("")

    monkeypatch.setattr(bench, "_run", run)
    monkeypatch.setattr(bench.x264, "description", "x264 here")
    bench.main(["x264", str(sequence), str(tmp_path / "out"), "-q", "30"])
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "x264-medium-tune-psnr"
    source = next(sequence.glob("*.yuv"))
    assert found["results"]["bitrate"] == [pytest.approx(source.stat().st_size * 8 * 30 / 2000)]
    y = np.frombuffer(source.read_bytes(), np.uint8).reshape(2, -1)[:, : 64 * 64].astype(float)
    mse = np.mean((y - (y.astype(np.uint8) & 254)) ** 2)
    assert found["results"]["psnr-y"] == [pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)]
    bench.main(["x264", str(sequence), str(tmp_path / "out"), "-q", "30"])
    assert "using existing results" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        bench.main(["x264"])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here")
def test_video_bench_by_ffmpeg(sequence, tmp_path, capsys):
    command("video.bench").main(["x264", str(sequence), str(tmp_path / "out"), "-q", "20"])
    assert json.loads(capsys.readouterr().out)["results"]["psnr-y"][0] > 30


def test_by_compressais_names(fresh_torch, folder):
    code = """
import sys
import lcrs.shims
lcrs.shims.install()
import compressai.utils.find_close.__main__, compressai.utils.video.plot.__main__
from compressai.utils.bench.codecs import JPEG, compute_metrics
from compressai.utils.eval_model.__main__ import collect_images
found = collect_images(sys.argv[1])
print(len(found), JPEG(None).run(str(found[0]), 50)["bpp"] > 0)
"""
    assert fresh_torch(code, str(folder)) == "2 True"
