"""Many files: trees, patterns, processes, and what happens to the good ones when there are bad ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
import tiny_package
from lcrs.cli import main, progress

ENCODE = ("encode", "--model", "tiny", "-q", "20")
GOOD = ("a", "b", "deep/c", "deep/er/d", "deep/er/e e")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("processes", [1, 2, pytest.param(9, marks=pytest.mark.slow)])
def test_a_tree_keeps_its_form_and_bad_files_stop_nothing(
    processes: int, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*ENCODE, "-r", str(pictures), "-o", str(out), "-j", str(processes)]) == 1
    assert files(out) == sorted(f"{name}.lcrs" for name in GOOD)
    *errors, summary = capfd.readouterr().err.splitlines()
    assert sorted(error.partition(": error: ")[2].partition(": ")[0] for error in errors) == [
        str(pictures / "cut.png"),
        str(pictures / "deep" / "no picture.jpg"),
    ]
    assert summary.startswith("lcrs encode: 5 written, 0 skipped, 2 failed; ")
    assert summary.endswith("left alone, being of other kinds: 1")
    with Image.open(pictures / "a.png") as image:
        assert (out / "a.lcrs").read_bytes() == lcrs.compress(image, quality=20, model="tiny")
    back = tmp_path / "back"
    assert main(["decode", "-r", str(out), "-o", f"{back}/", "-j", str(processes), "--quiet"]) == 0
    assert capfd.readouterr().err == ""
    assert files(back) == sorted(f"{name}.png" for name in GOOD)
    with Image.open(back / "deep/er/e e.png") as image:
        restored = lcrs.decompress((out / "deep/er/e e.lcrs").read_bytes())
        np.testing.assert_array_equal(np.asarray(image), restored)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_a_folder_is_not_waited_for(pictures: Path, tmp_path: Path, capfd) -> None:
    os.mkfifo(pictures / "deep" / "er" / "pipe.png")
    out = tmp_path / "out"
    assert main([*ENCODE, "-r", str(pictures / "deep" / "er"), "-o", str(out)]) == 0
    assert files(out) == ["d.lcrs", "e e.lcrs"]
    assert "left alone, being of other kinds: 1" in capfd.readouterr().err


def test_what_is_there_is_kept_skipped_or_replaced(pictures: Path, tmp_path: Path, capfd) -> None:
    out = tmp_path / "out"
    encode = [*ENCODE, "-r", str(pictures / "deep" / "er"), "-o", str(out)]
    assert main(encode) == 0
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    capfd.readouterr()
    assert main(encode) == 1
    assert capfd.readouterr().err.count("exists; --force replaces it") == 2
    (out / "d.lcrs").unlink()
    assert main([*encode, "--skip-existing"]) == 0
    assert capfd.readouterr().err.startswith("lcrs encode: 1 written, 1 skipped, 0 failed; ")
    assert (out / "e e.lcrs").stat().st_mtime_ns == first[out / "e e.lcrs"][1]
    for damaged in (b"", b"not ours", first[out / "d.lcrs"][0][:-1]):
        (out / "d.lcrs").write_bytes(damaged)
        assert main([*encode, "--skip-existing"]) == 1
        assert "d.lcrs exists, but is not what would be written: " in capfd.readouterr().err
        assert (out / "d.lcrs").read_bytes() == damaged
        assert main([*encode, "--skip-existing", "--force"]) == 0
        assert capfd.readouterr().err.startswith("lcrs encode: 1 written, 1 skipped, 0 failed; ")
        assert {path: path.read_bytes() for path in out.iterdir()} == {
            p: data for p, (data, _) in first.items()
        }


def test_decoding_skips_only_the_picture_that_would_be_written(pictures: Path, tmp_path: Path, capfd) -> None:
    out = tmp_path / "out"
    assert main([*ENCODE, "-r", str(pictures / "deep" / "er"), "-o", str(out)]) == 0
    decode = ["decode", str(out / "*.lcrs"), "--skip-existing"]
    assert main(decode) == 0
    assert main(decode) == 0
    assert "0 written, 2 skipped, 0 failed" in capfd.readouterr().err
    assert main([*decode, "--max-side", "5"]) == 1
    assert "is not what would be written: it is 12 x 20, not 3 x 5; --force" in capfd.readouterr().err
    assert main([*decode, "--max-side", "5", "--force"]) == 0
    with Image.open(out / "d.png") as image:
        assert image.size == (3, 5)


def test_files_go_beside_their_sources_where_no_folder_is_named(pictures: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(pictures)
    assert main([*ENCODE, "a.png"]) == 0
    assert capfd.readouterr().err.startswith("a.lcrs: ")
    assert main([*ENCODE, "deep/c.bmp", "b.JPG"]) == 0
    assert main(["decode", "b.lcrs"]) == 0
    assert {"a.lcrs", "b.lcrs", "b.png", "deep/c.lcrs"} <= set(files(pictures))
    assert main(["decode", "a.lcrs"]) == 1
    assert "a.png exists; --force" in capfd.readouterr().err


def test_one_file_goes_into_a_folder_that_is_there_or_ends_in_a_slash(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (str(tmp_path / "there"), f"{tmp_path}/new/"):
        assert main([*ENCODE, str(pictures / "a.png"), "-o", folder]) == 0
        assert files(Path(folder)) == ["a.lcrs"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*.png", {"a"}), ("deep/**/*.*p*", {"c", "d", "e e"}), ("[ab].*", {"a", "b"})],
)
def test_patterns_are_expanded_where_the_shell_does_not(
    pattern: str, names: set[str], pictures: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(pictures)
    (pictures / "cut.png").unlink()
    (pictures / "deep" / "no picture.jpg").unlink()
    assert main([*ENCODE, pattern, "-o", str(tmp_path / "out")]) == 0
    assert {Path(name).stem for name in files(tmp_path / "out")} == names


def test_a_file_may_have_the_name_of_a_pattern(pictures: Path, monkeypatch) -> None:
    monkeypatch.chdir(pictures)
    Path("a.png").rename("[a].png")
    assert main([*ENCODE, "[a].png"]) == 0
    assert Path("[a].lcrs").exists()


def test_what_cannot_be_is_told_with_its_name(pictures: Path, tmp_path: Path, capfd) -> None:
    encode = [*ENCODE, str(pictures / "a.png")]
    for name, words in {
        "missing.png": "No such file",
        "*.gif": "no file has a name like this",
        "deep": "is a folder; -r takes the pictures in it",
    }.items():
        assert main([*encode, str(pictures / name), "-o", str(tmp_path / "out"), "--force"]) == 1
        error, summary = capfd.readouterr().err.splitlines()
        assert error.startswith(f"lcrs encode: error: {pictures / name}: {words}")
        assert summary.startswith("lcrs encode: 1 written, 0 skipped, 1 failed; ")
        assert main([*ENCODE, str(pictures / name), "-o", str(tmp_path / "x.lcrs")]) == 1
        assert capfd.readouterr().err.count("\n") == 1


def test_a_second_name_is_not_taken_for_the_output(pictures: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(pictures)
    assert main([*ENCODE, "a.png", "new.lcrs"]) == 2
    assert "-o new.lcrs writes it" in capfd.readouterr().err
    assert main([*ENCODE, "a.png", "-o", "new.lcrs"]) == 0
    assert main(["decode", "new.lcrs", "new.png"]) == 2
    assert not Path("a.lcrs").exists()


@pytest.mark.parametrize("options", [[], ["--keep-endings"]])
def test_one_name_in_two_folders_gets_advice_that_helps(
    options: list[str], pictures: Path, tmp_path: Path, capfd
) -> None:
    for folder in ("one", "two"):
        (tmp_path / "both" / folder).mkdir(parents=True)
        (tmp_path / "both" / folder / "a.png").write_bytes((pictures / "a.png").read_bytes())
    both = tmp_path / "both"
    out = tmp_path / "out"
    assert main([*ENCODE, f"{both}/one/a.png", f"{both}/two/a.png", "-o", str(out), *options]) == 1
    errors = capfd.readouterr().err
    assert errors.count("; -r on a folder that holds both, or one run for each") == 2
    assert "--keep-endings" not in errors
    assert main([*ENCODE, "-r", str(both), "-o", str(out), *options]) == 0
    name = "a.png.lcrs" if options else "a.lcrs"
    assert files(out) == [f"one/{name}", f"two/{name}"]


def test_names_that_become_one_are_told_and_neither_is_written(pictures: Path, tmp_path: Path, capfd) -> None:
    (pictures / "a.bmp").write_bytes((pictures / "deep" / "c.bmp").read_bytes())
    out = tmp_path / "out"
    encode = [*ENCODE, *(str(pictures / name) for name in ("a.png", "a.bmp", "b.JPG")), "-o", str(out)]
    assert main(encode) == 1
    errors = capfd.readouterr().err
    assert errors.count(f"would become {out / 'a.lcrs'}, as would ") == 2
    assert "--keep-endings" in errors
    assert files(out) == ["b.lcrs"]
    assert main([*encode, "--keep-endings"]) == 0
    assert files(out) == ["a.bmp.lcrs", "a.png.lcrs", "b.JPG.lcrs", "b.lcrs"]
    assert main([*ENCODE, str(pictures / "a.png"), str(pictures / "a.png"), "-o", f"{tmp_path}/one"]) == 0
    assert files(tmp_path / "one") == ["a.lcrs"]


def test_a_folder_without_pictures_is_no_silence(tmp_path: Path, capfd, model_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    assert main([*ENCODE, "-r", str(tmp_path)]) == 0
    summary = (
        "0 written, 0 skipped, 0 failed; 0 bytes became 0 bytes in 0 s; left alone, being of other kinds: 1"
    )
    assert capfd.readouterr().err == f"lcrs encode: {summary}\n"
    assert main([*ENCODE, "-r", str(tmp_path / "nothing")]) == 1
    assert capfd.readouterr().err.count("\n") == 1


def test_odd_names_are_told_in_one_line_each(pictures: Path, tmp_path: Path, capfd) -> None:
    for ending in ("png", "bmp"):
        (pictures / f"two\nlines \x1b[31m.{ending}").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "\x1b.png").write_bytes((pictures / "a.png").read_bytes())
    out = tmp_path / "out"
    assert main([*ENCODE, "-r", str(pictures), "-o", str(out)]) == 1
    assert main([*ENCODE, str(pictures / "\x1b.png"), "-o", str(tmp_path / "\r.lcrs")]) == 0
    assert main(["info", str(tmp_path / "\r.lcrs"), str(out / "\x1b.lcrs")]) == 0
    assert main(["compare", str(tmp_path / "\r.lcrs"), str(out / "\x1b.lcrs")]) == 0
    printed = "".join(capfd.readouterr())
    assert "two\\nlines \\x1b[31m.png" in printed
    assert all(line.isprintable() for line in printed.splitlines())
    assert not {"\x1b", "\r"} & set(printed)


def test_a_target_is_never_a_source(pictures: Path, capfd) -> None:
    for name in ("x.png", "x.lcrs"):
        (pictures / name).write_bytes((pictures / "a.png").read_bytes())
    before = (pictures / "x.lcrs").read_bytes()
    names = [str(pictures / name) for name in ("x.png", "x.lcrs")]
    assert main([*ENCODE, *names, "--force"]) == 1
    assert f"{names[0]}: would become {names[1]}, which is read, too" in capfd.readouterr().err
    assert (pictures / "x.lcrs").read_bytes() == before
    link = pictures / "link.lcrs"
    link.hardlink_to(pictures / "a.png")
    assert main([*ENCODE, str(pictures / "a.png"), "-o", str(link), "--force"]) == 1
    assert "is the input itself" in capfd.readouterr().err


def test_times_are_kept_on_request(pictures: Path, tmp_path: Path) -> None:
    source = pictures / "a.png"
    os.utime(source, ns=(10**18, 10**18 + 123_456_000))
    assert main([*ENCODE, str(source), "-o", f"{tmp_path}/out/", "--keep-times"]) == 0
    assert (tmp_path / "out" / "a.lcrs").stat().st_mtime_ns == 10**18 + 123_456_000
    assert main([*ENCODE, str(source), "-o", f"{tmp_path}/new/"]) == 0
    assert (tmp_path / "new" / "a.lcrs").stat().st_mtime_ns > 10**18 + 10**9


def test_info_of_many_is_a_table_or_lines_of_json(pictures: Path, tmp_path: Path, capfd) -> None:
    out = tmp_path / "out"
    main([*ENCODE, "-r", str(pictures / "deep" / "er"), "-o", str(out)])
    (out / "cut.lcrs").write_bytes((out / "d.lcrs").read_bytes()[:-1])
    capfd.readouterr()
    assert main(["info", "-r", str(out)]) == 1
    printed = capfd.readouterr()
    head, *rows = printed.out.splitlines()
    assert head.split() == ["bytes", "size", "bits/pixel", "quality", "model", "file"]
    assert [row.split(maxsplit=5)[5] for row in rows] == [str(out / "d.lcrs"), str(out / "e e.lcrs")]
    assert rows[0].split()[1:5:2] == ["12x20", "20"]
    assert printed.err.startswith(f"lcrs info: error: {out / 'cut.lcrs'}: ")
    assert printed.err.count("\n") == 1
    assert main(["info", "--json", str(out / "*.lcrs")]) == 1
    fields = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [Path(entry.pop("file")).name for entry in fields] == ["d.lcrs", "e e.lcrs"]
    assert fields[0] == lcrs.info(out / "d.lcrs")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_is_odd_with_the_model_is_said_once(
    processes: str, pictures: Path, tmp_path: Path, model_path: Path, monkeypatch, capfd
) -> None:
    tiny_package.write(tmp_path / "another.lcrm", seed=1)
    monkeypatch.setenv("LCRS_MODEL_PATH", os.pathsep.join(map(str, (model_path, tmp_path))))
    source = str(pictures / "deep" / "er")
    assert main([*ENCODE, "-r", source, "-o", str(tmp_path / "out"), "-j", processes]) == 0
    warning, _ = capfd.readouterr().err.splitlines()
    assert warning.startswith("lcrs encode: warning: two models are called 'tiny': ")


def test_a_process_that_dies_costs_one_file(pictures: Path, tmp_path: Path, fresh_python, model_path) -> None:
    code = """
import os, signal, sys
from lcrs import cli
from lcrs.cli import workers
workers._START = workers._START.replace("serve()", '''
import lcrs.cli.encode as encode
whole = encode.work
def dies(job, arguments):
    if job.source.name == "b.JPG":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(job, arguments)
encode.work = dies
serve()''').replace("import pickle", "import os, signal, pickle", 1)
print(cli.main(sys.argv[1:]))
"""
    out = tmp_path / "out"
    arguments = [*ENCODE, "-r", str(pictures), "-o", str(out), "-j", "2"]
    assert fresh_python(code, *arguments) == "1"
    assert files(out) == sorted(f"{name}.lcrs" for name in GOOD if name != "b")


def test_progress_is_shown_on_terminals_only(pictures: Path, tmp_path: Path, monkeypatch, capfd) -> None:
    import sys

    encode = [*ENCODE, "-r", str(pictures / "deep" / "er"), "-o"]
    main([*encode, str(tmp_path / "one")])
    assert "\r" not in capfd.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich", None)
    main([*encode, str(tmp_path / "two")])
    shown = capfd.readouterr().err
    assert "\r1 of 2, " in shown
    assert shown.rstrip("\n").rpartition("\r")[2].startswith("lcrs encode: 2 written")
    main([*encode, str(tmp_path / "three"), "--quiet"])
    assert capfd.readouterr().err == ""


def test_sizes_and_times_are_for_people() -> None:
    assert [progress.size(n) for n in (0, 999, 1000, 99_949, 999_499, 10**6, 123_456_789, 10**13)] == [
        *("0 bytes", "999 bytes", "1.0 kB", "99.9 kB", "999 kB", "1.0 MB", "123 MB", "10000 GB"),
    ]
    assert [progress.duration(s) for s in (0.4, 59.4, 61, 3600, 7380)] == [
        *("0 s", "59 s", "1 min 1 s", "1 h 0 min", "2 h 3 min"),
    ]
