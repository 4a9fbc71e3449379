"""Names, clashes, lazy homes and configurations."""

import importlib
import warnings

import pytest
import torch

from lcrs.registry import OPTIMIZERS, SCHEDULERS, Registry
from lcrs.registry import torch as compressai_path


def test_decorator_enters_and_returns_its_target():
    table = Registry("thing")

    @table.register("a")
    class A:
        pass

    assert table["a"] is A
    assert list(table) == ["a"]


def test_the_last_has_the_name_and_a_warning_says_so():
    table = Registry("thing")
    table["a"] = dict
    table["a"] = dict  # the same object again is no clash
    with pytest.warns(UserWarning, match=r"thing 'a' is now builtins\.list, it was builtins\.dict") as caught:
        table.register("a")(list)
    assert caught[0].filename == __file__
    assert table["a"] is list
    del table["a"]
    table["a"] = dict
    assert table["a"] is dict


def test_a_warning_that_is_an_error_keeps_nobody_from_the_name():
    table = Registry("thing")
    table["a"] = dict
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="is now"):
            table["a"] = list
    assert table["a"] is list


TAKEN = """
import warnings
from torch import nn
from lcrs.registry import MODELS, MODULES, register_model, register_module
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    @register_model("mbt2018")
    class Mine(nn.Module):
        pass
    @register_module("HyperLatentCodec")
    class MyCodec(nn.Module):
        pass
    @register_model("mine-alone")
    class Alone(nn.Module):
        pass
assert len(caught) == 2, [str(w.message) for w in caught]
assert "model 'mbt2018' is now __main__.Mine, it was lcrs.models.google" in str(caught[0].message)
warnings.simplefilter("error")  # nothing is said or raised at any later look-up
import lcrs.models, lcrs.latent_codecs, lcrs.zoo
assert MODELS["mbt2018"] is Mine and MODULES["HyperLatentCodec"] is MyCodec
assert "mbt2018-mean" in MODELS and list(MODELS).count("mbt2018") == 1
ours = lcrs.models.JointAutoregressiveHierarchicalPriors
assert MODELS.builtin("mbt2018") is ours
assert type(lcrs.zoo.mbt2018(1)) is ours and lcrs.zoo.image.model_architectures["mbt2018"] is ours
"""


@pytest.mark.parametrize("first", ["", "import lcrs.models\n", "import lcrs.zoo.image\n"])
def test_names_of_lcrs_can_be_taken_before_and_after_it_is_imported(first, fresh_torch):
    fresh_torch(first + TAKEN)


def test_what_is_defined_anew_takes_the_place_of_the_old():
    table = Registry("thing")

    def define(value):
        @table.register("a")
        class Again:
            number = value

        return Again

    define(1)
    newer = define(2)
    assert table["a"] is newer
    assert table["a"].number == 2

    class Other:
        pass

    with pytest.warns(UserWarning, match="thing 'a' is now"):
        table["a"] = Other
    assert table["a"] is Other


def test_a_module_loaded_again_registers_again(tmp_path, monkeypatch):
    (tmp_path / "things_for_test.py").write_text(
        "from test_registry_table import TABLE\n@TABLE.register('a')\nclass A: pass\n"
    )
    (tmp_path / "test_registry_table.py").write_text(
        "from lcrs.registry import Registry\nTABLE = Registry('thing')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    first = importlib.import_module("things_for_test")
    old = first.A
    table = importlib.import_module("test_registry_table").TABLE
    assert table["a"] is old
    assert importlib.reload(first).A is table["a"] is not old


def test_unknown_name_lists_near_ones():
    table = Registry("thing")
    table["bmshj2018-hyperprior"] = dict
    with pytest.raises(KeyError, match=r"no thing is registered as 'bmshj2018'.*bmshj2018-hyperprior"):
        table["bmshj2018"]


def test_create_merges_configuration_and_arguments():
    table = Registry("thing")
    table["d"] = dict
    assert table.create({"type": "d", "a": 1, "b": 2}, b=3) == {"a": 1, "b": 3}
    assert table.create("d", a=1) == {"a": 1}
    with pytest.raises(KeyError, match="no 'type'"):
        table.create({"a": 1})


def test_borrowed_names_are_hidden_by_own_ones():
    table = Registry("thing", borrow=lambda: {"a": dict, "b": dict})
    table["a"] = list
    assert table["a"] is list
    assert list(table) == ["a", "b"]
    assert len(table) == 2


def test_other_libraries_are_asked_last():
    def borrow():
        raise AssertionError("not needed")

    table = Registry("thing", home="lcrs.transforms", borrow=borrow)
    table["a"] = list
    assert table["a"] is list
    with pytest.raises(AssertionError, match="not needed"):
        table["b"]


def test_a_home_that_fails_to_import_is_tried_again():
    table = Registry("thing", home="lcrs_no_such_module")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            table["a"]


def test_torch_optimizers_and_schedulers():
    assert OPTIMIZERS["Adam"] is torch.optim.Adam
    assert SCHEDULERS["ReduceLROnPlateau"] is torch.optim.lr_scheduler.ReduceLROnPlateau
    assert "Optimizer" not in OPTIMIZERS
    assert "LRScheduler" not in SCHEDULERS


def test_compressai_path_has_the_same_tables():
    assert compressai_path.OPTIMIZERS is OPTIMIZERS


def test_importing_the_registry_imports_no_torch(fresh_python):
    code = "import sys, lcrs.registry; assert 'torch' not in sys.modules"
    fresh_python(code)
