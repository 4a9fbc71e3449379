"""Processes that begin with torch are as new ones in whatever tests look at."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from python_with_torch import WITH_COMPILER, WITHOUT, PythonWithTorch


def test_they_are_as_new_ones(python_with_torch: PythonWithTorch, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SOMETHING", "outside")
    (tmp_path / "beside.py").write_text("import sys\nprint(__name__, sys.argv)\n")
    code = """
import os, sys
import beside
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"lcrs", "pytest"}
print(os.environ["SOMETHING"], os.environ["LCRS_SIMD"], os.getcwd(), sys.argv, sys.stdin.read())
print("said", file=sys.stderr)
"""
    done = python_with_torch.run("-c", code, "a", cwd=tmp_path, environment={"LCRS_SIMD": "scalar"})
    assert (done.returncode, done.stderr) == (0, "said\n")
    assert done.stdout == f"beside ['-c', 'a']\noutside scalar {tmp_path} ['-c', 'a'] \n"
    for words in (["-m", "beside", "b"], [tmp_path / "beside.py", "b"]):
        assert (
            python_with_torch.run(*words, cwd=tmp_path).stdout
            == f"__main__ [{str(tmp_path / 'beside.py')!r}, 'b']\n"
        )


@pytest.mark.skipif(bool(os.environ.get("LCRS_TEST_SLOW")), reason="they begin from nothing")
@pytest.mark.parametrize("has_compiler", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_torch_is_loaded(python_with_torch: PythonWithTorch, tmp_path: Path, has_compiler: bool) -> None:
    code = "import sys; print([name in sys.modules for name in ('torch', 'torch._dynamo')])"
    done = python_with_torch.run("-c", code, cwd=tmp_path, has_compiler=has_compiler)
    assert done.stdout == f"{[True, has_compiler]}\n"


def test_they_end_as_processes_do(python_with_torch: PythonWithTorch, tmp_path: Path) -> None:
    def end(code: str, **options: bool) -> tuple[int, str, str]:
        done = python_with_torch.run("-c", code, cwd=tmp_path, **options)
        return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]

    assert end("raise SystemExit(3)") == (3, "", "")
    assert end("raise SystemExit('why')") == (1, "", "why")
    assert end("print(1); 1 / 0") == (1, "1\n", "ZeroDivisionError: division by zero")
    assert end("import os; os.kill(os.getpid(), 9)") == (-9, "", "")
    warn = "import warnings; warnings.warn('careful')"
    assert end(warn) == (1, "", "UserWarning: careful")
    assert end(warn, is_strict=False)[0] == 0
    later = "import atexit, threading, time; atexit.register(print, 'exit')\n"
    later += "threading.Thread(target=lambda: time.sleep(0.05) or print('thread')).start()"
    assert end(later) == (0, "thread\nexit\n", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_one_that_has_died_is_replaced(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("LCRS_TEST_SLOW", raising=False)
    (tmp_path / "begun").mkdir()
    for name in (WITH_COMPILER, WITHOUT):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / name))
    runner = PythonWithTorch(tmp_path)
    try:
        assert runner.run("-c", "print(1)", cwd=tmp_path).stdout == "1\n"
    finally:
        runner.close()
