"""``lcrs compare`` and ``lcrs completion``."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs.cli import build_parser, main


@pytest.fixture
def two(photo: np.ndarray, tmp_path: Path, model_path: Path) -> tuple[Path, Path, np.ndarray]:
    """A picture as PNG, as .lcrs, and its restored pixels."""
    big = np.tile(photo, (2, 2, 1))
    Image.fromarray(big).save(tmp_path / "a.png")
    data = lcrs.compress(big, quality=30, model="tiny")
    (tmp_path / "b.any").write_bytes(data)  # its name says nothing
    return tmp_path / "a.png", tmp_path / "b.any", lcrs.decompress(data)


def test_numbers_and_map(two, tmp_path: Path, capsys) -> None:
    a, b, restored = two
    original = np.asarray(Image.open(a))
    assert main(["compare", str(a), str(b), "--json", "--map", str(tmp_path / "map.png")]) == 0
    fields = json.loads(capsys.readouterr().out)
    difference = np.abs(original.astype(float) - restored)
    assert fields["psnr_db"] == pytest.approx(10 * np.log10(255**2 / np.square(difference).mean()))
    assert fields["max_difference"] == pytest.approx(difference.max() / 255)
    assert (fields["width"], fields["height"], fields["identical"]) == (244, 166, False)
    assert fields["b"]["num_bytes"] == b.stat().st_size
    assert fields["b"]["bpp"] == pytest.approx(8 * b.stat().st_size / (244 * 166))
    with Image.open(tmp_path / "map.png") as image:
        grey = np.asarray(image)
    np.testing.assert_allclose(grey, difference.max(axis=2) * 255 / difference.max(), atol=0.51)


def test_ms_ssim_is_that_of_its_package(two, capsys) -> None:
    torch, package = pytest.importorskip("torch"), pytest.importorskip("pytorch_msssim")
    a, b, restored = two
    planes = [
        torch.from_numpy(np.array(pixels, np.float32)).permute(2, 0, 1)[None] / 255
        for pixels in (Image.open(a), restored)
    ]
    assert main(["compare", str(a), str(b), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["ms_ssim"]
    assert found == pytest.approx(float(package.ms_ssim(*planes, data_range=1)), abs=1e-6)
    assert 0.3 < found < 0.999


def test_equal_pictures_are_said_to_be(two, tmp_path: Path, capsys) -> None:
    a, b, restored = two
    Image.fromarray(restored).save(tmp_path / "c.bmp")
    assert main(["compare", str(b), str(tmp_path / "c.bmp")]) == 0
    assert "the same pixels" in capsys.readouterr().out
    assert main(["compare", str(a), str(b)]) == 0
    assert "PSNR " in capsys.readouterr().out


def test_pictures_of_two_sizes_are_refused(two, tmp_path: Path, capsys) -> None:
    a, b, restored = two
    Image.fromarray(restored[:-1]).save(tmp_path / "c.png")
    assert main(["compare", str(a), str(tmp_path / "c.png")]) == 1
    assert "244 x 166 pixels" in capsys.readouterr().err
    assert main(["compare", str(a), str(b), "--map", str(a), "--force"]) == 1
    assert "is the input itself" in capsys.readouterr().err
    assert main(["compare", str(a), str(b), "--map", "map.jpg"]) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb_and_flag(shell: str, tmp_path: Path, capsys) -> None:
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    for word in ("encode", "zoo", "import", "--skip-existing", "--max-side", "native"):
        assert word.removeprefix("--") in code
    if program := shutil.which(shell):
        (tmp_path / "code").write_text(code)
        done = subprocess.run([program, "-n", tmp_path / "code"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["e"], {"encode", "eval", "export"}),
        (["encode", "--skip"], {"--skip-existing"}),
        (["encode", "--no-l"], {"--no-lossless"}),
        (["decode", "--format", "pn"], {"png"}),
        (["encode", "a.png", "--runtime", ""], {"native", "torch"}),
        (["zoo", ""], {"list", "import"}),
        (["zoo", "list", "--fi"], {"--files"}),
    ],
)
def test_bash_completes(words: list[str], expected: set[str], capsys) -> None:
    main(["completion", "bash"])
    code = capsys.readouterr().out
    line = 'COMP_WORDS=(lcrs "$@"); COMP_CWORD=$#; _lcrs; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f"{code}\n{line}", "bash", *words], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == expected


def test_every_verb_has_help(capsys) -> None:
    parser = build_parser()
    for verb in ("encode", "decode", "info", "compare", "metrics", "eval", "bench", "bd", "find", "zoo"):
        with pytest.raises(SystemExit) as exit:
            parser.parse_args([verb, "--help"])
        assert exit.value.code == 0
        assert "-h" in capsys.readouterr().out
