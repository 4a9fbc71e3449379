"""Packages that come with lcrs: their files stay readable, their networks come back, rate follows quality."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

import lcrs
from lcrs import coding
from lcrs.coding import write_package
from lcrs.datasets.generated_clouds import generated_voxels
from lcrs.models import OctreeOccupancy
from lcrs.packages.from_network import package_of
from lcrs.zoo import load_model, shipped_models

SHIPPED = Path(__file__).parents[1] / "data" / "shipped"
PIXELS = json.loads((SHIPPED / "pixels.json").read_text())
POSITIONS = json.loads((SHIPPED / "positions.json").read_text())
"""SHA-256 of what files of models of point clouds decode to: int32, (N, 3), in Morton order."""
VARIABLE = [name for name in ("photo", "photo-2") if name in shipped_models()]


def whole_photo(data_dir):
    with Image.open(data_dir / "photo.png") as image:
        return np.asarray(image.convert("RGB"))


def clouds(height, width):
    """Coloured noise whose power falls with the square of the frequency, uint8 (H, W, 3)."""
    rng = np.random.default_rng(11)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    falling = 1 / np.maximum(np.hypot(y, x), 1 / max(height, width))
    noise = np.fft.rfft2(rng.standard_normal((3, height, width))) * falling
    planes = np.fft.irfft2(noise, (height, width))
    planes = 128 + 50 * (planes - planes.mean()) / planes.std()
    return np.ascontiguousarray(np.clip(np.round(planes), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def points_of(package, picture, qualities):
    """Bytes and PSNR in dB of files of a picture."""
    points = []
    for quality in qualities:
        data = package.compress(picture, float(quality))
        error = package.decompress(data).astype(float) - picture
        points.append((len(data), 10 * np.log10(255**2 / np.square(error).mean())))
    return np.array(points).T


@pytest.mark.parametrize("path", ["", "scalar"])
def test_files_of_every_model_stay_readable(path, fresh_python):
    code = f"""
import hashlib, json, sys
from pathlib import Path
import lcrs
from lcrs.coding import CloudPackage
from lcrs.packages import shipped_models
found = {{}}
for name in {sorted([*PIXELS, *POSITIONS])}:
    data = Path(sys.argv[1], f"{{name}}.lcrs").read_bytes()
    if name in {sorted(POSITIONS)}:
        values, attributes = CloudPackage.from_file(shipped_models()[name]).decompress(data)
        assert attributes == {{}}
    else:
        values = lcrs.decompress(data)
    found[name] = lcrs.info(data)["model"], hashlib.sha256(values.tobytes()).hexdigest()
print(json.dumps(found))
"""
    found = json.loads(fresh_python(code, str(SHIPPED), LCRS_SIMD=path, LCRS_MODEL_PATH=""))
    assert found == {name: [name, digest] for name, digest in {**PIXELS, **POSITIONS}.items()}


def test_every_shipped_model_has_such_a_file():
    assert {*PIXELS, *POSITIONS} == set(shipped_models())


def network_of_clouds(path):
    """The network of a package: layers are 1 x 1 convolutions in it."""
    config = json.loads(coding.CloudPackage.from_file(path).description)["config"]
    net, tensors = OctreeOccupancy(**config), load_file(path)
    shapes = {key: parameter.shape for key, parameter in net.named_parameters()}
    stored = {key: torch.from_numpy(tensors[key]).float().reshape(shape) for key, shape in shapes.items()}
    net.load_state_dict(stored)
    return net.eval()


def test_the_network_of_clouds_codes_what_its_package_codes(tmp_path):
    """The trainable network gives the package's digest, and its estimate is what files need."""
    path = shipped_models()["geometry"]
    net = network_of_clouds(path)
    write_package(tmp_path / "again.lcrm", *package_of(net, "geometry"))
    package = coding.CloudPackage.from_file(path)
    assert coding.CloudPackage.from_file(tmp_path / "again.lcrm").entropy_digest == package.entropy_digest
    rng = np.random.default_rng(0)
    points = generated_voxels(3, "captured", max_points=3000)
    data, dropped = package.compress(points, {})
    decoded, _ = package.decompress(data)
    np.testing.assert_array_equal(np.unique(decoded, axis=0), points)
    assert dropped == 0
    pytest.importorskip("pydantic")  # of the extra [train]
    from lcrs.train.data.octrees import nodes_of_cloud
    from lcrs.train.octrees import bits_a_point

    estimated = bits_a_point(net, nodes_of_cloud(net, points.astype(np.uint32), 10**6, rng))
    assert 8 * len(data) / len(points) == pytest.approx(estimated, rel=0.05, abs=1000 / len(points))


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_cards_say_what_there_is_to_know(name):
    path = shipped_models()[name]
    kind = coding.CloudPackage if name in POSITIONS else coding.Package
    description = json.loads(kind.from_file(path).description)
    card = description["card"]
    assert description["name"] == name
    assert {"title", "description", "data", "licence"} <= card.keys()
    assert path.stat().st_size <= 17_000_000
    beside = json.loads(path.with_suffix(".json").read_text())
    assert beside.items() <= card.items()
    if "digests" in card:
        assert card["digests"] == {kind: description[f"{kind}_digest"] for kind in card["digests"]}


@pytest.mark.parametrize("name", VARIABLE)
def test_networks_code_what_packages_code(name, photo):
    """The trainable network of a shipped model has its weights, to the bit."""
    net = load_model(name)
    net.entropy_coder = "lcrs"
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    for quality in (20, 90):
        out = net.compress(x, quality)
        data = lcrs.compress(photo, quality=quality, model=name)
        assert all(string in data for (string,) in out["strings"])
    net.train()(x)["x_hat"].mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.g_a.parameters())


@pytest.mark.parametrize("name", VARIABLE)
@pytest.mark.parametrize("part", ["photo", pytest.param("clouds", marks=pytest.mark.slow)])
def test_rate_and_fidelity_rise_with_quality(name, part, photo):
    """So small a picture goes up and down by roundings, but not over ten qualities."""
    picture = photo if part == "photo" else clouds(72, 90)
    package = lcrs.codec.load_package(name)
    sizes, fidelities = points_of(package, picture, range(0, 101, 5))
    assert (sizes[2:] > sizes[:-2]).all()
    assert (fidelities[2:] > fidelities[:-2]).all()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", VARIABLE)
@pytest.mark.parametrize("part", ["photo", "clouds"])
def test_rate_and_fidelity_rise_with_every_quality(name, part, data_dir):
    picture = whole_photo(data_dir) if part == "photo" else clouds(512, 640)
    sizes, fidelities = points_of(lcrs.codec.load_package(name), picture, range(101))
    assert (np.diff(sizes) > 0).all()
    assert (np.diff(fidelities) > 0).all()
