"""What is seen of a run: validation through files, display, TensorBoard; and options of the loop."""

import io
import json
import sys

import numpy as np
import pytest
import torch
from picture_folders import RECIPE
from PIL import Image

from lcrs.train import ConfigError, load_recipe, run
from lcrs.train.display import Lines, make_display
from lcrs.train.records import Records
from lcrs.train.sheets import sheet_of
from lcrs.train.validation import likely_cause


def records_of(folder, kind):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


# --- validation ---


def test_validation_codes_real_pictures(tiny):
    """At each quality of a model of levels, on the way and at the end; noise of steps is not touched."""
    settings = {key: value for key, value in tiny.items() if key != "model.sizes"} | {
        "model.sizes": {"C1": 8, "C2": 8, "M": 12, "H": 8, "Z": 4, "num_levels": 3},
        "validation.qualities": [0.0, 50.0, 100.0], "validation.coded": 1, "phases": [], "minutes": None,
        "model.begin": "default", "steps": 4,
    }  # fmt: skip
    often = run(load_recipe("gain-hyperprior", {**settings, "validation.every": 2}))
    seldom = run(load_recipe("gain-hyperprior", {**settings, "output": tiny["output"] + "-2"}))
    found = records_of(often.output, "validation")
    assert [entry["step"] for entry in found] == [2, 2, 2, 4, 4, 4]
    assert [entry["quality"] for entry in found[:3]] == [0.0, 50.0, 100.0]
    for entry in found:
        assert entry["real_bpp"] >= 0.99 * entry["estimated_bpp"]
        assert entry["real_psnr"] == pytest.approx(entry["psnr"], abs=0.05)  # one picture is all there is
    a, b = (torch.load(r.output / "model.pt", weights_only=True)["state_dict"] for r in (often, seldom))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    ("real", "estimated", "y", "said"),
    [
        ([1000.0, 50_000.0], [1000.0, 50_000.0], 0.5, None),
        ([1000.0, 50_200.0], [1000.0, 50_000.0], 0.5, None),
        ([1064.0, 50_310.0], [1000.0, 50_000.0], 0.5, None),
        ([1000.0, 50_500.0], [1000.0, 50_000.0], 0.5, "so short streams"),
        ([1000.0, 53_000.0], [1000.0, 50_000.0], 0.5, "table that fits its likelihoods badly"),
        ([9000.0, 50_000.0], [1000.0, 50_000.0], 0.5, "z is coded under a table"),
        ([1000.0, 46_000.0], [1000.0, 50_000.0], 0.5, "noise leaks into evaluation"),
        ([1000.0, 46_000.0], [1000.0, 50_000.0], 1e-9, "10000 of 10000 symbols of y are in far tails"),
        (
            [1000.0, 46_000.0],
            [1000.0, 50_000.0],
            3e-6,
            "10000 of 10000 symbols of y are less likely than 2^-16",
        ),
        ([384.0, 400.0], [390.0, 402.0], 0.5, None),  # a byte of 99
    ],
)
def test_the_likely_cause_is_named(real, estimated, y, said):
    likelihoods = {"y": torch.full((1, 10, 20, 50), y), "z": torch.full((1, 1, 10, 20), 0.03)}
    cause = likely_cause(real, estimated, likelihoods)
    assert cause is None if said is None else said in cause


def test_certain_symbols_are_told_of():
    likelihoods = {"y": torch.full((1, 10, 100, 100), 0.9999)}
    assert "cost 0.0001 bits each" in likely_cause([3000.0], [14.4], likelihoods)


def test_a_forward_pass_that_is_not_what_is_coded_is_warned_of(tiny, tmp_path, monkeypatch):
    """Noise in evaluation: a user's mistake that shows as a difference of bits."""
    (tmp_path / "leaking.py").write_text(
        "from lcrs.models import FactorizedPrior\n"
        "class Leaking(FactorizedPrior):\n"
        "    def forward(self, x):\n"
        "        out = super().forward(x)\n"
        "        return {**out, 'likelihoods': {'y': out['likelihoods']['y'] * 0.5}}\n"
    )
    monkeypatch.chdir(tmp_path)
    settings = {**tiny, "model.import": "leaking:Leaking", "loss.lmbda": 0.01, "validation.coded": 1}
    folder = run(load_recipe(RECIPE, settings)).output
    events = [entry["text"] for entry in records_of(folder, "event")]
    assert any("files have" in text or "no package can be made" in text for text in events)


def test_a_sheet_has_originals_above_what_is_restored():
    first, second = np.full((40, 60, 3), 10, np.uint8), np.full((40, 60, 3), 20, np.uint8)
    sheet = sheet_of([[first, second], [first[:20], second[:20]]])
    assert sheet.shape == (84, 124, 3)
    assert (sheet[:40, :60] == 10).all()
    assert (sheet[44:, :60] == 20).all()
    assert (sheet[40:44] == 128).all()


# --- log and display ---


def test_a_log_goes_on_where_the_run_does(tmp_path):
    records = Records(tmp_path, 0)
    for step in range(1, 6):
        records.write("train", step, loss=float(step), missing=float("nan"), words="über")
    records.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    Records(tmp_path, 3).close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[0]["missing"] is None
    assert lines[0]["words"] == "über"


def test_tensorboard_has_the_same_numbers(tiny):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = run(load_recipe(RECIPE, {**tiny, "watch.tensorboard": True})).output
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    events = board.Scalars("train/loss")
    expected = [entry["loss"] for entry in records_of(folder, "train")]
    assert [event.value for event in events] == pytest.approx(expected, rel=1e-5)
    assert board.Scalars("validation/bpp")


VALUES = {
    "step": 5, "steps": 10, "done": 0.5, "seconds_left": 3725.0, "loss": 1.5, "bpp": 0.25, "psnr": 30.0,
    "lr": 1e-4, "images_per_s": 12.0, "waiting": 0.013, "skipped": 2,
}  # fmt: skip


def test_lines_say_how_a_run_goes():
    stream = io.StringIO()
    display = make_display("auto", "title", stream)
    assert isinstance(display, Lines)
    display.progress(VALUES)
    display.progress({**VALUES, "seconds_left": float("inf")})
    first, second = stream.getvalue().splitlines()
    assert first == ("step 5: loss 1.5000, 0.2500 bpp, 30.00 dB, 12.0 images/s, waiting 1 %, 1 h 02 min left")
    assert "unknown time left" in second
    display.rate_unit, display.example_unit = "bits a point", "nodes"
    display.progress(VALUES)
    assert "0.2500 bits a point, 30.00 dB, 12.0 nodes/s" in stream.getvalue()


def test_the_live_display_shows_the_same(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    display = make_display("rich", "lcrs train photo")
    display.progress(VALUES)
    display.say("a [line] that stays")
    display.close()
    shown = capsys.readouterr().err
    for words in ("lcrs train photo", "0.2500 bpp", "30.00 dB", "1.3 %", "1 h 02 min", "a [line] that stays"):
        assert words in shown


def test_rich_is_not_needed_for_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.live", None)
    with pytest.raises(ConfigError, match=r"needs rich: pip install '\.\[train\]'"):
        make_display("rich", "title")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert isinstance(make_display("auto", "title", Terminal()), Lines)


# --- options of the loop ---


def test_bfloat16_keeps_likelihoods_and_losses_precise(tiny, monkeypatch):
    from lcrs.train import trainer

    seen = []
    real = trainer.Trainer.loss

    def loss(self, call, x, drawn):
        inside = []
        handle = self.net.g_a[0].register_forward_hook(lambda module, inputs, out: inside.append(out.dtype))
        model = self.net.gaussian_conditional
        likelihoods = model.register_forward_hook(lambda module, inputs, out: inside.append(out[1].dtype))
        out = real(self, call, x, drawn)
        handle.remove()
        likelihoods.remove()
        seen.append((*inside, out[0].dtype))
        return out

    monkeypatch.setattr(trainer.Trainer, "loss", loss)
    run(load_recipe("mbt2018-mean", {**tiny, "loop.precision": "bf16", "steps": 2}))
    assert seen == [(torch.bfloat16, torch.float32, torch.float32)] * 2


@pytest.mark.parametrize("keep", ["disk", "device"])
def test_channels_last_is_a_layout(tiny, monkeypatch, keep):
    """Of batches and weights; noise is drawn in the order of memory, so that runs differ."""
    from lcrs.train import trainer

    layouts = []
    real = trainer.Trainer.step

    def step(self, x, number):
        weight = self.net.g_a[0].weight
        layouts.extend(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
        return real(self, x, number)

    monkeypatch.setattr(trainer.Trainer, "step", step)
    run(load_recipe(RECIPE, {**tiny, "loop.channels_last": True, "steps": 2, "data.keep": keep}))
    assert layouts == [True] * 4


@pytest.mark.slow
def test_compiled_steps_are_the_same(tiny):
    plain = run(load_recipe("mbt2018-mean", {**tiny, "steps": 3})).output
    settings = {**tiny, "loop.compile": True, "steps": 3, "output": tiny["output"] + "-2"}
    compiled = run(load_recipe("mbt2018-mean", settings)).output
    losses = [[entry["loss"] for entry in records_of(f, "validation")] for f in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({}, "with device=cpu it cannot: it needs a CUDA device"),
        ({"loop.graph": False, "device": "cuda:7"}, "device=cuda:7 is not here"),
    ],
)
def test_graphs_and_devices_that_cannot_be_are_said(tiny, setting, said):
    if torch.cuda.device_count() > 7:
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match=said):
        run(load_recipe(RECIPE, {**tiny, "loop.graph": True, **setting}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_captured_steps_learn_and_resume(tiny):
    settings = {
        **tiny, "device": "cuda", "loop.graph": True, "data.keep": "device", "steps": 200, "watch.every": 100,
        "optimizer.lr": 1e-3, "checkpoint_every": 100, "loop.ema": 0.9,
    }  # fmt: skip
    run(load_recipe("mbt2018-mean", {**settings, "steps": 100}))
    folder = run(load_recipe("mbt2018-mean", settings)).output
    first, last = records_of(folder, "train")
    assert last["loss"] < first["loss"]


def test_a_picture_for_every_step_is_on_the_sheet(tiny):
    folder = run(load_recipe(RECIPE, {**tiny, "validation.sheet": True, "validation.every": 3})).output
    names = sorted(path.name for path in (folder / "sheets").iterdir())
    assert names == ["step-000000003.png", "step-000000005.png"]
    with Image.open(folder / "sheets" / names[0]) as sheet:
        assert sheet.size == (64, 132)
