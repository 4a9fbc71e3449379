"""Packages of variable-rate models: the symbols of the torch model, at every scale, without torch."""

from functools import cache

import numpy as np
import pytest
import torch
from exact_twins import exact_twin
from kinds import slow_unless
from PIL import Image
from tiny_networks import make, shared, show_offsets

from lcrs import CorruptError, coding
from lcrs.cli import main
from lcrs.models.packing import pack

NAMES = ["bmshj2018-hyperprior-vbr", "mbt2018-mean-vbr", "mbt2018-vbr"]
VARIANTS = ["plain", "step of z", "no offsets"]
SIZES = [(1, 1), (17, 33), (64, 128)]


def make_variant(name, variant, seed=0):
    net = make(name, seed, vr_entbttlnck=variant == "step of z")
    net.no_quantoffset = variant == "no offsets"
    show_offsets(net)
    return net


def write(net, path, **options):
    coding.write_package(path, *pack(net, "tiny", **options))
    return coding.Package.from_file(path)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


# Each model, each variant, and offsets or none of latents that are coded at once and one after another.
QUICK = [
    ("bmshj2018-hyperprior-vbr", "step of z"),
    ("mbt2018-mean-vbr", "plain"),
    ("mbt2018-mean-vbr", "no offsets"),
    ("mbt2018-vbr", "plain"),
    ("mbt2018-vbr", "no offsets"),
]
EVERY = [((name, variant),) for name in NAMES for variant in VARIANTS]


@pytest.fixture(params=slow_unless(EVERY, lambda case: case[0] in QUICK), ids="-".join)
def variant(request):
    return request.param


@pytest.fixture
def net(variant):
    with shared(make_variant, *variant) as net:
        yield net


@pytest.fixture
def twin(variant):
    """The same with the sums of a package."""
    with shared(make_twin, *variant) as net:
        yield net


def make_twin(*variant):
    return exact_twin(make_variant(*variant))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Gives the path of a variant's package."""
    folder = tmp_path_factory.mktemp("packages")

    @cache
    def of(*variant):
        path = folder / f"{'-'.join(variant)}.lcrm"
        write(make_variant(*variant), path)
        return path

    return of


@pytest.fixture
def package(variant, written):
    return coding.Package.from_file(written(*variant))


def test_files_hold_the_strings_of_the_model(package, twin, rng):
    for size in SIZES:
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        for s in (0, 3, 7):
            data = package.compress(pixels, 100 * s / 7)
            out = twin.compress(x, s=s)
            for (string,) in out["strings"]:
                assert string in data, (size, s)
            restored = package.decompress(data)
            expected = twin.decompress(out["strings"], out["shape"], s=s, size=size)["x_hat"]
            expected = np.round(255 * expected[0].permute(1, 2, 0).numpy())
            assert np.abs(restored - expected).max() <= 1, (size, s)


def test_quality_lies_between_the_scales(package, twin, rng):
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    level = np.float32(np.float64(np.float32(62.5)) / 100 * 7)
    a, b = twin.Gain[4].item(), twin.Gain[5].item()
    assert level == 4.375
    scale = torch.tensor(a + np.float64(0.375) * np.float64(np.float32(b) - np.float32(a))).float()
    data = package.compress(pixels, 62.5)
    out = twin.compress(x, inputscale=scale)
    for (string,) in out["strings"]:
        assert string in data


def test_files_of_stage_1_have_no_scale(net, tmp_path, rng):
    package = write(net, tmp_path / "tiny.lcrm", stage=1)
    assert package.levels is None
    for size in SIZES:
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        data = package.compress(pixels)
        out = net.compress(x, stage=1)
        for (string,) in out["strings"]:
            assert string in data, size
        restored = net.decompress(out["strings"], out["shape"], stage=1, size=size)["x_hat"]
        expected = np.round(restored[0].permute(1, 2, 0).numpy() * np.float32(255))
        assert np.array_equal(package.decompress(data), expected), size


def test_files_of_any_scale(net, tmp_path, rng):
    package = write(net, tmp_path / "tiny.lcrm", scales=[0.05, 0.4, 1, 6])
    pixels = rng.integers(0, 256, (64, 70, 3), dtype=np.uint8)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    for scale in (0.05, 0.31, 1.7, 6.0):
        quality = coding.quality_of_scale(package, scale)
        named = coding.scale_of_quality(package, quality)
        assert named == pytest.approx(scale, rel=1e-6)
        data = package.compress(pixels, quality)
        rate = {"inputscale": torch.tensor(named)}
        out = net.compress(x, **rate)
        for (string,) in out["strings"]:
            assert string in data, scale
        restored = net.decompress(out["strings"], out["shape"], **rate, size=(64, 70))
        expected = np.round(restored["x_hat"][0].permute(1, 2, 0).numpy() * np.float32(255))
        assert np.array_equal(package.decompress(data), expected), scale


def test_every_scale_has_a_quality(tmp_path, rng):
    net = make_variant("bmshj2018-hyperprior-vbr", "plain")
    package = write(net, tmp_path / "tiny.lcrm")
    for s, gain in enumerate(net.Gain.tolist()):
        assert coding.quality_of_scale(package, gain) == pytest.approx(100 * s / 7, abs=1e-4)
        assert coding.scale_of_quality(package, 100 * s / 7) == gain
    for scale in rng.uniform(0.1, 1, 20).astype(np.float32).tolist():
        found = coding.scale_of_quality(package, coding.quality_of_scale(package, scale))
        assert abs(found - scale) < 2e-7
    for scale in (0.09, 1.01, 1e300, -1, float("nan")):
        with pytest.raises(ValueError, match=r"outside those of model 'tiny', 0\.1 to 1"):
            coding.quality_of_scale(package, scale)
    for other in (
        write(net, tmp_path / "one.lcrm", stage=1),
        write(make("mbt2018-mean-gain"), tmp_path / "g"),
    ):
        with pytest.raises(ValueError, match="no scale"):
            coding.quality_of_scale(other, 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage": 3}, "stage is 3"),
        ({"stage": 1, "scales": [1, 2]}, "stage 1 has no scale"),
        ({"scales": [1]}, "at least 2"),
        ({"scales": [1, 1]}, "ascending"),
        ({"scales": [0, 1]}, "positive"),
        ({"scales": [0.5, float("inf")]}, "finite"),
        ({"scales": [0.5, float("nan")]}, "ascending"),
    ],
)
def test_impossible_scales_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        pack(make(name), "tiny", **options)


def test_other_models_take_no_scales():
    with pytest.raises(ValueError, match="mbt2018-mean takes no scales"):
        pack(make("mbt2018-mean"), "tiny", scales=[1, 2])


def test_the_commands(tmp_path, rng, capsys):
    net = make_variant("mbt2018-mean-vbr", "step of z")
    torch.save(net.state_dict(), tmp_path / "net.pth")
    pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    checkpoint, model, source = (str(tmp_path / name) for name in ("net.pth", "net.lcrm", "in.png"))
    target = tmp_path / "out.lcrs"
    encode = ["encode", source, "--model", model, "-o", str(target), "--force"]
    assert main(["zoo", "import", checkpoint, "-o", model, "--scales", "0.5", "1", "2"]) == 0
    assert main([*encode, "--scale", "1.5"]) == 0
    assert target.read_bytes() == coding.Package.from_file(model).compress(pixels, 75)
    assert main([*encode, "--scale", "2.5"]) == 1
    assert "outside those of model 'net', 0.5 to 2" in capsys.readouterr().err
    assert main(["zoo", "import", checkpoint, "-o", model, "--stage", "1", "--force"]) == 0
    assert main(encode) == 0
    assert coding.info(target.read_bytes())["quality"] is None
    torch.save(make("mbt2018").state_dict(), tmp_path / "net.pth")
    assert main(["zoo", "import", checkpoint, "-o", model, "--stage", "1", "--force"]) == 1
    assert "mbt2018 takes no stage" in capsys.readouterr().err


def test_size_rises_with_quality(package, rng):
    pixels = rng.integers(0, 256, (64, 128, 3), dtype=np.uint8)
    sizes = [len(package.compress(pixels, quality)) for quality in (0, 10, 35.5, 60, 80, 99.9)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.8 * sizes[-1]


@pytest.mark.parametrize(
    "variants",
    [QUICK, pytest.param([case for (case,) in EVERY if case not in QUICK], marks=pytest.mark.slow)],
)
def test_files_decode_without_torch_on_another_path(variants, written, tmp_path, rng, fresh_python):
    paths = [written(*variant) for variant in variants]
    for number, path in enumerate(paths):
        package = coding.Package.from_file(path)
        data = package.compress(rng.integers(0, 256, (40, 70, 3), dtype=np.uint8), 41.7)
        (tmp_path / f"{number}.lcrs").write_bytes(data)
        np.save(tmp_path / f"{number}.npy", package.decompress(data))
    fresh_python(
        """
import sys
from pathlib import Path
import numpy as np
from lcrs import coding
for number, path in enumerate(sys.argv[1:]):
    package = coding.Package.from_file(path)
    restored = package.decompress(Path(f"{number}.lcrs").read_bytes())
    assert np.array_equal(restored, np.load(f"{number}.npy")), path
    for quality in (0, 50.5, 100):
        assert package.compress(restored, quality) == package.compress(restored, quality, threads=3), path
assert number > 2
assert "torch" not in sys.modules
""",
        *map(str, paths),
        LCRS_SIMD="scalar",
    )


def damaged(net, change):
    description, tensors = pack(net, "tiny")
    change(description)
    return description, tensors


@pytest.mark.parametrize(
    ("variant", "message", "change"),
    [
        ("plain", "there is no graph 'x'", lambda d: d["codec"]["y"].update(gain="x")),
        ("plain", "needs a 'gain'", lambda d: d["codec"]["y"].pop("gain")),
        ("plain", "'bound'", lambda d: d["codec"]["y"]["shrinkage"].update(bound="low")),
        ("plain", "1x1 layers|must not decide", lambda d: d["codec"]["y"]["shrinkage"].update(network="h_a")),
        ("plain", "must not decide", lambda d: d["codec"]["y"].update(gain="h_a")),
        ("step of z", "'tail_mass'", lambda d: d["codec"]["hyper"].update(tail_mass=1.0)),
        ("step of z", "there is no graph", lambda d: d["codec"]["hyper"].update(step="nothing")),
        ("step of z", "layers", lambda d: d["codec"]["hyper"].update(layers=[])),
        ("step of z", "inputs", lambda d: d["codec"]["hyper"]["layers"].pop(0)),
        ("step of z", "'factor'", lambda d: d["codec"]["hyper"]["layers"][0].pop("factor")),
    ],
)
def test_impossible_trees_are_refused(variant, message, change, tmp_path):
    def load():
        coding.write_package(
            tmp_path / "tiny.lcrm", *damaged(make_variant("mbt2018-mean-vbr", variant), change)
        )
        coding.Package.from_file(tmp_path / "tiny.lcrm")

    with pytest.raises(CorruptError, match=message):
        load()


@pytest.mark.parametrize("tensor", ["Gain", "QuantABCD.2.weight", "scale_to_context.bias"])
def test_what_decides_symbols_is_in_the_entropy_digest(tensor, tmp_path):
    net = make_variant("mbt2018-vbr", "plain")
    first = write(net, tmp_path / "a.lcrm")
    with torch.no_grad():
        net.get_parameter(tensor).mul_(1.01)
    other = write(net, tmp_path / "b.lcrm")
    assert other.entropy_digest != first.entropy_digest
    assert other.synthesis_digest == first.synthesis_digest


def test_the_density_of_z_is_in_the_entropy_digest(tmp_path):
    net = make_variant("mbt2018-mean-vbr", "step of z")
    digests = {write(net, tmp_path / "a.lcrm").entropy_digest}
    for tensor in ("_matrix1", "_bias4", "_factor0", "quantiles"):
        with torch.no_grad():
            net.entropy_bottleneck.get_parameter(tensor).add_(0.25)
        digests.add(write(net, tmp_path / "b.lcrm").entropy_digest)
    assert len(digests) == 5


def test_a_context_that_is_not_there_is_refused():
    net = make("mbt2018-vbr")
    net.ste_recursive = False
    for job in (net, net.compress):
        with pytest.raises(ValueError, match="ste_recursive is False: True alone is supported"):
            job(torch.rand(1, 3, 64, 64), stage=2, s=1)
    assert net(torch.rand(1, 3, 64, 64), stage=1)["x_hat"].shape == (1, 3, 64, 64)
