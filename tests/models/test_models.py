"""Every model: forward, backward, and coding, for any size and batch."""

import copy
import inspect
import pickle

import pytest
import torch
from kinds import DISTINCT, each_kind, slow_unless
from tiny_networks import TINY, make

from lcrs import LcrsError
from lcrs.models import CompressionModel, get_scale_table
from lcrs.registry import MODELS

# Their forward rounds as CompressAI's; what they restore is another picture.
ROUNDS_WITHOUT_MEANS = ("mbt2018", "cheng2020-anchor", "cheng2020-attn")
SIZES = [(1, 1), (17, 33), (64, 128)]


def picture(*shape, seed=0):
    """A picture with structure at several scales, (N, 3, H, W) in [0, 1]."""
    torch.manual_seed(seed)
    n, height, width = shape
    coarse = (
        torch.rand(n, 3, -(-height // 16), -(-width // 16)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    )
    fine = torch.rand(n, 3, height, width)
    return 0.7 * coarse[..., :height, :width] + 0.3 * fine


# What is padded is there for every model; the other sizes for one of each kind.
SIZES_OF_ALL = [(name, size) for name in TINY for size in SIZES]


@pytest.mark.parametrize(
    ("name", "size"), slow_unless(SIZES_OF_ALL, lambda case: case[1] == SIZES[1] or case[0] in DISTINCT)
)
def test_forward_keeps_the_size(net, size):
    x = picture(2, *size)
    with torch.no_grad():
        out = net(x)
    assert out["x_hat"].shape == x.shape
    for likelihoods in out["likelihoods"].values():
        assert likelihoods.shape[0] == 2
        assert likelihoods.min() >= 1e-9
        assert likelihoods.max() <= 1


@each_kind
def test_a_training_step_reaches_every_parameter(own_net):
    own_net.train()
    x = picture(2, 64, 64)
    out = own_net(x)
    rate = sum(-torch.log2(likelihoods).sum() for likelihoods in out["likelihoods"].values())
    (rate / 1e4 + ((out["x_hat"] - x) ** 2).mean() + own_net.aux_loss()).backward()
    for name, parameter in own_net.named_parameters():
        if name == "Gain":  # given from outside, not trained
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


# CompressAI's strings differ in how symbols are written alone.
BOTH_KINDS = [(name, size, kind) for name, size in SIZES_OF_ALL for kind in ("lcrs", "ans")]


@pytest.mark.parametrize(
    ("name", "size", "kind"),
    slow_unless(BOTH_KINDS, lambda case: case[1:] == (SIZES[1], "lcrs") or case[0] in DISTINCT),
)
def test_round_trip(net, kind, size):
    net.entropy_coder = kind
    x = picture(2, *size)
    out = net.compress(x)
    assert tuple(out["size"]) == size
    assert all(len(strings) == 2 for strings in out["strings"])
    whole = net.decompress(out["strings"], out["shape"])["x_hat"]
    cropped = net.decompress(out["strings"], out["shape"], size=out["size"])["x_hat"]
    assert cropped.shape == x.shape
    assert torch.equal(cropped, whole[..., : size[0], : size[1]])
    assert whole.min() >= 0
    assert whole.max() <= 1
    for i in range(2):  # a picture's strings do not depend on its batch
        alone = [[latent[i]] for latent in out["strings"]]
        restored = net.decompress(alone, out["shape"], size=out["size"])["x_hat"]
        torch.testing.assert_close(restored, cropped[i : i + 1], rtol=1e-4, atol=1e-4)


@each_kind
def test_both_kinds_restore_the_same_picture(net):
    x = picture(1, 64, 128)
    pictures = []
    for kind in ("lcrs", "ans"):
        net.entropy_coder = kind
        out = net.compress(x)
        pictures.append(net.decompress(out["strings"], out["shape"])["x_hat"])
    assert torch.equal(*pictures)


@pytest.mark.parametrize("name", [name for name in TINY if name not in ROUNDS_WITHOUT_MEANS])
def test_what_is_restored_is_what_forward_says(name, net):
    x = picture(1, 64, 64)
    out = net.compress(x)
    restored = net.decompress(out["strings"], out["shape"])["x_hat"]
    with torch.no_grad():
        expected = net(x)["x_hat"].clamp(0, 1)
    # A value may round the other way where torch's and the exact engine's means differ in the last bit.
    assert (restored - expected).abs().mean() < 1e-3


def test_coded_size_is_near_the_estimate(name, net):
    x = picture(1, 128, 192)
    with torch.no_grad():
        likelihoods = net(x)["likelihoods"]
    bits = sum(-torch.log2(values).sum().item() for values in likelihoods.values())
    out = net.compress(x)
    coded = sum(8 * len(string) for (string,) in out["strings"])
    # Scales are rounded up to the table's; bounded likelihoods and escapes differ; strings have fixed costs.
    assert abs(coded - bits) < 0.25 * bits + 64 * 11


@each_kind
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_code_alike(net, copied):
    x = picture(1, 64, 64)
    before = net.compress(x)["strings"]  # native tables and graphs are in caches now
    assert copied(net).compress(x)["strings"] == before


@each_kind
def test_state_dict_recovers_the_model(name, net):
    other = MODELS[name].from_state_dict(net.state_dict()).eval()
    assert other.config == net.config
    assert set(net.config) <= set(inspect.signature(type(net)).parameters)
    x = picture(1, 64, 64)
    assert other.compress(x)["strings"] == net.compress(x)["strings"]


@each_kind
def test_update_is_not_needed_but_does_no_harm(own_net):
    x = picture(1, 64, 64)
    before = own_net.compress(x)
    assert own_net.update(update_quantiles=True)
    assert not own_net.update()
    out = own_net.compress(x)
    restored = own_net.decompress(out["strings"], out["shape"])["x_hat"]
    sizes = [sum(len(string) for (string,) in coded["strings"]) for coded in (before, out)]
    assert abs(sizes[0] - sizes[1]) <= 0.05 * sizes[0] + 16
    assert restored.shape == (1, 3, 64, 64)


@each_kind
def test_changed_parameters_change_tables_and_networks(own_net):
    """Nothing stale: what was derived for the old parameters is derived again."""
    x = picture(1, 64, 64)
    own_net.compress(x)
    other = make(next(name for name, entry in MODELS.items() if entry is type(own_net)), seed=1)
    own_net.load_state_dict(other.state_dict())
    assert own_net.compress(x)["strings"] == other.compress(x)["strings"]


@each_kind
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_damage_is_an_error_or_another_picture_but_never_a_crash(net, kind):
    net.entropy_coder = kind
    out = net.compress(picture(1, 64, 64))
    for latent in range(len(out["strings"])):
        (string,) = out["strings"][latent]
        if len(string) <= 8:
            continue
        cut = [list(strings) for strings in out["strings"]]
        cut[latent] = [string[:-4]]
        with pytest.raises(LcrsError):
            net.decompress(cut, out["shape"])


@each_kind
def test_wrong_numbers_of_strings_are_refused(net):
    out = net.compress(picture(1, 64, 64))
    with pytest.raises(ValueError, match=r"strings has \d+ lists"):
        net.decompress([*out["strings"], *out["strings"]], out["shape"])


def test_stream_kind_reaches_every_entropy_model(net):
    net.entropy_coder = "ans"
    kinds = {module.entropy_coder for module in net.modules() if hasattr(module, "cdf_table")}
    assert kinds == {"ans"}
    with pytest.raises(ValueError, match="entropy_coder is 'zip', must be 'lcrs' or 'ans'"):
        net.entropy_coder = "zip"


def test_every_image_model_is_tested():
    ours = {name: entry.__module__ for name, entry in MODELS.items()}
    images = {
        name
        for name, home in ours.items()
        if home.startswith("lcrs.models")
        and not home.startswith(("lcrs.models.video", "lcrs.models.pointcloud"))
    }
    assert images == set(TINY)


def test_base_class():
    with pytest.warns(DeprecationWarning, match="entropy_bottleneck_channels is deprecated"):
        net = CompressionModel(entropy_bottleneck_channels=3)
    with pytest.warns(DeprecationWarning, match="init_weights is deprecated"):
        CompressionModel(init_weights=True)
    assert net.aux_loss().item() > 0
    assert CompressionModel().aux_loss().item() == 0
    assert get_scale_table(1, 100, 3).tolist() == pytest.approx([1, 10, 100])
    assert get_scale_table().shape == (64,)
