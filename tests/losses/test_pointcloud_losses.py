"""Losses of point clouds against cases computed by hand."""

import math

import pytest
import torch

from lcrs.losses import ChamferPccRateDistortionLoss, RateDistortionLoss_hrtzxf2022, chamfer_distance
from lcrs.registry import CRITERIONS

# two points and three, on a line: nearest are 0-0 (0.25), 1-1 (1), 2-1 (16)
FIRST = torch.tensor([[[0.0, 0, 0], [2, 0, 0]]])
SECOND = torch.tensor([[[0.5, 0, 0], [3, 0, 0], [6, 0, 0]]])


def test_chamfer_distance_of_points_on_a_line():
    dist1, dist2, idx1, idx2 = chamfer_distance(FIRST, SECOND)
    assert dist1.tolist() == [[0.25, 1.0]]
    assert idx1.tolist() == [[0, 1]]
    assert dist2.tolist() == [[0.25, 1.0, 16.0]]
    assert idx2.tolist() == [[0, 1, 1]]


def test_every_order_of_dimensions_and_ties():
    expected = chamfer_distance(FIRST, SECOND)
    for order, places in (("b c n", (0, 2, 1)), ("n b c", (1, 0, 2)), ("c n b", (2, 1, 0))):
        found = chamfer_distance(FIRST.permute(places), SECOND.permute(places), order)
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.equal(ours, theirs)
    with pytest.raises(ValueError, match="order is 'b n'"):
        chamfer_distance(FIRST, SECOND, "b n")
    equal = torch.zeros(1, 4, 3)
    assert chamfer_distance(FIRST, equal)[2].tolist() == [[0, 0]]
    with pytest.raises(ValueError, match="there are 0 points"):
        chamfer_distance(FIRST, equal[:, :0])


def test_gradients_of_chamfer_distance():
    torch.manual_seed(0)
    clouds = [torch.randn(2, n, 3, dtype=torch.float64, requires_grad=True) for n in (5, 4)]
    assert torch.autograd.gradcheck(lambda a, b: chamfer_distance(a, b)[:2], clouds)


def test_rate_and_chamfer_distance():
    output = {"x_hat": SECOND, "likelihoods": {"y": torch.tensor([[0.5, 0.25]]), "z": torch.tensor([[0.5]])}}
    out = CRITERIONS["ChamferPccRateDistortionLoss"]({"rec": 2.0})(output, {"pos": FIRST})
    rec = (0.25 + 1) / 2 + (0.25 + 1 + 16) / 3
    expected = {
        "bit_y_loss": 3, "bit_z_loss": 1, "bit_loss": 4, "bpp_y_loss": 1.5, "bpp_z_loss": 0.5, "bpp_loss": 2,
        "rec_loss": rec, "loss": 2 + 2 * rec,
    }  # fmt: skip
    assert {key: float(value) for key, value in out.items()} == pytest.approx(expected)
    bits = ChamferPccRateDistortionLoss(rate_key="bit")(output, {"pos": FIRST})
    assert float(bits["loss"]) == pytest.approx(4 + rec)
    alone = ChamferPccRateDistortionLoss()({"x_hat": SECOND}, {"pos": FIRST})
    assert float(alone["loss"]) == pytest.approx(rec)
    assert set(alone) == {"rec_loss", "loss"}


def one_step_output():
    """One step down and up: two points, of which the first is the sample, restored as three."""
    return {
        "gt_xyz_": [FIRST.transpose(1, 2)],
        "xyz_hat_": [SECOND.transpose(1, 2)],
        "gt_latent_xyz": torch.zeros(1, 3, 1),
        "latent_xyz_hat": torch.tensor([[[0.3], [0.0], [0.0]]]),
        "gt_downsample_num_": [torch.tensor([[2.0]])],
        "upsample_num_hat_": [torch.tensor([[3.5]])],
        "gt_mean_distance_": [torch.tensor([[1.0]])],
        "mean_distance_hat_": [torch.tensor([[0.75]])],
        "gt_normal": torch.tensor([[[1.0, 0], [0, 1], [0, 0]]]),
        "feat_hat": torch.zeros(1, 3, 3),
        "likelihoods": {"latent_feat": torch.tensor([0.25]), "latent_xyz": torch.tensor([0.5])},
    }


def test_every_term_of_density_preserving_compression():
    chamfer = (0.25 + 1) / 2 + (0.25 + 1 + 16) / 3
    expected = {
        "chamfer_loss": chamfer, "rec_loss": chamfer, "mean_distance_loss": 0.25, "upsample_num_loss": 1.5,
        "pts_num_loss": 1.5, "latent_xyzs_loss": 0.03, "normal_loss": 1 / 3, "bpp_loss": 1.5,
    }  # fmt: skip
    out = RateDistortionLoss_hrtzxf2022(compress_normal=True)(one_step_output(), {"pos": FIRST})
    assert {key: float(out[key]) for key in expected} == pytest.approx(expected)
    weights = {
        "bpp": 1, "chamfer": 1e4, "latent_xyzs": 1e2, "mean_distance": 5e1, "normal": 1e2, "pts_num": 5e-3,
        "upsample_num": 1,
    }  # fmt: skip
    total = math.fsum(weight * expected[f"{name}_loss"] for name, weight in weights.items())
    assert float(out["loss"]) == pytest.approx(total)
    own = {"rec": 3.0, "bpp": 2.0}
    few = RateDistortionLoss_hrtzxf2022(own, latent_xyzs_codec_mode="float16")(
        one_step_output(), {"pos": FIRST}
    )
    assert float(few["loss"]) == pytest.approx(3 * chamfer + 2 * 1.5)
    assert float(few["normal_loss"]) == float(few["latent_xyzs_loss"]) == 0
    with pytest.raises(ValueError, match="latent_xyzs_codec_mode is 'half'"):
        RateDistortionLoss_hrtzxf2022(latent_xyzs_codec_mode="half")


def test_densities_are_compared_with_the_nearest_sample():
    """Two steps: finer points are compared with the given points that they are nearest to."""
    coarse = torch.tensor([[[0.0, 10], [0, 0], [0, 0]]])
    restored = torch.tensor([[[9.0, 1, 11], [0, 0, 0], [0, 0, 0]]])  # nearest: 1, 0, 1
    output = {
        **one_step_output(),
        "gt_xyz_": [torch.zeros(1, 3, 4), coarse],
        "xyz_hat_": [restored, torch.zeros(1, 3, 4)],
        "gt_downsample_num_": [torch.tensor([[3.0, 5.0]]), torch.tensor([[2.0]])],
        "upsample_num_hat_": [torch.tensor([[2.0]]), torch.tensor([[4.0, 3.0, 6.0]])],
        "gt_mean_distance_": [torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0]])],
        "mean_distance_hat_": [torch.tensor([[0.5]]), torch.tensor([[2.0, 1.0, 5.0]])],
    }
    out = RateDistortionLoss_hrtzxf2022()(output, {"pos": torch.zeros(1, 4, 3)})
    # |4 - 5|, |3 - 3|, |6 - 5|, and |2 - 2|; |2 - 2|, |1 - 1|, |5 - 2|, and |0.5 - 0|
    assert float(out["upsample_num_loss"]) == pytest.approx(2 / 3)
    assert float(out["mean_distance_loss"]) == pytest.approx(1 + 0.5)
    assert float(out["pts_num_loss"]) == pytest.approx(abs(13 - 4) + abs(2 - 2))
