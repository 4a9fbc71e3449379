"""Standard input and output, and what becomes of messages and results where these are closed or full."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import coding
from lcrs.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="lines for the POSIX shell")
ENCODE = "lcrs encode --model tiny -q 20"


@pytest.fixture
def png(pictures: Path, tmp_path: Path) -> Path:
    """``a.png`` in the shell's folder; ``a.lcrs`` is there, too."""
    with Image.open(pictures / "a.png") as image:
        (tmp_path / "a.lcrs").write_bytes(lcrs.compress(image, quality=20, model="tiny"))
    return (pictures / "a.png").rename(tmp_path / "a.png")


@pytest.mark.slow
def test_pictures_go_through_pipes(png: Path, shell, tmp_path: Path) -> None:
    done = shell(f"cat a.png | {ENCODE} - | lcrs decode - --format ppm > out.ppm")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("standard output: ")
    data = (tmp_path / "a.lcrs").read_bytes()
    with Image.open(tmp_path / "out.ppm") as image:
        np.testing.assert_array_equal(np.asarray(image), lcrs.decompress(data))
    done = shell(f"{ENCODE} - -o f.lcrs < a.png && lcrs decode f.lcrs -o - --format png > b.png")
    assert (done.returncode, (tmp_path / "f.lcrs").read_bytes()) == (0, data)
    done = shell("cat a.lcrs | lcrs info - --json; lcrs decode - -o c.png < a.lcrs && cmp b.png c.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"file": "-"' in done.stdout
    done = shell("lcrs decode a.lcrs -o - > d.png; lcrs decode - < a.lcrs | cmp - b.png && cmp b.png d.png")
    assert (done.returncode, done.stderr) == (0, "")  # PNG where nothing says another format
    shell(f"{ENCODE} a.png -o /dev/stdout > d.lcrs")
    for line in (
        f"cat a.png | {ENCODE} /dev/stdin -o g.lcrs && cmp g.lcrs a.lcrs",
        f"mkfifo named; cat a.png > named & {ENCODE} named -o h.lcrs && cmp h.lcrs a.lcrs",
        "lcrs decode a.lcrs -o /dev/fd/3 3> e.png && cmp e.png b.png",
        "cat a.lcrs | lcrs decode /dev/stdin -o - | cmp - b.png",
    ):
        assert shell(line).returncode == 0, line
    shell(f"mkfifo pipe; cat pipe > e.lcrs & {ENCODE} a.png -o pipe; wait")
    assert (tmp_path / "d.lcrs").read_bytes() == (tmp_path / "e.lcrs").read_bytes() == data


def test_a_file_may_be_called_as_standard_input_is(png: Path, shell, tmp_path: Path) -> None:
    png.rename(tmp_path / "-")
    assert shell(f"{ENCODE} ./- -o ./-.lcrs").returncode == 0
    assert coding.info((tmp_path / "-.lcrs").read_bytes())["width"] == 9


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        (f"{ENCODE} a.png -o new.lcrs >&-", 0, "new.lcrs: "),
        pytest.param(f"{ENCODE} a.png -o new.lcrs 2>&-", 0, "", marks=pytest.mark.slow),
        (f"{ENCODE} a.png -o new.lcrs <&- >&- 2>&-", 0, ""),
        (f"{ENCODE} a.png -o new.lcrs 2>/dev/full", 0, ""),
        (f"{ENCODE} a.png -o - >&-", 1, "lcrs encode: error: standard output: is closed"),
        (f"{ENCODE} a.png -o - >/dev/full", 1, "lcrs encode: error: standard output: No space left"),
        (f"{ENCODE} a.png -o /dev/stdout >&-", 1, "lcrs encode: error: /dev/stdout: Bad file descriptor"),
        (f"{ENCODE} - -o new.lcrs <&-", 1, "lcrs encode: error: standard input: is closed"),
        (f"{ENCODE} - -o new.lcrs </dev/null", 1, "lcrs encode: error: standard input: "),
        ("lcrs info a.lcrs >&-", 1, "lcrs info: error: standard output: is closed"),
        ("lcrs info a.lcrs >/dev/full", 1, "lcrs info: error: standard output: No space left"),
        pytest.param("lcrs info a.lcrs 2>&-", 0, "", marks=pytest.mark.slow),
        ("lcrs info missing 2>&-", 1, ""),
        pytest.param("lcrs info missing 2>/dev/full", 1, "", marks=pytest.mark.slow),
        ("lcrs info - </dev/zero", 1, "lcrs info: error: standard input: not an lcrs file"),
        ("lcrs info /dev/zero", 1, "lcrs info: error: /dev/zero: not an lcrs file"),
        pytest.param(
            "lcrs decode /dev/zero -o x.png",
            1,
            "lcrs decode: error: /dev/zero: not an lcrs file",
            marks=pytest.mark.slow,
        ),
        ("lcrs frobnicate 2>&-", 2, ""),
        ("lcrs --help >/dev/full", 1, "lcrs: error: standard output: No space left"),
    ],
)
def test_streams_that_are_closed_or_full(line: str, code: int, error: str, png: Path, shell) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    done = shell(line)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == (1 if error else 0)
    assert done.stdout == ("" if "info a.lcrs" not in line or code else done.stdout)


def test_nobody_reading_on_is_no_error(png: Path, shell) -> None:
    for line in ("lcrs info a.lcrs", "lcrs decode a.lcrs -o - --format ppm", "lcrs encode --help"):
        done = shell(f"({line}; echo $? >&2) | true")
        assert done.stderr in ("141\n", "0\n"), line  # the reader may be late to go


def test_a_terminal_gets_no_files(png: Path, shell, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        for output in ("-", "/dev/stdout", os.ttyname(theirs)):
            done = shell(f"{ENCODE} a.png -o {output} > {os.ttyname(theirs)}")
            assert done.returncode == 1
            assert "would go to a terminal" in done.stderr
        done = shell(f"{ENCODE} a.png -o {os.ttyname(theirs)} --force")
        assert done.returncode == 0
        assert b"LCS" in os.read(ours, 100)
    finally:
        os.close(ours)
        os.close(theirs)


def test_devices_stay_devices(png: Path, shell, tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    for output in ("/dev/null", "null"):
        done = shell(f"{ENCODE} a.png -o {output} --force && {ENCODE} a.png -o {output}")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "null").is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize("device", [pytest.param("/dev/urandom", marks=pytest.mark.slow), "/dev/zero"])
def test_what_never_ends_is_refused_by_its_beginning(device: str, png: Path, shell) -> None:
    limit = "ulimit -v 4000000; "
    for line in (f"{ENCODE} - < {device}", f"cat {device} | {ENCODE} -", f"{ENCODE} {device} -o x.lcrs"):
        done = shell(f"{limit}{line}")
        assert done.returncode == 1
        assert "image is of no format that Pillow knows" in done.stderr
        assert done.stderr.count("\n") == 1
    for verb in ("decode", "info"):
        done = shell(f"{limit}lcrs {verb} - < {device}")
        assert done.returncode == 1
        assert done.stderr.startswith(f"lcrs {verb}: error: standard input: ")


def test_a_full_disk_is_said_of_the_file_and_leaves_nothing(png: Path, shell, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = shell("ulimit -f 0; lcrs decode a.lcrs -o new.png")
    assert (done.returncode, done.stderr) == (1, "lcrs decode: error: new.png: File too large\n")
    assert sorted(tmp_path.iterdir()) == before


NOT_UTF8 = "PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 "


@pytest.mark.parametrize(
    ("locale", "extra"),
    [
        ("C", NOT_UTF8),
        ("C.UTF-8", ""),
        pytest.param("C", "", marks=pytest.mark.slow),
        pytest.param("C.UTF-8", NOT_UTF8, marks=pytest.mark.slow),
    ],
)
def test_any_name_may_be_read_and_told(locale: str, extra: str, png: Path, shell, tmp_path: Path) -> None:
    names = ["ünï.png", "line\nbreak.png", "\x1b[31mred.png", os.fsdecode(b"\xff\xfe.png")]
    for name in names:
        (tmp_path / name).write_bytes(png.read_bytes())
    done = shell(f"export LC_ALL={locale} {extra}; {ENCODE} --force *.png; lcrs info *.lcrs; lcrs info nö*")
    assert "5 written, 0 skipped, 0 failed" in done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert done.returncode == 1
    for text in (done.stdout, done.stderr):
        assert "Traceback" not in text
        assert "\x1b" not in text


def test_announced_bytes_are_read_and_no_more(png: Path, shell, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.lcrs"
    sparse.write_bytes((tmp_path / "a.lcrs").read_bytes())
    os.truncate(sparse, 20 << 30)
    for line in ("lcrs info sparse.lcrs", "lcrs decode sparse.lcrs -o x.png", "lcrs info - < sparse.lcrs"):
        done = shell(f"ulimit -v 4000000; {line}")
        assert done.returncode == 1
        assert "goes on after its last section" in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_docstrings_the_command_line_works(png: Path, tmp_path: Path, shell) -> None:
    lines = [f'"{sys.executable}" -OO -m lcrs {rest}' for rest in ("--help", "encode --help", "info a.lcrs")]
    done = shell(" && ".join(lines))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Compress pictures" in done.stdout


def test_what_nobody_foresaw_is_one_line(png: Path, monkeypatch, capfd, model_path) -> None:
    from lcrs import codec

    def surprise(*_: object, **__: object) -> None:
        raise KeyError("key")

    monkeypatch.setattr(codec, "compress", surprise)
    encode = ["encode", str(png), "-o", "x.lcrs", "--model", "tiny"]
    assert main(encode) == 1
    message = capfd.readouterr().err
    assert message.startswith(f"lcrs encode: error: {png}: KeyError: 'key' (not foreseen: ")
    assert message.count("\n") == 1
