"""Code that imports CompressAI gets lcrs: the same modules, the same classes."""

import subprocess
import sys

import pytest

from lcrs import shims


@pytest.fixture
def installed():
    shims.install()
    yield
    shims.uninstall()


@pytest.mark.usefixtures("installed")
def test_modules_and_classes_are_the_same_by_either_name():
    import compressai
    import compressai.models.google as google
    from compressai.entropy_models import EntropyBottleneck
    from compressai.zoo import image_models

    import lcrs
    import lcrs.models.google

    assert compressai is lcrs
    assert google is lcrs.models.google
    assert google.__spec__.name == "lcrs.models.google"
    assert EntropyBottleneck is lcrs.entropy_models.EntropyBottleneck
    assert image_models is lcrs.zoo.image_models


@pytest.mark.usefixtures("installed")
def test_what_is_not_there_is_named_by_both():
    with pytest.raises(
        ModuleNotFoundError, match=r"lcrs has no lcrs\.nothing, imported as compressai\.nothing"
    ):
        import compressai.nothing  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        import compressai_other  # noqa: F401


def test_installing_twice_is_once_and_can_be_undone():
    before = list(sys.meta_path)
    shims.install()
    shims.install()
    assert len(sys.meta_path) == len(before) + 1
    import compressai  # noqa: F401

    shims.uninstall()
    assert sys.meta_path == before
    assert not [name for name in sys.modules if name.split(".")[0] == "compressai"]


def test_what_is_imported_already_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "compressai", sys)
    with pytest.raises(ImportError, match="imported already"):
        shims.install()


def run(*arguments, cwd):
    command = [sys.executable, "-W", "error", "-m", "lcrs.shims", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_scripts_and_modules_run_with_their_arguments(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "helper.py").write_text("from compressai import available_entropy_coders as coders\n")
    script = "import sys, helper\nprint(__name__, sys.argv[1:], helper.coders())\n"
    (folder / "script.py").write_text(script)
    expected = "__main__ ['--a', 'b'] ['lcrs', 'ans']\n"
    done = run("code/script.py", "--a", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    done = run("-m", "script", "--a", "b", cwd=folder)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    done = run("-m", "compressai.utils.update_model", "--help", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "--architecture" in done.stdout


def test_what_is_wrong_is_said(tmp_path):
    done = run("nowhere.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "lcrs.shims: error: there is no script nowhere.py\n")
    assert "usage" in run(cwd=tmp_path).stderr
