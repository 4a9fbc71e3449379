"""Packages of models: files are coded without torch, and mean what the torch model means."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from kinds import DISTINCT, slow_unless
from tiny_networks import TINY, make
from torch import nn

import lcrs
from lcrs import MissingModelError, NotPortableError, coding
from lcrs.entropy_models import EntropyBottleneck
from lcrs.latent_codecs import HyperLatentCodec, HyperpriorLatentCodec
from lcrs.layers import GDN
from lcrs.models import FactorizedPrior, SimpleVAECompressionModel
from lcrs.models.packing import Tables, pack
from lcrs.models.utils import conv, deconv
from lcrs.registry import MODELS

FIXED_RATE = [name for name in TINY if "gain" not in name and not name.endswith("-vbr")]


# One of each kind of codec tree; what is restored is looked at of all.
TREES = [name for name in FIXED_RATE if name in [*DISTINCT, "elic2022-official"]]
each_tree = pytest.mark.parametrize(
    "name", slow_unless([(name,) for name in FIXED_RATE], lambda case: case[0] in TREES), indirect=True
)


@pytest.fixture(params=FIXED_RATE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Gives the path of a model's package."""
    folder = tmp_path_factory.mktemp("packages")

    @cache
    def of(name):
        path = folder / f"{name}.lcrm"
        write(make(name), path, {"licence": "CC0"})
        return path

    return of


def write(net, path, card=None):
    coding.write_package(path, *pack(net, "tiny", card))
    return coding.Package.from_file(path)


SIZES = [(1, 1), (17, 33), (64, 128)]
RESTORED = [(name, size) for name in FIXED_RATE for size in SIZES]


@pytest.mark.parametrize(
    ("name", "size"), slow_unless(RESTORED, lambda case: case[0] in TREES and case[1] != SIZES[2])
)
def test_files_restore_what_the_model_restores(name, net, size, written, rng):
    package = coding.Package.from_file(written(name))
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    data = package.compress(pixels)
    restored = package.decompress(data)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    out = net.compress(x)
    expected = net.decompress(out["strings"], out["shape"], out["size"])["x_hat"]
    expected = np.round(255 * expected[0].permute(1, 2, 0).numpy())
    # Torch's sums may round a latent, or a pixel, the other way now and then.
    assert np.mean(np.abs(restored - expected)) < 0.1
    num_bytes = sum(len(string) for (string,) in out["strings"])
    assert abs(len(data) - num_bytes) < 0.01 * num_bytes + 120


@pytest.mark.parametrize(
    "names",
    [TREES, pytest.param([name for name in FIXED_RATE if name not in TREES], marks=pytest.mark.slow)],
)
def test_files_decode_without_torch_on_another_path(names, written, tmp_path, rng, fresh_python):
    paths = list(map(written, names))
    for path in paths:
        package = coding.Package.from_file(path)
        data = package.compress(rng.integers(0, 256, (40, 70, 3), dtype=np.uint8))
        (tmp_path / f"{path.stem}.lcrs").write_bytes(data)
        np.save(tmp_path / f"{path.stem}.npy", package.decompress(data))
    fresh_python(
        """
import sys
from pathlib import Path
import numpy as np
from lcrs import coding
paths = list(map(Path, sys.argv[1:]))
for path in paths:
    package = coding.Package.from_file(path)
    restored = package.decompress(Path(f"{path.stem}.lcrs").read_bytes())
    assert np.array_equal(restored, np.load(f"{path.stem}.npy")), path
    assert package.compress(restored) == package.compress(restored, threads=3), path
assert len(paths) > 3
assert "torch" not in sys.modules
""",
        *map(str, paths),
        LCRS_SIMD="scalar",
    )


@each_tree
def test_description_says_what_the_model_is(name, net, written):
    package = coding.Package.from_file(written(name))
    description = json.loads(package.description)
    assert description["config"] == net.config
    assert description["card"] == {"licence": "CC0"}
    assert description["numerics"] == "f32-fma/1"
    assert description["levels"] is None
    assert package.name == "tiny"


def test_digests_follow_the_weights(tmp_path):
    net = make("mbt2018-mean")
    first = write(net, tmp_path / "a.lcrm")
    with torch.no_grad():
        net.g_s[0].weight[0, 0, 0, 0] += 1
    other_synthesis = write(net, tmp_path / "b.lcrm")
    assert other_synthesis.entropy_digest == first.entropy_digest
    assert other_synthesis.synthesis_digest != first.synthesis_digest
    with torch.no_grad():
        net.h_s[0].weight[0, 0, 0, 0] += 1
    other = write(net, tmp_path / "c.lcrm")
    assert other.entropy_digest != first.entropy_digest
    data = first.compress(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MissingModelError):
        other.decompress(data)


def test_filled_tables_are_packed():
    net = make("bmshj2018-factorized")
    net.update()
    _, tensors = pack(net, "tiny")
    assert np.array_equal(tensors["y.cdf"], net.entropy_bottleneck.quantized_cdf.numpy())


def test_what_does_not_lower_is_refused_with_its_place():
    class Sine(torch.nn.Module):
        def forward(self, x):
            return x.sin()

    net = make("bmshj2018-factorized")
    net.g_s[1] = Sine()
    with pytest.raises(NotPortableError, match=r"Sine at 'g_s.1'"):
        pack(net, "tiny")


def test_models_that_nobody_looks_up_need_no_registered_name():
    class Mine(FactorizedPrior):
        pass

    description, _ = pack(Mine(4, 4), "mine")
    assert (description["architecture"], description["config"]) == ("Mine", {"N": 4, "M": 4})


ARRAYS = {"type": "uint16", "channels": 5, "minimum": 0, "maximum": 4095}


class Spectral(FactorizedPrior):
    """`FactorizedPrior` for arrays of five channels."""

    def __init__(self, N, M):
        super().__init__(N, M)
        self.g_a[0] = conv(5, N)
        self.g_s[-1] = deconv(N, 5)


class SpectralCodec(SimpleVAECompressionModel):
    """A user's own model of five channels, of a latent codec."""

    downsampling_factor = 16
    in_channels = 5

    def __init__(self):
        super().__init__()
        self.config = {}
        self.g_a = torch.nn.Sequential(conv(5, 8), torch.nn.ReLU(), conv(8, 8))
        self.g_s = torch.nn.Sequential(deconv(8, 8), torch.nn.ReLU(), deconv(8, 5))
        h_a = torch.nn.Sequential(conv(8, 6), torch.nn.ReLU(), conv(6, 6))
        h_s = torch.nn.Sequential(deconv(6, 8), torch.nn.ReLU(), deconv(8, 16))
        hyper = HyperLatentCodec(EntropyBottleneck(6), h_a=h_a, h_s=h_s, quantizer="ste")
        self.latent_codec = HyperpriorLatentCodec({"hyper": hyper})


@pytest.mark.parametrize("model", [lambda: Spectral(6, 8), SpectralCodec])
def test_models_of_other_channels_code_arrays(model, monkeypatch, tmp_path, rng):
    torch.manual_seed(3)
    net = model().eval()
    monkeypatch.setitem(MODELS, "spectral", type(net))
    net.update(force=True)
    coding.write_package(tmp_path / "spectral.lcrm", *pack(net, "spectral", samples=ARRAYS))
    array = rng.integers(0, 4096, (37, 50, 5), dtype=np.uint16)
    data = lcrs.compress(array, model=tmp_path / "spectral.lcrm")
    restored = lcrs.decompress(data, tmp_path / "spectral.lcrm")
    assert (restored.shape, restored.dtype) == (array.shape, array.dtype)
    x = torch.from_numpy(array.astype(np.float32) / 4095).permute(2, 0, 1)[None]
    out = net.compress(x)
    expected = net.decompress(out["strings"], out["shape"], out["size"])["x_hat"]
    expected = (4095 * expected[0].clamp(0, 1)).round().permute(1, 2, 0).numpy()
    # Torch's sums may round a latent, or a number, the other way now and then.
    assert np.mean(np.abs(restored - expected)) < 1.6
    with pytest.raises(ValueError, match="3 channels of uint16 given, model 'spectral' codes 5 channels"):
        lcrs.compress(array[..., :3], model=tmp_path / "spectral.lcrm")


def test_one_name_means_one_tensor():
    tables = Tables()
    tables.factorized("y", make("bmshj2018-factorized").entropy_bottleneck)
    with pytest.raises(ValueError, match=r"call different tensors 'y.cdf'"):
        tables.factorized("y", make("bmshj2018-factorized", seed=1).entropy_bottleneck)
    with pytest.raises(ValueError, match="domain is 'cubic'"):
        tables.gaussian("z", make("mbt2018-mean").gaussian_conditional, means=True, domain="cubic")


class LyingGDN(GDN):
    """Overrides what `forward` calls: the inherited `lower` does not know."""

    def _norm(self, pooled):
        return super()._norm(pooled) + 0.5


class Shifted(nn.ReLU):
    def forward(self, x):
        return super().forward(x) + 0.3

    def lower(self, graph, x):
        return graph.op("relu", x)


@pytest.mark.parametrize("wrong", [LyingGDN(8), Shifted()])
@pytest.mark.parametrize("place", ["g_a", "g_s"])
def test_a_form_that_disagrees_with_forward_is_refused_by_name(wrong, place):
    net = make("bmshj2018-factorized")
    getattr(net, place)[1] = wrong
    with pytest.raises(NotPortableError, match=rf"{type(wrong).__name__} at '{place}\.1' .*does not compute"):
        pack(net, "tiny")


def test_the_first_compress_refuses_a_lower_that_disagrees():
    net = make("mbt2018-mean")
    x = torch.rand(1, 3, 64, 64)
    net.compress(x)
    net.h_s[1] = Shifted()
    with pytest.raises(NotPortableError, match=r"Shifted at 'h_s\.1'"):
        net.compress(x)


def test_models_of_arrays_say_what_they_code(monkeypatch):
    net = SpectralCodec().eval()
    monkeypatch.setitem(MODELS, "spectral", type(net))
    net.update(force=True)
    advice = r"g_a takes 5 channels and pictures have 3.*pass samples=\{'type': 'float32', 'channels': 5, "
    with pytest.raises(NotPortableError, match=advice):
        pack(net, "spectral")
    types = r"the type 'float64' \(uint8, int8, uint16, int16, float32\)"
    with pytest.raises(ValueError, match=types):
        pack(net, "spectral", samples={**ARRAYS, "type": "float64"})
    with pytest.raises(ValueError, match="samples have 4 channels, g_a takes 5"):
        pack(net, "spectral", samples={**ARRAYS, "channels": 4})
    for name in ARRAYS:
        with pytest.raises(ValueError, match=f"samples lack {name}: type, channels, minimum, maximum are"):
            pack(net, "spectral", samples={key: value for key, value in ARRAYS.items() if key != name})
