"""Rounding, bounds, the non-negative parametrisation and padding, against their formulas."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch.nn import functional as F

from lcrs.ops import LowerBound, NonNegativeParametrizer, compute_padding, quantize_ste


class TestQuantizeSte:
    def test_rounds_half_to_even_exactly(self):
        x = torch.cat([torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5]), 1000 * torch.randn(4096)])
        assert torch.equal(quantize_ste(x), torch.round(x))

    def test_gradient_is_the_identity(self):
        x = torch.randn(3, 5, requires_grad=True)
        weight = torch.randn(3, 5)
        (quantize_ste(x) * weight).sum().backward()
        assert torch.equal(x.grad, weight)

    @pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch 2.2's own
    def test_compiles_without_a_graph_break(self):
        x = torch.randn(7)
        compiled = torch.compile(quantize_ste, backend="eager", fullgraph=True)
        assert torch.equal(compiled(x), torch.round(x))


class TestLowerBound:
    def test_is_the_maximum(self):
        x = torch.rand(16)
        assert torch.equal(LowerBound(0.5)(x), x.clamp(min=0.5))

    @pytest.mark.parametrize(
        ("value", "upstream", "expected"), [(1, 3, 3), (1, -3, -3), (-1, 3, 0), (-1, -3, -3)]
    )
    def test_gradient_passes_above_or_when_descent_returns(self, value, upstream, expected):
        x = torch.tensor([float(value)], requires_grad=True)
        LowerBound(0.0)(x).backward(torch.tensor([float(upstream)]))
        assert x.grad.item() == expected

    def test_bound_is_in_the_state_dict(self):
        state = LowerBound(torch.tensor([0.25])).state_dict()
        assert {key: tuple(value.shape) for key, value in state.items()} == {"bound": (1,)}

    def test_copies_and_pickles(self):
        layer, x = LowerBound(0.25), torch.randn(9)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert torch.equal(other(x), layer(x))

    def test_prints_its_bound_where_it_has_numbers(self):
        layer = LowerBound(0.25)
        assert repr(layer) == "LowerBound(bound=0.25)"
        with FakeTensorMode() as mode:  # as a model that is exported
            layer.bound = mode.from_tensor(layer.bound)
            assert repr(layer) == "LowerBound()"
        assert repr(LowerBound(0.25).to("meta")) == "LowerBound()"


class TestNonNegativeParametrizer:
    @pytest.mark.parametrize("minimum", [0.0, 1e-6, 0.3])
    def test_never_below_the_minimum(self, minimum):
        values = NonNegativeParametrizer(minimum)(torch.linspace(-1, 1, 101))
        assert values.min().item() == pytest.approx(minimum, abs=1e-7)

    def test_init_is_the_inverse(self):
        reparam = NonNegativeParametrizer()
        x = torch.rand(64)
        assert torch.allclose(reparam(reparam.init(x)), x, atol=1e-6)

    def test_negative_minimum_is_refused(self):
        with pytest.raises(ValueError, match=r"minimum is -1\.0"):
            NonNegativeParametrizer(-1)

    def test_state_keys(self):
        assert set(NonNegativeParametrizer().state_dict()) == {"pedestal", "lower_bound.bound"}


class TestComputePadding:
    @given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 128))
    def test_pads_to_the_next_multiple_and_back(self, height, width, min_div):
        pad, unpad = compute_padding(height, width, min_div=min_div)
        x = torch.arange(height * width, dtype=torch.float32).reshape(1, 1, height, width)
        padded = F.pad(x, pad)
        for side, original in zip(padded.shape[-2:], (height, width), strict=True):
            assert side % min_div == 0
            assert 0 <= side - original < min_div
        assert torch.equal(F.pad(padded, unpad), x)

    def test_extra_sample_goes_right_and_bottom(self):
        assert compute_padding(5, 6, min_div=4)[0] == (1, 1, 1, 2)

    def test_given_output_size(self):
        assert compute_padding(5, 7, out_h=8, out_w=16, min_div=8)[0] == (4, 5, 1, 2)

    def test_output_that_is_not_divisible_is_refused(self):
        with pytest.raises(ValueError, match="out_h is 9, which is not divisible by min_div = 8"):
            compute_padding(5, 7, out_h=9, min_div=8)
