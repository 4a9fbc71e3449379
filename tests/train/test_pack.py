"""From checkpoints to packages: whose keys they have, what is rounded, what the card says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lcrs import coding
from lcrs.errors import CorruptError
from lcrs.train import pack as packing
from lcrs.train.pack import network_of_checkpoint, pack_checkpoint
from lcrs.zoo import load_model

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from plain_space_channel import plain_state
from tiny_networks import make

NAME = "gain-space-channel-hyperprior"


@pytest.fixture
def net():
    return make(NAME)


@pytest.fixture
def checkpoints(net, tmp_path):
    """One network in every form that checkpoints come in."""
    contents = {
        "plain": {"state_dict": plain_state(net), "step": 9, "args": {"train": "somewhere"}},
        "own": {"state_dict": net.state_dict(), "seconds": 12.5, "steps": 30, "start": "elsewhere"},
        "config": {"architecture": NAME, "state_dict": net.state_dict(), "config": net.config},
        "bare": net.state_dict(),
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / f"{name}.pt")
    return {name: tmp_path / f"{name}.pt" for name in contents}


@pytest.fixture
def pictures(photo, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, part in enumerate((photo[:40, :50], photo[20:])):
        Image.fromarray(part).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path / "pictures"


def test_all_forms_give_one_package(checkpoints, tmp_path):
    packages = []
    for name, path in checkpoints.items():
        card = pack_checkpoint(path, tmp_path / "net.lcrm", "tiny", {"licence": "CC0"})
        facts = {"seconds": 12.5, "steps": 30} if name == "own" else {}
        assert card.items() >= {"licence": "CC0", **facts}.items()
        assert card.keys() == {"licence", "digests", *facts}
        packages.append(coding.Package.from_file(tmp_path / "net.lcrm"))
        assert json.loads(packages[-1].description)["card"] == card
        assert card["digests"]["entropy"] == packages[-1].entropy_digest
    digests = {(package.entropy_digest, package.synthesis_digest) for package in packages}
    assert len(digests) == 1


def test_convolutions_are_stored_as_halves_and_the_rest_as_it_is(checkpoints, net, tmp_path):
    pack_checkpoint(checkpoints["own"], tmp_path / "net.lcrm", "tiny", {})
    loaded = load_model(tmp_path / "net.lcrm")
    for (name, ours), theirs in zip(loaded.named_parameters(), net.parameters(), strict=True):
        is_weight = theirs.dim() == 4
        expected = theirs.half().float() if is_weight else theirs
        if "context_prediction.weight" in name:  # what the mask hides is gone
            expected = expected * (ours != 0)
        assert torch.equal(ours, expected), name
    (length,) = np.frombuffer((tmp_path / "net.lcrm").read_bytes()[:8], np.uint64)
    header = json.loads((tmp_path / "net.lcrm").read_bytes()[8 : 8 + int(length)])
    assert header["g_s.0.blocks.0.conv1.weight"]["dtype"] == "F16"
    assert header["y_log_gain.values"]["dtype"] == "F32"


def test_the_curve_is_that_of_files(checkpoints, pictures, tmp_path):
    card = pack_checkpoint(checkpoints["plain"], tmp_path / "net.lcrm", "tiny", {}, pictures=pictures)
    assert card["curve"]["pictures"] == "pictures"
    points = card["curve"]["points"]
    assert [point["quality"] for point in points] == [0, 50, 100]
    package = coding.Package.from_file(tmp_path / "net.lcrm")
    rates, psnrs = [], []
    for path in sorted(pictures.iterdir()):
        pixels = np.asarray(Image.open(path))
        data = package.compress(pixels, 50.0)
        rates.append(8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
        mse = np.mean((package.decompress(data).astype(float) - pixels) ** 2)
        psnrs.append(20 * np.log10(255 / np.sqrt(mse)))
    assert points[1] == {
        "quality": 50,
        "bpp": pytest.approx(np.mean(rates), abs=1e-4),
        "psnr": pytest.approx(np.mean(psnrs), abs=1e-3),
    }


def test_the_program_completes_the_card(checkpoints, tmp_path, monkeypatch, capsys):
    (tmp_path / "card.json").write_text('{"title": "tiny", "curve": "of others", "digests": {}}')
    arguments = [str(checkpoints["plain"]), "--name", "tiny", "--card", str(tmp_path / "card.json")]
    monkeypatch.setattr(sys, "argv", ["pack", *arguments, "--output", str(tmp_path / "net.lcrm")])
    packing.main()
    card = json.loads((tmp_path / "card.json").read_text())
    assert card.keys() == {"title", "digests"}
    assert json.loads(coding.Package.from_file(tmp_path / "net.lcrm").description)["card"] == card
    assert f"{(tmp_path / 'net.lcrm').stat().st_size} bytes, SHA-256 " in capsys.readouterr().out


def test_what_is_no_checkpoint_is_refused(checkpoints, tmp_path):
    with pytest.raises(ValueError, match="no architecture is called 'nothing'"):
        network_of_checkpoint(checkpoints["own"], "nothing")
    with pytest.raises(ValueError, match="not one of mbt2018-mean: .* those of gain-space-channel"):
        network_of_checkpoint(checkpoints["own"], "mbt2018-mean")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100), "list"])
def test_a_damaged_checkpoint_is_said_in_a_line(tmp_path, content):
    path = tmp_path / "model.pt"
    if content == "list":
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(
        CorruptError, match=r"model\.pt (is no checkpoint that can be loaded safely: |holds no state dict)"
    ) as caught:
        network_of_checkpoint(path)
    assert "weights_only" not in str(caught.value)
