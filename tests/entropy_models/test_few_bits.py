"""Tables of few bits: where a density has more values than frequencies, its tails are escapes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lcrs import coding
from lcrs.entropy_models import EntropyBottleneck, EntropyBottleneckVbr, GaussianConditional
from lcrs.entropy_models.fitting_tables import fitting_table

MAKES = {
    "bottleneck": lambda bits: EntropyBottleneck(4, entropy_coder_precision=bits),
    "vbr": lambda bits: EntropyBottleneckVbr(4, entropy_coder_precision=bits),
    "gaussian": lambda bits: GaussianConditional(None, entropy_coder_precision=bits),
}


def case(name, bits, kind, is_updated):
    """A model, and what coding and decoding take after the values and the strings."""
    torch.manual_seed(0)
    model = MAKES[name](bits)
    model.entropy_coder = kind
    if is_updated:
        model.update()
    x = torch.randn(2, 4, 24, 24) * 12
    if name != "gaussian":
        return model, x, (), ((24, 24),)
    indexes = model.build_indexes(torch.full_like(x, 12.0))
    return model, x, (indexes,), (indexes,)


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("is_updated", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 7, 8, 9, 12])
@pytest.mark.parametrize("name", MAKES)
def test_values_come_back(name, bits, is_updated, kind):
    model, x, given_, back = case(name, bits, kind, is_updated)
    strings = model.compress(x, *given_)
    found = model.decompress(strings, *back)
    assert torch.equal(found, model.restore(x))
    assert (found - x).abs().max() <= 0.5 + 1e-5
    assert model.cdf_table().precision == bits


@pytest.mark.parametrize("name", MAKES)
def test_fewer_bits_cost_little(name):
    sizes = {}
    for bits in (7, 8, 16):
        model, x, given_, _ = case(name, bits, "lcrs", False)
        sizes[bits] = sum(map(len, model.compress(x, *given_)))
    assert sizes[8] < 1.03 * sizes[16]
    assert sizes[7] < 1.25 * sizes[16]


def test_rows_that_fit_are_those_of_the_precision():
    model = GaussianConditional([0.5, 1.0, 8.0], entropy_coder_precision=8)
    wanted = coding.gaussian_table(np.array([0.5, 1.0, 8.0], np.float32), 1e-9, 8)
    assert np.array_equal(model.cdf_table().cdfs, wanted.cdfs)


def test_what_is_wrong_at_any_precision_is_said():
    model = EntropyBottleneck(4, entropy_coder_precision=8)
    with torch.no_grad():
        model.biases[0][2] = torch.nan
    with pytest.raises(ValueError, match=r"finite|NaN"):
        model.cdf_table()


@given(
    scales=st.lists(st.floats(0.125, 1000, width=32), min_size=1, max_size=6, unique=True),
    bits=st.integers(1, 15),
)
def test_rows_that_are_cut_hold_the_middle(scales, bits):
    table = np.array(sorted(scales), np.float32)
    found = fitting_table(lambda precision: coding.gaussian_table(table, 1e-9, precision), bits)
    whole = coding.gaussian_table(table, 1e-9, 16)
    symbols = np.arange(-3000, 3000, 37, dtype=np.int32)
    for row in range(len(table)):
        length = int(found.lengths[row])
        assert found.cdfs[row][length - 1] == 1 << bits
        assert (np.diff(found.cdfs[row][:length]) > 0).all()
        assert found.offsets[row] <= 0 < found.offsets[row] + length - 1
        assert length <= whole.lengths[row]
        indexes = np.full_like(symbols, row)
        data = coding.encode(symbols, indexes, found)
        assert np.array_equal(coding.decode(data, indexes, found), symbols)
