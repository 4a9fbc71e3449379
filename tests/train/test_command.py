"""`lcrs train`, `lcrs export` and `python -m lcrs.train`, and the commands of the page on training."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from picture_folders import RECIPE, write_pictures

from lcrs.cli import main
from lcrs.codec import load_package
from lcrs.train import command
from lcrs.train.command import main as module_main
from lcrs.train.recipes import recipe_names

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
TINY = [
    "steps=2", "minutes=none", "batch=1", "crop=64", "device=cpu", "threads=1", "watch.display=off",
    "checkpoint_every=2", "phases=[]", "model.begin=default", "validation.coded=0",
]  # fmt: skip


def test_recipes_are_listed_and_shown(capsys):
    assert main(["train", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name} " in listed for name in recipe_names())
    assert main(["train", "show", "photo", "batch=7"]) == 0
    assert "batch = 7" in capsys.readouterr().out
    assert module_main(["show", "photo", "batch=7"]) == 0
    assert "batch = 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photo", "data.trian=x"], "there is no key 'data.trian'; did you mean data.train?"),
        (["foto"], "did you mean 'photo'?"),
        (["photo"], "data.train is not set: data.train=FOLDER says what to train on"),
        (["photo", "data.train=/nowhere/at/all"], "there is no folder /nowhere/at/all"),
        (["list", "all"], "list takes nothing more"),
        (["show"], "show needs a recipe"),
    ],
)
def test_errors_are_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for program in (lambda words: main(["train", *words]), module_main):
        assert program(words) == 1
        error = capsys.readouterr().err
        assert error.startswith("lcrs train: error: ")
        assert said in error
        assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_listing_and_showing_load_no_torch(fresh_python):
    code = """
import sys
from lcrs.cli import main
from lcrs.codec import load_package
assert main(["train", "list"]) == 0
assert main(["train", "show", "photo", "device=cpu"]) == 0
print({"torch", "accelerate", "webdataset", "rich"} & set(sys.modules))
"""
    assert fresh_python(code).splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("missing", "words", "said"),
    [
        ("pydantic", ["list"], "training needs pydantic: pip install '.[train]' in the sources of lcrs"),
        ("torch", ["photo", "data.train=x", "device=cpu"], "needs torch: pip install '.[torch]'"),
    ],
)
def test_what_is_missing_is_named_with_the_command(fresh_python, missing, words, said):
    code = """
import sys
import importlib.util
missing, *words = sys.argv[1:]
sys.modules[missing] = None
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == missing else real(name, *more)
from lcrs.cli import main
from lcrs.codec import load_package
sys.stderr = sys.stdout
print(main(["train", *words]))
"""
    out = fresh_python(code, missing, *words)
    assert said in out
    assert out.splitlines()[-1] == "1"


def lines_of_page():
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_commands_of_the_page(photo, tmp_path, monkeypatch, capsys):
    """As they stand, but for sizes and steps."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "MY_FOLDER", photo, 3)
    (tmp_path / "photo.png").write_bytes((tmp_path / "MY_FOLDER" / "0.png").read_bytes())
    sizes = {
        "photo": "{C1 = 8, C2 = 8, M = 12, H = 8, Z = 4, S = 10, groups = [2, 3, 7], num_levels = 3}",
        "mbt2018-mean": "{N = 8, M = 12}",
    }
    lines = lines_of_page()
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "train" and words[1] in sizes:
            words += [*TINY, f"model.sizes={sizes[words[1]]}"]
        if words[0] == "export":
            words = words[: words.index("--onnx")]  # tested where it is small
        assert main(words) == 0, (line, capsys.readouterr().err)
    assert (tmp_path / "photo.lcrs").stat().st_size > 100
    assert (tmp_path / "photo-of-mine.lcrm").is_file()


def test_restart_and_export_as_programs(tiny, tmp_path, capsys):
    words = [f"{key}={inline(value)}" for key, value in tiny.items()]
    assert main(["train", RECIPE, *words]) == 0
    assert main(["train", RECIPE, *words, "batch=3"]) == 1
    assert "--restart begins anew" in capsys.readouterr().err
    assert main(["train", RECIPE, *words, "batch=3", "--restart"]) == 0
    out = tmp_path / "net.lcrm"
    assert main(["export", str(tmp_path / "run"), "-o", str(out), "--name", "mine"]) == 0
    assert "bits in a file" in capsys.readouterr().err
    assert load_package(out).name == "mine"
    assert main(["export", str(tmp_path / "run"), "-o", str(out)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "nowhere"), "-o", str(out), "--force"]) == 1
    assert "there is no" in capsys.readouterr().err


def inline(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "lcrs.train", "show", "photo", "device=cpu"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "runs/photo" in done.stdout


def test_an_interrupted_command_has_the_code_of_its_signal(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupted)
    assert command.main(["photo"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "restarts"),
    [
        (["photo", "seed=2", "--restart"], True),
        (["--restart", "photo", "seed=2"], True),
        (["photo", "--restart", "seed=2"], True),
        (["photo", "seed=2"], False),
    ],
)
def test_restart_may_stand_anywhere(words, restarts, monkeypatch):
    seen = []

    def run(config, restart):
        seen.append((config.recipe, config.seed, restart))
        return SimpleNamespace(signal=0)

    monkeypatch.setattr("lcrs.train.loop.run", run)
    assert command.main(words) == 0
    assert seen == [("photo", 2, restarts)]
    assert command.main(["--restart"]) == 1
