"""The raster scan at a variable rate: torch's way and the native one, training and coding."""

import pytest
import torch
from torch import nn

import lcrs
from lcrs import NotPortableError
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs import VariableRasterScanLatentCodec
from lcrs.layers import MaskedConv2d

C = 4


def make(offsets=True, shift=True, kernel_size=5, bias=True, seed=0):
    torch.manual_seed(seed)
    codec = VariableRasterScanLatentCodec(
        GaussianConditional(None),
        nn.Sequential(nn.Conv2d(5 * C, 9, 1), nn.LeakyReLU(), nn.Conv2d(9, 2 * C, 1)),
        MaskedConv2d(C, 2 * C, kernel_size, padding=kernel_size // 2, bias=bias),
        offsets=nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1)) if offsets else None,
        scale_to_context=nn.Linear(1, 2 * C) if shift else None,
    )
    with torch.no_grad():
        codec.entropy_parameters[2].weight.mul_(3)
        codec.entropy_parameters[2].bias[:C].uniform_(0.2, 3)
        if offsets:
            codec.offsets[2].bias.fill_(0.2)
    return codec.eval()


def latent(n=2, size=(7, 9), seed=0):
    torch.manual_seed(seed)
    return 3 * torch.randn(n, C, *size), torch.randn(n, 3 * C, size[0] + 1, size[1] + 2)


@pytest.fixture(params=["lcrs", "ans"])
def kind(request):
    return request.param


@pytest.mark.parametrize(
    "options", [{}, {"offsets": False}, {"shift": False}, {"bias": False, "kernel_size": 3}]
)
@pytest.mark.parametrize("scale", [0.13, 1.0, 2.7])
def test_round_trip(options, scale, kind):
    codec, (y, params), scale = make(**options), latent(), torch.tensor([scale])
    codec.gaussian_conditional.entropy_coder = kind
    out = codec.compress(y, params, scale)
    back = codec.decompress(out["strings"], out["shape"], params, scale)["y_hat"]
    assert torch.equal(back, out["y_hat"])
    for i in range(2):
        alone = [[out["strings"][0][i]]]
        back = codec.decompress(alone, out["shape"], params[i : i + 1], scale)["y_hat"]
        assert torch.equal(back, out["y_hat"][i : i + 1])
    with torch.no_grad():
        expected = codec(y, params, scale)["y_hat"]
    # Sums of another order may round a value the other way, and those that follow see it.
    assert ((out["y_hat"] - expected).abs() < 1e-3).float().mean() > 0.9


def test_values_are_at_most_half_a_step_and_an_offset_away():
    codec, (y, params), scale = make(), latent(), torch.tensor([0.4])
    plain, moved = make(offsets=False), codec
    for this, bound in ((plain, 0.5), (moved, 0.5 + 1.5)):
        y_hat = this.compress(y, params, scale)["y_hat"]
        assert ((y_hat - y).abs() * scale).max() <= bound + 1e-4


def test_torchs_way_decodes_where_its_sums_are_exact():
    """With weights whose sums are exact in any order both ways are the same."""
    codec, (y, params) = make(offsets=False), latent(1)
    codec.gaussian_conditional.entropy_coder = "ans"
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.copy_((parameter * 64).round() / 64)
    y, params, scale = (y * 16).round() / 16, (params * 16).round() / 16, torch.tensor([0.5])
    out = codec.compress(y, params, scale)
    back = codec.decompress(out["strings"], out["shape"], params, scale, exact=False)["y_hat"]
    torch.testing.assert_close(back, out["y_hat"], rtol=1e-5, atol=1e-5)


def test_gradients_reach_everything():
    codec, (y, params), scale = make().train(), latent(), torch.tensor([0.7])
    y.requires_grad_()
    params.requires_grad_()
    out = codec(y, params, scale)
    (out["y_hat"].square().mean() - out["likelihoods"]["y"].log2().sum() / 1000).backward()
    for name, parameter in (*codec.named_parameters(), ("y", y), ("params", params)):
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_other_networks_are_refused_where_portability_is_required(kind):
    codec, (y, params) = make(), latent()
    codec.gaussian_conditional.entropy_coder = kind
    codec.offsets = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.ReLU(), nn.Linear(3, 1))
    with lcrs.portability("require"), pytest.raises(NotPortableError, match="stacks of 1x1 convolutions"):
        codec.compress(y, params, torch.tensor([1.0]))


def test_a_scale_that_is_none_is_refused():
    codec, (y, params) = make(), latent()
    with pytest.raises(ValueError, match="gain is -1"):
        codec.compress(y, params, torch.tensor([-1.0]))


@torch.no_grad()
def test_exports():
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 4):
        pytest.skip("torch.export of this torch is too old")
    codec, inputs = make(), (*latent(size=(1, 3)), torch.tensor([1.3]))
    expected = codec(*inputs)["y_hat"]
    torch.testing.assert_close(torch.export.export(codec, inputs).module()(*inputs)["y_hat"], expected)
