"""What is wrong with a configuration is said: the key, what is legal, the nearest name."""

import pytest

from lcrs.train import ConfigError, checked, load_recipe
from lcrs.train.config import dotted_keys
from lcrs.train.toml_text import dump, loads, value_of


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.trian=x", r"there is no key 'data\.trian'; did you mean data\.train\?"),
        ("lr=0.1", r"no key 'lr'; did you mean optimizer\.lr\?"),
        ("stps=5", r"no key 'stps'; did you mean steps\?"),
        ("model.size.N=5", r"no key 'model\.size'; did you mean model\.sizes\?"),
        (
            "optimizer.qqqq=5",
            r"no key 'optimizer\.qqqq' \(keys of optimizer: type, lr, options, clip, aux_lr\)",
        ),
        ("phases.0.corp=5", r"no key 'phases\.0\.corp'; did you mean phases\.crop\?"),
        (
            "loop.precision=bf61",
            r"loop\.precision is 'bf61', must be 'float32' or 'bf16'; did you mean 'bf16'\?",
        ),
        ("optimizer.lr=fast", r"optimizer\.lr is 'fast', must be a valid number"),
        ("optimizer.lr=-1", r"optimizer\.lr is -1, must be greater than 0"),
        ("batch=0", r"batch is 0, must be greater than or equal to 1"),
        ("batch=2.5", r"batch is 2\.5, must be a valid integer"),
        ("workers=many", r"workers is 'many', must be a valid integer.*or be 'auto'"),
        ("crop=8", r"crop is 8, must be greater than or equal to 16"),
        ("device=gpu", r"device is 'gpu', must be auto, cpu, mps, cuda or cuda:NUMBER"),
        (
            "loss.metric=mssim",
            r"^loss\.metric: 'mssim' is none of mse, ms-ssim, .*; did you mean 'ms-ssim'\?",
        ),
        ("loss.metric=mse+ms-ssim", r"'mse\+ms-ssim' needs lmbda as a table"),
        ("loss.metric=lpips", r"'lpips' needs lpips_backbone"),
        ("minutes=none", r"one of steps and minutes is needed"),
        ("model.name=none", r"give either model\.name .* or model\.import"),
        ("model.import=nonsense", r"model\.import is 'nonsense'"),
        ("steps", r"'steps' is no key=value"),
        ("steps.x=1", r"steps\.x is set, but steps is 3 and has no keys"),
        ("phases.7.crop=1", r"phases\.7\.crop: 7 is none of 0 to 0"),
        ("quality=11", r"quality is for models of the zoo"),
        ("batch=1_000_000_000", r"batch is 1000000000, must be less than or equal to 65536"),
        ("output=", r"output is '', must be a folder"),
        ("data.train=", r"^data\.train is '', must not be empty, or be a valid list$"),
        ("learning_rate=1", r"no key 'learning_rate'; did you mean optimizer\.lr\?"),
        ("epochs=3", r"no key 'epochs'; did you mean steps\?"),
        ("model.sizes=3", r"model\.sizes is 3, must be a valid dictionary"),
        ("/", r"'/' is no key=value; did you mean data\.train=/\?"),
        ("schedule.decay_from=1", r"schedule\.decay_from is 1, must be less than 1"),
    ],
)
def test_what_is_wrong_is_named(setting, said):
    settings = ["steps=3", setting] if setting.startswith("steps.") else [setting]
    with pytest.raises(ConfigError, match=said) as caught:
        load_recipe("photo", settings)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError, match=r"crop is 1.*no key 'optimizer\.lrr'"):
        load_recipe("photo", ["crop=1", "optimizer.lrr=3"])
    with pytest.raises(ConfigError, match=r"phases begin at .*must ascend"):
        load_recipe("photo", {"phases": [{"from": 0.5}, {"from": 0.1}]})
    with pytest.raises(ConfigError, match="model is missing"):
        checked({"steps": 1})


def test_a_recipe_that_is_not_there_is_said():
    with pytest.raises(ConfigError, match=r"no recipe 'foto'; did you mean 'photo'\?.*mbt2018-mean"):
        load_recipe("foto")
    with pytest.raises(ConfigError, match="no recipe"):
        load_recipe("../config")


def test_every_key_can_be_set():
    """By its dotted name, to the value that it has."""
    values = load_recipe("photo", ["steps=5", "model.sizes={}", "data.train=x"]).as_dict()
    for key in dotted_keys():
        place = values
        for part in key.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place is not None and not isinstance(place, dict | list):
            assert load_recipe("photo", {"steps": 5, key: place}, on_cuda=False)


def test_later_settings_win_and_lists_are_reached():
    config = load_recipe("photo", ["batch=3", "batch=5", "phases.0.crop=160", "model.sizes.M=64"])
    assert (config.batch, config.phases[0].crop, config.phases[0].from_) == (5, 160, 0.75)
    assert config.model.sizes == {"M": 64}
    assert config.largest_crop() == 160


def test_values_on_the_command_line():
    texts = {"3": 3, "0.5": 0.5, "1e-4": 1e-4, "true": True, "a/b c": "a/b c", '"3"': "3", "[1, 2]": [1, 2]}
    texts |= {"{a = 1}": {"a": 1}, "none": None, "": "", "C:\\x": "C:\\x"}
    assert {text: value_of(text) for text in texts} == texts


def test_toml_comes_back_as_it_was():
    values = {
        "a": 1, "b": 0.1, "c": True, "d": 'quo"te\\ \n', "e": [1, "x", {"y": 2}],
        "f": {"g": {"h": 1e-7}, "i": "j"},
        "k": [{"l": 1, "m": {"n": 2}}, {"l": 3}], "odd key": {"p.q": 1}, "empty": {}, "none": [],
    }  # fmt: skip
    assert loads(dump(values)) == values


def test_a_network_of_ones_own_comes_without_the_recipes_sizes():
    config = load_recipe("mbt2018-mean", ["model.import=my.module:Net", "loss.lmbda=0.01"])
    assert (config.model.import_, config.model.name, config.model.sizes, config.quality) == (
        "my.module:Net", None, {}, None,
    )  # fmt: skip
    assert load_recipe("photo", ["model.import=m:N", "quality=2"]).loss.lmbda == 0.0035


@pytest.mark.parametrize("name", ["2024", "2026-11-27", "1e3", "true", "[a", "a=b"])
def test_folders_may_have_the_names_of_numbers(name):
    config = load_recipe("photo", [f"data.train={name}", f"output={name}", f"start={name}"])
    assert (config.data.train, str(config.output), config.start) == (name, name, name)
    assert load_recipe("photo", [f'data.train=["{name}", "b"]']).data.train == [name, "b"]
