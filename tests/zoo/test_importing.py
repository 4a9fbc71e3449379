"""From a checkpoint to a package, and files with it in processes that have no torch."""

import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lcrs
from lcrs.cli import main
from lcrs.codec import load_package
from lcrs.errors import NotPortableError
from lcrs.zoo.importing import package_name_of

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from kinds import each_kind
from tiny_networks import TINY, make

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from lcrs.cli import main
package, picture, folder = sys.argv[1:]
assert main(["encode", picture, "-o", f"{folder}/a.lcrs", "--model", package]) == 0
assert main(["decode", f"{folder}/a.lcrs", "-o", f"{folder}/a.png", "--model", package]) == 0
"""


@pytest.fixture
def picture(photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def rate_of(net, quality):
    """Arguments with which a model of a variable rate codes as its package does at a quality."""
    if "quality" in inspect.signature(net.compress).parameters:
        return {"quality": quality}
    if hasattr(net, "level_of"):
        return {"level": net.level_of(quality)}
    if not hasattr(net, "Gain"):
        return {}
    gains = net.Gain.detach().numpy()
    return {"inputscale": float(np.interp(quality / 100 * (len(gains) - 1), np.arange(len(gains)), gains))}


@each_kind
def test_an_imported_checkpoint_codes_files_without_torch(
    name, picture, photo, tmp_path, fresh_python, capsys
):
    net = make(name)
    checkpoint, package = tmp_path / f"{name}-3-0123abcd.pth.tar", tmp_path / "net.lcrm"
    torch.save({"epoch": 1, "state_dict": net.state_dict()}, checkpoint)
    status = main(["zoo", "import", str(checkpoint), "-o", str(package)])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    assert f"{name} as model '{name}-3'" in captured.err
    fresh_python(WITHOUT_TORCH, str(package), str(picture), str(tmp_path))
    data = (tmp_path / "a.lcrs").read_bytes()
    assert data == lcrs.compress(photo, model=package)
    assert lcrs.info(data)["model"] == f"{name}-3"
    with Image.open(tmp_path / "a.png") as image:
        restored = np.asarray(image)
    assert restored.shape == photo.shape
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        rate = rate_of(net, lcrs.info(data)["quality"])
        out = net.compress(x, **rate)
        expected = net.decompress(out["strings"], out["shape"], size=out["size"], **rate)["x_hat"]
    expected = (expected[0].permute(1, 2, 0) * 255).round().numpy()
    # torch's analysis may round a latent the other way here and there.
    assert np.mean(np.abs(restored - expected) > 1) < 0.02


def test_the_package_says_where_it_comes_from(tmp_path, capsys):
    checkpoint, package = tmp_path / "my net.pt", tmp_path / "net.lcrm"
    torch.save(make("mbt2018-mean").state_dict(), checkpoint)
    arguments = ["zoo", "import", str(checkpoint), "-o", str(package)]
    assert main([*arguments, "--architecture", "mbt2018-mean", "--name", "mine"]) == 0
    description = json.loads(load_package(package).description)
    assert (description["name"], description["architecture"]) == ("mine", "mbt2018-mean")
    assert description["config"] == TINY["mbt2018-mean"]
    assert description["card"]["checkpoint"] == "my net.pt"
    assert len(description["card"]["checkpoint_sha256"]) == 64
    before = package.read_bytes()
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    assert package.read_bytes() == before
    assert main([*arguments, "--force"]) == 0
    assert load_package(package).name == "my-net"


def test_stored_tables_are_kept(tmp_path):
    """Tables of a checkpoint win: files must code with what its strings were made with."""
    net = make("bmshj2018-factorized")
    torch.save(net.state_dict(), tmp_path / "fresh.pt")
    net.update()
    torch.save(net.state_dict(), tmp_path / "updated.pt")
    for name in ("fresh", "updated"):
        assert (
            main(["zoo", "import", str(tmp_path / f"{name}.pt"), "-o", str(tmp_path / f"{name}.lcrm")]) == 0
        )
    fresh, updated = (load_package(tmp_path / f"{name}.lcrm") for name in ("fresh", "updated"))
    assert fresh.synthesis_digest == updated.synthesis_digest
    assert fresh.entropy_digest != updated.entropy_digest


def test_failures_are_one_line_and_leave_nothing(tmp_path, capsys):
    (tmp_path / "text.pth").write_text("no checkpoint")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save(make("bmshj2018-factorized").state_dict(), tmp_path / "net.pth")
    before = sorted(tmp_path.iterdir())
    for arguments in (
        ["text.pth"],
        ["other.pth"],
        ["missing.pth"],
        ["net.pth", "--architecture", "mbt2018"],
        ["net.pth", "--architecture", "yolo"],
        ["net.pth", "--name", "../escape"],
    ):
        file, *rest = arguments
        assert main(["zoo", "import", str(tmp_path / file), "-o", str(tmp_path / "out.lcrm"), *rest]) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith("lcrs zoo: error: ")
        assert captured.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/mbt2018-mean-4-6dba02a3.pth.tar", "mbt2018-mean-4"),
        ("best.ckpt", "best"),
        ("checkpoint_best_loss.pth.tar", "checkpoint_best_loss"),
        (".hidden.safetensors", "hidden"),
        ("é.pt", "-"),
        ("x" * 200 + ".pt", "x" * 64),
        (".pth", "model"),
    ],
)
def test_names_follow_the_file(path, name):
    assert package_name_of(path) == name


def test_listing(capsys, model_path):
    assert main(["zoo", "list"]) == 0
    text = capsys.readouterr().out
    assert "cheng2020-attn" in text
    assert "tiny" in text
    assert "lcrs zoo import FILE -o NAME.lcrm" in text
    assert main(["zoo", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    (entry,) = (entry for entry in listed["architectures"] if entry["architecture"] == "mbt2018")
    files = entry.pop("files")
    assert [size["qualities"] for size in entry.pop("complexity")] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert entry == {"architecture": "mbt2018", "qualities": 8, "weights": ["mse", "ms-ssim"]}
    assert {metric: len(urls) for metric, urls in files.items()} == {"mse": 8, "ms-ssim": 8}
    assert "tiny" in listed["packages"]
    (package,) = (entry for entry in listed["package_files"] if entry["name"] == "tiny")
    assert package.pop("complexity")["decoder"]["num_parameters"] > 0
    assert package == {"name": "tiny", "file": str(model_path / "tiny.lcrm")}
    assert main(["zoo", "list", "--files"]) == 0
    assert set(files["mse"]) <= set(capsys.readouterr().out.split())


def test_without_torch_the_command_says_what_to_install(tmp_path, fresh_python):
    code = """
import io, sys, contextlib
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else found(name, *rest)
from lcrs.cli import main
with contextlib.redirect_stderr(io.StringIO()) as err:
    assert main(["zoo", "import", "a.pth", "-o", "b.lcrm"]) == 1
print(err.getvalue())
"""
    assert "pip install '.[torch]'" in fresh_python(code)


def test_a_model_without_a_portable_form_is_refused_by_name(tmp_path, monkeypatch):
    from lcrs.models import FactorizedPrior
    from lcrs.zoo import package_of_checkpoint

    def package_parts(self):
        raise NotPortableError("Mish at g_a.1 has no form on the exact engine")

    monkeypatch.setattr(FactorizedPrior, "package_parts", package_parts)
    torch.save(make("bmshj2018-factorized").state_dict(), tmp_path / "a.pth")
    with pytest.raises(NotPortableError, match="Mish"):
        package_of_checkpoint(tmp_path / "a.pth")
