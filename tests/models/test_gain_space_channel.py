"""The hyperprior with space-channel context and gains: as a network, as strings, as a package."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_space_channel import Plain, plain_state
from tiny_networks import TINY, make, shared
from torch import nn

from lcrs import coding
from lcrs.models import GainSpaceChannelHyperprior
from lcrs.models.packing import pack
from lcrs.models.variable_rate import rename_plain_keys
from lcrs.zoo import load_checkpoint, load_model

NAME = "gain-space-channel-hyperprior"
HERE = Path(__file__).parent


@pytest.fixture
def net():
    """Not to be changed, but for its `entropy_coder`."""
    with shared(varied) as net:
        yield net


@pytest.fixture
def own_net():
    return varied()


@torch.no_grad()
def varied():
    """Levels and channels that differ, so that a wrong axis shows; values of many symbols."""
    net = make(NAME)
    torch.manual_seed(3)
    for name, parameter in net.named_parameters():
        if "log_gain" in name or "shift" in name or "log_scale" in name or name.startswith("z_"):
            parameter.add_(0.3 * torch.randn_like(parameter))
    net.y_log_gain.values.add_(1.5)
    return net


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "tiny.lcrm"
    coding.write_package(path, *pack(varied(), "tiny", {"licence": "CC0"}))
    return path


def pixels_of(rng, *size):
    """Smooth pixels with noise on them, uint8 and as the network takes them."""
    coarse = rng.integers(0, 200, (-(-size[0] // 8), -(-size[1] // 8), 3))
    pixels = np.kron(coarse, np.ones((8, 8, 1), int))[: size[0], : size[1]] + rng.integers(0, 55, (*size, 3))
    pixels = pixels.astype(np.uint8)
    return pixels, torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


class TestNetwork:
    @pytest.mark.parametrize("level", [0.0, 0.4, 1.0, 1.7, 2.0])
    def test_agrees_with_the_plain_network(self, own_net, level, rng):
        _, x = pixels_of(rng, 64, 96)
        own_net.load_state_dict({key: halved(value) for key, value in own_net.state_dict().items()})
        with torch.no_grad():
            out = own_net(x, level)
            x_hat, y_bits, z_bits = Plain(plain_state(own_net), level).run(x)
        for name, bits in (("y", y_bits), ("z", z_bits)):
            assert -out["likelihoods"][name].log2().sum().item() == pytest.approx(bits.item(), rel=1e-4)
        torch.testing.assert_close(out["x_hat"], x_hat, rtol=0, atol=1e-4)

    def test_pictures_of_a_batch_have_levels_of_their_own(self, net, rng):
        _, x = pixels_of(rng, 48, 64)
        with torch.no_grad():
            both = net(x.repeat(2, 1, 1, 1), torch.tensor([0.25, 1.75]))
            for i, level in enumerate((0.25, 1.75)):
                alone = net(x, level)
                torch.testing.assert_close(both["x_hat"][i : i + 1], alone["x_hat"], rtol=1e-4, atol=1e-4)

    def test_training_lowers_the_loss(self, rng):
        net = GainSpaceChannelHyperprior(**TINY[NAME]).train()
        _, x = pixels_of(rng, 64, 64)
        levels = torch.tensor([0.3, 1.6])
        optimizer = torch.optim.Adam(net.parameters(), 3e-3)
        losses = []
        for _ in range(15):  # to about a half
            out = net(x.repeat(2, 1, 1, 1), levels)
            rate = -sum(p.log2().sum((1, 2, 3)) for p in out["likelihoods"].values()) / 64**2
            distortion = 255**2 * (out["x_hat"] - x).square().mean((1, 2, 3))
            loss = (rate + net.lmbda(levels) * distortion).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert np.mean(losses[-5:]) < 0.8 * losses[0]

    @pytest.mark.parametrize("level", [-0.1, 2.1, float("nan")])
    def test_levels_outside_are_refused(self, net, level, rng):
        _, x = pixels_of(rng, 16, 16)
        for given in (level, torch.tensor([level])):
            with pytest.raises(ValueError, match="must be 0 to 2"):
                net(x, given)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"groups": [2, 3, 8]}, r"groups are \[2, 3, 8\], must be positive and add up to M = 12"),
            ({"side_blocks": [1, 1]}, r"side_blocks are \[1, 1\], must be 3"),
            ({"analysis_blocks": [1] * 4}, r"analysis_blocks are \[1, 1, 1, 1\], must be 3"),
            ({"num_levels": 1}, "num_levels is 1, must be at least 2"),
        ],
    )
    def test_sizes_that_do_not_fit_are_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            GainSpaceChannelHyperprior(**{**TINY[NAME], **arguments})

    def test_sizes_of_the_full_network(self):
        net = GainSpaceChannelHyperprior()
        assert net.groups == [32, 64, 160]
        assert sum(parameter.numel() for parameter in net.parameters()) == 8_072_880


def halved(value):
    """Numbers that binary16 has too."""
    return value.half().to(value.dtype) if value.dim() == 4 else value


class TestStateDicts:
    def test_plain_keys_are_renamed(self, net):
        plain = plain_state(net)
        own = {name for name, _ in net.named_parameters()} | {"log_lmbda"}
        renamed = rename_plain_keys(plain)
        assert renamed.keys() == own
        assert len(plain.keys() - own) > 40
        assert rename_plain_keys(renamed) == renamed
        assert list(renamed.values()) == list(plain.values())

    def test_plain_weights_load(self, own_net, rng, tmp_path):
        torch.save({"state_dict": plain_state(own_net), "step": 7}, tmp_path / "plain.pt")
        loaded = load_checkpoint(tmp_path / "plain.pt")
        assert isinstance(loaded, GainSpaceChannelHyperprior)
        assert loaded.config == own_net.config == TINY[NAME]
        own_net.load_state_dict({key: halved(value) for key, value in own_net.state_dict().items()})
        _, x = pixels_of(rng, 40, 50)
        assert loaded.compress(x, 60)["strings"] == own_net.compress(x, 60)["strings"]

    def test_a_missing_weight_is_named(self, net):
        state = plain_state(net)
        del state["coders.1.shift.values"]
        with pytest.raises(RuntimeError, match=r"side_networks\.y1\.shift\.values"):
            GainSpaceChannelHyperprior.from_state_dict(state)

    def test_other_scale_tables_are_kept(self, own_net, rng):
        own_net.gaussian_conditional.update_scale_table([0.11, 0.5, 2.0, 30.0])
        other = GainSpaceChannelHyperprior.from_state_dict(own_net.state_dict()).eval()
        _, x = pixels_of(rng, 40, 50)
        assert other.compress(x, 60)["strings"] == own_net.compress(x, 60)["strings"]


class TestCoding:
    @pytest.mark.parametrize("size", [(1, 1), (17, 33), (128, 192)])
    @pytest.mark.parametrize("kind", ["lcrs", "ans"])
    def test_files_hold_the_symbols_of_the_model(self, net, size, kind, path, rng):
        package = coding.Package.from_file(path)
        assert package.levels == 3
        pixels, x = pixels_of(rng, *size)
        net.entropy_coder = kind
        for quality in (0, 43.7, 100):
            data = package.compress(pixels, quality, kind=kind)
            out = net.compress(x, quality)
            assert len(out["strings"]) == (2 if kind == "lcrs" else 7)
            for (string,) in out["strings"]:
                assert string in data or kind == "ans"  # the model's are in CompressAI's order
            restored = net.decompress(out["strings"], out["shape"], quality, size=out["size"])["x_hat"]
            expected = np.round(restored[0].permute(1, 2, 0).numpy() * np.float32(255))
            assert np.array_equal(package.decompress(data), expected)

    @pytest.mark.parametrize("kind", ["lcrs", "ans"])
    def test_coding_agrees_with_forward(self, net, kind, rng):
        _, x = pixels_of(rng, 70, 90)
        net.entropy_coder = kind
        for quality in (0, 50, 81.5, 100):
            out = net.compress(x, quality)
            restored = net.decompress(out["strings"], out["shape"], quality, size=out["size"])["x_hat"]
            with torch.no_grad():
                expected = net(x, net.level_of(quality))["x_hat"].clamp(0, 1)
            assert (restored - expected).abs().mean() < 1e-3

    def test_changed_parameters_are_taken(self, own_net, rng):
        _, x = pixels_of(rng, 64, 64)
        before = own_net.compress(x)["strings"]
        with torch.no_grad():
            own_net.y_log_gain.values.add_(0.5)
        after = own_net.compress(x)["strings"]
        assert len(after[0][0]) > len(before[0][0])
        with torch.no_grad():
            own_net.latent_codec.side_networks["y1"].shift.values.add_(0.3)
        assert own_net.compress(x)["strings"] != after

    def test_transforms_that_do_not_lower_run_in_torch(self, own_net, rng):
        _, x = pixels_of(rng, 33, 20)
        own_net.g_a.append(nn.Hardswish())
        out = own_net.compress(x)
        restored = own_net.decompress(out["strings"], out["shape"], size=out["size"])["x_hat"]
        with torch.no_grad():
            expected = own_net(x)["x_hat"].clamp(0, 1)
        assert (restored - expected).abs().mean() < 1e-3

    def test_wrong_numbers_of_strings_are_refused(self, net, rng):
        _, x = pixels_of(rng, 16, 16)
        out = net.compress(x)
        for strings in (out["strings"][:1], [*out["strings"], out["strings"][0]]):
            with pytest.raises(ValueError, match="must be 2, one for each latent"):
                net.decompress(strings, out["shape"])
        with pytest.raises(ValueError, match=r"quality is 100\.5 \(0 to 100\)"):
            net.compress(x, 100.5)

    @pytest.mark.slow
    def test_every_path_writes_the_same(self, fresh_torch):
        runs = [
            fresh_torch(WRITE, str(HERE), LCRS_SIMD=path, LCRS_NUM_THREADS=threads)
            for path, threads in (("", "1"), ("", "4"), ("scalar", "2"))
        ]
        assert len(set(runs)) == 1


WRITE = """
import sys, hashlib
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
from test_gain_space_channel import pixels_of, varied
net = varied()
torch.set_num_threads(2)
_, x = pixels_of(np.random.default_rng(1), 70, 90)
digest = hashlib.sha256()
for kind in ("lcrs", "ans"):
    net.entropy_coder = kind
    for quality in (0.0, 33.3, 100.0):
        for strings in net.compress(x.repeat(2, 1, 1, 1), quality)["strings"]:
            digest.update(b"".join(strings))
print(digest.hexdigest())
"""


class TestPackage:
    def test_files_decode_without_torch_on_another_path(self, path, rng, tmp_path, fresh_python):
        package = coding.Package.from_file(path)
        pixels, _ = pixels_of(rng, 40, 70)
        data = package.compress(pixels, 66)
        (tmp_path / "picture.lcrs").write_bytes(data)
        restored = package.decompress(data)
        digest = fresh_python(READ, str(path), LCRS_SIMD="scalar", LCRS_NUM_THREADS="3")
        assert digest == hashlib.sha256(restored.tobytes()).hexdigest()

    def test_the_network_comes_back(self, net, path, rng):
        loaded = load_model(path)
        assert loaded.config == net.config
        _, x = pixels_of(rng, 40, 50)
        assert loaded.compress(x, 20)["strings"] == net.compress(x, 20)["strings"]
        loaded.train()(x)["x_hat"].sum().backward()
        assert all(parameter.grad is not None for parameter in loaded.g_a.parameters())

    def test_tables_are_there_once(self, path):
        names = coding.Package.from_file(path).description
        assert names.count('"gaussian.cdf"') == 4  # of z and of three groups
        assert "y0.cdf" not in names


READ = """
import sys, hashlib
from pathlib import Path
from lcrs import coding
package = coding.Package.from_file(sys.argv[1])
restored = package.decompress(Path("picture.lcrs").read_bytes())
assert package.compress(restored, 30) == package.compress(restored, 30, threads=3)
assert "torch" not in sys.modules
print(hashlib.sha256(restored.tobytes()).hexdigest())
"""
