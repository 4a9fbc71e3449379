"""Checkpoints of all kinds: keys of older versions and of wrappers, containers, detection, damage."""

import argparse
import collections
import contextlib
import datetime
import enum
import functools
import io
import os
import pickle
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from lcrs.errors import CorruptError, MissingModelError
from lcrs.models import Cheng2020Anchor, Elic2022Official, ScaleHyperprior
from lcrs.registry import MODELS
from lcrs.zoo import load_checkpoint, load_pretrained, package_of_checkpoint
from lcrs.zoo.pretrained import rename_key
from lcrs.zoo.state_dicts import architecture_of, network_of, read_state_dict

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from kinds import slow_unless
from tiny_networks import TINY, make

# Networks that are only read.
made = functools.cache(make)
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
    net = made(name)
    old = aged(net.state_dict(), singular)
    assert not old.keys() & net.state_dict().keys()
    loaded = network_of(load_pretrained(old))
    assert type(loaded) is type(net)
    assert equal(loaded.state_dict(), net.state_dict())


def test_two_parameters_of_one_name_are_refused():
    with pytest.raises(ValueError, match="twice"):
        load_pretrained({"module.a": torch.zeros(1), "a": torch.zeros(1)})


@pytest.mark.parametrize(
    ("name", "updated"),
    slow_unless(
        [(name, updated) for updated in (False, True) for name in ARCHITECTURES],
        # tables of z alone, and of Gaussians as well, with a context or in groups
        lambda case: not case[1] or case[0] in ("bmshj2018-factorized", "mbt2018", "elic2022-official"),
    ),
)
def test_the_architecture_is_told_by_the_keys(name, updated):
    net = make(name) if updated else made(name)
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
        for groups in ([2, 4], [6], [1] * 6):
            net = MODELS[name](N=8, M=6, groups=groups)
            assert architecture_of(net.state_dict()) == name
            assert network_of(net.state_dict()).config == {"N": 8, "M": 6, "groups": groups}


@pytest.fixture
def net():
    return made("bmshj2018-factorized")


@pytest.fixture
def updated_net():
    """One of the test's own."""
    net = make("bmshj2018-factorized")
    net.update()
    return net


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


@pytest.mark.parametrize("content", [b"hello", b"e\n", b"\x89PNG\r\n\x1a\n", bytes(100), b""])
def test_files_that_are_no_checkpoints_are_told_in_words(content, tmp_path):
    (tmp_path / "notes.txt").write_bytes(content)
    with pytest.raises(CorruptError, match="loaded safely") as caught:
        load_checkpoint(tmp_path / "notes.txt")
    reason = str(caught.value).rpartition("loaded safely: ")[2]
    assert len(reason.split()) > 3


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


def test_another_architecture_is_refused_before_its_network_is_drawn(monkeypatch):
    state = {name: made(name).state_dict() for name in ("bmshj2018-factorized", "mbt2018-mean")}
    drawn = []
    monkeypatch.setattr(nn.init, "uniform_", lambda *_, **__: drawn.append("uniform"))
    monkeypatch.setattr(nn.init, "kaiming_uniform_", lambda *_, **__: drawn.append("kaiming"))
    for name in ARCHITECTURES:
        for told in state.keys() - {name}:
            with pytest.raises(ValueError, match=f"not one of {name}: .* those of {told}$"):
                network_of(state[told], name)
    assert drawn == []
    network_of(state["mbt2018-mean"], "mbt2018-mean")
    assert drawn != []


def test_a_class_that_has_taken_a_name_is_asked_itself(monkeypatch):
    class Mine(ScaleHyperprior):
        pass

    monkeypatch.setitem(MODELS._own, "mbt2018-mean", Mine)
    assert type(network_of(made("bmshj2018-hyperprior").state_dict(), "mbt2018-mean")) is Mine


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


class Settings:
    """What a training script may keep beside the weights; unknown wherever the file is read."""

    instances = 0

    def __init__(self):
        type(self).instances += 1
        self.rate, self.names = 0.5, {"a", "b"}

    def __setstate__(self, state):
        type(self).instances += 1


class Stage(enum.Enum):
    FIRST = 1


def beside(state):
    """Everything that scripts have been seen to store, and that torch would not load."""
    history = collections.defaultdict(list)
    history["loss"].append(np.float64(0.25))
    return {
        "state_dict": state,
        "best": np.float32(1.5),
        "psnr": np.array([30.0, 31.0]),
        "args": argparse.Namespace(lmbda=0.01, save=Path("runs")),
        "settings": Settings(),
        "history": history,
        "stage": {Stage.FIRST: Stage.FIRST},
        "when": datetime.datetime(2024, 1, 2),
        "dtype": torch.float16,
        "order": [collections.Counter("ab"), {1, 2}, frozenset({3}), bytearray(b"x"), slice(1), 3 + 4j],
    }


def in_lightning(state):
    return {
        "state_dict": {**{f"model.{key}": value for key, value in state.items()}, "loss.w": torch.ones(1)},
        "hyper_parameters": argparse.Namespace(lr=1e-4),
        "callbacks": {"best": np.float64(1.0)},
        "pytorch-lightning_version": "2.0",
    }


MORE_WRAPPED = {
    "net": lambda state: {"net": state, "epoch": 1},
    "model": lambda state: {"optimizer": {"state": {0: torch.zeros(2)}}, "model": state},
    "model_state_dict": lambda state: {"epoch": 1, "model_state_dict": state},
    "ema": lambda state: {"ema": state, "step": 3},
    "shadow": lambda state: {"ema": {"decay": 0.99, "shadow": state}},
    "counters": lambda state: {"ema": {"num": torch.tensor(3)}, "net": state, "step": torch.tensor(4)},
    "only averaged": lambda state: {"params_ema": state, "step": torch.tensor(4)},
    "nested": lambda state: {"model": {"state_dict": state, "config": {"N": 3}}},
    "ddp": lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    "ddp in lightning": lambda state: {
        "state_dict": {f"model.module.{key}": value for key, value in state.items()}
    },
    "averaged": lambda state: {
        "n_averaged": torch.tensor(3), **{f"module.{key}": value for key, value in state.items()}
    },
    "teacher": lambda state: {
        **{f"teacher.net.{key}": 3 * value for key, value in state.items()},
        **{f"net.{key}": value for key, value in state.items()},
    },
    "thop": lambda state: {
        **state,
        **{f"{part}total_ops": torch.zeros(1) for part in ("", "g_a.", "g_a.0.")},
        **{f"{part}total_params": torch.zeros(1) for part in ("", "g_a.", "g_a.0.")},
    },
    "numbers among weights": lambda state: {**state, "epoch": 3, "note": "best"},
    "everything": beside,
    "lightning": in_lightning,
    "dict of one's own": lambda state: {"model": collections.defaultdict(None, state)},
}  # fmt: skip


def of_both(wrapped, *quick):
    """Cases for a network of few keys, and for one of many at any depth, of which most repeat the first's."""
    cases = [(wrap, name) for name in ("bmshj2018-factorized", "elic2022-official") for wrap in wrapped]
    return slow_unless(cases, lambda case: case[1] == "bmshj2018-factorized" or case[0] in quick)


@pytest.mark.parametrize(("wrap", "name"), of_both(MORE_WRAPPED, "everything", "teacher", "ddp in lightning"))
def test_checkpoints_of_other_scripts_load(wrap, name, tmp_path):
    net = made(name)
    torch.save(MORE_WRAPPED[wrap](net.state_dict()), tmp_path / "a.ckpt")
    before = Settings.instances
    assert equal(load_checkpoint(tmp_path / "a.ckpt").state_dict(), net.state_dict())
    assert Settings.instances == before


def doubled(state, prefix=""):
    return {prefix + key: 2 * value for key, value in state.items()}


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


WITH_AVERAGED = {
    "ema": lambda state: {"net": doubled(state), "ema": state},
    "params_ema": lambda state: {"params": doubled(state), "params_ema": state},
    "timm": lambda state: {"epoch": 1, "state_dict": doubled(state), "state_dict_ema": state},
    "shadow": lambda state: {"model": doubled(state), "ema": {"decay": 0.9, "shadow": state}},
    "other wrapping": lambda state: {
        "state_dict": doubled(state, "model."), "ema_state_dict": prefixed(state, "module.")
    },
    "ema first": lambda state: {"model_ema": state, "model": doubled(state)},
    "ema beside": lambda state: {
        "state_dict": {**doubled(state, "model."), **prefixed(state, "ema."), "loss.w": torch.ones(1)}
    },
    "ema below": lambda state: {**doubled(state), **prefixed(state, "ema_model.")},
    "online": lambda state: {
        **prefixed(state, "ema.ema_model."), **doubled(state, "ema.online_model."), "ema.step": torch.ones(1)
    },
    "and a teacher": lambda state: {
        **doubled(state, "net."), **doubled(state, "teacher.net."), **prefixed(state, "net_ema.")
    },
}  # fmt: skip


@pytest.mark.parametrize(("wrap", "name"), of_both(WITH_AVERAGED, "and a teacher", "online"))
def test_averaged_weights_go_before_plain_ones_and_that_is_said(wrap, name, tmp_path):
    net = made(name)
    path = tmp_path / "a.ckpt"
    torch.save(WITH_AVERAGED[wrap](net.state_dict()), path)
    with pytest.warns(UserWarning, match="averaged are taken") as caught:
        assert equal(load_checkpoint(path).state_dict(), net.state_dict())
    (message,) = [str(warning.message) for warning in caught]
    assert message.startswith(f"{path} has averaged weights under ")
    assert "\n" not in message


def test_averaged_weights_without_tables_go_before_plain_ones_with_tables(net, updated_net, tmp_path):
    averaged = net.state_dict()
    tables = ("_offset", "_quantized_cdf", "_cdf_length")
    averaged = {key: value for key, value in averaged.items() if key.rpartition(".")[2] not in tables}
    torch.save({"model": doubled(updated_net.state_dict()), "ema": averaged}, tmp_path / "a.pth")
    with pytest.warns(UserWarning, match="averaged are taken"):
        loaded = load_checkpoint(tmp_path / "a.pth").state_dict()
    assert equal({key: loaded[key] for key in averaged}, averaged)


def test_averaged_weights_of_a_part_do_not_go_before_the_whole(net, tmp_path):
    part = {key: value for key, value in doubled(net.state_dict()).items() if not key.startswith("g_s.")}
    torch.save({"model": net.state_dict(), "ema": part}, tmp_path / "a.pth")
    with pytest.warns(UserWarning, match=r"the plain are taken, since the averaged lack 'g_s\.0\.bias'"):
        assert equal(load_checkpoint(tmp_path / "a.pth").state_dict(), net.state_dict())


@pytest.mark.parametrize(
    ("names", "told"),
    [(("generator",), "'generator'"), (("net_g", "net_d"), "'net_g', 'net_d'"), (("state_dict", "g"), "'g'")],
)
def test_names_that_are_not_known_are_told_with_those_that_are(names, told, net, tmp_path):
    content = dict.fromkeys(names, net.state_dict())
    if names[0] == "state_dict":
        content = {"state_dict": {"g": net.state_dict()}}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CorruptError) as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert f"its tensors are under {told}; known are network, state_dict, " in str(caught.value)
    assert "params_ema" in str(caught.value)


def test_tables_that_are_none_are_refused_with_the_file(updated_net, tmp_path):
    tables = ("_offset", "_quantized_cdf", "_cdf_length")
    state = {k: v * 0 if k.rpartition(".")[2] in tables else v for k, v in updated_net.state_dict().items()}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="row 0 has a length of 0") as caught:
        package_of_checkpoint(tmp_path / "a.pth")
    assert str(caught.value).startswith(f"{tmp_path / 'a.pth'}: ")


def test_safetensors_of_wrapped_models_load(net, tmp_path):
    tensors = {f"model.module.{key}": value.contiguous() for key, value in net.state_dict().items()}
    for name in ("a.safetensors", "pytorch_model.bin"):
        save_file({**tensors, "loss.w": torch.ones(1)}, tmp_path / name)
        assert equal(load_checkpoint(tmp_path / name).state_dict(), net.state_dict())


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "mbt2018", "elic2022-chandelier"])
@pytest.mark.parametrize("updated", [False, True])
def test_checkpoints_without_tables_load(name, updated, tmp_path):
    net = make(name)
    if updated:
        net.update()
    tables = ("_offset", "_quantized_cdf", "_cdf_length", "scale_table")
    state = {key: value for key, value in net.state_dict().items() if key.rpartition(".")[2] not in tables}
    torch.save(state, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert equal({key: value for key, value in loaded.state_dict().items() if key in state}, state)
    x = torch.rand(1, 3, 64, 64)
    out = loaded.compress(x)
    assert out["strings"] == made(name).compress(x)["strings"]


class Running:
    """Touches a file when it is unpickled: by a function, by a class, or when its state is set."""

    def __init__(self, how):
        self.how = how

    def __reduce__(self):
        touch = (Path.touch, (Path("ran-code"),))
        return {
            "reduce": touch,
            "eval": (eval, ("__import__('pathlib').Path('ran-code').touch()",)),
            "exec": (exec, ("import pathlib; pathlib.Path('ran-code').touch()",)),
            "system": (os.system, ("touch ran-code",)),
            "class": (subprocess.Popen, (["touch", "ran-code"],)),
            "partial": (functools.partial(Path.touch, Path("ran-code")), ()),
            "getattr": (getattr(Path("ran-code"), "touch"), ()),  # noqa: B009
            "load": (pickle.loads, (pickle.dumps(Hostile()),)),
            "torch.load": (torch.load, ("hostile.pth",)),
        }[self.how]


WAYS = ["reduce", "eval", "exec", "system", "class", "partial", "getattr", "load", "torch.load"]
PLACES = ["beside", "key", "inside"]
HOSTILE = [(how, place, is_zip) for is_zip in (True, False) for place in PLACES for how in WAYS]


# Each way in files of both kinds, at one place, and all ways at each place.
@pytest.mark.parametrize(
    ("how", "place", "is_zip"),
    slow_unless(HOSTILE, lambda case: (WAYS.index(case[0]) + case[2]) % 3 == PLACES.index(case[1])),
)
def test_hostile_checkpoints_run_nothing(how, place, is_zip, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Hostile(), "hostile.pth")
    state = net.state_dict()
    content = {
        "beside": {"state_dict": state, "other": [np.float64(1), Running(how)]},
        "key": {(Running(how), 1): 2, "net": state},
        "inside": {"state_dict": {**state, "other": Running(how)}},
    }[place]
    torch.save(content, "a.pth", _use_new_zipfile_serialization=is_zip)
    assert equal(load_checkpoint("a.pth").state_dict(), state)
    assert not Path("ran-code").exists()


@given(
    is_zip=st.booleans(),
    # Places as shares of the file, whose length differs from run to run.
    damages=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    kept=st.floats(0, 1),
)
@settings(max_examples=60)
def test_damaged_checkpoints_are_checkpoints_or_errors(is_zip, damages, kept):
    # The older form is a plain pickle: damage reaches the instructions, where a zip file's checksums say no.
    stream = io.BytesIO()
    state = {"g_a.0.weight": torch.zeros(2)}
    torch.save(beside(state), stream, _use_new_zipfile_serialization=is_zip)
    content = bytearray(stream.getvalue())
    for place, byte in damages:
        content[int(place * len(content))] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.pth")
        path.write_bytes(content[: int(kept * len(content))] if kept < 0.5 else content)
        with contextlib.suppress(CorruptError):
            assert isinstance(read_state_dict(path), dict)


@pytest.mark.parametrize("is_zip", [True, False])
def test_checkpoints_that_are_cut_off_are_named(is_zip, net, tmp_path):
    """Of a zip file, the loader may look for something before the beginning, which the system refuses."""
    path = tmp_path / "a.pth"
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    for length in (1, 100, 5000, 20_000, 60_000, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:length])
        with pytest.raises(CorruptError, match=re.escape(str(path))):
            read_state_dict(path)
