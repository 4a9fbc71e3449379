"""Equal seeds give equal weights and equal losses in CompressAI and here."""

import json

import pytest
from training import CASES, FIXTURE, NUM_STEPS, train

COMPRESSAI = json.loads(FIXTURE.read_text())


@pytest.mark.slow  # each trains a network
@pytest.mark.parametrize("name", CASES)
def test_weights_and_losses_are_compressais(name):
    initial, steps = train("lcrs", name)
    expected = COMPRESSAI[name]
    assert list(initial) == list(expected["initial"])
    for key, sums in initial.items():
        assert sums == pytest.approx(expected["initial"][key], rel=1e-6, abs=1e-5), key
    assert len(steps) == NUM_STEPS
    for number, (values, wanted) in enumerate(zip(steps, expected["steps"], strict=True)):
        assert values == pytest.approx(wanted, rel=1e-4), f"step {number}"
