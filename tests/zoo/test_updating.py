"""``python -m lcrs.utils.update_model``."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch

from lcrs.errors import CorruptError
from lcrs.utils.update_model.__main__ import main
from lcrs.zoo import load_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_networks import make

CDF = "entropy_bottleneck._quantized_cdf"


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "net.pth.tar"
    state = {f"module.{key}": value for key, value in make("bmshj2018-factorized").state_dict().items()}
    torch.save({"network": state}, path)
    return path


@pytest.mark.parametrize("architecture", [[], ["-a", "factorized-prior"], ["-a", "bmshj2018-factorized"]])
def test_tables_are_filled_and_the_hash_is_in_the_name(architecture, checkpoint, tmp_path, capsys):
    main([str(checkpoint), "--dir", str(tmp_path / "out"), *architecture])
    assert capsys.readouterr() == ("", "")
    (new,) = (tmp_path / "out").iterdir()
    assert new.name == f"net-{hashlib.sha256(new.read_bytes()).hexdigest()[:8]}.pth.tar"
    state = torch.load(new)
    assert state[CDF].numel() > 0
    assert torch.equal(state["g_a.0.weight"], load_checkpoint(checkpoint).g_a[0].weight)


def test_names_and_no_update(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main([str(checkpoint), "--name", "yolo", "--no-update"])
    (new,) = tmp_path.glob("yolo-*.pth.tar")
    assert torch.load(new)[CDF].numel() == 0
    assert sorted(tmp_path.iterdir()) == sorted([checkpoint, new])


def test_wrong_usage_and_wrong_files(checkpoint, tmp_path):
    for arguments in ([], [str(checkpoint), "-a", "foobar"]):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == 2
    (tmp_path / "text.pth").write_text("")
    with pytest.raises(CorruptError):
        main([str(tmp_path / "text.pth"), "--dir", str(tmp_path)])


def test_it_runs_as_a_module(checkpoint, tmp_path, python_with_torch):
    command = ["-m", "lcrs.utils.update_model", str(checkpoint), "-d", str(tmp_path)]
    assert python_with_torch.run(*command, cwd=tmp_path).returncode == 0
    assert len(list(tmp_path.glob("*.pth.tar"))) == 2
    command[2] = str(tmp_path / "missing.pth")
    done = python_with_torch.run(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
