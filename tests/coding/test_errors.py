"""The classes that bytes and models from elsewhere can raise."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import lcrs
from lcrs import coding, errors


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_can_be_pickled_and_named(name: str) -> None:
    error = getattr(errors, name)("picture of 0 x 3")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == "picture of 0 x 3"
    assert type(error).__module__ == "lcrs.errors"
    if not isinstance(error, Warning):
        assert isinstance(error, lcrs.LcrsError)
        assert isinstance(error, ValueError)
    assert getattr(lcrs, name) is getattr(errors, name)


ZEROS = np.zeros(3, np.int32)
FAULTS = {
    "TruncatedError": lambda table, _: coding.decode(b"", ZEROS, table),
    "DesyncError": lambda table, _: coding.decode(coding.encode(ZEROS, ZEROS, table), ZEROS[:2], table),
    "CorruptError": lambda *_: coding.Graph("{", {}),
    "UnsupportedVersionError": lambda *_: coding.Graph(
        '{"version": 99, "inputs": [], "outputs": [], "nodes": []}', {}
    ),
    "MissingModelError": lambda *_: coding.Package.from_file("nowhere.lcrm"),
    "LimitError": lambda _, package: package.compress(np.zeros((1, 70_000, 3), np.uint8), 5),
}


@pytest.mark.parametrize("name", FAULTS)
def test_native_errors_are_these_classes(name: str, table, tiny_models) -> None:
    package = coding.Package.from_file(tiny_models / "tiny.lcrm")
    with pytest.raises(lcrs.LcrsError) as caught:
        FAULTS[name](table, package)
    assert type(caught.value) is getattr(errors, name)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


def test_every_error_is_provoked_somewhere() -> None:
    # The coder never makes the base; what is not portable is found while lowering, warnings elsewhere.
    assert {
        *FAULTS,
        "LcrsError",
        "NotPortableError",
        "NotPortableWarning",
        "ModelWarning",
        "TargetWarning",
    } == set(errors.__all__)


def test_a_wrong_argument_is_no_fault_of_the_bytes(table) -> None:
    zeros = np.zeros(3, np.int32)
    data = coding.encode(zeros, zeros, table)
    with pytest.raises(ValueError, match="index 99") as caught:
        coding.decode(data, zeros + np.int32(99), table)
    assert type(caught.value) is ValueError


def test_tables_can_be_pickled_and_copied(table) -> None:
    again = pickle.loads(pickle.dumps(table))
    for name in ("cdfs", "lengths", "offsets", "precision"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
    assert copy.deepcopy(table) is table
    assert copy.copy(table) is table
    assert repr(table) == "CdfTable(num_rows=12, precision=16)"
    assert len(table) == table.num_rows == 12
