"""Models with parts that have no exact form: they code, say so, and never decode to something else."""

import pickle
import warnings
from pathlib import Path

import pytest
import torch
from foreign_parts import Odd, make_foreign
from hypothesis import given
from hypothesis import strategies as st
from kinds import DISTINCT, slow_unless
from tiny_networks import TINY, make
from torch import nn

import lcrs
from lcrs.coding.portability import portability_mode
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional
from lcrs.errors import DesyncError, LcrsError, NotPortableError, NotPortableWarning
from lcrs.layers import GDN
from lcrs.models import CompressionModel
from lcrs.models.packing import pack

WITH_SIDE_INFORMATION = [name for name in TINY if "factorized" not in name]
SERIAL = ("mbt2018", "cheng2020-anchor", "cheng2020-attn")


def pictures(n=2, height=40, width=70):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def allowed():
    with lcrs.portability("allow"):
        yield


CASES = [(name, kind) for name in WITH_SIDE_INFORMATION for kind in ("lcrs", "ans")]


@pytest.mark.parametrize(
    ("name", "kind"), slow_unless(CASES, lambda case: case[0] in DISTINCT and case[1] == "lcrs")
)
def test_every_architecture_codes(name, kind, allowed):
    net, x = make_foreign(name), pictures()
    net.entropy_coder = kind
    out = net.compress(x)
    both = net.decompress(out["strings"], out["shape"])["x_hat"]
    for i in range(2):
        one = [[strings[i]] for strings in out["strings"]]
        assert torch.equal(net.decompress(one, out["shape"])["x_hat"], both[i : i + 1])
        alone = net.compress(x[i : i + 1])["strings"]
        assert alone == one
    if name not in SERIAL:  # their forward rounds without means, as CompressAI's
        with torch.no_grad():
            wanted = net(x)["x_hat"]
        assert (both[..., :40, :70] - wanted.clamp(0, 1)).abs().max() < 1e-4


def test_a_warning_says_once_which_part_and_what_it_means():
    net, x = make_foreign("mbt2018-mean"), pictures()
    with pytest.warns(NotPortableWarning) as caught:
        out = net.compress(x)
    (warning,) = caught
    message = str(warning.message)
    assert "Odd at 'h_s.1' is not portable" in message
    assert "decode only where torch computes the same sums" in message
    assert 'Elsewhere "lcrs" strings are refused' in message
    assert '"ans" strings have no checksum, so that decoding cannot verify them' in message
    assert warning.filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.compress(x)
        net.decompress(out["strings"], out["shape"])


def test_serial_scans_warn_that_they_are_slow():
    with pytest.warns(NotPortableWarning, match=r"Odd at 'entropy_parameters\.1'.*may be slow"):
        make_foreign("mbt2018", ["entropy_parameters"]).compress(pictures(1, 64, 64))


def test_analysis_and_synthesis_decide_nothing():
    net, x = make_foreign("mbt2018-mean", ["g_a", "g_s", "h_a"]), pictures()
    net.g_s[1] = Odd()
    with lcrs.portability("require"):
        out = net.compress(x)
        net.decompress(out["strings"], out["shape"])
    with pytest.raises(NotPortableError, match=r"Odd at 'g_s\.1'"):
        pack(net, "odd")


def test_portability_is_chosen_by_function_context_and_environment(monkeypatch):
    net, x = make_foreign("mbt2018-mean"), pictures(1, 64, 64)
    with lcrs.portability("require"):
        with pytest.raises(NotPortableError, match=r"Odd at 'h_s\.1'"):
            net.compress(x)
        with lcrs.portability("allow"):
            out = net.compress(x)
        with pytest.raises(NotPortableError, match=r"Odd at 'h_s\.1'"):
            net.decompress(out["strings"], out["shape"])
    monkeypatch.setenv("LCRS_PORTABILITY", "require")
    with pytest.raises(NotPortableError):
        net.compress(x)
    monkeypatch.setenv("LCRS_PORTABILITY", "sometimes")
    with pytest.raises(ValueError, match="LCRS_PORTABILITY is 'sometimes', must be 'require', 'warn'"):
        net.compress(x)
    monkeypatch.delenv("LCRS_PORTABILITY")
    with pytest.raises(ValueError, match="mode is 'no', must be"):
        lcrs.portability("no")
    before = lcrs.portability("allow")  # as a function
    net.compress(x)
    before.__exit__(None, None, None)
    with pytest.warns(NotPortableWarning):
        net.compress(x)


def test_a_mode_is_in_force_in_every_block_that_it_is_given_to():
    required = lcrs.portability("require")
    with required:
        assert portability_mode() == "require"
    assert portability_mode() == "warn"
    for _ in range(2):
        with required, required:
            assert portability_mode() == "require"
            with lcrs.portability("allow"):
                with required:
                    assert portability_mode() == "require"
                assert portability_mode() == "allow"
            assert portability_mode() == "require"
        assert portability_mode() == "warn"
    with lcrs.portability("allow"):
        late = lcrs.portability("require")
        with lcrs.portability("warn"):
            with late:
                assert portability_mode() == "require"
            assert portability_mode() == "warn"


@pytest.mark.parametrize(
    "name",
    [
        *("mbt2018-mean", "cheng2020-anchor-checkerboard", "mbt2018"),
        pytest.param("elic2022-official", marks=pytest.mark.slow),
    ],
)
def test_training_mode_codes_as_eval_mode(name, allowed):
    net, x = make_foreign(name), pictures(1)
    strings = net.compress(x)["strings"]
    assert net.train().compress(x)["strings"] == strings
    assert all(module.training for module in net.modules())


@pytest.mark.parametrize(
    "name",
    [
        *("mbt2018-mean", "cheng2020-anchor-checkerboard", "mbt2018"),
        pytest.param("elic2022-official", marks=pytest.mark.slow),
    ],
)
@given(data=st.data())
def test_damaged_strings_are_refused(name, data):
    with lcrs.portability("allow"):
        if name not in CODED:
            CODED[name] = coded(name)
        net, out, wanted = CODED[name]
        strings = [[bytearray(item) for item in latent] for latent in out["strings"]]
        part = data.draw(st.sampled_from([s for latent in strings for s in latent if s]))
        bit = data.draw(st.integers(0, 8 * len(part) - 1))
        part[bit // 8] ^= 1 << bit % 8
        damaged = [[bytes(item) for item in latent] for latent in strings]
        try:
            found = net.decompress(damaged, out["shape"])["x_hat"]
        except LcrsError:
            return
        assert torch.equal(found, wanted)


CODED = {}


def coded(name):
    net = make_foreign(name)
    out = net.compress(pictures())
    return net, out, net.decompress(out["strings"], out["shape"])["x_hat"]


@pytest.mark.parametrize(
    "name",
    [
        *("mbt2018-mean", "cheng2020-anchor-checkerboard", "mbt2018"),
        pytest.param("elic2022-official", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", ["lcrs", pytest.param("ans", marks=pytest.mark.slow)])
def test_other_sums_decode_to_the_same_or_are_refused_by_name(name, kind, allowed):
    net = make_foreign(name)
    net.entropy_coder = kind
    out = net.compress(pictures())
    wanted = net.decompress(out["strings"], out["shape"])["x_hat"]
    refused = []
    for shift in (1e-7, 1e-5, 1e-3, 1e-2, 1e-1):
        other = make_foreign(name)
        other.entropy_coder = kind
        with torch.no_grad():
            for module in other.modules():
                if isinstance(module, Odd):
                    module.factor.mul_(1 + shift)
        try:
            found = other.decompress(out["strings"], out["shape"])["x_hat"]
        except DesyncError as error:
            refused.append(str(error))
            continue
        if kind == "lcrs":
            assert torch.equal(found, wanted)
        else:
            assert (found - wanted).abs().max() < max(0.02, 10 * shift)  # means differ, symbols do not
    assert refused
    assert all("ran in torch" in message and "Odd at" in message for message in refused)


class Moved(nn.Module):
    """Adds something to the means, the last of `parts` parts of the channels."""

    by = 0.0

    def __init__(self, parts=2):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        *others, means = x.chunk(self.parts, 1)
        return torch.cat((*others, torch.atan(means) + type(self).by), 1)


MEANS = {
    "mbt2018-mean": ["h_s"],
    "mbt2018-mean-vbr": ["h_s"],
    "mbt2018": ["entropy_parameters"],
    "mbt2018-vbr": ["entropy_parameters"],
    "cheng2020-attn": ["entropy_parameters"],
    "mbt2018-mean-gain": ["latent_codec.hyper.h_s"],
    "cheng2020-anchor-checkerboard": ["latent_codec.y.entropy_parameters"],
    "elic2022-official": [f"latent_codec.y.latent_codec.y{k}.entropy_parameters" for k in range(4)],
}


# cheng2020-attn has the codec of mbt2018.
@pytest.mark.parametrize("name", slow_unless([(name,) for name in MEANS], lambda case: "attn" not in case[0]))
def test_means_that_differ_are_refused_though_symbols_are_equal(name, allowed, monkeypatch):
    net = make(name)
    for path in MEANS[name]:
        parent, _, last = path.rpartition(".")
        owner = net.get_submodule(parent)
        setattr(owner, last, nn.Sequential(getattr(owner, last), Moved()))
    out = net.compress(pictures())
    wanted = net.decompress(out["strings"], out["shape"])["x_hat"]
    assert torch.equal(net.decompress(out["strings"], out["shape"])["x_hat"], wanted)
    monkeypatch.setattr(Moved, "by", 1e-6)
    with pytest.raises(DesyncError, match=r"means that are added.*Moved at .* ran in torch"):
        net.decompress(out["strings"], out["shape"])


def test_strings_decode_in_a_fresh_process(tmp_path, fresh_torch, allowed):
    torch.set_num_threads(1)
    wanted = {}
    for name in ("mbt2018-mean", "elic2022-official", "mbt2018", "mbt2018-vbr"):
        net = make_foreign(name)
        out = net.compress(pictures())
        wanted[name] = net.decompress(out["strings"], out["shape"])["x_hat"]
        torch.save(net.state_dict(), tmp_path / f"{name}.pt")
        (tmp_path / name).write_bytes(pickle.dumps((out["strings"], out["shape"])))
    code = (
        "import pickle, sys, torch\n"
        "from foreign_parts import make_foreign\n"
        "torch.set_num_threads(1)\n"
        "for name in sys.argv[1:]:\n"
        "    net = make_foreign(name, seed=1)\n"
        "    net.load_state_dict(torch.load(name + '.pt'))\n"
        "    strings, shape = pickle.loads(open(name, 'rb').read())\n"
        "    torch.save(net.decompress(strings, shape)['x_hat'], name + '.decoded')\n"
    )
    fresh_torch(code, *wanted, PYTHONPATH=str(Path(__file__).parent), LCRS_PORTABILITY="allow")
    for name, x_hat in wanted.items():
        assert torch.equal(torch.load(tmp_path / f"{name}.decoded"), x_hat), name


def test_portable_models_have_no_checksum():
    """What is foreign in another model, or elsewhere in the process, changes no string of a portable one."""
    net, x = make("mbt2018-mean"), pictures()
    strings = net.compress(x)["strings"]
    with lcrs.portability("allow"):
        foreign = make_foreign("mbt2018-mean").compress(x)["strings"]
    assert net.compress(x)["strings"] == strings
    assert [len(s) for s in foreign[1]] == [len(s) for s in strings[1]]  # z depends on nothing foreign


@pytest.mark.parametrize("name", ["mbt2018-mean", "gain-hyperprior"])
def test_hooks_on_parts_are_honoured(name, allowed):
    net, x = make(name), pictures()
    plain = net.compress(x)["strings"]
    net.h_s[2].register_forward_hook(lambda module, args, out: 0.5 * out)
    out = net.compress(x)
    assert out["strings"] != plain
    with torch.no_grad():
        wanted = net(x)["x_hat"].clamp(0, 1)
    found = net.decompress(out["strings"], out["shape"])["x_hat"]
    assert (found[..., :40, :70] - wanted).abs().max() < 1e-4


def test_hooks_on_all_modules_are_honoured(allowed):
    net, x = make("mbt2018-mean"), pictures()
    plain = net.compress(x)["strings"]
    slope = next(part for part in net.h_s if isinstance(part, nn.LeakyReLU))
    hook = nn.modules.module.register_module_forward_hook(
        lambda module, args, out: 0.5 * out if module is slope else None
    )
    try:
        out = net.compress(x)
        assert out["strings"] != plain
        with torch.no_grad():
            wanted = net(x)["x_hat"].clamp(0, 1)
        found = net.decompress(out["strings"], out["shape"])["x_hat"]
        assert (found[..., :40, :70] - wanted).abs().max() < 1e-4
        with pytest.raises(NotPortableError, match="LeakyReLU at 'h_s"):
            pack(net, "hooked")
    finally:
        hook.remove()
    assert net.compress(x)["strings"] == plain


class OwnCoding(CompressionModel):
    """A model of a usual kind, whose `compress` is its own and runs in torch."""

    def __init__(self):
        super().__init__()
        self.g_a = nn.Sequential(nn.Conv2d(3, 6, 5, 4, 2), GDN(6), nn.Conv2d(6, 6, 5, 2, 2))
        self.g_s = nn.Sequential(nn.ConvTranspose2d(6, 3, 8, 8))
        self.h_a = nn.Sequential(Odd(), nn.Conv2d(6, 4, 5, 2, 2))
        self.h_s = nn.Sequential(nn.ConvTranspose2d(4, 12, 5, 2, 2, 1), Odd())
        self.entropy_bottleneck = EntropyBottleneck(4)
        self.gaussian_conditional = GaussianConditional(None)

    def forward(self, x):
        y = self.g_a(x)
        z_hat, z_likelihoods = self.entropy_bottleneck(self.h_a(y))
        scales, means = self.h_s(z_hat).chunk(2, 1)
        y_hat, y_likelihoods = self.gaussian_conditional(y, scales, means)
        return {"x_hat": self.g_s(y_hat), "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}

    def compress(self, x):
        y = self.g_a(x)
        z_strings = self.entropy_bottleneck.compress(self.h_a(y))
        z_hat = self.entropy_bottleneck.decompress(z_strings, [4, 6])
        scales, means = self.h_s(z_hat).chunk(2, 1)
        indexes = self.gaussian_conditional.build_indexes(scales)
        return {
            "strings": [self.gaussian_conditional.compress(y, indexes, means), z_strings],
            "shape": [4, 6],
        }

    def decompress(self, strings, shape):
        scales, means = self.h_s(self.entropy_bottleneck.decompress(strings[1], shape)).chunk(2, 1)
        indexes = self.gaussian_conditional.build_indexes(scales)
        return {"x_hat": self.g_s(self.gaussian_conditional.decompress(strings[0], indexes, means=means))}


def test_a_model_with_its_own_coding_codes():
    torch.manual_seed(0)
    net, x = OwnCoding().eval(), pictures(2, 64, 96)
    net.update()
    with torch.no_grad():
        with pytest.warns(NotPortableWarning, match="'gaussian_conditional' of OwnCoding"):
            out = net.compress(x)
        assert torch.equal(net.decompress(**out)["x_hat"], net(x)["x_hat"])


@pytest.mark.parametrize("kind", ["lcrs", "ans"])
@pytest.mark.parametrize("name", ["mbt2018-mean", "mbt2018", "mbt2018-vbr"])
def test_an_empty_batch_passes(name, kind, allowed):
    net = make_foreign(name)
    net.entropy_coder = kind
    out = net.compress(pictures(0, 64, 128))
    assert out["strings"] == [[], []]
    if kind == "lcrs":
        assert net.decompress(out["strings"], out["shape"])["x_hat"].shape == (0, 3, 64, 128)


@pytest.mark.gpu
def test_parts_run_where_the_model_is(allowed):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    for name in WITH_SIDE_INFORMATION:
        net = make_foreign(name).cuda()
        out = net.compress(pictures().cuda())
        both = net.decompress(out["strings"], out["shape"])["x_hat"]
        assert both.is_cuda
        for i in range(2):
            one = net.decompress([[strings[i]] for strings in out["strings"]], out["shape"])["x_hat"]
            torch.testing.assert_close(one, both[i : i + 1], rtol=0, atol=1e-4)
