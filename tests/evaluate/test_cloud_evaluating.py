"""Codecs of point clouds: rows, result files, command lines of programs, and what goes wrong with them."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lcrs import clouds, coding
from lcrs.cli import main
from lcrs.clouds import Cloud
from lcrs.evaluate.cloud_codecs import DracoCodec, ExternalCloudCodec, make_cloud_codec
from lcrs.evaluate.cloud_models import NetworkCloudCodec, load_cloud_model
from lcrs.evaluate.cloud_protocol import GivenCloud, digest_of_cloud, measured_cloud, read_given_cloud
from lcrs.evaluate.curves import load
from lcrs.evaluate.plotting import draw
from lcrs.evaluate.report import page
from lcrs.metrics.clouds import measure_clouds

generator = np.random.default_rng(4)
POINTS = np.unique(generator.integers(0, 32, (400, 3)), axis=0).astype(np.int32)
COPY = ("cp {input} {output}", "cp {input} {output}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clouds").mkdir()
    clouds.write(tmp_path / "clouds" / "a.ply", Cloud(POINTS, {"red": np.zeros(len(POINTS), np.uint8)}))
    clouds.write(tmp_path / "clouds" / "b.pcd", Cloud(POINTS[:99].astype(np.float32)))
    (tmp_path / "clouds" / "notes.txt").write_text("no points")
    return tmp_path


def given(positions, **properties):
    return GivenCloud("a", Cloud(positions, properties), digest_of_cloud(positions))


class Halving:
    """Loses the last bit, and says so of its bytes."""

    name, settings = "halving", (None,)

    def identity(self):
        return {"by": "tests"}

    def encode_cloud(self, cloud, setting):
        return (cloud.positions // 2).astype(np.uint8).tobytes() + b"end"

    def decode_cloud(self, data, setting):
        return np.frombuffer(data[:-3], np.uint8).reshape(-1, 3)[::-1] * np.float32(2)

    def parts(self, data):
        return {"points": len(data) - 3, "end": 3}


def test_a_row_has_bits_of_parts_and_distances():
    row, restored, data = measured_cloud(Halving(), given(POINTS), None, peak=31)
    assert row["bpip"] == 8 * len(data) / len(POINTS)
    assert (row["bpip-points"], row["bpip-end"]) == (24, 24 / len(POINTS))
    assert (row["lossless"], row["num_restored"]) == (0, len(POINTS))
    assert row["encoding_time"] >= 0
    expected = measure_clouds(POINTS, POINTS // 2 * 2, peak=31)
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert restored.positions.dtype == np.float32


def test_lossless_means_the_same_places_in_any_order_and_type():
    even = np.unique(POINTS // 2 * 2, axis=0)
    row, _, _ = measured_cloud(Halving(), given(even), None)
    assert (row["lossless"], row["psnr-d1"], row["hausdorff"]) == (1, math.inf, 0)
    assert digest_of_cloud(even) == digest_of_cloud(even[::-1].astype(np.float64))
    assert digest_of_cloud(even) != digest_of_cloud(even[:-1])
    row, _, _ = measured_cloud(Halving(), given(np.concatenate([even, even[:1]])), None, ["psnr-d2"])
    assert (row["lossless"], row["psnr-d2"]) == (1, math.inf)
    assert "psnr-d1" not in row


@pytest.mark.parametrize("offset", [0, -7, 1 << 20])
def test_draco_keeps_whole_numbers(offset):
    pytest.importorskip("DracoPy")
    row, _, _ = measured_cloud(DracoCodec(), given(POINTS + offset), "lossless")
    assert row["lossless"] == 1
    assert 3 < row["bpip"] < 15
    coarse, _, _ = measured_cloud(DracoCodec(), given(POINTS + offset), 3)
    assert coarse["bpip"] < row["bpip"]
    assert 0 < coarse["mse-d1"] < 12


def test_what_draco_cannot_keep_is_said():
    pytest.importorskip("DracoPy")
    for positions in (POINTS + 0.5, POINTS + (1 << 24)):
        with pytest.raises(ValueError, match="-q BITS rounds others"):
            DracoCodec().encode_cloud(Cloud(positions), "lossless")
    with pytest.raises(ValueError, match="setting is 31: lossless, or 1 to 30 bits"):
        DracoCodec().encode_cloud(Cloud(POINTS), 31)


def test_programs_get_and_give_ply_files():
    for encoding in ("binary_little_endian", "ascii"):
        codec = ExternalCloudCodec("copy", *COPY, settings=(1,), encoding=encoding)
        row, restored, data = measured_cloud(codec, given(POINTS), 1)
        assert data.startswith(
            f"ply\nformat {encoding} 1.0\nelement vertex {len(POINTS)}\nproperty float x".encode()
        )
        assert row["lossless"] == 1
        np.testing.assert_array_equal(restored.positions, POINTS)
    far = POINTS + 0.1 + 1e9  # which floats of 32 bits cannot hold
    row, _, data = measured_cloud(ExternalCloudCodec("copy", *COPY, settings=(1,)), given(far), 1)
    assert row["lossless"] == 1
    assert b"property double x" in data


def test_what_a_program_does_wrong_is_said(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"has no \{input\} or no \{output\}"):
        ExternalCloudCodec("x", "cp {input}", COPY[1], settings=(1,))
    silent = ExternalCloudCodec("x", "true {input} {output}", COPY[1], settings=(1,))
    with pytest.raises(OSError, match="true wrote no file"):
        silent.encode_cloud(Cloud(POINTS), 1)
    damaged = ExternalCloudCodec("x", COPY[0], "cp /etc/hostname {output} {input}", settings=(1,))
    with pytest.raises(OSError, match="cp ended with code 1"):
        damaged.decode_cloud(b"ply", 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no such program on the path"):
        make_cloud_codec("gpcc")
    with pytest.raises(ValueError, match="there are draco, gpcc"):
        make_cloud_codec("jpeg")


def test_the_test_model_is_called_as_it_is_documented(monkeypatch, tmp_path):
    """A stand-in that says what it was told, and copies."""
    program = tmp_path / "tmc3"
    program.write_text(
        '#!/bin/sh\nfor word in "$@"; do case "$word" in\n'
        '--uncompressedDataPath=*) from="${word#*=}";; --compressedStreamPath=*) packed="${word#*=}";;\n'
        '--reconstructedDataPath=*) to="${word#*=}";; --mode=*) mode="${word#*=}";;\n'
        f'esac; done; echo "$@" >> {tmp_path}/told\n'
        'if [ "$mode" = 0 ]; then cp "$from" "$packed"; else cp "$packed" "$to"; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    row, _, _ = measured_cloud(make_cloud_codec("gpcc"), given(POINTS), 1)
    assert row["lossless"] == 1
    told = (tmp_path / "told").read_text()
    assert "--positionQuantizationScale=1 " in told
    assert "--mergeDuplicatedPoints=1" in told


def test_clouds_that_cannot_be_measured(tmp_path):
    for positions, message in (
        (np.zeros((0, 3)), "no points"),
        (np.array([[0, 0, 0], [0, np.inf, 0]]), r"point 1 is \[0.0, inf, 0.0\]"),
    ):
        clouds.write(tmp_path / "a.ply", Cloud(positions), overwrite=True)
        with pytest.raises(ValueError, match=message):
            read_given_cloud(tmp_path / "a.ply")


def test_a_run_over_a_folder_is_a_result_file(folder, capsys, monkeypatch):
    pytest.importorskip("DracoPy")
    monkeypatch.chdir(folder)
    words = ["bench", "draco", "clouds", "-q", "lossless,3,4", "--json", "d.json", "--save", "kept"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert "means over 2 clouds, 0 failed" in told.err
    assert re.search(r"setting +bpip +encoding_time", told.out)
    content = json.loads((folder / "d.json").read_text())
    assert content["results"]["setting"] == [3, 4, "lossless"]
    assert content["results"]["psnr-d1"][2] is None
    assert content["results"]["lossless"] == [0, 0, 1]
    assert content["results"]["bpip"] == sorted(content["results"]["bpip"])
    assert sorted(cloud["num_points"] for cloud in content["pictures"]) == [99, len(POINTS)]
    assert content["meta"]["rate"] == "bytes"
    np.testing.assert_array_equal(
        np.sort(clouds.read("kept/a.ply-lossless.ply").positions, axis=0), np.sort(POINTS, axis=0)
    )
    assert (folder / "kept" / "b.pcd-3.drc").stat().st_size > 0
    # What is there is not measured again.
    before = (folder / "d.json").read_bytes()
    monkeypatch.setattr(
        "lcrs.cli.evaluating._measure",
        lambda verb, points, *_: [{"name": point.name, "error": "again"} for point in points],
    )
    assert main([*words[:-2], "--quiet"]) == 0
    assert json.loads(before)["rows"] == json.loads((folder / "d.json").read_text())["rows"]

    curve = load("d.json")
    assert (curve.rate, curve.usual_measure) == ("bpip", "psnr-d1")
    capsys.readouterr()
    main(["bd", "d.json", "d.json", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["measure"] == "psnr-d1"
    pytest.importorskip("matplotlib")
    figure, lacking = draw([curve])
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("bits per point", "PSNR of D1 (point to point), dB")
    assert lacking == []
    text = page([curve, curve])
    assert "bits per point" in text
    assert "over 2 clouds" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bench", "jpeg", "clouds"], "no codec of point clouds 'jpeg': there are draco, gpcc, command"),
        (["bench", "draco", "clouds", "photo.png"], "clouds is of point clouds, photo.png is not"),
        (["bench", "draco", "clouds", "--metrics", "psnr-rgb"], "there are psnr-d1"),
        (["bench", "draco", "clouds", "-q", "fine"], "'fine' is no setting of Draco, one of"),
        (["bench", "draco", "clouds", "--to-srgb"], "--to-srgb is for pictures, not for point clouds"),
        (["bench", "webp", "photo.png", "--peak", "9"], "--peak is for point clouds, not for pictures"),
        (
            ["bench", "command", "clouds", "-q", "1", "--command", COPY[0], "--decode-command", COPY[1],
             "--pictures", "png"],
            "--pictures png: of clouds there are ply, ply-ascii",
        ),
        (["metrics", "clouds/a.ply", "photo.png"], "clouds/a.ply is a point cloud, photo.png is none"),
        (["metrics", "clouds/a.ply", "clouds/none.ply"], "clouds/none.ply: No such file"),
        (["metrics", "clouds/a.ply", "clouds/notes.txt"], "clouds/notes.txt: point 0"),
        (["metrics", "photo.png", "photo.png", "--peak", "1"], "--peak is for point clouds, not"),
        (["metrics", "clouds/a.ply", "clouds/b.pcd", "--frame", "0"], "--frame is for pictures, not for"),
        (["metrics", "clouds/a.ply", "clouds/b.pcd", "--metrics", "d1"], "there are psnr-d1"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(words, told, folder, photo, monkeypatch, capsys):
    from PIL import Image

    pytest.importorskip("DracoPy")
    Image.fromarray(photo).save(folder / "photo.png")
    monkeypatch.chdir(folder)
    assert main(words) != 0
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_two_clouds_are_measured(folder, package_file, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["encode", "clouds/a.ply", "-o", "a.lcrs", "--model", str(package_file), "--quiet"]) == 0
    assert main(["metrics", "clouds/a.ply", "a.lcrs", "--model", str(package_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["mse-d2"] == 0
    (folder / "b.lcrs").write_bytes((folder / "a.lcrs").read_bytes()[:-9])
    assert main(["metrics", "clouds/a.ply", "b.lcrs"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    clouds.write("c.xyz", Cloud(POINTS // 2 * 2))
    assert main(["metrics", "clouds/a.ply", "c.xyz", "--json", "--peak", "31"]) == 0
    fields = json.loads(capsys.readouterr().out)
    expected = measure_clouds(POINTS, POINTS // 2 * 2, peak=31)
    assert fields["values"] == pytest.approx(expected)
    assert (fields["peak"], fields["num_points"]) == (31, [len(POINTS), len(POINTS)])
    assert main(["metrics", "clouds/a.ply", "clouds/a.ply"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^psnr-d1 +inf$", told, re.MULTILINE)
    assert "peak 31, normals estimated from 16 neighbours" in told


@pytest.fixture(scope="module")
def package_file(tmp_path_factory):
    sys.path[:0] = [str(Path(__file__).parents[1] / "golden" / "clouds")]
    from cloud_package import cloud_package

    path = tmp_path_factory.mktemp("model") / "tiny-cloud.lcrm"
    coding.write_package(path, *cloud_package())
    return path


def test_packages_say_bits_of_parts(package_file):
    codec = load_cloud_model(str(package_file))
    assert codec.name == "tiny-cloud"
    row, _, data = measured_cloud(codec, given(POINTS, red=np.zeros(len(POINTS), np.uint8)), "lossless")
    assert row["lossless"] == 1
    assert row["bpip"] == pytest.approx(row["bpip-occupancies"] + row["bpip-header"])
    assert coding.info(data)["attributes"] == []  # positions alone
    coarse, restored, _ = measured_cloud(codec, given(POINTS), 3)
    assert coarse["bpip"] < row["bpip"]
    assert 0 < coarse["hausdorff"] <= math.dist((0, 0, 0), (2.3, 2.3, 2.3))
    assert restored.positions.dtype == POINTS.dtype
    with pytest.raises(ValueError, match=r"setting is 2\.5: lossless, or whole bits"):
        codec.encode_cloud(Cloud(POINTS), 2.5)


def test_networks_are_measured_by_their_strings(folder):
    torch = pytest.importorskip("torch")

    class Eighths(torch.nn.Module):
        """Two latents, of which one is empty."""

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(8.0))

        def compress(self, input):
            whole = (input["pos"] * self.scale).round().to(torch.int8)
            return {"strings": [[whole.numpy().tobytes()], [b""]], "shape": whole.shape}

        def decompress(self, strings, shape):
            whole = np.frombuffer(strings[0][0], np.int8).reshape(shape).astype(np.float32)
            return {"x_hat": torch.from_numpy(whole) / self.scale}

    codec = NetworkCloudCodec(Eighths(), name="eighths")
    row, restored, data = measured_cloud(codec, given(POINTS + 1000), None)
    assert len(data) == 16 + 3 * len(POINTS)
    assert (row["bpip-latent0"], row["bpip-latent1"]) == (24, 0)
    assert row["bpip"] == pytest.approx(24 + row["bpip-place"])
    assert np.abs(restored.positions - POINTS - 1000).max() <= 1.05  # of a size of some 16, half an eighth
    with pytest.raises(ValueError, match="not what was coded last"):
        codec.decode_cloud(b"other", None)
    with pytest.raises(ValueError, match="Linear has no compress"):
        NetworkCloudCodec(torch.nn.Linear(1, 1), name="x")
    torch.save(Eighths().state_dict(), folder / "net.pt")
    with pytest.raises(ValueError, match=r"net\.pt is a checkpoint: its architecture"):
        load_cloud_model(str(folder / "net.pt"))
    with pytest.raises(ValueError, match="is of no sfu2023-pcc-rec-pointnet as it is by default"):
        load_cloud_model(str(folder / "net.pt"), architecture="sfu2023-pcc-rec-pointnet")


def test_a_model_over_a_folder(folder, package_file, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["eval", str(package_file), "clouds", "-q", "lossless,3", "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["results"]["setting"] == [3, "lossless"]
    assert content["results"]["lossless"] == [0, 1]
    assert set(content["meta"]["model"]) == {"tiny-cloud"}
    for words, told in (
        (["eval", "photo", "clouds"], "model 'photo' codes pictures, not point clouds"),
        (["eval", "geometry,other", "clouds"], "are measured one at a time"),
        (
            ["eval", str(package_file), "clouds", "--estimate"],
            "--estimate is for pictures, not for point",
        ),
    ):
        assert main(words) != 0
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
