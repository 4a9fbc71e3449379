"""Checkpoints of all kinds: keys of older versions and of wrappers, containers, detection, damage."""

import pickle
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lcrs.errors import CorruptError, MissingModelError
from lcrs.models import Cheng2020Anchor, Elic2022Official, ScaleHyperprior
from lcrs.registry import MODELS
from lcrs.zoo import load_checkpoint, load_pretrained
from lcrs.zoo.pretrained import rename_key
from lcrs.zoo.state_dicts import architecture_of, network_of, read_state_dict

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_networks import TINY, make

ARCHITECTURES = [name for name in TINY if hasattr(MODELS[name], "from_state_dict")]


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("g_a.0.weight", "g_a.0.weight"),
        ("module.g_a.0.weight", "g_a.0.weight"),
        ("module._orig_mod.g_a.0.weight", "g_a.0.weight"),
        ("g_a.0.downsample.weight", "g_a.0.skip.weight"),
        ("encoder.downsample_layers.0.weight", "encoder.downsample_layers.0.weight"),
        ("entropy_bottleneck._biases.0", "entropy_bottleneck._bias0"),
        ("entropy_bottleneck._matrices.4", "entropy_bottleneck._matrix4"),
        ("entropy_bottleneck._factors.12", "entropy_bottleneck._factor12"),
        (
            "module.latent_codec.hyper.entropy_bottleneck._biases.1",
            "latent_codec.hyper.entropy_bottleneck._bias1",
        ),
        ("entropy_bottleneck.matrices.0", "entropy_bottleneck.matrices.0"),
        ("decoder.module.weight", "decoder.module.weight"),
    ],
)
def test_rename_key(old, new):
    assert rename_key(old) == new


def aged(state, singular):
    """The state dict as an old version wrote it from several devices."""
    plural = {"matrices": "_matrix", "biases": "_bias", "factors": "_factor"}
    aged = {}
    for key, value in state.items():
        head, _, last = key.rpartition(".")
        stem, _, kind = head.rpartition(".")
        if kind in plural and stem.endswith("entropy_bottleneck"):
            key = f"{stem}.{plural[kind]}{last}" if singular else f"{stem}._{kind}.{last}"
        aged["module." + key.replace(".skip.", ".downsample.")] = value
    return aged


@pytest.mark.parametrize("singular", [True, False])
@pytest.mark.parametrize("name", ["bmshj2018-hyperprior", "cheng2020-anchor", "elic2022-official"])
def test_old_keys_load_at_any_depth(name, singular):
    net = make(name)
    old = aged(net.state_dict(), singular)
    assert not old.keys() & net.state_dict().keys()
    loaded = network_of(load_pretrained(old))
    assert type(loaded) is type(net)
    assert equal(loaded.state_dict(), net.state_dict())


def test_two_parameters_of_one_name_are_refused():
    with pytest.raises(ValueError, match="twice"):
        load_pretrained({"module.a": torch.zeros(1), "a": torch.zeros(1)})


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("updated", [False, True])
def test_the_architecture_is_told_by_the_keys(name, updated):
    net = make(name)
    if updated:
        net.update()
    state = net.state_dict()
    assert architecture_of(state) == name
    loaded = network_of(state)
    assert type(loaded) is type(net)
    assert equal(loaded.state_dict(), state)


def test_elic_variants_of_confusing_sizes_are_told_apart():
    # 2 M of one is 3/2 N of the other.
    for name in ("elic2022-official", "elic2022-chandelier"):
        for groups in ([8, 16], [24], [1] * 24):
            net = MODELS[name](N=32, M=24, groups=groups)
            assert architecture_of(net.state_dict()) == name
            assert network_of(net.state_dict()).config == {"N": 32, "M": 24, "groups": groups}


@pytest.fixture
def net():
    return make("bmshj2018-factorized")


WRAPPED = {
    "raw": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "loss": 0.5, "optimizer": {"a": [1, 2]}},
    "network": lambda state: {"network": state, "step": 10},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_checkpoints_of_training_scripts_load(wrap, net, tmp_path):
    torch.save(wrap(net.state_dict()), tmp_path / "a.pth.tar")
    assert equal(load_checkpoint(tmp_path / "a.pth.tar").state_dict(), net.state_dict())


def test_safetensors_load(net, tmp_path):
    save_file(
        {key: value.contiguous() for key, value in net.state_dict().items()}, tmp_path / "a.safetensors"
    )
    assert equal(load_checkpoint(tmp_path / "a.safetensors").state_dict(), net.state_dict())


class Hostile:
    def __reduce__(self):
        return (Path.touch, (Path("ran-code"),))


def test_nothing_in_a_checkpoint_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Hostile()}, "a.pth")
    with pytest.raises(CorruptError, match="loaded safely"):
        load_checkpoint("a.pth")
    assert not Path("ran-code").exists()


def test_whole_models_are_refused_without_advice_to_load_them_unsafely(net, tmp_path):
    torch.save(net, tmp_path / "a.pth")
    with pytest.raises(CorruptError, match=r"could run code; save the model's state_dict\(\)") as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert type(net).__name__ in str(caught.value)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_are_refused_by_their_name(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in ({"a": [1, 2]}, {"state_dict": Hostile()}):
        Path("a.pth").write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(CorruptError, match=r"a plain pickle, which could run code|could run code; save"):
            load_checkpoint("a.pth")
    assert not Path("ran-code").exists()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", CorruptError, "no checkpoint"),
        (b"no checkpoint at all", CorruptError, "no checkpoint"),
        ({}, CorruptError, "holds no state dict"),
        ([1, 2], CorruptError, "holds no state dict"),
        ({"state_dict": {"a": 3}}, CorruptError, "'a' is a int"),
        ({"a": torch.zeros(2)}, ValueError, "no known architecture"),
        (None, MissingModelError, "there is no checkpoint"),
    ],
)
@pytest.mark.parametrize("extension", [".pth.tar", ".safetensors"])
def test_what_is_no_checkpoint_is_refused_in_one_line(content, error, message, extension, tmp_path):
    path = tmp_path / f"a{extension}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None and extension == ".pth.tar":
        torch.save(content, path)
    elif content is not None:
        pytest.skip("safetensors hold nothing of the kind")
    with pytest.raises(error, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_architecture_is_refused_in_one_line(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "a.pth")
    for architecture, message in (("mbt2018-mean", "not one of"), ("yolo", "no architecture is called")):
        with pytest.raises(ValueError, match=message) as caught:
            load_checkpoint(tmp_path / "a.pth", architecture)
        assert "\n" not in str(caught.value)


def test_reading_leaves_the_file_and_its_order_alone(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "a.pth")
    before = (tmp_path / "a.pth").read_bytes()
    assert list(read_state_dict(tmp_path / "a.pth")) == list(net.state_dict())
    assert (tmp_path / "a.pth").read_bytes() == before


def test_from_state_dict_of_a_subclass_gives_that_class():
    class Mine(ScaleHyperprior):
        pass

    assert type(Mine.from_state_dict(make("bmshj2018-hyperprior").state_dict())) is Mine
    assert issubclass(Cheng2020Anchor, MODELS["mbt2018"])
    assert Elic2022Official.from_state_dict(make("elic2022-official").state_dict()).groups == [2, 2, 4, 8]
