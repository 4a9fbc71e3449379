"""Point clouds on the command line: the verbs find by the file what it is, and nothing is lost silently."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lcrs import cli, clouds, coding, points

PACKAGE = Path(__file__).parents[1] / "golden" / "clouds" / "tiny-cloud.lcrm"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``in.ply``, which is made the current one; the tiny model is at hand."""
    random = np.random.default_rng(3)
    positions = (random.integers(-40, 40, (90, 3)) / 50).astype(np.float32)
    positions = np.concatenate([positions, positions[:5]])
    properties = {"red": random.integers(0, 256, 95).astype(np.uint8), "nx": random.normal(size=95)}
    clouds.write(tmp_path / "in.ply", clouds.Cloud(positions, properties, comments=("made here",)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LCRS_MODEL_PATH", str(PACKAGE.parent))
    return tmp_path


def rows(cloud: clouds.Cloud) -> list[tuple[float, ...]]:
    return sorted(map(tuple, np.column_stack([cloud.positions, *cloud.properties.values()]).tolist()))


def run(*arguments: str) -> int:
    return cli.main(list(arguments))


def encode(*options: str) -> int:
    return run("encode", "in.ply", "-o", "out.lcrs", "--model", "tiny-cloud", *options)


def test_points_come_back_in_any_format(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode("--keep-duplicates") == 0
    told = capsys.readouterr().err
    assert "in.ply: not kept: comments" in told
    assert "95 points" in told
    given = clouds.read("in.ply")
    for name in ("again.ply", "again.pcd"):
        assert run("decode", "out.lcrs", "-o", name) == 0
        assert rows(clouds.read(name)) == rows(given)
    assert run("decode", "out.lcrs") == 0
    assert rows(clouds.read("out.ply")) == rows(given)
    assert (folder / "out.ply").read_bytes() == (folder / "again.ply").read_bytes()
    assert run("decode", "out.lcrs", "-o", "text", "--format", "xyz") == 0


def test_info_says_what_each_part_costs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode("--keep-duplicates") == 0
    capsys.readouterr()
    assert run("info", "out.lcrs") == 0
    text = capsys.readouterr().out
    for words in (
        "num_points",
        "order_kept",
        "red uint8, nx float64",
        "attribute nx",
        "bits a point",
        "0.02",
    ):
        assert words in text
    assert run("info", "--json", "out.lcrs") == 0
    fields = json.loads(capsys.readouterr().out)
    sizes = [part["num_bytes"] for part in fields["parts"]]
    assert (
        fields["num_header_bytes"] + sum(sizes) == fields["num_bytes"] == (folder / "out.lcrs").stat().st_size
    )
    assert (fields["lossless"], fields["order_kept"], fields["num_points"]) == (True, False, 95)


def test_options_do_what_they_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode("--drop", "nx") == 0
    assert (
        "5 of 95 points are where another one is, and left out (--keep-duplicates" in capsys.readouterr().err
    )
    cloud = points.decompress("out.lcrs")
    assert (list(cloud.properties), len(cloud)) == (["red"], 90)
    assert encode("--drop", "all", "--voxel", "0.1", "--force") == 0
    fields = points.info("out.lcrs")
    assert (fields["voxel"], fields["attributes"], fields["lossless"]) == (0.1, [], False)
    assert encode("--bits", "4", "--force") == 0
    assert points.info("out.lcrs")["depth"] <= 4


def test_several_files_and_pictures_beside_them(folder: Path, photo: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(photo[:20, :20]).save(folder / "a.png")
    (folder / "b.xyz").write_text("1 2 3\n4 5 6\n")
    assert run("encode", "in.ply", "b.xyz", "-o", "clouds/", "--model", "tiny-cloud") == 0
    assert run("encode", "a.png", "-o", "clouds/") == 0
    assert run("decode", "-r", "clouds", "-o", "restored/") == 0
    assert sorted(path.name for path in (folder / "restored").iterdir()) == ["a.png", "b.ply", "in.ply"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["encode", "in.ply", "-o", "out.lcrs"], 1, "there is no model 'geometry'"),
        (["encode", "in.ply", "-o", "in.ply", "--model", "tiny-cloud"], 1, "is the input itself"),
        (["encode", "in.ply", "--model", "tiny-cloud", "-q", "5"], 2, "--quality is for pictures, not for"),
        (["encode", "in.ply", "--runtime", "torch"], 2, "--runtime torch is for pictures, not for point"),
        (["decode", "whole.lcrs", "--max-side", "9"], 2, "--max-side is for pictures, not for point clouds"),
        (["decode", "whole.lcrs", "--runtime", "torch"], 2, "--runtime torch is for pictures, not for"),
        (["eval", "tiny-cloud", "in.ply", "--runtime", "torch"], 2, "--runtime torch is for pictures, not"),
        (["compare", "in.ply", "whole.lcrs"], 2, "in.ply and whole.lcrs are point clouds: lcrs metrics"),
        (["metrics", "in.ply", "whole.lcrs", "--to-8bit"], 2, "--to-8bit is for pictures, not for point"),
        (["encode", "in.ply", "--model", "tiny-cloud", "--drop", "blue"], 1, "drop names blue"),
        (["encode", "in.ply", "--model", "photo-2"], 1, "codes pictures, not point clouds"),
        (["encode", "cut.ply", "--model", "tiny-cloud"], 1, "cut.ply: PLY file ends in vertex"),
        (["encode", "a.png", "--voxel", "1"], 2, "--voxel is for point clouds, not for pictures"),
        (["decode", "whole.lcrs", "-o", "a.jpg"], 1, "a.jpg ends in '.jpg': points can be in .ply, .pcd"),
        (["decode", "whole.lcrs", "-o", "a.foo"], 2, "a.foo ends in '.foo': points can be in .ply, .pcd"),
        (["decode", "whole.lcrs", "-o", "cloud"], 2, "cloud has no ending: points can be in .ply, .pcd"),
        (["decode", "whole.lcrs", "-o", "in.ply"], 1, "in.ply exists; --force replaces it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    if "geometry" in words and any("geometry.lcrm" in path.name for path in _shipped()):
        pytest.skip("the model ships with lcrs")
    (folder / "cut.ply").write_bytes((folder / "in.ply").read_bytes()[:-30])
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    package = coding.CloudPackage.from_file(PACKAGE)
    (folder / "whole.lcrs").write_bytes(points.compress([[1, 2, 3]], model=package))
    before = (folder / "in.ply").read_bytes()
    assert run(*arguments) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert (folder / "in.ply").read_bytes() == before
    assert not list(folder.glob("*.part"))


def _shipped() -> list[Path]:
    from lcrs.packages import shipped_models

    return list(shipped_models().values())


def test_standard_input_and_output(folder: Path) -> None:
    import subprocess

    encode = '"$0" -m lcrs encode - -o - --model tiny-cloud < in.ply 2>/dev/null'
    line = f'{encode} | "$0" -m lcrs decode - -o - > again.ply'
    subprocess.run(["sh", "-c", line, sys.executable], check=True)
    assert len(clouds.read("again.ply")) == 90


def test_what_a_decoded_cloud_is_called(folder: Path) -> None:
    assert encode("--keep-duplicates") == 0
    (folder / "out.png").write_bytes(b"another file")
    (folder / "in.ply.lcrs").write_bytes((folder / "out.lcrs").read_bytes())
    (folder / "in.ply").unlink()
    for name in ("out", "in.ply"):
        os.utime(f"{name}.lcrs", (1e9, 1e9))
        assert run("decode", "--keep-times", f"{name}.lcrs") == 0
    assert {path.name for path in folder.glob("*.ply")} == {"out.ply", "in.ply"}
    assert all(path.stat().st_mtime == 1e9 for path in folder.glob("*.ply"))
    assert (folder / "out.png").stat().st_mtime > 1e9


def test_a_model_of_clouds_is_one_for_every_verb(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encode("--keep-duplicates") == 0
    digest = coding.CloudPackage.from_file(PACKAGE).entropy_digest
    for model in ([], ["--model", "tiny-cloud"]):
        capsys.readouterr()
        assert run("info", "--json", "out.lcrs", *model) == 0
        assert json.loads(capsys.readouterr().out)["entropy_digest"] == digest
        assert run("doctor", "out.lcrs", *model) == 0
        assert "healthy" in capsys.readouterr().out
    assert run("doctor", str(PACKAGE)) == 0
    assert "a model package, and whole" in capsys.readouterr().out
    assert run("info", "out.lcrs", "--model", "photo-2") == 1
    assert "codes pictures, not point clouds" in capsys.readouterr().err


def test_first_bytes_tell_a_cloud_whatever_it_is_called(folder: Path) -> None:
    (folder / "mesh.dat").write_text("OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n")
    pytest.importorskip("trimesh")
    assert run("encode", "mesh.dat", "-o", "mesh.lcrs", "--model", "tiny-cloud") == 0
    assert len(points.decompress("mesh.lcrs").positions) == 3


def test_a_number_zero_is_an_option_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("eval", "tiny-cloud", "in.ply", "--frame", "0") == 2
    assert "--frame is for pictures, not for point clouds" in capsys.readouterr().err


def test_surveyed_positions_come_back_and_what_las_says_besides_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("laspy")
    whole = np.random.default_rng(4).integers(-30_000, 30_000, (80, 3))
    grid = clouds.Grid((0.001, 0.01, 0.001), (500_000.0, 4e6, -3.5))
    given = clouds.Cloud(whole * grid.scale + np.array(grid.offset), {"intensity": np.arange(80)}, grid=grid)
    clouds.write("tile.las", given)
    assert run("encode", "tile.las", "-o", "tile.lcrs", "--model", "tiny-cloud") == 0
    assert "tile.las: not kept: scale and offset of the LAS file" in capsys.readouterr().err
    for name in ("again.las", "again.ply"):
        assert run("decode", "tile.lcrs", "-o", name) == 0
        assert "rounded" not in capsys.readouterr().err
        positions = clouds.read(name).positions
        assert sorted(positions.tolist()) == sorted(clouds.read("tile.las").positions.tolist())


def test_distances_are_said_whatever_the_unit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = np.array([[1e-9, 2e-9, 0], [3e-9, 0, 0], [0, 0, -1e-9]])
    clouds.write("tiny.ply", clouds.Cloud(tiny))
    clouds.write("near.ply", clouds.Cloud(tiny + np.array([0, 0, 1e-10])))
    assert run("metrics", "tiny.ply", "near.ply") == 0
    told = dict(line.split() for line in capsys.readouterr().out.splitlines()[:-1])
    assert float(told["mse-d1"]) == pytest.approx(1e-20, rel=1e-6)
    assert float(told["hausdorff"]) == pytest.approx(1e-10, rel=1e-6)
    assert run("eval", "tiny-cloud", "tiny.ply", "-q", "1") == 0
    head, row = (line.split() for line in capsys.readouterr().out.splitlines()[-2:])
    assert 0 < float(row[head.index("mse-d1")]) < 1e-17
