"""A user's own network of thirty lines: trained, packed, resumed and exported, without registration."""

import json
import re

import numpy as np
import pytest
import torch

import lcrs
from lcrs.cli import main
from lcrs.train import ConfigError, load_recipe, onnx_networks, run
from lcrs.train.export import DisagreementError, export_run

MINE = '''
from torch import nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.layers import GDN
from lcrs.models import CompressionModel
from lcrs.models.utils import conv, deconv


class Mine(CompressionModel):
    """As in the tutorial: a pair comes back."""

    downsampling_factor = 4

    def __init__(self, N=8):
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(N)
        self.encode = nn.Sequential(conv(3, N), GDN(N), conv(N, N))
        self.decode = nn.Sequential(deconv(N, N), GDN(N, inverse=True), deconv(N, 3))

    def forward(self, x):
        y_hat, y_likelihoods = self.entropy_bottleneck(self.encode(x))
        return self.decode(y_hat), {"y": y_likelihoods}


class Brighter(Mine):
    """Evaluation does more than its parts say."""

    def forward(self, x):
        x_hat, likelihoods = super().forward(x)
        return x_hat + 0.5, likelihoods


class Plain(nn.Module):
    """Knows nothing of lcrs, and has no package."""

    def __init__(self, channels=4):
        super().__init__()
        self.down, self.up = nn.Conv2d(3, channels, 4, 4), nn.ConvTranspose2d(channels, 3, 4, 4)
        self.bottleneck = EntropyBottleneck(channels)

    def forward(self, x):
        y_hat, y_likelihoods = self.bottleneck(self.down(x))
        return {"x_hat": self.up(y_hat), "likelihoods": {"y": y_likelihoods}}


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.layer(x)


class Broken(Wrong):
    def forward(self, x):
        raise ValueError("boom")


def function():
    return 3
'''


@pytest.fixture
def own(tiny, tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"}
    return {**settings, "model.import": "own_networks:Mine", "loss.lmbda": 0.01, "validation.coded": 1}


def test_thirty_lines_become_a_package(own, photo, tmp_path):
    folder = run(load_recipe("mbt2018-mean", {**own, "steps": 3, "model.sizes.N": 6})).output
    result = run(load_recipe("mbt2018-mean", {**own, "model.sizes.N": 6}))
    assert result.package == folder / "model.lcrm"
    saved = torch.load(folder / "model.pt", weights_only=True)
    assert (saved["import"], saved["config"]) == ("own_networks:Mine", {"N": 6})
    data = lcrs.compress(photo, model=result.package)
    assert lcrs.decompress(data, model=result.package).shape == photo.shape
    (agreement,) = export_run(folder, tmp_path / "mine.lcrm")
    assert agreement.native_bits == pytest.approx(agreement.estimated_bits, rel=0.05)
    assert agreement.torch_bits is None  # it has no compress
    with pytest.raises(FileExistsError):
        export_run(folder, tmp_path / "mine.lcrm")


def test_a_network_that_is_no_package_trains_all_the_same(own):
    result = run(load_recipe("mbt2018-mean", {**own, "model.import": "own_networks:Plain"}))
    assert result.package is None
    assert result.steps == 5
    log = [json.loads(line) for line in (result.output / "log.jsonl").read_text().splitlines()]
    assert any("no package" in entry.get("text", "") for entry in log)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("own_networks:Other", r"model\.import=own_networks:Other: AttributeError"),
        ("nowhere_at_all:Net", r"nowhere_at_all:Net: ModuleNotFoundError"),
        ("own_networks:MINE", r"AttributeError"),
        ("own_networks:function", r"gives a int, a torch\.nn\.Module is needed"),
    ],
)
def test_what_cannot_be_imported_is_said(own, named, said):
    with pytest.raises(ConfigError, match=said):
        run(load_recipe("mbt2018-mean", {**own, "model.import": named}))


def test_wrong_sizes_and_wrong_results_are_said(own):
    with pytest.raises(ConfigError, match=r"cannot be made with model\.sizes = \{'K': 3\}: .*'K'"):
        run(load_recipe("mbt2018-mean", {**own, "model.sizes.K": 3}))
    with pytest.raises(ValueError, match="returned a Tensor; training needs a mapping with x_hat"):
        run(load_recipe("mbt2018-mean", {**own, "model.import": "own_networks:Wrong"}))
    with pytest.raises(ConfigError, match=r"loss\.lmbda is not set"):
        run(load_recipe("mbt2018-mean", {key: value for key, value in own.items() if key != "loss.lmbda"}))
    named = {"model.import": None, "quality": None}
    with pytest.raises(ConfigError, match=r"model\.name is 'mbt2019'; did you mean 'mbt2018'\?"):
        run(load_recipe("mbt2018-mean", {**own, **named, "model.name": "mbt2019"}))


def test_an_error_of_ones_own_model_comes_with_its_place(own, capsys):
    words = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in own.items()]
    assert main(["train", "mbt2018-mean", *words, "model.import=own_networks:Broken"]) == 1
    told = capsys.readouterr().err
    assert re.search(
        r"own_networks:Broken: ValueError: boom \(.*own_networks\.py, line \d+, in forward\)", told
    )


def test_export_refuses_what_packs_otherwise_than_it_codes(own, tmp_path):
    """Packing itself sees a forward pass of its own; where nobody looks, the comparison does."""
    folder = run(load_recipe("mbt2018-mean", {**own, "model.import": "own_networks:Brighter"})).output
    with pytest.raises(lcrs.NotPortableError):
        export_run(folder, tmp_path / "brighter.lcrm")
    assert not (tmp_path / "brighter.lcrm").exists()


def longer(out, more):
    return {**out, "strings": [[string + more for string in part] for part in out["strings"]]}


def brighter(out):
    return {**out, "x_hat": out["x_hat"] + 0.1}


def test_agreement_is_of_pixels_bits_and_the_forward_pass(own, tmp_path, monkeypatch):
    from lcrs.codec.torch_model import package_of
    from lcrs.train import export
    from lcrs.train.pack import network_of_checkpoint

    settings = {**own, "model.import": None, "model.sizes": {"N": 8, "M": 12}}
    folder = run(load_recipe("mbt2018-mean", settings)).output
    net, _ = network_of_checkpoint(folder / "model.pt")
    package = package_of(net)
    picture = export.made_picture()
    assert picture.std() > 30
    (good,) = export.check_agreement(net, package, picture)
    assert good.torch_step == 0
    assert good.torch_bits == good.native_bits
    original = net.decompress
    net.decompress = lambda *a, **k: {"x_hat": original(*a, **k)["x_hat"] + 0.02}
    with pytest.raises(DisagreementError, match=r"torch's coding and the package differ by [56] of 255"):
        export.check_agreement(net, package, picture)
    net.decompress = original
    compress = net.compress
    net.compress = lambda x: longer(compress(x), b"x" * 99)
    net.decompress = lambda strings, shape: original([[s[:-99] for s in part] for part in strings], shape)
    with pytest.raises(DisagreementError, match="they code other symbols"):
        export.check_agreement(net, package, picture)
    net.compress, net.decompress = compress, original
    net.forward = lambda x: brighter(type(net).forward(net, x))
    with pytest.raises(DisagreementError, match="the forward pass and the package differ"):
        export.check_agreement(net, package, picture)


def made_by_hand(name, module, inputs):
    """As `onnx_networks._exported`, of convolutions and ReLUs: torch's exporter takes seconds to load."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, last = [], [], "input"
    for k, layer in enumerate(module):
        now = f"{name}.{k}"
        if isinstance(layer, torch.nn.ReLU):
            nodes.append(helper.make_node("Relu", [last], [now]))
        else:
            values = {f"{now}.{key}": value.detach().numpy() for key, value in layer.named_parameters()}
            weights += [numpy_helper.from_array(value, key) for key, value in values.items()]
            options = {"strides": layer.stride, "pads": 2 * layer.padding}
            if isinstance(layer, torch.nn.ConvTranspose2d):
                options["output_padding"] = layer.output_padding
            kind = type(layer).__name__.removesuffix("2d")
            nodes.append(helper.make_node(kind, [last, *values], [now], **options))
        last = now
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in ("input", last)]
    graph = helper.make_graph(nodes, name, ends[:1], ends[1:], weights)
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.mark.filterwarnings("ignore::lcrs.errors.ModelWarning")
@pytest.mark.parametrize("exporter", ["by hand", pytest.param("of torch", marks=pytest.mark.slow)])
def test_onnx_files_compute_what_torch_does(own, tmp_path, monkeypatch, exporter):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    if exporter == "by hand":
        monkeypatch.setattr(onnx_networks, "_exported", made_by_hand)
    settings = {**own, "model.import": None, "model.name": "bmshj2018-factorized-relu"}
    settings |= {"steps": 1, "model.sizes": {"N": 8, "M": 12}}
    folder = run(load_recipe("mbt2018-mean", settings)).output
    export_run(folder, tmp_path / "net.lcrm", onnx=tmp_path / "onnx")
    names = {path.name for path in (tmp_path / "onnx").iterdir()}
    assert names == {"g_a.onnx", "g_s.onnx"}
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "g_s.onnx"))
    from lcrs.train.pack import network_of_checkpoint

    net, _ = network_of_checkpoint(folder / "model.pt")
    y = torch.randn(3, 12, 5, 9)
    (out,) = session.run(None, {session.get_inputs()[0].name: y.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(out, net.g_s(y).numpy(), atol=1e-4)
    card = json.loads(lcrs.codec.load_package(tmp_path / "net.lcrm").description)["card"]
    assert set(card["onnx"]) == {"g_a", "g_s"}
    assert card["agreement"][0]["torch_step"] <= 1
