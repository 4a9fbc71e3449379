"""Multiplications and parameters, by hand, from packages and from torch."""

from __future__ import annotations

import json

import pytest

from lcrs import codec
from lcrs.cli import main
from lcrs.coding import codes_clouds
from lcrs.evaluate.complexity import of_description, of_file, of_package, published_complexity
from lcrs.zoo import shipped_models


def test_a_model_made_by_hand(tiny_models):
    """1 x 1 convolutions of 48 channels on blocks of 4 x 4, and 2 x 2 ones of stride 2 on those."""
    found = of_file(tiny_models / "tiny.lcrm")
    parts = {name: (part.kmacs_per_pixel, part.num_parameters) for name, part in found.parts.items()}
    assert parts == {
        "g_a": (pytest.approx(48 * 48 / 16 / 1000), 48 * 49),
        "g_s": (pytest.approx(48 * 48 / 16 / 1000), 48 * 49),
        "h_a": (pytest.approx(48 * 6 * 4 / 64 / 1000), 48 * 6 * 4 + 6),
        "h_s": (pytest.approx(6 * 96 * 4 / 64 / 1000), 6 * 96 * 4 + 96),
    }
    assert found.encoder.num_parameters == sum(parts[name][1] for name in ("g_a", "h_a", "h_s"))
    assert found.decoder.num_parameters == sum(parts[name][1] for name in ("g_s", "h_s"))


def test_a_published_figure():
    """bmshj2018-factorized with N = 128 and M = 192: four layers of 5 x 5 each way, three GDN."""
    macs = (3 * 128 / 4 + 128 * 128 / 16 + 128 * 128 / 64 + 128 * 192 / 256) * 25
    gdn = 128 * 128 * (1 / 4 + 1 / 16 + 1 / 64)
    found = published_complexity()["bmshj2018-factorized"][0]
    assert found["qualities"] == [1, 2, 3, 4, 5]
    assert found["encoder"]["kmacs_per_pixel"] == pytest.approx((macs + gdn) / 1000)


def test_a_file_says_what_its_package_says(tmp_path):
    for name, path in shipped_models().items():
        if codes_clouds(path):
            with pytest.raises(ValueError, match=f"model '{name}' codes point clouds"):
                of_file(path)
        else:
            assert of_file(path) == of_package(codec.load_package(name))
    (tmp_path / "x.lcrm").write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match="is no model package"):
        of_file(tmp_path / "x.lcrm")


def registered():
    try:
        from lcrs.registry import MODELS
    except ModuleNotFoundError:
        return []
    pictures = (name for name, entry in MODELS.items() if ".pointcloud." not in entry.__module__)
    return list(pictures)


QUICK = ("gain-hyperprior", "mbt2018-mean", "bmshj2018-factorized")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in registered()]
)
def test_torch_and_package_agree_for_every_registered_model(name):
    pytest.importorskip("torch")
    from lcrs.errors import NotPortableError
    from lcrs.evaluate.complexity import of_network
    from lcrs.models.packing import pack
    from lcrs.registry import MODELS

    entry = published_complexity()[name][0]
    net = MODELS[name](**entry["config"])
    ours = of_network(net)
    assert entry == {key: entry[key] for key in ("config", "qualities")} | ours.fields()
    try:
        description, tensors = pack(net, "x")
    except NotPortableError:
        assert name == "ssf2020"
        return
    packed = of_description(description, lambda key: tensors[key].shape)
    for part, numbers in ours.fields().items():
        # Packages of mbt2018-vbr have a bias in two places.
        assert packed.fields()[part] == pytest.approx(numbers, rel=1e-3 if name == "mbt2018-vbr" else 1e-9)


def test_the_list_of_models_shows_it(capsys):
    assert main(["zoo", "list"]) == 0
    out = capsys.readouterr().out
    assert "kMAC/pixel" in out
    line = next(line for line in out.splitlines() if line.startswith("mbt2018-mean "))
    assert "48.9" in line
    line = next(line for line in out.splitlines() if line.startswith("photo-2 "))
    assert f"{of_package(codec.load_package('photo-2')).decoder.kmacs_per_pixel:.1f}" in line
    assert main(["zoo", "list", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    by_name = {entry["architecture"]: entry for entry in fields["architectures"]}
    assert by_name["mbt2018"]["complexity"][0]["decoder"]["num_parameters"] > 9e6
    files = {entry["name"]: entry["complexity"] for entry in fields["package_files"]}
    assert files["photo"]["encoder"]["kmacs_per_pixel"] > 0
    assert files["geometry"] is None
