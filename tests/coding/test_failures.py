"""What goes wrong inside the native module ends in an exception that people catch, in every process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from lcrs import _lcrs, coding
from lcrs.errors import LcrsError


def run(script: str, *arguments: object) -> str:
    """What a new process prints; it must end as a process should, and print nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.strip()


@pytest.mark.parametrize("threads", [None, 1, 4])
def test_a_panic_is_an_lcrs_error(threads: int | None, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        LcrsError, match=r"^internal error, please report it .*: two lines \(.*panic.rs:\d+\)$"
    ):
        _lcrs._panic("two\nlines", threads)
    assert capfd.readouterr() == ("", "")
    # the process goes on, on the same threads
    symbols = np.arange(100_000, dtype=np.int32) % 7
    table = coding.gaussian_table(coding.default_scale_table())
    stream = coding.encode(symbols, symbols, table, threads=threads)
    np.testing.assert_array_equal(coding.decode(stream, symbols, table, threads=threads), symbols)


@pytest.mark.parametrize("event", [1, 10, 1000, 30_000])
def test_an_interrupt_in_the_first_call_is_an_interrupt(event: int) -> None:
    script = """
        import sys
        from lcrs import _lcrs

        assert "numpy" not in sys.modules  # it is imported inside the call, which runs much Python code
        events, stop = 0, int(sys.argv[1])

        def interrupt(*_):
            global events
            events += 1
            if events == stop:
                sys.setprofile(None)
                raise KeyboardInterrupt

        sys.setprofile(interrupt)
        try:
            _lcrs.default_scale_table()
        except KeyboardInterrupt:
            print("interrupted")
        sys.setprofile(None)
        print(_lcrs.default_scale_table().shape)
    """
    assert run(script, event) == "interrupted\n(64,)"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory and /proc")
def test_no_memory_is_an_exception() -> None:
    script = """
        import resource, sys
        import numpy as np
        from lcrs import coding

        table = coding.gaussian_table(coding.default_scale_table())
        symbols = np.arange(1 << 21, dtype=np.int32) % 5
        rows = symbols + 30
        latents = symbols.astype(np.float32).reshape(2, 16, 256, 256)
        stream = coding.encode(symbols, rows, table, threads=2)
        jobs = [
            lambda: coding.encode(symbols, rows, table),
            lambda: coding.encode(symbols, rows, table, kind="ans"),
            lambda: coding.encode_latents(latents, rows.reshape(latents.shape), table),
            lambda: coding.decode(stream, rows, table),
            lambda: coding.quantize(latents),
            lambda: coding.dequantize(symbols),
            lambda: coding.indexes(latents, np.arange(5, dtype=np.float32)),
            lambda: bytes(coding.encoded_bound(1 << 24)),
        ]
        for job in jobs:
            job()  # tables prepare on first use what takes as much memory as they do
        failures = 0
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        for room in (0, 1 << 20, 1 << 22, 1 << 23, 1 << 24, 1 << 26):
            resource.setrlimit(resource.RLIMIT_AS, (now + room, hard))
            for job in jobs:
                try:
                    job()
                except (MemoryError, ValueError) as error:
                    failures += 1
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        print(failures > 0)
    """
    assert run(script) == "True"


def test_scale_tables_that_cannot_be() -> None:
    for bounds in (
        (0, 1, 5),
        (-1, 1, 5),
        (0.1, float("inf"), 5),
        (float("nan"), 1, 5),
        (0.1, 1e39, 5),
        (1e-46, 1, 5),
    ):
        with pytest.raises(ValueError, match="must be positive and finite"):
            coding.scale_table(*bounds)
    with pytest.raises(ValueError, match=r"min is 1, must be at most max, which is 0\.5"):
        coding.scale_table(1, 0.5, 3)
    assert coding.scale_table(1, 1, 3).tolist() == [1, 1, 1]
    widest = coding.scale_table(1e-45, 3.4e38, 9)
    assert (widest > 0).all()
    assert (widest < float("inf")).all()
    for levels in (-1, 65_537, 1 << 60):
        with pytest.raises(ValueError, match=f"levels is {levels}"):
            coding.scale_table(0.11, 256, levels)
