"""Models in the hands of torch: compiled, exported, distributed, in other types, on other devices."""

import copy

import pytest
import torch
from kinds import each_compiled, each_exported, each_kind
from torch import nn

from lcrs.registry import MODELS

# Torch 2.2 says this of its own doings while it traces.
pytestmark = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


@pytest.fixture
def net(own_net):
    """Here most tests change it."""
    return own_net


@pytest.fixture
def x():
    torch.manual_seed(5)
    return torch.rand(2, 3, 64, 64)


@pytest.fixture
def process_group(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def loss_of(out):
    rate = -sum(likelihoods.log2().mean() for likelihoods in out["likelihoods"].values())
    return out["x_hat"].float().square().mean() + rate


@pytest.mark.slow
@each_compiled
@torch.no_grad()
def test_compiled(net, x):
    expected = net(x)["x_hat"]
    torch.compiler.reset()
    torch.testing.assert_close(
        torch.compile(net, backend="eager")(x)["x_hat"], expected, rtol=1e-4, atol=1e-4
    )


TOO_MUCH_FOR_OLD_EXPORT = {
    "cheng2020-anchor-checkerboard", "elic2022-official", "elic2022-chandelier", "mbt2018-vbr",
    "gain-hyperprior", "gain-space-channel-hyperprior",
}  # fmt: skip
"""Their forward has Python that torch.export can trace from torch 2.4 on; torch.compile passes over it."""


@pytest.mark.slow
@each_exported
@torch.no_grad()
def test_exported(name, net, x):
    if name in TOO_MUCH_FOR_OLD_EXPORT and tuple(map(int, torch.__version__.split(".")[:2])) < (2, 4):
        pytest.skip("torch.export of this torch is too old")
    expected = net(x)["x_hat"]
    torch.compiler.reset()
    exported = torch.export.export(net, (x,)).module()
    torch.testing.assert_close(exported(x)["x_hat"], expected, rtol=1e-4, atol=1e-4)


@each_kind
@pytest.mark.filterwarnings("ignore:find_unused_parameters")
def test_distributed(net, x, process_group):
    net.train()
    alone = copy.deepcopy(net)
    torch.manual_seed(0)
    loss_of(alone(x)).backward()
    torch.manual_seed(0)
    wrapped = nn.parallel.DistributedDataParallel(net, find_unused_parameters=True)
    loss_of(wrapped(x)).backward()
    for (name, ours), theirs in zip(net.named_parameters(), alone.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=name)


@each_kind
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(net, x, dtype):
    net.train()
    with torch.autocast("cpu", dtype=dtype):
        out = net(x)
    for likelihoods in out["likelihoods"].values():
        assert likelihoods.dtype == torch.float32
        assert torch.isfinite(likelihoods).all()
    loss_of(out).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def restored(net, out):
    return net.decompress(out["strings"], out["shape"], size=out["size"])["x_hat"]


@each_kind
@pytest.mark.parametrize("kind", ["lcrs", pytest.param("ans", marks=pytest.mark.slow)])
def test_other_types_decode_alike(net, x, kind):
    """Parameters are taken in float32: a model in bfloat16 and its float32 twin decode each other."""
    net.entropy_coder = kind
    half = net.bfloat16()
    single = copy.deepcopy(half).float()
    for out in (single.compress(x[:1]), half.compress(x[:1].bfloat16())):
        assert torch.equal(restored(half, out), restored(single, out).bfloat16())


@each_kind
@pytest.mark.parametrize(
    "dtype",
    [torch.float16, *(pytest.param(t, marks=pytest.mark.slow) for t in (torch.bfloat16, torch.float64))],
)
@torch.no_grad()
def test_models_of_other_types_give_their_own_back(net, x, dtype):
    net = net.to(dtype)
    out = net(x.to(dtype))
    assert out["x_hat"].dtype == dtype
    assert torch.isfinite(out["x_hat"]).all()
    for likelihoods in out["likelihoods"].values():
        assert likelihoods.dtype == torch.promote_types(dtype, torch.float32)
        assert torch.isfinite(likelihoods).all()
    assert restored(net, net.compress(x.to(dtype))).dtype == dtype


@each_kind
def test_steps_of_training_in_pure_bfloat16(net, x):
    net.train().bfloat16()
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        loss_of(net(x.bfloat16())).backward()
        optimizer.step()
    moved = [name for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])]
    assert any(name.startswith("g_a") for name in moved) or any("coders" in name for name in moved)
    for name, parameter in net.named_parameters():
        assert parameter.dtype == torch.bfloat16, name
        assert torch.isfinite(parameter).all(), name


@each_kind
def test_gradients_in_double(net, x):
    net.train().double()
    loss_of(net(x.double())).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is None or parameter.grad.dtype == torch.float64, name


@each_kind
def test_bytes_are_no_pictures(net, x):
    pixels = (255 * x).to(torch.uint8)
    for call in (net, net.compress):
        with pytest.raises(ValueError, match=r"torch\.uint8, must be floating point"):
            call(pixels)


@each_kind
@pytest.mark.parametrize("kind", ["lcrs", "ans"])
def test_an_empty_batch_gives_empty_lists(net, x, kind):
    net.entropy_coder = kind
    out, full = net.compress(x[:0]), net.compress(x[:1])
    assert out["strings"] == [[] for _ in full["strings"]]
    assert restored(net, out).shape == (0, 3, 64, 64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_other_devices_decode_alike(net, x):
    there = copy.deepcopy(net).cuda()
    for out in (net.compress(x), there.compress(x.cuda())):
        # The symbols are the same; the synthesis there is torch's.
        torch.testing.assert_close(restored(there, out).cpu(), restored(net, out), rtol=1e-3, atol=1e-3)


@each_kind
def test_copies_of_a_moved_model_decode_alike(name, net, x):
    half = net.bfloat16()
    out = half.compress(x.bfloat16())
    other = MODELS[name].from_state_dict(half.state_dict()).eval()
    assert torch.equal(restored(other, out).bfloat16(), restored(half, out))
