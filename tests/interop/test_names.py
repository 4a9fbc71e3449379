"""Every name that CompressAI's users import for pictures is here, and takes their arguments."""

import importlib
import inspect
import json
from pathlib import Path

import pytest

COMPRESSAI = json.loads((Path(__file__).parents[1] / "data" / "compressai-names.json").read_text())
ENTRIES = [(place, name) for place, names in COMPRESSAI.items() for name in names]

# Where lcrs differs on purpose.
DELIBERATE = {
    ("LowerBound", "lower_bound"): "the switch for TorchScript is inside forward",
    ("EntropyModelVbr", "compress"): "the step belongs to the latent: EntropyBottleneckVbr takes it",
    ("EntropyModelVbr", "decompress"): "the same",
    (
        "GaussianMixtureConditional",
        "reshape_entropy_parameters",
    ): "an inner step, and tables are built natively",
    ("CacheDataset", ""): "a cache without a folder means nothing",
    ("TOptimizer", ""): "a type",
    ("TScheduler", ""): "a type",
}


def module_of(place):
    return importlib.import_module(f"lcrs.{place}" if place else "lcrs")


def check_signature(function, theirs, what):
    """`function` takes a call with their parameters by name, and one with the required ones by place."""
    if theirs is None or "VAR_POSITIONAL" in [kind for _, kind, _ in theirs][:2]:
        return  # anything goes
    try:
        ours = inspect.signature(function)
    except ValueError:
        return  # a class of the native module
    named = [name for name, kind, _ in theirs if kind in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")]
    required = [
        name for name, kind, has_default in theirs if kind == "POSITIONAL_OR_KEYWORD" and not has_default
    ]
    only = {name: None for name, kind, has_default in theirs if kind == "KEYWORD_ONLY" and not has_default}
    for arguments, keywords in (((), dict.fromkeys(named)), ((None,) * len(required), only)):
        try:
            ours.bind(*arguments, **keywords)
        except TypeError as error:
            pytest.fail(f"{what}{ours} does not take {list(arguments)}, {keywords}: {error}")


@pytest.mark.parametrize(("place", "name"), ENTRIES, ids=[".".join(filter(None, entry)) for entry in ENTRIES])
def test_the_name_is_here_and_takes_compressais_arguments(place, name):
    theirs = COMPRESSAI[place][name]
    value = getattr(module_of(place), name)
    if (name, "") not in DELIBERATE:
        check_signature(value, theirs["parameters"], name)
    for method, parameters in theirs.get("methods", {}).items():
        if (name, method) not in DELIBERATE:
            check_signature(getattr(value, method), bound(value, method, parameters), f"{name}.{method}")


def bound(owner, method, parameters):
    """The theirs's parameters without `cls` where our method has it bound."""
    is_bound = inspect.ismethod(getattr(owner, method))
    return parameters[1:] if is_bound and parameters and parameters[0][0] == "cls" else parameters


def test_the_coder_that_models_write_with_can_be_chosen():
    import lcrs
    from lcrs.models import FactorizedPrior

    assert lcrs.available_entropy_coders() == ["lcrs", "ans"]
    assert lcrs.get_entropy_coder() == "lcrs"
    old = FactorizedPrior(2, 3)
    lcrs.set_entropy_coder("ans")
    try:
        assert lcrs.get_entropy_coder() == "ans"
        new = FactorizedPrior(2, 3)
        assert (new.entropy_coder, new.entropy_bottleneck.entropy_coder) == ("ans", "ans")
        assert old.entropy_coder == "lcrs"
    finally:
        lcrs.set_entropy_coder("lcrs")
    with pytest.raises(ValueError, match="entropy_coder is 'arithmetic', must be 'lcrs' or 'ans'"):
        lcrs.set_entropy_coder("arithmetic")


def test_compressais_other_coder_is_replaced_with_a_word():
    import lcrs
    from lcrs.models import FactorizedPrior

    with pytest.warns(UserWarning, match="entropy_coder is 'rangecoder'"):
        lcrs.set_entropy_coder("rangecoder")
    assert lcrs.get_entropy_coder() == "lcrs"
    with pytest.warns(UserWarning, match="entropy_coder is 'rangecoder'"):
        FactorizedPrior(2, 3).entropy_coder = "rangecoder"


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("entropy_models.entropy_models", "pmf_to_quantized_cdf _EntropyCoder LowerBound"),
        ("entropy_models.entropy_models_vbr", "pmf_to_quantized_cdf _EntropyCoder LowerBound"),
        ("latent_codecs.checkerboard", "quantize_ste EntropyModel"),
        ("latent_codecs.gaussian_conditional", "quantize_ste"),
        ("latent_codecs.rasterscan", "BufferedRansEncoder RansDecoder"),
        ("models", "EntropyBottleneck LowerBound quantize_ste register_model AttentionBlock conv3x3"),
        ("models.base", "remap_old_keys update_registered_buffers"),
        (
            "models.google",
            "BufferedRansEncoder RansDecoder EntropyBottleneck GDN MaskedConv2d register_model",
        ),
        ("models.priors", "EntropyBottleneck GaussianConditional GDN MaskedConv2d conv deconv"),
        ("models.priors", "BufferedRansEncoder RansDecoder update_registered_buffers"),
        ("models.sensetime", "ResidualBlock conv1x1 conv3x3 subpel_conv3x3"),
        ("models.video.google", "QReLU quantize_ste gaussian_blur gaussian_kernel2d meshgrid2d"),
        ("ops", "ste_round ops"),
        ("ops.ops", "ste_round"),
        ("layers", "layers"),
        ("zoo", "image image_vbr video"),
        ("zoo.image", "FactorizedPrior Cheng2020Attention load_pretrained"),
        ("zoo.video", "ScaleSpaceFlow load_pretrained"),
    ],
)
def test_names_that_users_import_from_where_they_are_used(place, names):
    for name in names.split():
        assert getattr(module_of(place), name) is not None


def test_choosing_a_coder_imports_no_torch(fresh_python):
    code = """
import sys, lcrs
lcrs.set_entropy_coder("ans")
print(lcrs.get_entropy_coder(), "torch" in sys.modules)
"""
    assert fresh_python(code) == "ans False"


def test_old_keys_of_users_models_are_renamed():
    from lcrs.models.utils import remap_old_keys

    state = {"eb._matrix0": 1, "eb._bias12": 2, "eb._factor3": 3, "eb._matrixes": 4, "other._matrix0": 5}
    assert remap_old_keys("eb", state) is state
    assert state == {
        "eb.matrices.0": 1, "eb.biases.12": 2, "eb.factors.3": 3, "eb._matrixes": 4, "other._matrix0": 5,
    }  # fmt: skip
