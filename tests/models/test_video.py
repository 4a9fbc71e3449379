"""The video model: frames of any size, coded and restored, with CompressAI's keys and return values."""

import json
import pickle

import pytest
import torch

from lcrs import LcrsError, zoo
from lcrs.errors import NotPortableError
from lcrs.layers.exact import ExactNetwork
from lcrs.models.packing import pack
from lcrs.models.video import ScaleSpaceFlow, google
from lcrs.models.video.hyperprior import LatentHyperprior, ScaleDecoder


def small():
    """The model with a few channels: of as many as it has, a second goes by with each frame."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(google, "_NUM_INNER", 8)
        patched.setattr(google, "_NUM_LATENT", 12)
        patched.setattr(google._decoder, "__defaults__", (12,))
        patched.setattr(google, "LatentHyperprior", lambda: LatentHyperprior(12, 10))
        return ScaleSpaceFlow()


@pytest.fixture(scope="module")
def net():
    return varied(small()).eval()


def varied(net):
    """Latents vary, as random weights alone would not have it."""
    with torch.no_grad():
        for part in ("img", "res", "motion"):
            last = getattr(net, f"{part}_encoder")[6]
            last.weight.mul_(30)
            last.bias.normal_(0, 3)
            hyperprior = getattr(net, f"{part}_hyperprior")
            hyperprior.hyper_encoder[4].bias.normal_(0, 3)
            hyperprior.hyper_decoder_scale.deconv3.bias.uniform_(0.5, 4)
            hyperprior.hyper_decoder_mean[4].bias.normal_(0, 2)
    return net


def clip(num_frames, *shape):
    torch.manual_seed(1)
    first = torch.rand(shape[0], 3, *shape[1:])
    return [torch.roll(first, i, dims=3) for i in range(num_frames)]


@pytest.mark.parametrize(
    ("num_frames", "shape", "kind"),
    [
        (1, (1, 1, 1), "lcrs"),
        (3, (2, 70, 100), "lcrs"),
        (2, (2, 30, 130), "ans"),
        (2, (1, 128, 192), "lcrs"),
    ],
)
def test_round_trip(net, num_frames, shape, kind):
    net.entropy_coder = kind
    frames = clip(num_frames, *shape)
    strings, shapes = net.compress(frames)
    assert len(strings) == len(shapes) == num_frames
    assert [len(latent) for latent in strings[0]] == [shape[0]] * 2
    assert all(set(entry) == {"motion", "residual"} for entry in (*strings[1:], *shapes[1:]))
    assert len(strings[0][0][0]) > 30  # there is something to code
    restored = net.decompress(strings, shapes, shape[1:])
    with torch.no_grad():
        out = net(frames)
    for x_hat, expected in zip(restored, out["x_hat"], strict=True):
        assert x_hat.shape == (shape[0], 3, *shape[1:])
        torch.testing.assert_close(x_hat, expected, atol=2e-4, rtol=2e-4)
    assert net.decompress(strings, shapes)[0].shape[-2:] == tuple(-(-side // 128) * 128 for side in shape[1:])


def test_symbols_do_not_depend_on_torch(net):
    """The strings of a first frame decode to the same latent for any number of torch's threads."""
    net.entropy_coder = "lcrs"
    y = net.img_encoder(clip(1, 1, 128, 128)[0]).detach()
    y_hat, out = net.img_hyperprior.compress(y)
    try:
        torch.set_num_threads(2)
        assert torch.equal(net.img_hyperprior.decompress(out["strings"], out["shape"]), y_hat)
    finally:
        torch.set_num_threads(1)


def test_a_training_step_reaches_every_parameter():
    net, frames = small(), clip(2, 1, 128, 128)
    out = net(frames)
    rate = sum(
        -likelihoods.log2().sum() for frame in out["likelihoods"] for part in frame.values()
        for likelihoods in part.values()
    )  # fmt: skip
    assert [set(frame) for frame in out["likelihoods"]] == [{"keyframe"}, {"motion", "residual"}]
    auxiliary = net.aux_loss()
    assert len(auxiliary) == 3
    error = sum(((a - b) ** 2).mean() for a, b in zip(out["x_hat"], frames, strict=True))
    (rate / 1e4 + error + sum(auxiliary)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_the_first_frame_learns_from_itself_only():
    net = small()
    out = net(clip(2, 1, 128, 128))
    out["x_hat"][1].sum().backward()
    assert all(parameter.grad is None for parameter in net.img_decoder.parameters())


def test_scales_are_clamped_alike_by_both_engines():
    torch.manual_seed(0)
    network = ScaleDecoder(3, 4, 5)
    x = torch.randn(2, 3, 4, 3) * 400
    expected = network(x).detach()
    assert expected.min() == 0
    torch.testing.assert_close(ExactNetwork().run(network, x, "scales"), expected, rtol=1e-4, atol=1e-3)


def test_checkpoints_have_compressais_keys(reference_data):
    listing = json.loads((reference_data / "compressai-state-dicts.json").read_text())
    (name,) = [name for name in listing if name.startswith("ScaleSpaceFlow") and not name.endswith("+update")]
    with torch.device("meta"):
        net = ScaleSpaceFlow()
    assert [[key, list(value.shape)] for key, value in net.state_dict().items()] == listing[name]


@pytest.mark.slow  # of the published size
def test_checkpoints_load(tmp_path):
    net, frames = varied(ScaleSpaceFlow()).eval(), clip(1, 1, 64, 64)
    net.update()
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, tmp_path / "a.pth.tar")
    loaded = zoo.load_checkpoint(tmp_path / "a.pth.tar")
    assert type(loaded) is ScaleSpaceFlow
    for (key, value), (name, expected) in zip(
        loaded.state_dict().items(), net.state_dict().items(), strict=True
    ):
        assert key == name
        assert torch.equal(value, expected), key
    strings, shapes = net.compress(frames)
    torch.testing.assert_close(loaded.decompress(strings, shapes), net.decompress(strings, shapes))


def test_copies_decode(net):
    net.entropy_coder = "lcrs"
    copied = pickle.loads(pickle.dumps(net))
    strings, shapes = net.compress(clip(2, 1, 64, 64))
    for a, b in zip(copied.decompress(strings, shapes), net.decompress(strings, shapes), strict=True):
        torch.testing.assert_close(a, b)


def test_what_is_wrong_is_said(net):
    net.entropy_coder = "lcrs"
    with pytest.raises(RuntimeError, match="list of at least one frame"):
        net(torch.rand(1, 3, 128, 128))
    with pytest.raises(RuntimeError, match="at least one frame"):
        net.compress([])
    with pytest.raises(ValueError, match="must have one"):
        net([torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9)])
    strings, shapes = net.compress(clip(2, 1, 64, 64))
    with pytest.raises(RuntimeError, match="2 strings and 1 shapes"):
        net.decompress(strings, shapes[:1])
    damaged = [[bytes(64)], strings[0][1]]
    with pytest.raises(LcrsError):
        net.decompress([damaged], shapes[:1])
    with pytest.raises(NotPortableError, match="ScaleSpaceFlow"):
        pack(net, "video")


def test_the_zoo_has_it():
    assert zoo.video_models == {"ssf2020": zoo.ssf2020}
    assert zoo.models["ssf2020"] is zoo.ssf2020
    with torch.device("meta"):
        assert isinstance(zoo.ssf2020(9), ScaleSpaceFlow)
    with pytest.raises(ValueError, match="from 1 to 9"):
        zoo.ssf2020(10)
    with pytest.raises(ValueError, match="no published weights"):
        zoo.ssf2020(1, metric="ms-ssim", pretrained=True)
    assert zoo.video.model_urls["ssf2020"]["mse"][4].endswith("/v1/ssf2020-mse-4-577c1eda.pth.tar")
