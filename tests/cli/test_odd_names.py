"""Odd names on the command line: shown as they are, valid in JSON, and told from options and addresses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from lcrs.cli import main

ENCODE = ["encode", "--model", "tiny", "-q", "20"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch, model_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (12, 9), (200, 30, 4)).save("a.png")
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes there")
def test_names_that_are_no_text_are_valid_json(here: Path, capfd) -> None:
    odd = os.fsdecode(b"caf\xe9")
    Path(f"{odd}.png").write_bytes(Path("a.png").read_bytes())
    assert main([*ENCODE, f"{odd}.png"]) == 0
    assert main(["info", "--json", f"{odd}.lcrs"]) == 0
    assert main(["compare", "--json", f"{odd}.lcrs", f"{odd}.png"]) == 0
    info, comparison = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert info["file"] == "caf\\xe9.lcrs" == comparison["a"]["file"]
    for fields in (info, comparison):
        json.dumps(fields, ensure_ascii=False).encode()
    assert main(["info", f"{odd}.lcrs", f"{odd}.lcrs", "a.png"]) == 1
    assert capfd.readouterr().out.splitlines()[1].endswith("  caf\\xe9.lcrs")


def test_newlines_in_names_are_shown_as_such(here: Path, capfd) -> None:
    Path("two\nlines.png").write_bytes(Path("a.png").read_bytes())
    assert main([*ENCODE, "two\nlines.png"]) == 0
    assert main([*ENCODE, "two\nlines.png"]) == 1
    assert main([*ENCODE, "no\nsuch.png", "a.png"]) == 1
    said = capfd.readouterr().err
    assert "two\\nlines.lcrs: " in said
    assert "two\\nlines.lcrs exists" in said
    assert "no\\nsuch.png: No such file" in said
    assert main(["info", "two\nlines.lcrs", "two\nlines.lcrs"]) == 0
    assert "two\\nlines.lcrs" in capfd.readouterr().out


def test_names_like_options_are_explained(here: Path, capfd) -> None:
    Path("-dash.png").write_bytes(Path("a.png").read_bytes())
    for arguments in (["-dash.png"], ["a.png", "-dash.png"]):
        with pytest.raises(SystemExit, match="2"):
            main([*ENCODE, *arguments])
        assert "; the file of that name is ./-dash.png (lcrs encode --help" in capfd.readouterr().err
    assert main([*ENCODE, "./-dash.png"]) == 0
    assert Path("-dash.lcrs").is_file()
    assert main([*ENCODE, "--", "a.png", "--force"]) == 2
    assert "there is no --force to read: what follows -- is a file's name" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [*ENCODE, "https://example.org/a.png"],
        [*ENCODE, "https://example.org/a.png", "a.png"],
        ["decode", "https://example.org/a.png"],
        ["info", "https://example.org/a.png"],
    ],
)
def test_addresses_are_shown_as_they_are_and_not_fetched(here: Path, capfd, arguments: list[str]) -> None:
    assert main(arguments) == 1
    words = "https://example.org/a.png: is a URL, which is not fetched: download it first\n"
    assert f"lcrs {arguments[0]}: error: {words}" in capfd.readouterr().err


def test_nothing_is_written_to_addresses(here: Path, capfd) -> None:
    assert main([*ENCODE, "a.png", "-o", "https://example.org/a.lcrs"]) == 2
    assert "-o https://example.org/a.lcrs: is a URL" in capfd.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "https://example.org/a.png", "a.png"])
    assert "https://example.org/a.png: is a URL" in capfd.readouterr().err


def test_quiet_runs_tell_losses_in_one_line(here: Path, capfd) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    for name in ("b.jpg", "c.jpg"):
        Image.new("RGB", (12, 9)).save(name, exif=exif)
    many = [*ENCODE, "a.png", "b.jpg", "c.jpg", "--force"]
    assert main(many) == 0
    assert capfd.readouterr().err.count("not kept") == 2
    for jobs in ("1", "2"):
        assert main([*many, "--quiet", "-j", jobs]) == 0
        words = "not kept: 2 of 3 files lose something; without --quiet each says what"
        assert capfd.readouterr().err == f"lcrs encode: warning: {words}\n"


def test_a_folder_without_files_is_told(here: Path, capfd) -> None:
    assert main(["info", "-r", "."]) == 0
    assert capfd.readouterr().err == "lcrs info: no .lcrs files, files of other kinds: 1\n"
