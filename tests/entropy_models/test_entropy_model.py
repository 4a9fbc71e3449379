"""What the base class does by itself."""

import pytest
import torch

from lcrs.entropy_models import EntropyModel


def test_quantize():
    model = EntropyModel()
    x = torch.tensor([-1.5, -0.5, 0.4, 0.5, 1.5, 2.5])
    means = torch.tensor(0.25)
    assert model.quantize(x, "symbols").tolist() == [-2, 0, 0, 0, 2, 2]  # half to even
    assert model.quantize(x, "symbols").dtype == torch.int32
    assert model.quantize(x, "dequantize", means).tolist() == (torch.round(x - 0.25) + 0.25).tolist()
    assert model.dequantize(model.quantize(x, "symbols", means), means).tolist() == (
        model.quantize(x, "dequantize", means).tolist()
    )
    assert model.dequantize(torch.tensor([1], dtype=torch.int32), dtype=torch.float64).dtype == torch.float64
    noise = model.quantize(torch.zeros(1000), "noise", means)
    assert noise.abs().max() <= 0.5
    with pytest.raises(ValueError, match="mode is 'round', must be"):
        model.quantize(x, "round")


def test_deprecated_names_warn():
    with pytest.warns(UserWarning, match="use quantize"):
        assert EntropyModel()._quantize(torch.tensor([0.7]), "symbols").tolist() == [1]
    with pytest.warns(UserWarning, match="use dequantize"):
        assert EntropyModel._dequantize(torch.tensor([1])).tolist() == [1.0]


def test_forward_is_for_subclasses():
    with pytest.raises(NotImplementedError, match="EntropyModel defines no forward"):
        EntropyModel()(torch.zeros(1))


def test_a_model_of_ones_own_fills_its_buffers():
    model = EntropyModel()
    with pytest.raises(ValueError, match="EntropyModel derives no table, and its buffers are empty"):
        model.compress(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.int32))
    model._quantized_cdf = torch.tensor([[0, 10000, 40000, 60000, 65536]], dtype=torch.int32)
    model._cdf_length = torch.tensor([5], dtype=torch.int32)
    model._offset = torch.tensor([-1], dtype=torch.int32)
    x = torch.tensor([[0.2, -1.1, 7.0]])
    indexes = torch.zeros(1, 3, dtype=torch.int32)
    assert model.decompress(model.compress(x, indexes), indexes).tolist() == [[0.0, -1.0, 7.0]]
    model._offset = torch.tensor([0], dtype=torch.int32)
    assert model.cdf_table().offsets.tolist() == [0]


@pytest.mark.parametrize("precision", [0, 17, -1])
def test_precision_fits_the_coder(precision):
    with pytest.raises(ValueError, match=f"entropy_coder_precision is {precision}, must be from 1 to 16"):
        EntropyModel(entropy_coder_precision=precision)


def test_unbounded_likelihoods():
    assert not EntropyModel(likelihood_bound=0).use_likelihood_bound
    assert "likelihood_lower_bound.bound" in EntropyModel().state_dict()
