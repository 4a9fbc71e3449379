"""New processes in which torch is loaded already: forked from one that has loaded it and done nothing else.

To load torch takes longer than most of what tests have a process for. Nothing of lcrs is loaded before
the fork, so that what it reads at its beginning (LCRS_SIMD, LCRS_NUM_THREADS, ...) is that of the process.
Run as a program, this file is the process that is forked.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from pathlib import Path


class PythonWithTorch:
    """Runs command lines of Python: ``-c CODE``, ``-m MODULE`` or a script, with arguments."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        # LCRS_TEST_SLOW has every one begin from nothing; so must those that cannot be forked
        self._is_forking = sys.platform == "linux" and not os.environ.get("LCRS_TEST_SLOW")

    def run(
        self,
        *arguments: str | Path,
        cwd: Path,
        environment: dict[str, str] | None = None,
        is_strict: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """What a process said, and how it ended.

        Args:
            arguments: As on Python's command line.
            cwd: Its folder.
            environment: Variables beyond those of this process.
            is_strict: Whether warnings are errors.
            timeout: Seconds that it has.
        """
        words = list(map(str, arguments))
        variables = {**os.environ, **(environment or {})}
        if not self._is_forking:
            strict = ["-W", "error"] if is_strict else []
            return subprocess.run(
                [sys.executable, *strict, *words],
                cwd=cwd,
                env=variables,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        with tempfile.TemporaryDirectory() as folder:
            said = [Path(folder, name) for name in ("stdout", "stderr")]
            order = {
                "arguments": words,
                "cwd": str(cwd),
                "environment": variables,
                "is_strict": is_strict,
                "said": list(map(str, said)),
            }
            returncode = self._ask(order, timeout)
            out, err = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess(words, returncode, out, err)

    def _ask(self, order: dict[str, object], timeout: float) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        # Both answers may lie in the buffer already, so that nothing but reading them tells.
        timer = threading.Timer(timeout, os.kill, (int(process.stdout.readline()), 9))
        timer.start()
        try:
            return int(process.stdout.readline())
        finally:
            timer.cancel()

    def close(self) -> None:
        """Ends the process that is forked."""
        if self._process is not None:
            self._process.communicate()


def serve() -> dict[str, object] | None:
    """Forks a process for each order that comes in; in the forked one, returns its order."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of forks where there are threads
            child = os.fork()
        if child == 0:
            answers.close()
            return json.loads(line)
        print(child, file=answers, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    return None


def become(order: dict[str, object]) -> None:
    """Makes this process the one that was ordered, but for what it is to run."""
    nothing, out, err = (
        os.open(path, flags, 0o600)
        for path, flags in (
            (os.devnull, os.O_RDONLY),
            *((path, os.O_WRONLY | os.O_CREAT) for path in order["said"]),
        )
    )
    for theirs, ours in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[1:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if order["is_strict"]:
        sys.warnoptions[:] = ["error"]
        warnings.simplefilter("error")


def run_main(words: list[str]) -> None:
    """What Python does with its command line."""
    first, *others = words
    if first == "-c":
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        sys.argv, sys.path[0] = ["-c", *others[1:]], ""
        exec(compile(others[0], "<string>", "exec"), main.__dict__)
    elif first == "-m":
        sys.argv, sys.path[0] = ["-m", *others[1:]], str(Path.cwd())
        runpy.run_module(others[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, str(Path(first).resolve().parent)
        runpy.run_path(first, run_name="__main__")


def end(how: BaseException | None) -> None:
    """Ends this process as Python does, but for what it would take apart: of torch that is a lot."""
    code = 0
    if isinstance(how, SystemExit):
        code = how.code if isinstance(how.code, int) else int(how.code is not None)
        if isinstance(how.code, str):
            print(how.code, file=sys.stderr)
    elif how is not None:
        sys.excepthook(type(how), how, how.__traceback__)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    gc.disable()  # nothing of what is loaded goes away
    import numpy  # noqa: F401

    # the latter as the first optimiser of a process does, which takes as long as torch itself
    import torch._dynamo  # noqa: F401

    gc.collect()
    gc.freeze()  # what nobody touches is not copied
    gc.enable()
    order = serve()
    how = None
    if order is not None:
        become(order)
        try:
            run_main(order["arguments"])
        except BaseException as error:
            how = error
    end(how)
