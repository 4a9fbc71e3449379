"""Where the project lives is written by one command, and no release goes out before."""

import shutil
import subprocess
import sys
from pathlib import Path

import addresses
import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("https://forge.example/lcrs/lcrs", "https://docs.example/lcrs")


@pytest.fixture
def project(tmp_path):
    """The files that say it, as they stand."""
    for name, text in addresses.read(ROOT).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_file_says_it_once(project, capsys):
    assert addresses.main([*PLACES], project) == 0
    assert addresses.main(["--check"], project) == 0
    texts = addresses.read(project)
    assert texts["Cargo.toml"].count(f'\nrepository = "{PLACES[0]}"\n') == 1
    assert texts["CITATION.cff"].count(f'\nrepository-code: "{PLACES[0]}"\nurl: "{PLACES[1]}"\n') == 1
    for crate in addresses.CRATES:
        assert texts[f"rust/{crate}/Cargo.toml"].count("\nrepository.workspace = true\n") == 1
    if sys.version_info >= (3, 11):
        import tomllib

        urls = tomllib.loads(texts["pyproject.toml"])["project"]["urls"]
        assert urls["Repository"] == PLACES[0]
        assert urls["Documentation"] == PLACES[1]
        assert urls["Changelog"] == f"{PLACES[0]}/blob/main/CHANGELOG.md"
        package = tomllib.loads(texts["Cargo.toml"])["workspace"]["package"]
        assert package["repository"] == PLACES[0]


def test_a_move_leaves_nothing_of_the_old_place(project):
    addresses.main(["https://old.example/a", "https://old.example/b"], project)
    addresses.main([*PLACES], project)
    moved = addresses.read(project)
    assert not any("old.example" in text for text in moved.values())
    addresses.main([*PLACES], project)
    assert addresses.read(project) == moved


def silent(text):
    """A file without what it says of addresses."""
    for key in ("repository", "repository-code", "url"):
        text = addresses.without(key, text)
    return addresses.without_urls(text)


@pytest.mark.parametrize("was_written", [False, True])
def test_nothing_else_changes(project, was_written):
    if was_written:
        addresses.main(["https://old.example/a", "https://old.example/b"], project)
    before = addresses.read(project)
    addresses.main([*PLACES], project)
    for name, text in addresses.read(project).items():
        assert silent(text) == silent(before[name])


def test_the_check_names_each_file_that_is_silent(project, capsys):
    addresses.main([*PLACES], project)
    path = project / "rust/lcrs-format/Cargo.toml"
    path.write_text(addresses.without("repository", path.read_text()))
    assert addresses.main(["--check"], project) == 1
    assert capsys.readouterr().err.startswith("rust/lcrs-format/Cargo.toml does not say")


@pytest.mark.parametrize(
    "places",
    [
        (),
        PLACES[:1],
        ("forge.example/lcrs", PLACES[1]),
        (PLACES[0], 'https://x"\ny'),
        (f"{PLACES[0]}/", PLACES[1]),
        (f"{PLACES[0]}.git", PLACES[1]),
        ("--check", PLACES[1]),
    ],
)
def test_what_is_no_address_changes_nothing(project, places, capsys):
    before = addresses.read(project)
    assert addresses.main(["--", *places], project) == 2
    assert "make addresses REPOSITORY=https://..." in capsys.readouterr().err
    assert addresses.read(project) == before


@pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")
def test_cargo_reads_what_is_written(project):
    shutil.copytree(
        ROOT / "rust",
        project / "rust",
        ignore=shutil.ignore_patterns("fuzz", "data", "*.bin"),
        dirs_exist_ok=True,
    )
    addresses.main([*PLACES], project)
    workspace = (project / "Cargo.toml").read_text()
    (project / "Cargo.toml").write_text(workspace.replace(', "benches"]', "]"))
    told = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.count(f'"repository":"{PLACES[0]}"') == len(addresses.CRATES)
