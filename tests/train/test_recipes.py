"""Every shipped recipe: it is what it says, and a few tiny steps of it lead to a model."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_folders import RECIPE, write_pictures
from tiny_networks import TINY

import lcrs
from lcrs.models import MeanScaleHyperprior
from lcrs.registry import MODELS
from lcrs.train import ConfigError, load_recipe, recipe_names, run
from lcrs.train.config import dotted_keys
from lcrs.train.published import LMBDAS
from lcrs.train.recipes import recipe_text, shown
from lcrs.zoo.checkpoints import ARCHITECTURES

KEYS = {
    "data.train", "data.tune", "output", "steps", "minutes", "batch", "crop", "seed", "device", "workers",
    "checkpoint_every",
}  # fmt: skip
CLOUDS = {"sfu2023-pcc-rec-pointnet", "sfu2024-pcc-rec-pointnet2-ssg", "hrtzxf2022-pcc-rec"}
ELSEWHERE = {"ssf2020", "fine-tune", "hard-phase", "geometry", *CLOUDS}
SIZES = {**TINY, "ssf2020": {}}
BIG = {"M": 48, "groups": [8, 12, 28]}


def sizes_for(config):
    sizes = dict(SIZES[config.model.name])
    return {**sizes, **BIG} if config.model.name == "gain-space-channel-hyperprior" else sizes


def tiny_settings(recipe, tiny):
    config = load_recipe(recipe, on_cuda=False)
    settings = {**tiny, "steps": 4 if config.phases else 2, "minutes": None, "threads": 1, "watch.every": 1}
    settings |= {"quality": None, "model.sizes": sizes_for(config), "schedule.warm_up": 0}
    if config.loss.lmbda is not None:
        settings["loss.lmbda"] = config.loss.lmbda
    if config.phases:
        settings["phases"] = [
            {**phase.model_dump(by_alias=True, exclude_none=True), **({"crop": 96} if phase.crop else {})}
            for phase in config.phases
        ]
    return settings


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_read_shown_and_read_again(name, tmp_path):
    config = load_recipe(name, on_cuda=False)
    text = shown(config, name)
    for copy in (name, "mine"):  # a copy is a recipe of its own, with a folder of its own
        (tmp_path / f"{copy}.toml").write_text(text)
        named = {"recipe": copy, "output": Path("runs", copy)}
        assert load_recipe(tmp_path / f"{copy}.toml") == config.model_copy(update=named)
    assert set(dotted_keys()) >= KEYS
    assert all(key.rpartition(".")[2] in text for key in KEYS)
    assert recipe_text(name).startswith(f"# lcrs train {name}")
    assert config.summary
    assert config.model.name in MODELS


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_there_is_a_recipe_for_every_architecture_of_the_zoo(name):
    entry = ARCHITECTURES[name]
    for quality in range(1, entry.num_qualities + 1):
        config = load_recipe(name, {"quality": quality})
        assert config.model.sizes == dict(entry.sizes[quality - 1])
        if not entry.is_variable_rate:
            assert config.loss.lmbda == LMBDAS["mse"][quality - 1]
            ms_ssim = load_recipe(name, {"quality": quality, "loss.metric": "ms-ssim"})
            assert ms_ssim.loss.lmbda == LMBDAS["ms-ssim"][quality - 1]
    if entry.num_qualities > 1:
        with pytest.raises(ConfigError, match=f"from 1 to {entry.num_qualities}|less than or equal to 8"):
            load_recipe(name, {"quality": entry.num_qualities + 1})


# The same recipe with another of the networks of CompressAI, which all train in the tests of models.
REPEATED = {
    "bmshj2018-factorized-relu", "bmshj2018-hyperprior", "cheng2020-anchor", "cheng2020-attn",
    "elic2022-chandelier", "elic2022-official", "gain-hyperprior", "mbt2018-mean-gain", "mbt2018-mean-vbr",
    "mbt2018-vbr",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in REPEATED))
        for name in recipe_names()
        if name not in ELSEWHERE
    ],
)
def test_a_recipe_trains(name, tiny, photo):
    settings = tiny_settings(name, tiny)
    result = run(load_recipe(name, settings, on_cuda=False))
    assert result.steps == settings["steps"]
    (point,) = result.validation.points
    assert math.isfinite(point.loss)
    assert point.bpp > 0
    package = lcrs.codec.load_package(result.output / "model.lcrm")
    assert package.compress(photo, 50.0 if package.levels else None)


def test_ms_ssim_trains(tiny, tmp_path):
    settings = {"model.sizes": {"N": 8, "M": 12}, "loss.metric": "ms-ssim", "crop": 176, "steps": 2}
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
    folder = write_pictures(tmp_path / "large", noise, 3, (192, 192))
    settings = {**tiny, **settings, "data.train": str(folder), "validation.size": 192}
    result = run(load_recipe("bmshj2018-factorized", settings))
    assert 0 < result.validation.points[0].loss < 1000


def test_the_stages_of_variable_rate(tiny, monkeypatch):
    """Stage 1 leaves what only stage 2 uses, and at stage 2 every scale has its turn."""
    from lcrs.train import tasks

    drawn = []
    real = tasks.Stages.draw

    def draw(self, step, count, device):
        drawn.append(real(self, step, count, device))
        return drawn[-1]

    monkeypatch.setattr(tasks.Stages, "draw", draw)
    settings = {**tiny_settings("mbt2018-mean-vbr", tiny), "steps": 16}
    run(load_recipe("mbt2018-mean-vbr", settings))
    assert [d["stage"] for d in drawn] == [1] * 8 + [2] * 8
    assert sorted(d["s"] for d in drawn[8:]) == list(range(8))
    assert all(float(d["lmbda"]) == pytest.approx(0.18) for d in drawn[:8])


def train_first(tiny):
    settings = {**tiny, "output": tiny["output"] + "-first", "optimizer.lr": 1e-3, "steps": 3}
    return run(load_recipe("mbt2018-mean", settings)).output


def test_the_hard_phase_leaves_files_alone(tiny, photo):
    first = train_first(tiny)
    settings = {**tiny_settings("hard-phase", tiny), "start": str(first), "optimizer.lr": 1e-3}
    second = run(load_recipe("hard-phase", settings)).output
    before, after = (
        torch.load(folder / "model.pt", weights_only=True)["state_dict"] for folder in (first, second)
    )
    changed = {key.partition(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert {"g_s", "h_s"} <= changed
    assert not changed & {"g_a", "h_a"}
    with pytest.raises(ConfigError, match="needs freeze"):
        run(load_recipe("mbt2018-mean", {**tiny, "phases": [{"quantization": "hard"}]}), restart=True)
    with pytest.raises(ConfigError, match=r"freeze names 'g_x', and the network's parts are .*g_a"):
        run(load_recipe("mbt2018-mean", {**tiny, "phases": [{"freeze": ["g_x"]}]}), restart=True)


def test_fine_tuning_goes_on_from_weights(tiny, tmp_path):
    first = train_first(tiny)
    settings = {**tiny_settings("fine-tune", tiny), "optimizer.lr": 1e-12, "steps": 2}
    for start in (first, first / "model.pt", max(first.glob("checkpoints/step-*"))):
        out = run(load_recipe("fine-tune", {**settings, "start": str(start)}), restart=True).output
        before, after = (
            torch.load(folder / "model.pt", weights_only=True)["state_dict"] for folder in (first, out)
        )
        for key, value in before.items():
            torch.testing.assert_close(after[key], value)
    with pytest.raises(ConfigError, match="does not fit the network"):
        run(load_recipe("fine-tune", {**settings, "start": str(first), "model.sizes.N": 12}), restart=True)
    with pytest.raises(ConfigError, match=r"there is no .*nowhere"):
        run(load_recipe("fine-tune", {**settings, "start": str(tmp_path / "nowhere")}), restart=True)


def test_published_weights_are_looked_for(tiny, tmp_path, monkeypatch):
    """Those of the zoo, by model, quality and metric."""
    from lcrs.zoo import building

    asked = []

    def build(entry, metric, quality, pretrained):
        asked.append((entry.name, metric, quality, pretrained))
        return MeanScaleHyperprior(8, 12)

    monkeypatch.setattr(building, "build", build)
    settings = {**tiny, "start": "published", "quality": 2, "steps": 1}
    run(load_recipe("fine-tune", settings))
    assert asked == [("mbt2018-mean", "mse", 2, True)]


def test_a_stable_part_goes_on_later(tiny):
    """The checkpoint before the decay has all that a longer run needs; its weights are those of that run."""
    schedule = {"schedule.type": "wsd", "schedule.decay_from": 0.5, "steps": 4}
    short = run(load_recipe(RECIPE, {**tiny, **schedule})).output
    stable = short / "checkpoints" / "stable.pt"
    assert torch.load(stable, weights_only=True)["step"] == 2
    longer = {**tiny, **schedule, "steps": 6, "start": str(stable), "start_state": "all"}
    gone_on = run(load_recipe(RECIPE, {**longer, "output": tiny["output"] + "-on"})).output
    whole = {**tiny, **schedule, "steps": 6, "output": tiny["output"] + "-whole"}
    straight = run(load_recipe(RECIPE, whole)).output
    a, b = (torch.load(f / "model.pt", weights_only=True)["state_dict"] for f in (gone_on, straight))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_recipe_of_ones_own(tiny, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text("mbt2018-mean"))
    config = load_recipe(path, {"batch": 3})
    assert (config.recipe, config.batch, str(config.output)) == ("mine", 3, "runs/mine")
    path.write_text("steps = = 3")
    with pytest.raises(ConfigError, match=r"mine\.toml is no TOML"):
        load_recipe(path)


def test_the_table_for_cuda_counts_there_only():
    on_cpu, on_cuda = (load_recipe("photo", on_cuda=flag) for flag in (False, True))
    assert (on_cpu.batch, on_cpu.crop, on_cpu.loop.graph) == (4, 128, False)
    assert (on_cuda.batch, on_cuda.crop, on_cuda.loop.graph, on_cuda.data.keep) == (16, 256, True, "device")
    assert load_recipe("photo", ["batch=2"], on_cuda=True).batch == 2


def test_what_clouds_train_on_is_shown():
    assert "# train is not set: clouds are generated\n" in shown(load_recipe("geometry"))
    assert "# train is not set: give data.train=FOLDER\n" in shown(load_recipe("photo"))
