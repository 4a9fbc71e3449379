"""Models of point clouds: CompressAI's forward passes, any cloud, training, coding, and a fresh process."""

import io
import json
import lzma
from pathlib import Path

import pytest
import torch

import lcrs
from lcrs import zoo
from lcrs.layers.pointcloud.pointnet2 import PointNetFeaturePropagation, PointNetSetAbstractionMsg
from lcrs.losses import ChamferPccRateDistortionLoss, RateDistortionLoss_hrtzxf2022
from lcrs.models.pointcloud.sfu_pointnet2 import PointNet2SsgReconstructionPccModel
from lcrs.registry import MODELS

DATA = Path(__file__).parents[1] / "data" / "pointcloud" / "compressai-forward.pt.xz"
NAMES = {
    "PointNetReconstructionPccModel": "sfu2023-pcc-rec-pointnet",
    "PointNet2SsgReconstructionPccModel": "sfu2024-pcc-rec-pointnet2-ssg",
    "DensityPreservingReconstructionPccModel": "hrtzxf2022-pcc-rec",
}
CASES = ("pointnet", "pointnet2", "density", "density-edges", "density-half")


@pytest.fixture(scope="module")
def references():
    torch.set_num_threads(1)
    return torch.load(io.BytesIO(lzma.decompress(DATA.read_bytes())), weights_only=True)


def network(case):
    net = MODELS[NAMES[case["class"]]](**case["arguments"])
    net.load_state_dict(case["state_dict"], strict=True)
    return net.eval()


def criterion_of(net):
    if not hasattr(net, "encoder"):
        return ChamferPccRateDistortionLoss()
    return RateDistortionLoss_hrtzxf2022(latent_xyzs_codec_mode=net.latent_codec["xyz"].mode)


@pytest.mark.parametrize("name", CASES)
def test_forward_and_loss_are_compressai_s(references, name):
    case = references[name]
    net = network(case)
    torch.manual_seed(1)  # of the points that are repeated
    with torch.no_grad():
        out = net({"pos": case["pos"]})
    torch.testing.assert_close(out["x_hat"], case["x_hat"], rtol=0, atol=1e-5)
    assert set(out["likelihoods"]) == set(case["likelihoods"])
    for key, expected in case["likelihoods"].items():
        torch.testing.assert_close(out["likelihoods"][key], expected, rtol=1e-4, atol=1e-5)
    loss = criterion_of(net)(out, {"pos": case["pos"]})
    assert {key: float(value) for key, value in loss.items()} == pytest.approx(case["loss"], rel=1e-3)


def test_default_models_have_compressai_s_state_dicts():
    keys = {
        "sfu2023-pcc-rec-pointnet": (63, "g_a.16.gain", "g_s.5.weight", "g_s.0.gain"),
        "sfu2024-pcc-rec-pointnet2-ssg": (161, "down._2.mlp_bns.1.running_var", "h_s._3.1.weight"),
        "hrtzxf2022-pcc-rec": (268, "decoder.refine_layers.2.feats_refine_nn.feats_nn.mlp.0.weight"),
    }
    for name, (count, *some) in keys.items():
        net = zoo.pointcloud_models[name](1)
        assert type(net) is MODELS[name]
        state = net.state_dict()
        assert len(state) == count
        assert set(some) <= set(state)
        with pytest.raises(ValueError, match=f"{name} has no published weights"):
            zoo.models[name](1, pretrained=True)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("batch", "count"),
    [(1, 1), (3, 7), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((2, 2), (1, 200)))],
)
def test_any_number_of_points_and_clouds(references, name, batch, count):
    net = network(references[name])
    torch.manual_seed(count)
    pos = torch.randn(batch, count, 3)
    if count == 7:
        pos[1] = 0.25  # a heap of equal points
    with torch.no_grad():
        out = net({"pos": pos})
    assert all(bool(values.isfinite().all()) for values in (out["x_hat"], *out["likelihoods"].values()))
    loss = criterion_of(net)(out, {"pos": pos})
    assert bool(loss["loss"].isfinite())
    coded = net.compress({"pos": pos})
    restored = net.decompress(**coded)
    assert restored["x_hat"].shape == out["x_hat"].shape
    again = net.decompress(**coded)
    assert torch.equal(restored["x_hat"], again["x_hat"])
    # the rate that was promised is the rate that there is, but for a few bytes a string
    bits = sum(float(-values.log2().sum()) for values in out["likelihoods"].values())
    strings = flattened(coded["strings"])
    assert 8 * sum(map(len, strings)) < 1.1 * bits + 8 * 16 * len(strings)


def flattened(strings):
    return [strings] if isinstance(strings, bytes) else [s for part in strings for s in flattened(part)]


@pytest.mark.parametrize("name", CASES)
def test_decoded_latents_are_those_of_the_encoder(references, name):
    case = references[name]
    net = network(case)
    with torch.no_grad():
        out = net({"pos": case["pos"]})
    restored = net.decompress(**net.compress({"pos": case["pos"]}))
    if name == "pointnet":
        assert torch.equal(restored["y_hat"], out["y_hat"])
        torch.testing.assert_close(restored["x_hat"], out["x_hat"], rtol=0, atol=1e-5)
    elif name == "pointnet2":
        for key, latent in restored["y_hat"].items():
            assert torch.equal(latent, out["debug_outputs"][key.replace("y_", "y_hat_")])
        torch.testing.assert_close(restored["x_hat"], out["x_hat"], rtol=0, atol=1e-5)
    else:
        torch.testing.assert_close(restored["latent_xyz_hat"], out["latent_xyz_hat"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_step_of_training_changes_every_weight(references, name):
    torch.manual_seed(0)  # of some noise the ReLUs that tell the numbers of points let nothing through
    net = network(references[name]).train()
    criterion = criterion_of(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    before = {key: value.clone() for key, value in net.named_parameters()}
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = criterion(net({"pos": references[name]["pos"]}), {"pos": references[name]["pos"]})["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(torch.tensor(losses).isfinite())
    same = [key for key, value in net.named_parameters() if value.numel() and torch.equal(value, before[key])]
    # what tells the last features, of which there is no loss, and quantiles, which need no training
    unused = ("quantiles", "refine_layers.2.feats_refine_nn")
    assert all(any(part in key for part in unused) for key in same)


def test_normals_are_restored_as_features():
    arguments = {"in_dim": 6, "compress_normal": True, "hidden_dim": 8, "k": 4}
    torch.manual_seed(0)
    net = MODELS["hrtzxf2022-pcc-rec"](**arguments).eval()
    pos = torch.randn(2, 60, 3)
    clouds = {"pos": pos, "normal": torch.nn.functional.normalize(torch.randn(2, 60, 3), dim=-1)}
    out = net(clouds)
    assert out["gt_normal"].shape == (2, 3, 60)
    assert out["feat_hat"].shape == out["x_hat"].transpose(1, 2).shape
    loss = RateDistortionLoss_hrtzxf2022(compress_normal=True)(out, clouds)
    assert 0 < loss["normal_loss"].item() < 4
    restored = net.decompress(**net.compress(clouds))
    assert restored["feat_hat"].shape == out["feat_hat"].shape
    with pytest.raises(ValueError, match="'normal', this one has none"):
        net({"pos": pos})
    ssg = MODELS["sfu2024-pcc-rec-pointnet2-ssg"](
        D=(3, 8, 8, 8), P=(64, 16, 4, 1), S=(None, 4, 4, 4), E=(3, 8, 8, 4, 0), M=(4, 4, 4, 4),
        normal_channel=True,
    ).eval()  # fmt: skip
    out = ssg({"pos": torch.cat([pos, clouds["normal"]], -1)})
    assert set(out["likelihoods"]) == {"y_0", "y_1", "y_2", "y_3"}
    assert out["x_hat"].shape == (2, 64, 3)


@pytest.mark.parametrize(
    ("pos", "message"),
    [
        (torch.zeros(1, 0, 3), "at least one point"),
        (torch.zeros(5, 3), r"\(5, 3\), \(B, P, 3\)"),
        (torch.zeros(1, 5, 2), r"\(1, 5, 2\)"),
        (torch.zeros(1, 5, 3, dtype=torch.bool), "dtype torch.bool"),
        (torch.zeros(1, 5, 3, dtype=torch.complex64), "dtype torch.complex64"),
        (torch.full((1, 5, 3), 1e200, dtype=torch.float64), r"cloud 0: point 0 is beyond 3.40282e\+38"),
        (torch.full((1, 5, 3), float("nan")), "finite|[nN]a[nN]"),
        ([1.0], "has shape list"),
    ],
)
@pytest.mark.parametrize("name", ["pointnet", "pointnet2", "density"])
def test_clouds_that_cannot_be_coded_are_refused(references, name, pos, message):
    net = network(references[name])
    with pytest.raises(ValueError, match=message):
        net.compress({"pos": pos})


@pytest.mark.parametrize("name", ["pointnet", "pointnet2", "density"])
def test_clouds_of_any_numbers_are_those_of_the_model_s_type(references, name):
    net = network(references[name])
    pos = torch.randint(-3, 4, (2, 9, 3), generator=torch.Generator().manual_seed(5)).float()
    strings = net.compress({"pos": pos})["strings"]
    with torch.no_grad():
        torch.manual_seed(0)  # of the points that are repeated
        x_hat = net({"pos": pos})["x_hat"]
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8):
        clouds = {"pos": pos.to(dtype)}
        assert net.compress(clouds)["strings"] == strings
        with torch.no_grad():
            torch.manual_seed(0)
            out = net(clouds)
        assert torch.equal(out["x_hat"], x_hat)
        loss = criterion_of(net)(out, clouds)["loss"]
        assert loss.dtype == torch.float32 or dtype == torch.float64
        assert bool(loss.isfinite())
    doubles = {"pos": pos.double().requires_grad_()}
    net(doubles)["x_hat"].square().sum().backward()
    assert bool(doubles["pos"].grad.isfinite().all())


def test_channels_of_normals_fit_the_first_level():
    with pytest.raises(ValueError, match="3, those of normals, is needed"):
        PointNet2SsgReconstructionPccModel(normal_channel=True)
    with pytest.raises(ValueError, match="0, as points have no normals, is needed"):
        PointNet2SsgReconstructionPccModel(D=(3, 128, 192, 256))


def test_damaged_strings_are_refused(references):
    for name in CASES:
        net = network(references[name])
        coded = net.compress({"pos": references[name]["pos"]})
        with pytest.raises(ValueError, match="strings"):
            net.decompress([], coded["shape"])
    fewer = [[latent[:-1] for latent in coded["strings"][0]], coded["strings"][1]]
    with pytest.raises(ValueError, match="strings must be lists of equal lengths"):
        net.decompress(fewer, coded["shape"])
    # half precision has no coder that would see it
    coded["strings"][1][0][1] = coded["strings"][1][0][1][:-1]
    with pytest.raises(
        lcrs.errors.CorruptError, match=r"item 1: 2 positions take 12 bytes, the string has 11"
    ):
        net.decompress(**coded)
    far = {"pos": torch.full((1, 4, 3), 1e6)}
    with pytest.raises(ValueError, match="half precision"):
        net.compress(far)


_DECODE = """
import base64, json, sys, torch, lcrs
torch.set_num_threads(1)
from lcrs.models.pointcloud.sfu_pointnet2 import PointNet2SsgReconstructionPccModel
from lcrs.registry import MODELS
job = json.loads(sys.argv[1])
lcrs.portability("require")  # no network decides a symbol
def bytes_of(x):
    return base64.b64decode(x) if isinstance(x, str) else [bytes_of(part) for part in x]
for part in job:
    net = MODELS[part["model"]](**part["arguments"])
    net.load_state_dict(torch.load(part["weights"], weights_only=True))
    out = net.eval().decompress(bytes_of(part["strings"]), part["shape"])
    torch.save(out, part["weights"])
"""


def test_a_fresh_process_decodes_the_same_latents(references, tmp_path, fresh_torch):
    import base64

    def text_of(strings):
        if isinstance(strings, bytes):
            return base64.b64encode(strings).decode()
        return [text_of(part) for part in strings]

    job, expected = [], {}
    for name in CASES:
        case = references[name]
        net = network(case)
        with lcrs.portability("require"):
            coded = net.compress({"pos": case["pos"]})
        path = tmp_path / name
        torch.save(net.state_dict(), path)
        expected[name] = net.decompress(**coded)
        job.append(
            {
                "model": NAMES[case["class"]],
                "arguments": case["arguments"],
                "weights": str(path),
                "strings": text_of(coded["strings"]),
                "shape": coded["shape"],
            }
        )
    fresh_torch(_DECODE, json.dumps(job))
    for name, ours in expected.items():
        other = torch.load(tmp_path / name, weights_only=True)
        flat = {
            key: value for key, value in ours.items() if key != "y_hat" or isinstance(value, torch.Tensor)
        }
        for key, value in (ours["y_hat"] if name == "pointnet2" else {}).items():
            assert torch.equal(other["y_hat"][key], value)
        for key, value in flat.items():
            if "y_hat" in key or "latent" in key:
                assert torch.equal(other[key], value)
            torch.testing.assert_close(other[key], value, rtol=0, atol=1e-5)


def test_multi_scale_groups_and_feature_propagation():
    torch.manual_seed(0)
    pos, feats = torch.randn(2, 3, 40), torch.randn(2, 5, 40, requires_grad=True)
    abstraction = PointNetSetAbstractionMsg(10, [0.3, 0.9], [4, 8], 5 + 3, [[6, 7], [8]]).eval()
    new_pos, new_feats = abstraction(pos, feats)
    assert (new_pos.shape, new_feats.shape) == ((2, 3, 10), (2, 15, 10))
    propagation = PointNetFeaturePropagation(15 + 5, [6]).eval()
    out = propagation(pos, new_pos, feats, new_feats)
    assert out.shape == (2, 6, 40)
    out.sum().backward()
    assert bool(feats.grad.isfinite().all())
    assert float(feats.grad.abs().sum()) > 0
    # at a sample itself, the features are the sample's
    identity = PointNetFeaturePropagation(15, []).eval()
    torch.testing.assert_close(identity(new_pos, new_pos, None, new_feats), new_feats, rtol=1e-3, atol=1e-3)
    for samples in (1, 2):
        few = identity(pos, new_pos[..., :samples], None, new_feats[..., :samples])
        assert few.shape == (2, 15, 40)
