"""What published code calls on CompressAI's entropy models, and derived classes that rely on it."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lcrs import coding
from lcrs.ans import RansDecoder, RansEncoder
from lcrs.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
from lcrs.entropy_models.entropy_models import _EntropyCoder, pmf_to_quantized_cdf
from lcrs.ops import LowerBound

KINDS = ["lcrs", "ans"]


def test_masses_become_a_cdf():
    pmf = torch.tensor([0.1, 0.2, 0, 0], dtype=torch.float64, requires_grad=True)
    cdf = pmf_to_quantized_cdf(pmf)
    assert (cdf.dtype, cdf.tolist()) == (torch.int32, [0, 21845, 65534, 65535, 65536])
    assert pmf_to_quantized_cdf(pmf, 8).tolist()[-1] == 256
    with pytest.raises(ValueError, match="pmf entry 1 is -1"):
        pmf_to_quantized_cdf(torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("precision", [16, 9])
def test_rows_of_masses_become_a_table(precision):
    model = EntropyModel(entropy_coder_precision=precision)
    pmf, tail = torch.rand(3, 7), torch.rand(3, 1) / 10
    length = torch.tensor([7, 2, 5], dtype=torch.int32)
    cdf = model._pmf_to_cdf(pmf, tail, length, 7)
    assert (cdf.dtype, cdf.shape) == (torch.int32, (3, 9))
    for row, masses, rest, n in zip(cdf, pmf, tail, length.tolist(), strict=True):
        expected = coding.pmf_to_quantized_cdf(torch.cat((masses[:n], rest)).numpy(), precision)
        assert row.tolist() == [*expected.tolist(), *[0] * (9 - len(expected))]
    coding.CdfTable(cdf.numpy(), (length + 2).numpy(), np.zeros(3, np.int32), precision)


def test_the_buffers_are_checked():
    model = EntropyModel()
    checks = {
        "_quantized_cdf": model._check_cdf_size,
        "_cdf_length": model._check_cdf_length,
        "_offset": model._check_offsets_size,
    }
    for name, check in checks.items():
        with pytest.raises(ValueError, match=rf"{name} is empty: call update\(\) first"):
            check()
        setattr(model, name, torch.zeros(1, 1, 1, dtype=torch.int32))
        with pytest.raises(ValueError, match=rf"{name} has shape \(1, 1, 1\), must be"):
            check()
    filled = GaussianConditional(None)
    filled.update()
    filled._check_cdf_size(), filled._check_cdf_length(), filled._check_offsets_size()


def test_indexes_are_channel_numbers():
    indexes = EntropyBottleneck._build_indexes((2, 3, 4, 5))
    assert (indexes.dtype, indexes.shape) == (torch.int32, (2, 3, 4, 5))
    assert torch.equal(indexes, torch.arange(3).reshape(1, 3, 1, 1).expand(2, 3, 4, 5).int())
    assert EntropyBottleneck._build_indexes((1, 2)).tolist() == [[0, 1]]


def test_dimensions_are_appended():
    assert EntropyBottleneck._extend_ndims(torch.zeros(6, 1), 2).shape == (6, 1, 1)
    assert EntropyBottleneck._extend_ndims(torch.zeros(6, 1), 0).shape == (6,)


class TestSearchTarget:
    LOW, HIGH = torch.full((3, 1, 1), -1e5), torch.full((3, 1, 1), 1e5)
    SHIFT = torch.tensor([-3.0, 0.0, 70000.0]).reshape(3, 1, 1)

    def test_finds_where_a_function_reaches_a_value(self):
        found = EntropyBottleneck._search_target(
            lambda x: (x - self.SHIFT) ** 3, torch.tensor(8.0), self.LOW, self.HIGH, rtol=1e-6, atol=1e-5
        )
        torch.testing.assert_close(found, self.SHIFT + 2, rtol=1e-5, atol=1e-4)

    def test_ends_where_numbers_lie_no_closer(self):
        found = EntropyBottleneck._search_target(
            lambda x: x - self.SHIFT, torch.tensor(0.1), self.LOW, self.HIGH, rtol=0, atol=0
        )
        torch.testing.assert_close(found, self.SHIFT + 0.1)

    def test_outside_is_the_nearer_end_or_an_error(self):
        def never(x):
            return torch.zeros_like(x)

        found = EntropyBottleneck._search_target(never, torch.tensor(1.0), self.LOW, self.HIGH)
        assert torch.equal(found, self.HIGH)
        with pytest.raises(ValueError, match="target is not between"):
            EntropyBottleneck._search_target(never, torch.tensor(1.0), self.LOW, self.HIGH, strict=True)
        with pytest.raises(ValueError, match="low is above high"):
            EntropyBottleneck._search_target(never, torch.tensor(1.0), self.HIGH, self.LOW)


def test_quantiles_of_the_normal_distribution():
    model = GaussianConditional(None)
    assert model._standardized_quantile(0.5e-9) == pytest.approx(-6.1094102, abs=1e-6)
    p = np.linspace(0.01, 0.99, 50)
    back = model._standardized_cumulative(torch.from_numpy(model._standardized_quantile(p)))
    np.testing.assert_allclose(back, p, rtol=1e-12)
    assert model._standardized_quantile(torch.tensor([0.5])).tolist() == [0.0]


def test_the_density_is_a_method_that_is_called_replaced_and_put_back_through_the_class(monkeypatch):
    model, x = GaussianConditional([0.5, 2.0]), torch.tensor([-1.0, 0.5])
    gaussian = GaussianConditional._standardized_cumulative
    torch.testing.assert_close(gaussian(model, x), torch.special.ndtr(x))
    with monkeypatch.context() as patch:
        patch.setattr(
            GaussianConditional, "_standardized_cumulative", lambda self, inputs: torch.sigmoid(inputs)
        )
        assert model.has_own_density
    GaussianConditional._standardized_cumulative = gaussian
    assert not model.has_own_density
    torch.testing.assert_close(model._standardized_cumulative(x), torch.special.ndtr(x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_coder_of_a_model_codes_lists(kind):
    model = GaussianConditional(None, entropy_coder=kind)
    model.update()
    table = (model.quantized_cdf.tolist(), model.cdf_length.tolist(), model.offset.tolist())
    symbols, indexes = [0, 5, -300, 70000, 1], [3, 63, 20, 0, 63]
    coder = model.entropy_coder
    assert (coder, coder.name, type(coder.name)) == (kind, kind, str)
    data = coder.encode_with_indexes(symbols, indexes, *table)
    assert coder.decode_with_indexes(data, indexes, *table) == symbols
    if kind == "ans":
        assert data == RansEncoder().encode_with_indexes(symbols, indexes, *table)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.entropy_coder.encode_with_indexes(symbols, indexes, *table) == data


def test_coders_are_made_by_name():
    assert _EntropyCoder("ans").name == "ans"
    model = EntropyBottleneck(2, entropy_coder=_EntropyCoder("ans"))
    assert model.entropy_coder == "ans"
    with pytest.raises(ValueError, match="entropy_coder is 'huffman', must be 'lcrs' or 'ans'"):
        model.entropy_coder = "huffman"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", [9, 12, 15])
def test_other_precisions(kind, precision):
    x = 3 * torch.randn(2, 4, 9, 7)
    bottleneck = EntropyBottleneck(4, entropy_coder=kind, entropy_coder_precision=precision)
    gaussian = GaussianConditional(
        [0.5, 1.0, 2.0, 4.0], entropy_coder=kind, entropy_coder_precision=precision
    )
    indexes = gaussian.build_indexes(torch.rand_like(x) * 5)
    for filled in (False, True):
        if filled:
            assert bottleneck.update(force=True)
            gaussian.update()
        assert bottleneck.cdf_table().precision == gaussian.cdf_table().precision == precision
        y = bottleneck.decompress(bottleneck.compress(x), x.shape[2:])
        medians = bottleneck.quantiles[:, 0, 1].reshape(1, -1, 1, 1)
        torch.testing.assert_close(y, torch.round(x - medians) + medians)
        assert torch.equal(gaussian.decompress(gaussian.compress(x, indexes), indexes), x.round())


def test_native_strings_lose_little_by_less_precision_and_compressais_format_does():
    x = torch.randn(1, 1, 100, 100, generator=torch.Generator().manual_seed(0))
    indexes = torch.zeros(x.shape, dtype=torch.int32)

    def num_bits(kind, precision):
        model = GaussianConditional([1.0], entropy_coder=kind, entropy_coder_precision=precision)
        return 8 * len(model.compress(x, indexes)[0]) / x.numel()

    assert num_bits("lcrs", 12) < num_bits("lcrs", 16) + 0.05
    assert num_bits("ans", 12) == pytest.approx(num_bits("ans", 16) + 4, abs=0.05)


def test_a_table_has_no_more_entries_than_its_precision_allows():
    model = GaussianConditional(None, entropy_coder_precision=11)
    table = model.cdf_table()
    assert table.lengths.max() <= 2048
    x = 300 * torch.randn(1, 64, 8)
    indexes = model.build_indexes(torch.full_like(x, 300.0))
    assert torch.equal(model.decompress(model.compress(x, indexes), indexes), torch.round(x))


def test_lists_of_less_precision_are_compressais_bytes():
    # Bytes that CompressAI 1.2.8 wrote.
    row = ([[0, 1000, 3000, 4000, 4096]], [5], [-1])
    symbols = [0, 1, -1, 2, 0, 0, 7, -9]
    data = RansEncoder().encode_with_indexes(symbols, [0] * 8, *row)
    assert data.hex() == "0e079d6456050000d00f03d7a1f10f57"
    assert RansDecoder().decode_with_indexes(data, [0] * 8, *row) == symbols


class SkippingGaussian(GaussianConditional):
    """As published models write it: the constructor of `GaussianConditional` is passed over."""

    def __init__(self, scale_table, scale_bound=0.11, tail_mass=1e-9, **kwargs):
        super(GaussianConditional, self).__init__(**kwargs)
        self.tail_mass = float(tail_mass)
        self.lower_bound_scale = LowerBound(scale_bound)
        table = torch.Tensor(tuple(scale_table)) if scale_table else torch.Tensor()
        self.register_buffer("scale_table", table)


class BareGaussian(GaussianConditional):
    def __init__(self):
        super(GaussianConditional, self).__init__()


@pytest.mark.parametrize("scale_table", [None, [0.3, 0.9, 2.7]])
def test_classes_that_skip_the_constructor_code_alike(scale_table):
    torch.manual_seed(0)
    x, scales = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4, 5) * 3
    plain, skipping = GaussianConditional(scale_table, scale_bound=0.4), SkippingGaussian(scale_table, 0.4)
    indexes = plain.build_indexes(scales)
    assert torch.equal(skipping.build_indexes(scales), indexes)
    assert skipping.compress(x, indexes) == plain.compress(x, indexes)
    assert torch.equal(skipping.eval()(x, scales)[1], plain.eval()(x, scales)[1])
    skipping.update_scale_table([0.5, 1.0], force=True)
    assert skipping.quantized_cdf.shape[0] == 2


def test_a_class_with_nothing_codes_with_the_default_scales():
    x, scales = torch.randn(1, 3, 4, 5), torch.rand(1, 3, 4, 5) + 0.2
    plain, bare = GaussianConditional(None), BareGaussian()
    indexes = plain.build_indexes(scales)
    assert torch.equal(bare.build_indexes(scales), indexes)
    assert bare.compress(x, indexes) == plain.compress(x, indexes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_back_only_from_models_of_that_type(dtype):
    x = torch.randn(2, 3, 4, 5).to(dtype)
    for model in (GaussianConditional(None), EntropyBottleneck(3)):
        arguments = (x, x.abs()) if isinstance(model, GaussianConditional) else (x,)
        for own in (torch.float32, dtype):
            y, likelihoods = model.to(own)(*arguments)
            assert (y.dtype, likelihoods.dtype) == (own, torch.float32)


def test_bytes_are_no_latents():
    x = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    gaussian, bottleneck = GaussianConditional(None), EntropyBottleneck(3)
    calls = (
        lambda: gaussian(x, torch.ones(1, 3, 2, 2)),
        lambda: bottleneck(x),
        lambda: bottleneck.compress(x),
        lambda: gaussian.compress(x, x.int()),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"torch\.uint8, must be floating point"):
            call()


def gaussian_arguments(x):
    return x, torch.rand_like(x) * 3, torch.randn_like(x)


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("model", "arguments"),
    [(GaussianConditional(None), gaussian_arguments), (EntropyBottleneck(8), lambda x: (x,))],
    ids=["gaussian", "bottleneck"],
)
def test_scripted_models_give_equal_values(model: nn.Module, arguments):
    inputs = arguments(4 * torch.randn(2, 8, 5, 6))
    scripted = torch.jit.script(model)
    stream = io.BytesIO()
    torch.jit.save(scripted, stream)
    stream.seek(0)
    for other in (scripted, torch.jit.load(stream)):
        for training in (True, False):
            model.train(training), other.train(training)
            for given in ((), (not training,)):
                torch.manual_seed(1)
                expected = model(*inputs, **dict(zip(("training",), given, strict=False)))
                torch.manual_seed(1)
                got = other(*inputs, **dict(zip(("training",), given, strict=False)))
                for ours, theirs in zip(expected, got, strict=True):
                    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_private_rounding_still_warns():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        EntropyModel()._quantize(torch.zeros(1), "symbols")
    assert "deprecated" in str(caught[0].message)
