"""Checkpoints of models that nobody here knows, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import coding
from lcrs.cli import main

torch = pytest.importorskip("torch")

_MODULE = """
import torch
from torch import nn
from lcrs.models import MeanScaleHyperprior

class Odd(nn.Module):
    def forward(self, x):
        return x + 0.1 * torch.sin(x)

class Own(MeanScaleHyperprior):
    def __init__(self, N=8, M=12):
        super().__init__(N, M)
        self.h_s[1] = Odd()

class Plain(MeanScaleHyperprior):
    pass

def with_three():
    return Own(8, 3)

class Wanting(nn.Module):
    def __init__(self, size):
        super().__init__()

Number = 5
"""
LEAVE = "--allow-not-portable"


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module, checkpoints and pictures, which is the present one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LCRS_PORTABILITY", "allow")
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(_MODULE)
    module = __import__(name)
    torch.manual_seed(3)
    torch.save(module.Own(6, 10).state_dict(), tmp_path / "own.pt")
    torch.save({"state_dict": module.Plain(6, 10).state_dict(), "epoch": 3}, tmp_path / "plain.pth.tar")
    torch.save(module.with_three().state_dict(), tmp_path / "three.pt")
    for i in range(2):
        Image.fromarray(photo[i : i + 40, :60]).save(tmp_path / f"{i}.png")
    return tmp_path


def of(folder: Path, checkpoint: str, name: str) -> list[str]:
    return ["--model", checkpoint, "--import", f"own_{folder.name}:{name}"]


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(list(arguments)) != 0
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_files_go_there_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = of(folder, "own.pt", "Own")
    line = error_of(capsys, "encode", "0.png", "-o", "x.lcrs", *own)
    assert "Odd at 'h_s.1' is not portable" in line
    assert f"{LEAVE} writes a file all the same" in line
    assert main(["encode", "0.png", "-o", "x.lcrs", *own, LEAVE]) == 0
    assert main(["decode", "x.lcrs", "-o", "x.png", *own]) == 0
    net = __import__(f"own_{folder.name}").Own.from_state_dict(torch.load("own.pt", weights_only=True))
    with Image.open("x.png") as image:
        assert np.array_equal(np.asarray(image), lcrs.decompress("x.lcrs", net))
    assert lcrs.compress("0.png", model=net, allow_not_portable=True) == Path("x.lcrs").read_bytes()
    capsys.readouterr()
    assert main(["info", "--json", "x.lcrs"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert (fields["portable"], fields["model"]) == (False, "Own")


# Those that it starts for two at a time load torch anew, each for itself.
@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_fresh_process_finds_the_module_beside_it(processes: str, folder: Path, python_with_torch) -> None:
    words = ["encode", "0.png", "1.png", "-o", "out/", *of(folder, "own.pt", "Own"), LEAVE, "-j", processes]
    done = python_with_torch.run("-m", "lcrs", *words, cwd=folder, is_strict=False)
    assert done.returncode == 0, done.stderr
    words = ["decode", "out/0.lcrs", "-o", "0.ppm", *of(folder, "own.pt", "Own")]
    done = python_with_torch.run("-m", "lcrs", *words, cwd=folder, is_strict=False)
    assert done.returncode == 0, done.stderr
    assert main(["decode", "out/0.lcrs", "out/1.lcrs", "-o", "back/", *of(folder, "own.pt", "Own")]) == 0
    with Image.open("0.ppm") as image, Image.open("back/0.png") as again:
        assert np.array_equal(np.asarray(image), np.asarray(again))
    assert main(["encode", "0.png", "-o", "here.lcrs", *of(folder, "own.pt", "Own"), LEAVE]) == 0
    assert Path("here.lcrs").read_bytes() == Path("out/0.lcrs").read_bytes()


def test_a_model_that_packs_needs_no_leave(folder: Path) -> None:
    plain = of(folder, "plain.pth.tar", "Plain")
    assert main(["encode", "0.png", "-o", "x.lcrs", *plain]) == 0
    assert main(["decode", "x.lcrs", "-o", "x.png", *plain]) == 0
    assert coding.info(Path("x.lcrs").read_bytes())["portable"] is True


def test_a_function_may_make_the_network(folder: Path) -> None:
    three = of(folder, "three.pt", "with_three")
    assert main(["encode", "0.png", "-o", "x.lcrs", *three, LEAVE]) == 0
    assert main(["decode", "x.lcrs", "-o", "x.png", *three]) == 0


def test_what_does_not_fit_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "0.png", "-o", "x.lcrs", *of(folder, "own.pt", "Own"), LEAVE]) == 0
    name = f"own_{folder.name}"
    decoding, encoding = ("decode", "x.lcrs", "-o", "y.png"), ("encode", "0.png", "-o", "y.lcrs")
    cases = [
        (decoding, "--model CHECKPOINT --import MODULE:CLASS"),
        ((*decoding, *of(folder, "three.pt", "Own")), "weights and tables of digest"),
        ((*encoding, "--import", f"{name}:Own"), "--import needs the checkpoint: --model FILE"),
        ((*encoding, LEAVE), f"{LEAVE} is for a model of your own: --import MODULE:CLASS"),
        ((*encoding, "--model", "own.pt", "--import", name), "MODULE:CLASS is needed"),
        ((*encoding, *of(folder, "no.pt", "Own")), "there is no checkpoint no.pt"),
        ((*encoding, *of(folder, "0.png", "Own")), "0.png"),
        ((*encoding, *of(folder, "own.pt", "Nothing")), "has no attribute 'Nothing'"),
        ((*encoding, *of(folder, "own.pt", "Number")), "is of type int, a class is needed"),
        ((*encoding, *of(folder, "own.pt", "Wanting")), "it takes arguments"),
        ((*encoding, *of(folder, "own.pt", "with_three")), "own.pt is no checkpoint of"),
        ((*encoding, "--model", "own.pt", "--import", "nowhere:X"), "No module named 'nowhere'"),
        ((*encoding, "-q", "5", *of(folder, "own.pt", "Own"), LEAVE), "quality is for packages"),
        ((*encoding, "--scale", "5", *of(folder, "own.pt", "Own"), LEAVE), "--scale is for packages"),
    ]
    for arguments, words in cases:
        assert words in error_of(capsys, *arguments)
    assert not Path("y.lcrs").exists()
