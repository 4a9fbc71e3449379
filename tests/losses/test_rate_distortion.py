"""The Lagrangian, term by term."""

import math
import pickle

import pytest
import torch

from lcrs.losses import RateDistortionLoss, compute_rate_loss
from lcrs.registry import CRITERIONS


def batch(side=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 3, side, side, generator=generator, dtype=dtype)
    noise = 0.1 * torch.randn(target.shape, generator=generator, dtype=dtype)
    likelihoods = {
        "y": torch.rand(2, 4, 2, 2, generator=generator, dtype=dtype).clamp(1e-3),
        "z": torch.rand(2, 3, 1, 1, generator=generator, dtype=dtype).clamp(1e-3),
    }
    return {"x_hat": target + noise, "likelihoods": likelihoods}, target


def bits_per_pixel(output, target):
    values = [p.item() for tensor in output["likelihoods"].values() for p in tensor.flatten()]
    return -sum(math.log2(p) for p in values) / (target.shape[0] * target.shape[2] * target.shape[3])


def test_mse():
    output, target = batch()
    out = RateDistortionLoss(lmbda=0.02)(output, target)
    mse = ((output["x_hat"] - target) ** 2).mean().item()
    assert set(out) == {"bpp_loss", "mse_loss", "loss"}
    assert out["bpp_loss"].item() == pytest.approx(bits_per_pixel(output, target), rel=1e-5)
    assert out["mse_loss"].item() == pytest.approx(mse, rel=1e-5)
    assert out["loss"].item() == pytest.approx(out["bpp_loss"].item() + 0.02 * 255**2 * mse, rel=1e-5)


def test_ms_ssim_and_the_sum_of_both():
    ms_ssim = pytest.importorskip("pytorch_msssim").ms_ssim
    output, target = batch(side=161)
    quality = ms_ssim(output["x_hat"], target, data_range=1).item()
    out = RateDistortionLoss(lmbda=8.0, metric="ms-ssim")(output, target)
    assert set(out) == {"bpp_loss", "ms_ssim_loss", "loss"}
    assert out["ms_ssim_loss"].item() == pytest.approx(quality)
    assert out["loss"].item() == pytest.approx(out["bpp_loss"].item() + 8 * (1 - quality), rel=1e-5)
    both = RateDistortionLoss({"mse": 0.01, "ms-ssim": 4.0}, metric="mse+ms-ssim")(output, target)
    expected = out["bpp_loss"].item() + 0.01 * 255**2 * both["mse_loss"].item() + 4 * (1 - quality)
    assert both["loss"].item() == pytest.approx(expected, rel=1e-5)


def test_gradients_reach_picture_and_likelihoods():
    output, target = batch(dtype=torch.float64)
    leaves = [output["x_hat"], *output["likelihoods"].values()]
    for leaf in leaves:
        leaf.requires_grad_()
    out = RateDistortionLoss(return_type="loss")(output, target)
    assert out.dtype == torch.float64
    out.backward()
    y = output["likelihoods"]["y"]
    torch.testing.assert_close(y.grad, -1 / (y.detach() * math.log(2) * 2 * 8 * 8))
    torch.testing.assert_close(
        output["x_hat"].grad, 0.01 * 255**2 * 2 * (output["x_hat"].detach() - target) / target.numel()
    )


def test_half_precision_is_summed_in_single():
    output, target = batch()
    half = {
        "x_hat": output["x_hat"].bfloat16(),
        "likelihoods": {key: value.bfloat16() for key, value in output["likelihoods"].items()},
    }
    out = RateDistortionLoss()(half, target.bfloat16())
    assert all(value.dtype == torch.float32 for value in out.values())
    assert out["bpp_loss"].item() == pytest.approx(bits_per_pixel(half, target), rel=1e-4)


def test_return_type_picks_one():
    output, target = batch()
    everything = RateDistortionLoss()(output, target)
    assert torch.equal(RateDistortionLoss(return_type="mse_loss")(output, target), everything["mse_loss"])


@pytest.mark.parametrize(
    ("lmbda", "metric", "message"),
    [
        (0.01, "psnr", "metric is 'psnr'"),
        (0.01, "mse+mse", "metric is"),
        (0.01, "mse+ms-ssim", "must give a weight for each of mse, ms-ssim"),
        ({"ms-ssim": 1.0}, "mse", "must give a weight for each of mse"),
    ],
)
def test_what_is_wrong_is_said(lmbda, metric, message):
    with pytest.raises(ValueError, match=message):
        RateDistortionLoss(lmbda, metric)


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pytorch_msssim", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[eval\]'"):
        RateDistortionLoss(metric="ms-ssim")


def test_pickles_and_is_registered():
    loss = pickle.loads(pickle.dumps(RateDistortionLoss(lmbda=0.5)))
    assert loss.lmbda == 0.5
    assert CRITERIONS["RateDistortionLoss"] is RateDistortionLoss


def test_compute_rate_loss():
    likelihoods = {"y": torch.full((2, 8), 0.5), "z": torch.full((2, 3), 0.25)}
    out = {key: value.item() for key, value in compute_rate_loss(likelihoods, 2, 4).items()}
    assert out == {
        "bit_y_loss": 8.0,
        "bpp_y_loss": 2.0,
        "bit_z_loss": 6.0,
        "bpp_z_loss": 1.5,
        "bit_loss": 14.0,
        "bpp_loss": 3.5,
    }
    with pytest.raises(ValueError, match="no likelihoods"):
        compute_rate_loss({}, 2, 4)
