"""Helpers for one latent and one stream: they agree with the codec, and both ways with each other."""

import pytest
import torch
from torch import nn

from lcrs import LcrsError
from lcrs.ans import BufferedRansEncoder, RansDecoder
from lcrs.entropy_models import GaussianConditional
from lcrs.latent_codecs import RasterScanLatentCodec
from lcrs.latent_codecs.rasterscan import (
    default_collate,
    raster_scan_compress_single_stream,
    raster_scan_decompress_single_stream,
)
from lcrs.layers import MaskedConv2d

SIZE = {"height": 5, "width": 7, "padding": 1, "kernel_size": 3}


@pytest.fixture
def parts():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4 + 6, 8, 1), nn.LeakyReLU(), nn.Conv2d(8, 6, 1))
    with torch.no_grad():
        network[2].bias[:3].uniform_(0.5, 3)
    return {
        "gaussian_conditional": GaussianConditional(None),
        "entropy_parameters": network,
        "context_prediction": MaskedConv2d(3, 6, 3, padding=1),
    }


def latent():
    torch.manual_seed(1)
    return 3 * torch.randn(1, 3, 5, 7), torch.randn(1, 4, 5, 7)


def coded(parts, y, params, **kwargs):
    encoder = BufferedRansEncoder()
    y_hat = raster_scan_compress_single_stream(encoder, y, params, **parts, **SIZE, **kwargs)
    return encoder.flush(), y_hat


def decoded(parts, data, params, **kwargs):
    decoder = RansDecoder()
    decoder.set_stream(data)
    return raster_scan_decompress_single_stream(decoder, params, **parts, **SIZE, device="cpu", **kwargs)


@pytest.mark.filterwarnings("ignore:.*what torch computed:lcrs.NotPortableWarning")  # params are of anywhere
def test_the_stream_is_the_codecs(parts):
    y, params = latent()
    data, y_hat = coded(parts, y, params)
    codec = RasterScanLatentCodec(*parts.values())
    codec.gaussian_conditional.entropy_coder = "ans"
    out = codec.compress(y, params)
    assert out["strings"] == [[data]]
    assert torch.equal(out["y_hat"], y_hat)
    assert torch.equal(decoded(parts, data, params), y_hat)


def test_side_information_and_context_are_joined_as_asked(parts):
    y, params = latent()
    swapped = {"merge": lambda side, context: torch.cat((context[:, :4], side, context[:, 4:]), dim=1)}
    data, y_hat = coded(parts, y, params, **swapped)
    assert data != coded(parts, y, params)[0]
    torch.testing.assert_close(decoded(parts, data, params, **swapped), y_hat)
    as_is = {"merge": lambda *args: torch.cat(args, dim=1)}
    assert coded(parts, y, params, **as_is)[0] == coded(parts, y, params)[0]


def test_two_latents_share_a_stream(parts):
    (y, params), encoder, decoder = latent(), BufferedRansEncoder(), RansDecoder()
    expected = [
        raster_scan_compress_single_stream(encoder, item, params, **parts, **SIZE) for item in (y, y.flip(3))
    ]
    decoder.set_stream(encoder.flush())
    for y_hat in expected:
        again = raster_scan_decompress_single_stream(decoder, params, **parts, **SIZE, device="cpu")
        assert torch.equal(again, y_hat)


def test_what_is_wrong_is_said(parts):
    y, params = latent()
    with pytest.raises(ValueError, match=r"must be \(1, C, 5, 7\)"):
        coded(parts, y[..., :6], params)
    with pytest.raises(ValueError, match="those of context_prediction"):
        raster_scan_compress_single_stream(
            BufferedRansEncoder(), y, params, **parts, **{**SIZE, "kernel_size": 5}
        )
    with pytest.raises(LcrsError):
        decoded(parts, coded(parts, y, params)[0][:-8], params)


def test_collating():
    out = default_collate([{"a": torch.ones(2), "b": "x"}, {"a": torch.zeros(2), "b": "y"}])
    assert out["a"].tolist() == [[1, 1], [0, 0]]
    assert out["b"] == ["x", "y"]
    with pytest.raises(NotImplementedError):
        default_collate([torch.ones(2)])
