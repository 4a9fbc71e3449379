"""Files of torch models: by their package where they have one, else not portable, and never noise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import lcrs
from lcrs import codec, coding

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from foreign_parts import make_foreign  # noqa: E402
from tiny_networks import make  # noqa: E402
from torch import nn  # noqa: E402

from lcrs.entropy_models import EntropyBottleneck  # noqa: E402
from lcrs.models import CompressionModel  # noqa: E402
from lcrs.models.packing import pack  # noqa: E402

ARCHITECTURES = ["mbt2018-mean", "elic2022-official", "cheng2020-anchor-checkerboard", "mbt2018"]
_AGAIN = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from foreign_parts import make_foreign
import lcrs
net = make_foreign(sys.argv[2])
with open(sys.argv[3], "rb") as file:
    print(lcrs.decompress(file, net).tobytes().hex())
"""


class Unusual(CompressionModel):
    """Codes by methods of its own, which say more than strings and a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.entropy_bottleneck = EntropyBottleneck(4)
        self.there, self.back = nn.Conv2d(3, 4, 8, 8), nn.ConvTranspose2d(4, 3, 8, 8)

    def compress(self, x):
        y = torch.sinh(self.there(x))
        strings = self.entropy_bottleneck.compress(y)
        return {
            "strings": {"all": (strings, [])},
            "shape": y.shape[-2:],
            "peak": {"of": float(y.max()), "at": (np.int64(3), None, True, "text")},
            "seconds": object(),  # which decompress does not ask for
        }

    def decompress(self, strings, shape, peak):
        assert isinstance(strings["all"], tuple)
        assert peak["at"] == (3, None, True, "text")
        return self.back(torch.asinh(self.entropy_bottleneck.decompress(strings["all"][0], shape)))


@pytest.fixture(autouse=True)
def allowed():
    with lcrs.portability("allow"):
        yield


def write(photo: np.ndarray, net: nn.Module, **options: object) -> bytes:
    return lcrs.compress(photo, model=net, allow_not_portable=True, **options)


@pytest.mark.parametrize(
    "name", [ARCHITECTURES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES[1:])]
)
def test_a_fresh_process_decodes_the_same_pixels(name, photo, tmp_path, fresh_torch):
    path = tmp_path / "x.lcrs"
    net = make_foreign(name)
    data = write(photo, net, output=path)
    out = net.decompress(*_strings_of(net, photo))["x_hat"]
    wanted = (out[0, :, :83, :122] * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    restored = lcrs.decompress(data, net)
    assert np.array_equal(restored, wanted)
    models = str(Path(__file__).parents[1] / "models")
    again = fresh_torch(_AGAIN, models, name, str(path), LCRS_PORTABILITY="allow")
    assert bytes.fromhex(again) == restored.tobytes()


def _strings_of(net, photo):
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    x = torch.nn.functional.pad(x, (0, 128 - 122, 0, 128 - 83), mode="replicate")
    coded = net.compress(x)
    return coded["strings"], coded["shape"]


def test_without_leave_one_line_names_the_module_and_the_option(photo):
    with pytest.raises(
        lcrs.NotPortableError, match=r"^Odd at 'h_s\.1' is not portable.*allow_not_portable"
    ) as e:
        lcrs.compress(photo, model=make_foreign("mbt2018-mean"))
    assert "\n" not in str(e.value)


def test_portability_that_is_required_comes_first(photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo, net)
    with lcrs.portability("require"):
        with pytest.raises(lcrs.NotPortableError, match="MeanScaleHyperprior is not portable"):
            write(photo, net)
        with pytest.raises(lcrs.NotPortableError, match="MeanScaleHyperprior is not portable"):
            lcrs.decompress(data, net)


def test_a_model_that_packs_writes_the_files_of_its_package(photo, tmp_path):
    net = make("mbt2018-mean")
    coding.write_package(tmp_path / "net.lcrm", *pack(net, "mbt2018-mean"))
    data = lcrs.compress(photo, model=tmp_path / "net.lcrm")
    assert lcrs.compress(photo, model=net) == write(photo, net) == data
    assert codec.info(data, net)["portable"] is True
    assert np.array_equal(lcrs.decompress(data, net), lcrs.decompress(data, tmp_path / "net.lcrm"))


def test_info_says_so(photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo, net)
    fields = lcrs.info(data)
    assert (fields["portable"], fields["model"], fields["shape"]) == (False, "mbt2018-mean", [83, 122, 3])
    assert [section["latent"] for section in fields["sections"]] == [0, 1, 2]
    assert len(fields["entropy_digest"]) == 16
    assert len(lcrs.info(data, net)["entropy_digest"]) == 64


def test_the_other_kind_of_strings_goes_along(photo):
    net = make_foreign("mbt2018-mean")
    pixels = lcrs.decompress(write(photo, net), net)
    net.entropy_coder = "ans"
    data = write(photo, net)
    assert {section["kind"] for section in lcrs.info(data)["sections"]} == {"ans"}
    assert np.array_equal(lcrs.decompress(data, net), pixels)


def test_a_checkpoint_is_the_same_model(photo, tmp_path):
    net = make_foreign("mbt2018-mean")
    data = write(photo, net)
    pixels = lcrs.decompress(data, net)
    net.gaussian_conditional.update()  # fills in what it had coded with
    assert write(photo, net) == data
    net.update()  # these tables end where the quantiles say
    data = write(photo, net)
    with pytest.raises(lcrs.MissingModelError, match="weights and tables of digest"):
        lcrs.decompress(data, make_foreign("mbt2018-mean"))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    again = make_foreign("mbt2018-mean", seed=1)
    again.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    assert np.array_equal(lcrs.decompress(data, again.train()), pixels)
    assert write(photo, again) == data


def test_other_weights_tables_and_models_are_missing(photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo, net)
    with pytest.raises(
        lcrs.MissingModelError, match=r"weights and tables of digest [0-9a-f]{16}, those at hand have"
    ):
        lcrs.decompress(data, make_foreign("mbt2018-mean", seed=1))
    with pytest.raises(lcrs.MissingModelError, match="the model at hand is 'mbt2018'"):
        lcrs.decompress(data, make_foreign("mbt2018"))
    with torch.no_grad():
        net.h_s[1].factor += 1e-6
    with pytest.raises(lcrs.MissingModelError, match="weights and tables of digest"):
        lcrs.decompress(data, net)
    net = make_foreign("mbt2018-mean")
    net.update([0.5, 1, 2, 4, 8])
    with pytest.raises(lcrs.MissingModelError, match="weights and tables of digest"):
        lcrs.decompress(data, net)


def test_packages_are_refused_in_one_line(photo, model_path):
    data = write(photo, make_foreign("mbt2018-mean"))
    for model in (None, "tiny", codec.load_package("tiny")):
        with pytest.raises(lcrs.NotPortableError, match="pass model=NET, the model in torch") as error:
            lcrs.decompress(data, model)
        assert "\n" not in str(error.value)
    with pytest.raises(lcrs.NotPortableError, match="machine-dependent arithmetic"):
        codec.load_package("tiny").decompress(data)


def test_other_sums_are_told_not_shown(photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo, net)
    net.h_s.register_forward_hook(lambda module, args, out: out * 1.01)  # as another machine may have it
    with pytest.raises(lcrs.DesyncError, match="decode only where torch computes the same sums"):
        lcrs.decompress(data, net)


def test_what_compress_returns_is_carried_as_it_is(photo):
    torch.manual_seed(0)
    net = Unusual().eval()
    data = write(photo, net)
    assert lcrs.info(data)["model"] == "Unusual"
    restored = lcrs.decompress(data, net)
    assert restored.shape == photo.shape
    with torch.no_grad():
        y_hat = torch.asinh(torch.sinh(net.there(_padded(photo))).round())
        wanted = net.back(y_hat)[0, :, :83, :122].clamp(0, 1)
    wanted = (wanted * 255).round().permute(1, 2, 0).numpy()
    assert (
        np.abs(restored - wanted).max() <= 255 * 0.35
    )  # within a step of the latent, whose medians are learnt


def _padded(photo):
    x = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
    return torch.nn.functional.pad(x, (0, 6, 0, 45), mode="replicate")


def test_grey_deep_and_metadata_go_along(photo):
    from PIL import Image, ImageCms

    net = make_foreign("mbt2018-mean")
    grey = np.ascontiguousarray(photo[..., 0])
    assert lcrs.decompress(write(grey, net), net).shape == grey.shape
    deep = photo.astype(np.uint16) << 4
    data = write(deep, net, bit_depth=12)
    restored = lcrs.decompress(data, net)
    assert (restored.dtype, lcrs.info(data)["bit_depth"]) == (np.uint16, 12)
    image = Image.fromarray(photo)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = write(image, net)
    picture = codec.decompress_picture(data, net)
    assert picture.icc == image.info["icc_profile"]
    assert np.array_equal(picture.pixels, lcrs.decompress(data, net))


def test_damage_is_one_clear_error(photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo[:20, :20].copy(), net)
    generator = np.random.default_rng(0)
    for i in {*range(60), *generator.integers(60, len(data), 60).tolist()}:
        bad = bytearray(data)
        bad[i] ^= 1 << int(generator.integers(8))
        with pytest.raises(lcrs.LcrsError) as error:
            lcrs.decompress(bytes(bad), net)
        assert "\n" not in str(error.value)
        with pytest.raises(lcrs.TruncatedError):
            lcrs.decompress(data[:i], net)


HOSTILE = {
    "": "no JSON",
    "{": "no JSON",
    "[" * 100_000: "no JSON",
    "[" * 100 + "]" * 100: "nested more than 32 times",
    '[{"b":0},{"b":1}]': "has no strings",
    '{"d":{"shape":[{"b":0},{"b":1}]}}': "has no strings",
    "[]": r"sections \[\] of 2",
    '{"d":{"strings":[[{"b":5}]]}}': "nothing that a file can say",
    '{"d":{"strings":[[{"b":true}]]}}': "nothing that a file can say",
    '{"d":{"strings":[[{"b":1}],[{"b":0}]]}}': r"sections \[1, 0\] of 2",
    '{"d":{"strings":[[{"b":0}]]}}': r"sections \[0\] of 2",
    '{"d":{"strings":[[{"b":0}],[{"b":1}]],"shape":[1000000,1000000]}}': "no size of a latent",
    '{"d":{"strings":[[{"b":0}],[{"b":1}]],"shape":[-7,"x"]}}': "shape|take what the file holds",
    '{"d":{"strings":[[{"b":0}],[{"b":1}]],"shape":{"d":{}},"more":1}}': "does not take what the file holds",
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_end_in_one_line(text, photo):
    net = make_foreign("mbt2018-mean")
    data = write(photo[:20, :20].copy(), net)
    fields, (_, *strings) = lcrs.info(data), coding.read_not_portable(data)
    digest = bytes.fromhex(fields["entropy_digest"])
    bad = coding.write_not_portable(
        fields["model"], (digest, digest), [text.encode(), *strings], shape=(20, 20, 3)
    )
    with pytest.raises(lcrs.LcrsError, match=HOSTILE[text]) as error:
        lcrs.decompress(bad, net)
    assert "\n" not in str(error.value)


def test_what_such_a_model_does_not_take_is_said(photo):
    net = make_foreign("mbt2018-mean")
    for options in (
        {"quality": 5},
        {"target_size": 900},
        {"threads": 2},
        {"runtime": "torch"},
        {"device": "cpu"},
    ):
        with pytest.raises(
            ValueError, match="is for packages: model 'mbt2018-mean' codes by itself in torch"
        ):
            write(photo, net, **options)
    data = write(photo, net)
    for options in ({"threads": 2}, {"runtime": "torch"}):
        with pytest.raises(ValueError, match="is for packages"):
            lcrs.decompress(data, net, **options)
    with pytest.raises(lcrs.NotPortableError, match="has no compress"):
        write(photo, nn.Conv2d(3, 3, 1))
    net.compress = lambda x: {"strings": [[b""]] * 200, "shape": (1, 1)}
    with pytest.raises(ValueError, match="201 sections, at most 128 fit"):
        write(photo, net)
    net.compress = lambda x: {"strings": [[b""]], "shape": x}
    with pytest.raises(
        ValueError, match=r"compress of MeanScaleHyperprior returns: it\['shape'\] is a Tensor"
    ):
        write(photo, net)
    net.compress = lambda x: [b""]
    with pytest.raises(ValueError, match="compress of MeanScaleHyperprior returns no dict with 'strings'"):
        write(photo, net)
    with pytest.raises(lcrs.LimitError, match="max_pixels"):
        write(photo, net, max_pixels=100)


def test_portable_files_have_no_such_sections(photo, model_path):
    with pytest.raises(lcrs.CorruptError, match="the file is portable"):
        coding.read_not_portable(lcrs.compress(photo, model="tiny"))
