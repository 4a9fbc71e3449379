"""The zoo's functions: sizes, published files, offline folders, damaged and missing files."""

import hashlib
import inspect
from pathlib import Path

import pytest
import torch

from lcrs import zoo
from lcrs.errors import CorruptError, MissingModelError
from lcrs.registry import MODELS
from lcrs.zoo import checkpoints, image
from lcrs.zoo.checkpoints import ARCHITECTURES, Architecture, Weights

SIZES = {
    ("bmshj2018-factorized", 5): (128, 192),
    ("bmshj2018-factorized", 6): (192, 320),
    ("bmshj2018-factorized-relu", 1): (128, 192),
    ("bmshj2018-hyperprior", 5): (128, 192),
    ("bmshj2018-hyperprior", 6): (192, 320),
    ("mbt2018-mean", 4): (128, 192),
    ("mbt2018-mean", 5): (192, 320),
    ("mbt2018", 4): (192, 192),
    ("mbt2018", 5): (192, 320),
    ("cheng2020-anchor", 3): (128, 128),
    ("cheng2020-anchor", 4): (192, 192),
    ("cheng2020-attn", 6): (192, 192),
}
TINY = Architecture("bmshj2018-factorized", ({"N": 8, "M": 12}, {"N": 8, "M": 12}))


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder with the published file of a tiny model in place of the real ones, and that model."""
    torch.manual_seed(3)
    net = MODELS["bmshj2018-factorized"](8, 12)
    path = tmp_path / "files" / "net.pth.tar"
    path.parent.mkdir()
    torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    entry = Architecture(TINY.name, TINY.sizes, {"mse": Weights("tiny", ("00000000", digest))})
    monkeypatch.setattr(image, "ARCHITECTURES", {TINY.name: entry})
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.delenv("LCRS_ZOO_ROOT", raising=False)
    return path.rename(path.with_name(entry.file_name(2, "mse"))), net


def equal(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("name", "quality"),
    # a constructor for each family, and both of its sizes once
    [
        pytest.param(*case, marks=[pytest.mark.slow] * (case[0] not in ("mbt2018", "cheng2020-attn")))
        for case in SIZES
    ],
)
def test_sizes_follow_quality(name, quality):
    with torch.device("meta"):
        net = zoo.models[name](quality, progress=False)
    assert type(net) is MODELS[name]
    assert SIZES[name, quality] == (net.N, net.M)


def test_the_relu_function_builds_the_relu_model():
    with torch.device("meta"):
        net = zoo.bmshj2018_factorized_relu(1)
    assert not any("beta" in key for key in net.state_dict())


def test_every_published_quality_has_a_file_and_a_hash():
    files = [
        entry.file_name(quality, metric)
        for entry in ARCHITECTURES.values()
        for metric in entry.weights
        for quality in range(1, entry.num_qualities + 1)
    ]
    assert len(set(files)) == len(files) == 2 * 8 * 4 + 2 * 6 * 2 + 3
    assert "mbt2018-mean-4-6dba02a3.pth.tar" in files
    assert "mbt2018-mse-vbr-f12581a1.pth.tar" in files
    assert image.model_urls["cheng2020-attn"]["ms-ssim"][2] == (
        checkpoints.BASE_URL + "cheng2020_attn-ms-ssim-2-5dad201d.pth.tar"
    )
    assert list(zoo.models)[:7] == [
        "bmshj2018-factorized", "bmshj2018-factorized-relu", "bmshj2018-hyperprior", "mbt2018-mean",
        "mbt2018", "cheng2020-anchor", "cheng2020-attn",
    ]  # fmt: skip


def test_every_function_has_the_arguments_that_the_field_expects():
    for function in zoo.models.values():
        assert list(inspect.signature(function).parameters) == [
            "quality", "metric", "pretrained", "progress", "kwargs",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mbt2018", 0), "must be from 1 to 8"),
        (("mbt2018", 9), "must be from 1 to 8"),
        (("cheng2020-anchor", 7), "must be from 1 to 6"),
        (("mbt2018", 1, "ssim"), "mse, ms-ssim"),
        (("elic2022-official", 2), "from 1 to 1"),
    ],
)
def test_wrong_quality_or_metric_is_refused(arguments, message):
    name, *rest = arguments
    with pytest.raises(ValueError, match=message):
        zoo.models[name](*rest)


@pytest.mark.parametrize(
    "name",
    [
        "elic2022-official",
        "elic2022-chandelier",
        "cheng2020-anchor-checkerboard",
        "bmshj2018-factorized-relu",
    ],
)
def test_models_without_weights_say_so(name):
    with pytest.raises(ValueError, match=f"{name} has no published weights"):
        zoo.models[name](1, pretrained=True)


def test_weights_come_from_a_folder_an_environment_variable_or_the_cache(published, monkeypatch, tmp_path):
    path, net = published
    assert equal(zoo.bmshj2018_factorized(2, pretrained=True, root=path.parent), net)
    monkeypatch.setenv("LCRS_ZOO_ROOT", str(path.parent))
    assert equal(zoo.bmshj2018_factorized(2, pretrained=True), net)
    monkeypatch.delenv("LCRS_ZOO_ROOT")
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    path.rename(cache / path.name)
    loaded = zoo.bmshj2018_factorized(2, pretrained=True)
    assert equal(loaded, net)
    assert not loaded.training


def test_a_download_is_checked_and_kept(published, monkeypatch, tmp_path):
    path, net = published
    monkeypatch.setattr("lcrs.zoo.download.BASE_URL", path.parent.as_uri() + "/")
    assert equal(zoo.bmshj2018_factorized(2, pretrained=True, progress=False), net)
    path.write_bytes(b"gone")
    assert equal(zoo.bmshj2018_factorized(2, pretrained=True, progress=False), net)  # from the cache
    path.rename(path.with_name("tiny-1-00000000.pth.tar"))
    with pytest.raises(CorruptError, match="00000000"):
        zoo.bmshj2018_factorized(1, pretrained=True, progress=False)
    assert [file.name for file in (tmp_path / "hub" / "checkpoints").iterdir()] == [path.name]


def test_without_network_the_error_says_what_to_do(published, monkeypatch, tmp_path):
    monkeypatch.setattr("lcrs.zoo.download.BASE_URL", (tmp_path / "nowhere").as_uri() + "/")
    with pytest.raises(MissingModelError) as error:
        zoo.bmshj2018_factorized(1, pretrained=True)
    message = str(error.value)
    assert "tiny-1-00000000.pth.tar" in message
    assert "LCRS_ZOO_ROOT" in message
    assert "\n" not in message


def test_with_a_root_nothing_is_downloaded(published, monkeypatch, tmp_path):
    path, _ = published
    monkeypatch.setattr("lcrs.zoo.download.BASE_URL", path.parent.as_uri() + "/")
    with pytest.raises(MissingModelError, match="nothing is downloaded"):
        zoo.bmshj2018_factorized(2, pretrained=True, root=tmp_path)


def test_a_damaged_file_is_refused(published):
    path, _ = published
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match="its name says"):
        zoo.bmshj2018_factorized(2, pretrained=True, root=path.parent)


def test_published_weights_have_their_own_sizes(published):
    path, _ = published
    with pytest.raises(ValueError, match="have N = 8, not 16"):
        zoo.bmshj2018_factorized(2, pretrained=True, root=path.parent, N=16)
    assert zoo.bmshj2018_factorized(2, pretrained=True, root=path.parent, N=8).N == 8
    assert zoo.bmshj2018_factorized(2, N=16).N == 16


def test_listing_needs_no_torch(fresh_python):
    code = "import sys; from lcrs.zoo import ARCHITECTURES, shipped_models; print('torch' in sys.modules)"
    assert fresh_python(code) == "False"


def test_the_shipped_folder_is_where_packages_are_looked_for():
    from lcrs.packages import package_names
    from lcrs.packages.shipped import WEIGHTS

    assert Path(zoo.__file__).parent / "weights" == WEIGHTS
    assert set(zoo.shipped_models()) <= set(package_names())
