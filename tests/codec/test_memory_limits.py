"""Where a process gets no more memory, coding a picture ends with an exception, never with the process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tiny_package

SCRIPT = """
    import resource, sys
    import numpy as np
    from lcrs import coding
    from lcrs.errors import LcrsError

    package = coding.Package.from_file(sys.argv[1])
    threads = int(sys.argv[2])
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (60, 90, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    file = package.compress(pixels, 50.0)
    jobs = [
        lambda: package.compress(pixels, 50.0, threads=threads),
        lambda: package.decompress(file, threads=threads),
    ]
    package = coding.Package.from_file(sys.argv[1])  # one that has prepared nothing
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    outcomes = set()
    for step in range(40):
        room = int(1.3**step * 16384)
        for job in jobs:
            resource.setrlimit(resource.RLIMIT_AS, (now + room, hard))
            try:
                job()
                outcomes.add("works")
            except (LcrsError, MemoryError) as error:
                outcomes.add("fails")
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    print(*sorted(outcomes), job().shape)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory and /proc")
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_pictures_are_coded_or_refused_under_any_limit(tmp_path: Path, threads: int) -> None:
    path = tiny_package.write(tmp_path / "tiny.lcrm")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(threads)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == "fails works (720, 1080, 3)\n"
