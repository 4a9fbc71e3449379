"""Old import paths give the modules that are there now."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
from pathlib import Path

import pytest

import lcrs
from lcrs.moved_modules import MOVED


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_path_is_the_new_module(old):
    module = importlib.import_module(old)
    new = importlib.import_module(MOVED[old])
    assert module is new
    assert module.__spec__ is not None
    assert (module.__name__, module.__spec__.name) == (MOVED[old], MOVED[old])


def test_old_paths_work_first_and_in_every_form(fresh_torch):
    code = """
import lcrs.models.gain.levels as levels
from lcrs.models import gain, gained
from lcrs.models.gain import GainHyperprior
import lcrs.models.variable_rate.levels
assert levels is lcrs.models.variable_rate.levels
print(gain.__name__, gained.__name__, GainHyperprior.__module__)
"""
    room = "lcrs.models.variable_rate"
    assert fresh_torch(code) == f"{room} {room}.gained_mean_scale {room}.gain_hyperprior"


def test_what_was_pickled_by_an_old_path_loads():
    from lcrs.models.variable_rate.levels import LevelTable

    old = b"clcrs.models.gain.levels\nLevelTable\n."
    assert pickle.loads(old) is LevelTable


def test_no_old_path_is_a_file_and_each_leads_somewhere():
    for old, new in MOVED.items():
        assert new not in MOVED
        found = importlib.util.find_spec(new)
        assert found is not None
        assert found.origin is not None
        assert not [path for path in files_of(old) if path.exists()]


def files_of(module):
    base = Path(lcrs.__file__).parent.joinpath(*module.split(".")[1:])
    return [base.with_suffix(".py"), base / "__init__.py"]
