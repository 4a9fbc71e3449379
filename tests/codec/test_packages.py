"""Models by name: the name inside a package counts, and what could be mistaken for it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lcrs
import tiny_package
from lcrs import codec
from lcrs.packages import lookup as packages


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders of LCRS_MODEL_PATH, the first one first; nothing ships."""
    made = tmp_path / "first", tmp_path / "second"
    for folder in made:
        folder.mkdir()
    monkeypatch.setenv("LCRS_MODEL_PATH", os.pathsep.join(map(str, made)))
    monkeypatch.setattr(packages, "_SHIPPED", tmp_path / "none")
    return made


@pytest.fixture
def coded(photo: np.ndarray, tmp_path: Path) -> Callable[[str, int], bytes]:
    """A file of a model of a name and a seed, whose package is not at hand."""

    def make(name: str, seed: int) -> bytes:
        package = tiny_package.write(tmp_path / f"{name}-{seed}.lcrm", name, seed)
        return lcrs.compress(photo, quality=20, model=package)

    return make


def test_a_renamed_package_is_found_by_the_name_inside(folders, photo: np.ndarray) -> None:
    tiny_package.write(folders[1] / "foo.lcrm", "mine")
    for model in ("mine", "foo", folders[1] / "foo.lcrm"):
        data = lcrs.compress(photo, quality=20, model=model)
        assert lcrs.info(data)["model"] == "mine"
        assert lcrs.decompress(data).shape == photo.shape
    assert codec.package_names() == ["mine"]


def test_another_model_in_the_file_of_the_default_is_not_the_default(folders, photo: np.ndarray) -> None:
    name = codec.DEFAULT_MODEL
    tiny_package.write(folders[0] / f"{name}.lcrm", "mine")
    with (
        pytest.warns(lcrs.ModelWarning, match=rf"holds model 'mine': it is not used as '{name}'"),
        pytest.raises(lcrs.MissingModelError, match=f"no model '{name}'"),
    ):
        lcrs.compress(photo)
    tiny_package.write(folders[1] / "other.lcrm", name, seed=1)
    with pytest.warns(lcrs.ModelWarning, match="holds model 'mine'"):
        data = lcrs.compress(photo)
    assert lcrs.info(data)["model"] == name
    assert data == lcrs.compress(photo, model=folders[1] / "other.lcrm")


def test_two_models_of_one_name_are_told_and_told_apart(folders, coded, photo: np.ndarray) -> None:
    paths = [tiny_package.write(folder / "a.lcrm", "mine", seed) for seed, folder in enumerate(folders)]
    with pytest.warns(
        UserWarning, match=rf"two models are called 'mine': {paths[0]} is used, not {paths[1]}"
    ):
        data = lcrs.compress(photo, quality=20, model="mine")
    assert data == coded("mine", 0)
    for seed in (0, 1):
        data = coded("mine", seed)
        expected = lcrs.decompress(data, model=paths[seed])
        np.testing.assert_array_equal(lcrs.decompress(data), expected)
    with pytest.raises(lcrs.MissingModelError, match="entropy digest"):
        lcrs.decompress(coded("mine", 2))
    tiny_package.write(folders[1] / "a.lcrm", "mine", 0)  # a copy is no conflict
    assert lcrs.compress(photo, quality=20, model="mine") == coded("mine", 0)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: b"x" * len(data)])
def test_a_damaged_package_is_told_and_the_next_one_used(folders, coded, damage, photo: np.ndarray) -> None:
    data = coded("mine", 0)
    good = tiny_package.write(folders[1] / "mine.lcrm", "mine")
    bad = folders[0] / "mine.lcrm"
    bad.write_bytes(damage(good.read_bytes()))
    with pytest.warns(lcrs.ModelWarning, match=rf"{bad}.*; {good} is used instead"):
        assert lcrs.decompress(data).shape == photo.shape
    with pytest.warns(lcrs.ModelWarning, match="is used instead"):
        assert lcrs.compress(photo, quality=20, model="mine") == data
    good.unlink()
    for use in (lambda: lcrs.decompress(data), lambda: lcrs.compress(photo, model="mine")):
        with pytest.raises(lcrs.LcrsError, match=str(bad)):
            use()


def test_what_is_no_package_of_the_name_disturbs_nobody(folders, coded, photo: np.ndarray) -> None:
    data = coded("mine", 0)
    tiny_package.write(folders[1] / "mine.lcrm", "mine")
    (folders[0] / "notes.lcrm").write_text("[" * 100_000)
    (folders[0] / "huge.lcrm").write_bytes(b"\xff" * 8)
    (folders[0] / "folder.lcrm").mkdir()
    (folders[0] / "dangling.lcrm").symlink_to("nowhere")
    assert lcrs.decompress(data).shape == photo.shape
    assert lcrs.compress(photo, quality=20, model="mine") == data
    assert codec.package_names() == ["mine"]


def test_the_digests_of_a_file_find_its_package_under_another_name(folders, coded, photo: np.ndarray) -> None:
    tiny_package.write(folders[0] / "b.lcrm", "renamed")
    assert lcrs.decompress(coded("mine", 0)).shape == photo.shape


def test_a_missing_model_is_said_with_what_helps(folders, coded) -> None:
    with pytest.raises(lcrs.MissingModelError) as caught:
        lcrs.decompress(coded("mine", 0))
    for words in ("'mine'", str(folders[0]), str(folders[1]), "pass model=FILE", "LCRS_MODEL_PATH"):
        assert words in str(caught.value)
    assert "--" not in str(caught.value)
