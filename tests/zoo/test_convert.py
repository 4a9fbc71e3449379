"""Files of CompressAI's codec.py, made of the strings that it wrote, turned into .lcrs files."""

import functools
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lcrs
from lcrs import coding
from lcrs.cli import main
from lcrs.errors import (
    CorruptError,
    DesyncError,
    LcrsError,
    LimitError,
    MissingModelError,
    TruncatedError,
    UnsupportedVersionError,
)
from lcrs.registry import MODELS
from lcrs.zoo.compressai_files import _MODELS, parse_compressai_file
from lcrs.zoo.convert import convert
from lcrs.zoo.network_latents import latents_of_network

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from kinds import slow_unless
from tiny_networks import make

INTEROP = Path(__file__).parents[1] / "data" / "interop"
WITHOUT_CONTEXT = [
    "bmshj2018-factorized",
    "bmshj2018-factorized-relu",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
]
FIXTURES = [*WITHOUT_CONTEXT, "mbt2018"]


def compressai_file(architecture, size, shape, strings, metric=0, quality=3, bit_depth=8):
    """The bytes that CompressAI's codec.py writes."""
    head = struct.pack(">BBIIB", _MODELS.index(architecture), metric << 4 | quality - 1, *size, bit_depth)
    body = struct.pack(">III", *shape, len(strings))
    return head + body + b"".join(struct.pack(">I", len(string)) + string for string in strings)


class Case:
    """A file of strings that CompressAI wrote, its checkpoint, and the picture that CompressAI restores."""

    def __init__(self, name, folder):
        arrays = dict(np.load(INTEROP / f"{name}.npz"))
        meta = json.loads(str(arrays.pop("meta")))
        state = {
            key.removeprefix("state."): torch.from_numpy(value)
            for key, value in arrays.items()
            if key.startswith("state.")
        }
        self.name, self.folder = name, folder
        self.checkpoint = folder / f"{name}.pth"
        torch.save(state, self.checkpoint)
        self.strings = [arrays[f"string.{i}.0"].tobytes() for i in range(len(meta["strings"]))]
        self.shape = meta["shape"]
        x_hat = arrays.get("decompress.x_hat", arrays["forward.x_hat"]).clip(0, 1)
        self.restored = x_hat[0].transpose(1, 2, 0)

    @property
    def padded(self):
        return self.restored.shape[:2]

    def file(self, size, **rest):
        return compressai_file(self.name, size, self.shape, self.strings, **rest)

    @functools.cached_property
    def package(self):
        path = self.folder / f"{self.name}.lcrm"
        assert main(["zoo", "import", str(self.checkpoint), "-o", str(path), "--force"]) == 0
        return path


@pytest.fixture(scope="module")
def case_of(tmp_path_factory):
    """Cases by their names, which tests only read."""
    folder = tmp_path_factory.mktemp("cases")
    return functools.cache(lambda name: Case(name, folder))


@pytest.fixture(params=FIXTURES)
def case(request, case_of):
    return case_of(request.param)


def centre(picture, size):
    (top, left), (height, width) = ((np.array(picture.shape[:2]) - size) // 2), size
    return picture[top : top + height, left : left + width]


def check_converted(case, data, size):
    package = case.package
    pixels = lcrs.decompress(data, model=package)
    assert pixels.shape == (*size, 3)
    expected = centre(case.restored, size) * 255
    assert np.abs(pixels - expected).max() <= 0.5 + 0.03


# The last one leaves more padding at the right and below than a model of 16 would add.
LESS = [(0, 0), (1, 2), (63, 17), (35, 41)]


@pytest.mark.parametrize(
    ("name", "less"),
    slow_unless(
        [(name, less) for name in FIXTURES for less in LESS],
        lambda case: case[0] == "mbt2018-mean" or case[1] == LESS[-1],
    ),
)
def test_the_picture_is_compressais(name, less, case_of):
    case = case_of(name)
    size = tuple(int(side) - cut for side, cut in zip(case.padded, less, strict=True))
    data = convert(case.file(size), case.checkpoint)
    check_converted(case, data, size)


@pytest.mark.parametrize("name", WITHOUT_CONTEXT)
def test_a_package_is_enough_where_exact_arithmetic_agrees(name, case_of, tmp_path, fresh_python):
    case = case_of(name)
    size = tuple(int(side) - 9 for side in case.padded)
    (tmp_path / "old.bin").write_bytes(case.file(size))
    code = """
import sys
sys.modules["torch"] = None
from lcrs.cli import main
source, package, target = sys.argv[1:]
sys.exit(main(["convert", source, "--model", package, "-o", target]))
"""
    target = tmp_path / "new.lcrs"
    fresh_python(code, str(tmp_path / "old.bin"), str(case.package), str(target))
    assert target.read_bytes() == convert(case.file(size), case.checkpoint)
    check_converted(case, target.read_bytes(), size)


@pytest.mark.parametrize("name", ["bmshj2018-factorized", "mbt2018-mean"])
def test_packages_refuse_strings_that_are_not_theirs(name, case_of):
    case = case_of(name)
    package = coding.Package.from_file(case.package)
    size = tuple(case.shape)
    y, z = package.latents_of_strings(case.strings, size)
    assert (z is None) == (len(case.strings) == 1)
    assert [side * 16 for side in y.shape[1:]] == list(case.padded)
    for threads in (1, 3):
        again, _ = package.latents_of_strings(case.strings, size, threads=threads)
        np.testing.assert_array_equal(again, y)
    rng = np.random.default_rng(7)
    for at, string in enumerate(case.strings):
        for end in (0, 1, *rng.integers(2, len(string), 10), len(string) - 1):
            cut = [*case.strings[:at], string[:end], *case.strings[at + 1 :]]
            with pytest.raises(DesyncError, match=f"latent {'yz'[at]}"):
                package.latents_of_strings(cut, size)
    for count in {0, 1, 2, 3} - {len(case.strings)}:
        with pytest.raises(MissingModelError, match="give that instead"):
            package.latents_of_strings((3 * case.strings)[:count], size)
    for wrong in ((2**40, 2**40), (2**62, 1), (2**20, 2**20)):
        with pytest.raises(LimitError):
            package.latents_of_strings(case.strings, wrong)


def test_a_context_needs_the_checkpoint(case_of):
    case = case_of("mbt2018")
    with pytest.raises(MissingModelError, match="give that instead"):
        convert(case.file(case.padded), case.package)


def test_symbols_are_unchanged(case_of):
    """y and z of the new file are those that the strings decode to, symbol by symbol."""
    case = case_of("mbt2018-mean")
    net = MODELS[case.name].from_state_dict(torch.load(case.checkpoint)).eval()
    net.entropy_coder = "ans"
    z = net.entropy_bottleneck.decompress([case.strings[1]], case.shape)
    with lcrs.portability("allow"):  # as CompressAI has it, of torch's scales
        scales, _ = net.h_s(z).chunk(2, 1)
        indexes = net.gaussian_conditional.build_indexes(scales)
    old = coding.decode(case.strings[0], indexes[0].numpy(), net.gaussian_conditional.cdf_table(), kind="ans")
    data = convert(case.file(case.padded), case.checkpoint)
    section = lcrs.info(data)["sections"][1]["num_bytes"]
    # What is in the file, read with this arithmetic's own parameters: rows, columns, channels.
    from lcrs.layers.exact import ExactNetwork

    scales, _ = ExactNetwork().run(net.h_s, z, "h_s").chunk(2, 1)
    indexes = net.gaussian_conditional.build_indexes(scales)[0].permute(1, 2, 0).contiguous().numpy()
    new = coding.decode(data[-section:], indexes, net.gaussian_conditional.cdf_table(), kind="lcrs")
    np.testing.assert_array_equal(new.transpose(2, 0, 1), old)


def test_torchs_sums_are_tried_after_exact_ones(case_of, monkeypatch):
    """Strings that exact parameters do not decode, but torch's do: made by letting these differ a lot."""
    case = case_of("mbt2018-mean")
    from lcrs.layers.exact import ExactNetwork

    run, calls = ExactNetwork.run, []

    def wrong(self, module, x, place):
        calls.append(place)
        return run(self, module, x, place) + 0.3

    monkeypatch.setattr(ExactNetwork, "run", wrong)
    data = convert(case.file(case.padded), case.checkpoint)
    assert calls
    monkeypatch.undo()
    check_converted(case, data, case.padded)


def test_torchs_other_kernels_are_tried_last(case_of, monkeypatch):
    case = case_of("mbt2018-mean")
    from lcrs.layers.exact import ExactNetwork

    run = ExactNetwork.run
    monkeypatch.setattr(ExactNetwork, "run", lambda *arguments: run(*arguments) + 0.3)
    net = MODELS[case.name].from_state_dict(torch.load(case.checkpoint)).eval()
    expected = latents_of_network(net, case.strings, case.shape)
    net.h_s.register_forward_hook(lambda module, x, y: y + 0.3 * torch._C._get_mkldnn_enabled())
    with lcrs.portability("allow"):  # a hook is not portable
        latents = latents_of_network(net, case.strings, case.shape)
    for found, latent in zip(latents, expected, strict=True):
        torch.testing.assert_close(found, latent)
    assert torch._C._get_mkldnn_enabled()
    net.h_s.register_forward_hook(lambda module, x, y: y + 0.3)
    with lcrs.portability("allow"), pytest.raises(LcrsError):
        latents_of_network(net, case.strings, case.shape)
    assert isinstance(net.g_s, torch.nn.Sequential)
    assert net.entropy_coder == "lcrs"


def test_strings_of_another_model_are_never_decoded(tmp_path):
    case = Case("mbt2018-mean", tmp_path)
    state = torch.load(case.checkpoint)
    state["h_s.4.bias"] += 0.7
    torch.save(state, case.checkpoint)
    with pytest.raises(LcrsError):
        convert(case.file(case.padded), case.checkpoint)
    with pytest.raises(DesyncError):
        convert(case.file(case.padded), case.package)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in FIXTURES[-2:])) for name in FIXTURES]
)
def test_a_damaged_string_is_an_error_or_another_string(name, case_of, monkeypatch):
    """These strings have no checksum: a flipped bit may give another picture's string, and nothing else."""
    case = case_of(name)
    rng, errors = np.random.default_rng(5), 0
    data, size = case.file(case.padded), case.padded
    undamaged = convert(data, case.checkpoint)
    # The network and its package are the same every time.
    converting = sys.modules[convert.__module__]
    net = converting._network(parse_compressai_file(data), case.checkpoint)
    package = converting._package(net, case.checkpoint, None)
    monkeypatch.setattr(converting, "_network", lambda *_: net)
    monkeypatch.setattr(converting, "_package", lambda *_: package)
    for _ in range(10):
        bad = bytearray(data)
        bad[rng.integers(27, 27 + len(case.strings[0]))] ^= 1 << rng.integers(8)
        try:
            converted = convert(bytes(bad), case.checkpoint)
        except LcrsError:
            errors += 1
        else:
            assert (lcrs.info(converted)["height"], lcrs.info(converted)["width"]) == size
            assert converted != undamaged
    assert errors >= 7


def test_files_cut_anywhere_are_refused(case):
    data = case.file(case.padded)
    for length in (*range(60), len(data) - 1):
        with pytest.raises(TruncatedError):
            parse_compressai_file(data[:length])
    with pytest.raises(CorruptError, match="after the last string"):
        parse_compressai_file(data + b"\0")


def field(data, offset, layout, *values):
    packed = struct.pack(layout, *values)
    return data[:offset] + packed + data[offset + len(packed) :]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ((0, "B", 10), UnsupportedVersionError, "model number is 10"),
        ((1, "B", 0x20), CorruptError, "metric number is 2"),
        ((2, ">I", 0), CorruptError, "at least 1 x 1"),
        ((2, ">I", 2**31), LimitError, "above the limit"),
        ((2, ">I", 1000), CorruptError, "latent of"),
        ((10, "B", 10), UnsupportedVersionError, "bit depth is 10"),
        ((19, ">I", 3), CorruptError, "3 strings"),
        ((23, ">I", 2**32 - 1), TruncatedError, "string 0"),
    ],
)
def test_headers_that_cannot_be_are_refused(change, error, message, case_of):
    case = case_of("mbt2018-mean")
    with pytest.raises(error, match=message):
        parse_compressai_file(field(case.file(case.padded), *change))


def test_another_architecture_is_refused(case_of, tmp_path):
    case = case_of("mbt2018-mean")
    torch.save(make("bmshj2018-hyperprior").state_dict(), tmp_path / "other.pth")
    with pytest.raises(MissingModelError, match="mbt2018-mean"):
        convert(case.file(case.padded), tmp_path / "other.pth")


def test_by_default_the_published_weights_are_used(case_of, monkeypatch):
    case = case_of("bmshj2018-factorized")
    asked = []

    def find(file_name):
        asked.append(file_name)
        return case.checkpoint

    monkeypatch.setattr("lcrs.zoo.download.find_checkpoint", find)
    data = convert(case.file(case.padded, metric=1, quality=2))
    assert asked == ["bmshj2018-factorized-ms-ssim-2-4a584386.pth.tar"]
    assert data == convert(case.file(case.padded), case.checkpoint)


VARIABLE = ["bmshj2018-hyperprior-vbr", "mbt2018-mean-vbr", "mbt2018-vbr"]


@pytest.mark.parametrize("way", ["scale", pytest.param("quality", marks=pytest.mark.slow)])
def test_files_of_variable_rate(way, case_of):
    """CompressAI wrote these strings at s = 3."""
    case = case_of("mbt2018-vbr")
    size = tuple(int(side) - 9 for side in case.padded)
    gain = torch.load(case.checkpoint)["Gain"][3].item()
    rate = {"quality": 300 / 7} if way == "quality" else {"scale": gain}
    data = convert(case.file(size), case.checkpoint, **rate)
    assert lcrs.info(data)["quality"] == pytest.approx(300 / 7, abs=1e-4)
    check_converted(case, data, size)
    for wrong in ({}, {"quality": 60}, {"scale": 0.9}):
        with pytest.raises(LcrsError):
            convert(case.file(size), case.checkpoint, **wrong)


STEPS = {"vr_entbttlnck": True}
VARIABLE_CASES = [(name, steps) for name in VARIABLE for steps in ({}, STEPS)]
# One without steps of z, one with.
QUICK = [("mbt2018-mean-vbr", {}), ("mbt2018-vbr", STEPS)]


@pytest.mark.parametrize(("name", "arguments"), slow_unless(VARIABLE_CASES, QUICK.__contains__))
def test_by_default_files_of_variable_rate_are_of_the_default_scale(name, arguments, tmp_path):
    net = make(name, **arguments)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    net.entropy_coder = "ans"
    out = net.compress(torch.rand(1, 3, 64, 128))
    data = compressai_file(name, (64, 128), out["shape"], [string for (string,) in out["strings"]])
    converted = convert(data, tmp_path / "net.pth")
    assert lcrs.info(converted)["quality"] == pytest.approx(100 / 7, abs=1e-4)
    package = tmp_path / "net.lcrm"
    assert main(["zoo", "import", str(tmp_path / "net.pth"), "-o", str(package)]) == 0
    restored = net.decompress(out["strings"], out["shape"])["x_hat"][0].permute(1, 2, 0) * 255
    assert np.abs(lcrs.decompress(converted, model=package) - restored.numpy()).max() <= 0.5 + 0.03
    with pytest.raises(MissingModelError, match="give that instead"):
        convert(data, package)
    with pytest.raises(ValueError, match="outside those of model 'net'"):
        convert(data, tmp_path / "net.pth", scale=1.5)
    with pytest.raises(ValueError, match="one of them"):
        convert(data, tmp_path / "net.pth", scale=0.5, quality=30)


def test_fixed_rates_take_no_scale(case_of):
    case = case_of("mbt2018-mean")
    with pytest.raises(ValueError, match="mbt2018-mean, whose rate is fixed"):
        convert(case.file(case.padded), case.checkpoint, quality=30)


def test_the_command(case_of, tmp_path, capsys):
    case = case_of("bmshj2018-factorized")
    source, target = tmp_path / "old.bin", tmp_path / "new.lcrs"
    source.write_bytes(case.file(case.padded))
    arguments = ["convert", str(source), "--model", str(case.checkpoint), "-o", str(target)]
    assert main([*arguments, "--name", "mine"]) == 0
    assert lcrs.info(target.read_bytes())["model"] == "mine"
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    source.write_bytes(source.read_bytes()[:-3])
    assert main([*arguments, "--force"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
