"""New processes in which torch is loaded already: forked from one that has loaded it and done nothing else.

To load torch takes longer than most of what tests have a process for. Nothing of lcrs is loaded before
the fork, so that what it reads at its beginning (LCRS_SIMD, LCRS_NUM_THREADS, ...) is that of the process.
Run as a program, this file is the process that is forked: two, in one of which torch's compiler is loaded
as well. The workers of a test run share them; each connection is served by a fork of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from pathlib import Path
from typing import TextIO

WITH_COMPILER, WITHOUT = "with-compiler", "without"
"""Names of the sockets of the two processes."""


class PythonWithTorch:
    """Runs command lines of Python: ``-c CODE``, ``-m MODULE`` or a script, with arguments."""

    def __init__(self, folder: Path) -> None:
        """For all processes of a test run that name the same folder."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: dict[str, TextIO] = {}
        # LCRS_TEST_SLOW has every one begin from nothing; so must those that cannot be forked
        self._is_forking = sys.platform == "linux" and not os.environ.get("LCRS_TEST_SLOW")

    def run(
        self,
        *arguments: str | Path,
        cwd: Path,
        environment: dict[str, str] | None = None,
        is_strict: bool = True,
        has_compiler: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """What a process said, and how it ended.

        Args:
            arguments: As on Python's command line.
            cwd: Its folder.
            environment: Variables beyond those of this process.
            is_strict: Whether warnings are errors.
            has_compiler: Whether torch's compiler is loaded as well, as the first optimiser of a process
                does it, which takes as long as torch itself.
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
            returncode = self._ask(WITH_COMPILER if has_compiler else WITHOUT, order, timeout)
            out, err = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess(words, returncode, out, err)

    def _ask(self, name: str, order: dict[str, object], timeout: float) -> int:
        if name not in self._connections:
            self._connections[name] = self._connect(name)
        connection = self._connections[name]
        print(json.dumps(order), file=connection, flush=True)
        # Both answers may lie in the buffer already, so that nothing but reading them tells.
        timer = threading.Timer(timeout, os.kill, (int(connection.readline()), 9))
        timer.start()
        try:
            return int(connection.readline())
        finally:
            timer.cancel()

    def _connect(self, name: str) -> TextIO:
        """Connects with the process of that name; whoever is first begins both."""
        deadline = time.monotonic() + 60
        patience = time.monotonic() + 2
        while True:
            with contextlib.suppress(FileExistsError):
                self._begun.mkdir()
                words = [sys.executable, str(Path(__file__).resolve())]
                self._process = subprocess.Popen(words, cwd=self._folder, stdin=subprocess.PIPE)
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    self._reach(connection, name)
                    return connection.makefile("rw", encoding="utf-8")
                except (FileNotFoundError, ConnectionRefusedError) as error:
                    if time.monotonic() > deadline:
                        raise
                    if isinstance(error, ConnectionRefusedError) and time.monotonic() > patience:
                        # its process has died, perhaps with the worker that began it: one of one's own
                        self._folder, patience = Path(tempfile.mkdtemp(dir=self._folder)), deadline
            time.sleep(0.02)

    def _reach(self, connection: socket.socket, name: str) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{name}")  # the path itself may be longer than allowed
        finally:
            os.close(folder)

    @property
    def _begun(self) -> Path:
        return self._folder / "begun"

    def close(self) -> None:
        """Ends the processes that are forked, if they were begun here, when nobody is connected any more."""
        for connection in self._connections.values():
            connection.close()
        if self._process is not None:
            for name in (WITHOUT, WITH_COMPILER):
                (self._folder / name).unlink(missing_ok=True)
            self._begun.rmdir()  # who comes later is the first again
            self._process.communicate()


def accept(listener: socket.socket) -> dict[str, object] | None:
    """Forks a process for each connection until standard input ends; returns in one its order."""
    while listener in select.select([listener, 0], [], [])[0]:  # whoever waits is let in before the end
        connection, _ = listener.accept()
        with connection:
            if fork() == 0:
                listener.close()
                return serve(connection.makefile("rw", encoding="utf-8"))
    listener.close()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()  # for those who are connected still
    return None


def serve(connection: TextIO) -> dict[str, object] | None:
    """Forks a process for each order that comes in; in the forked one, returns its order."""
    with connection:
        for line in connection:
            child = fork()
            if child == 0:
                return json.loads(line)
            print(child, file=connection, flush=True)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), file=connection, flush=True)
    return None


def fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks where there are threads
        return os.fork()


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
    with_compiler, without = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    for listener, name in ((with_compiler, WITH_COMPILER), (without, WITHOUT)):
        listener.bind(name)
        listener.listen()

    import numpy  # noqa: F401
    import torch

    if fork() == 0:
        without.close()
        import torch._dynamo  # noqa: F401

        own = with_compiler
    else:
        with_compiler.close()
        own = without
    gc.collect()
    gc.freeze()  # what nobody touches is not copied
    gc.enable()
    order, how = accept(own), None
    if order is not None:
        become(order)
        try:
            run_main(order["arguments"])
        except BaseException as error:
            how = error
    end(how)
