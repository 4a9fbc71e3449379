"""BD-rate against its definition, and curves that should not be compared."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lcrs.cli import main
from lcrs.evaluate.bjontegaard import METHODS, bd_psnr, bd_rate, compare
from lcrs.evaluate.curves import Curve, curve_of, digests_of, load, published, published_names
from lcrs.evaluate.results import Results, means, read_results, to_json

pytestmark = pytest.mark.usefixtures("bjontegaard")

# Rates in kbit/s and PSNR of two encoders at four settings.
ANCHOR = ([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42])
TEST = ([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24])


def curve(rates, qualities, name="x"):
    order = np.argsort(rates)
    return Curve(name, np.array(rates, float)[order], np.array(qualities, float)[order])


def by_definition(anchor, test, method):
    """Trapezoids under curves that scipy or a polynomial draws."""
    scipy = pytest.importorskip("scipy.interpolate")

    def drawn(x, y):
        if method == "cubic":
            return np.poly1d(np.polyfit(x, y, 3))
        if method == "akima":
            return scipy.Akima1DInterpolator(x, y)
        return scipy.PchipInterpolator(x, y)

    def mean_difference(pairs):
        low = max(x.min() for x, _ in pairs)
        high = min(x.max() for x, _ in pairs)
        grid = np.linspace(low, high, 20001)
        ours, theirs = (drawn(x, y)(grid) for x, y in pairs)
        return (theirs - ours)[1:-1].mean()

    logs = [(c.qualities, np.log10(c.rates)) for c in (anchor, test)]
    rate = 100 * (10 ** mean_difference(logs) - 1)
    return rate, mean_difference([(y, x) for x, y in logs])


@pytest.mark.parametrize("method", METHODS)
def test_numbers_are_those_of_the_definition(method):
    anchor, test = curve(*ANCHOR), curve(*TEST)
    rate, psnr = by_definition(anchor, test, method)
    assert bd_rate(anchor, test, method) == pytest.approx(rate, abs=1e-4)
    assert bd_psnr(anchor, test, method) == pytest.approx(psnr, abs=1e-4)
    assert bd_rate(anchor, anchor, method) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_factor_is_found(method):
    anchor = curve(*ANCHOR)
    test = Curve("y", anchor.rates * 0.8, anchor.qualities)
    assert bd_rate(anchor, test, method) == pytest.approx(-20, abs=1e-6)


def results(name, rates, qualities, **more):
    return Results(name, results={"bpp": list(rates), "psnr-rgb": list(qualities)}, **more)


def test_published_curves_come_with_source_and_pictures():
    assert "kodak:vtm" in published_names()
    assert len(digests_of("kodak")) == 24
    for name in published_names():
        found = load(name)
        assert found.meta["source"].startswith("https://")
        assert len(curve_of(found).rates) >= 6 or "elic" in name


def test_published_curves_are_those_of_the_reference(reference_data):
    for name, ours in published("kodak").items():
        theirs = read_results(reference_data / "rd" / f"{name}.json")
        for key, values in ours.results.items():
            np.testing.assert_allclose(values, theirs.results[key], atol=1e-6)


def test_published_numbers_are_recomputed():
    """VTM against HM and BPG on Kodak, known to be about 20 percent."""
    for name in ("kodak:hm", "kodak:bpg_444_x265_ycbcr"):
        found = compare(load("kodak:vtm"), load(name))
        assert not found.refused
        assert found.num_pictures == 24
        assert 15 < found.bd_rate < 30
        assert -1.5 < found.bd_psnr < -0.5
        assert found.share > 0.9


def with_rows(name, scale, pictures=("a", "b", "c"), seed=0):
    """Results of rows: rates that are ``scale`` times those of a fixed curve, with noise of pictures."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "digest": digest,
            "setting": setting,
            "bpp": scale * (0.1 * 2**setting) * (1 + 0.05 * rng.random()),
            "psnr-rgb": 28.0 + 3 * setting + rng.random() * 0.1,
        }
        for digest in pictures
        for setting in range(5)
    ]
    found = [{"name": digest, "digest": digest, "counted": True} for digest in pictures]
    return Results(name, "", means(rows, frozenset(pictures)), {"rate": "bytes"}, found, rows)


def test_one_picture_is_not_compared_with_many():
    one = with_rows("one", 0.5, pictures=["a"])
    found = compare(load("kodak:vtm"), one)
    assert "VTM has 24, one 1, 0 of them the same" in found.refused
    assert found.bd_rate is None
    found = compare(with_rows("three", 1.0), one)
    assert "1 of them the same (--common" in found.refused
    assert compare(with_rows("three", 1.0), one, common=True).bd_rate == pytest.approx(-50, abs=3)


def test_unknown_pictures_are_refused_or_vouched_for():
    bare = results("bare", [0.1, 0.3, 0.9], [28, 32, 36])
    assert "does not say what pictures" in compare(bare, with_rows("x", 1.0)).refused
    found = compare(bare, with_rows("x", 1.0), same_pictures=True)
    assert found.bd_rate is not None
    assert any("caller's word" in note for note in found.notes)
    both = compare(bare, results("other", [0.1, 0.3, 0.9], [27, 31, 35]))
    assert any("nothing says" in note for note in both.notes)
    kodak, clic = (results(n, [0.1, 0.3, 0.9], [28, 32, 36], meta={"dataset": n}) for n in ("set-a", "set-b"))
    assert "set-a and set-b" in compare(kodak, clic).refused


@pytest.mark.parametrize(
    ("rates", "qualities", "words"),
    [
        ([0.2, 0.4], [30, 33], "x has 2 points that rise, pchip needs 3"),
        ([0.2, 0.4, 0.8], [10, 12, 14], "do not overlap: 28.00 to 40.00 and 10.00 to 14.00 dB"),
        ([0.2, 0.4, 0.8], [20, 24, 29], "the overlap 28.00 to 29.00 dB is 11 % of the shorter"),
    ],
)
def test_curves_that_say_nothing_are_refused(rates, qualities, words):
    anchor = results("a", [0.1, 0.2, 0.4, 0.8, 1.6], [28, 31, 34, 37, 40])
    found = compare(anchor, results("x", rates, qualities))
    assert words in found.refused
    assert (found.bd_rate, found.bd_psnr) == (None, None)


def test_weak_overlaps_crossings_and_falls_are_named():
    anchor = results("a", [0.1, 0.2, 0.4, 0.8, 1.6], [28, 31, 34, 37, 40])
    weak = compare(anchor, results("x", [0.1, 0.2, 0.4], [24, 27, 32]))
    assert any("50 % of the shorter curve" in note for note in weak.notes)
    crossing = compare(anchor, results("x", [0.05, 0.2, 0.8, 3.2], [28, 31, 34, 41]))
    assert any("the curves cross at" in note for note in crossing.notes)
    parallel = compare(anchor, results("x", [0.12, 0.24, 0.48, 0.96], [28, 31, 34, 37]))
    assert not any("cross" in note for note in parallel.notes)
    falling = results("x", [0.1, 0.2, 0.3, 0.4, 0.8], [28, 31, 30.5, 34, 37])
    found = compare(anchor, falling)
    assert any("x falls: 30.500 at 0.3 bpp after 31.000 at 0.2" in note for note in found.notes)
    assert found.bd_rate == pytest.approx(0, abs=1e-9)


def test_points_of_one_rate_are_one():
    anchor = results("a", [0.1, 0.2, 0.4, 0.8], [28, 31, 34, 37])
    twice = results("x", [0.4, 0.1, 0.2, 0.2, 0.4, 0.8], [33, 28, 31, 31, 34, 37])
    found = compare(anchor, twice)
    assert found.bd_rate == pytest.approx(0, abs=1e-9)
    assert "x has the point at 0.2 bpp twice" in found.notes
    assert "x has several points at 0.4 bpp: 33.000 is left out, 34.000 is better" in found.notes
    assert not any("falls" in note for note in found.notes)


def test_costs_and_other_rates_are_not_compared():
    anchor = results("a", [0.1, 0.2, 0.4, 0.8], [28, 31, 34, 37])
    anchor.results["lpips"] = [0.4, 0.3, 0.2, 0.1]
    for cost in ("bpp", "encoding_time", "decoding_peak_bytes"):
        anchor.results.setdefault(cost, [1, 2, 3, 4])
        with pytest.raises(ValueError, match=f"{cost} is no measure of quality"):
            compare(anchor, anchor, measure=cost)
    video = Results("v", results={"bitrate": [100, 200, 400], "psnr-rgb": [28, 31, 34]})
    with pytest.raises(ValueError, match="a has its rate as bpp, v as bitrate"):
        compare(anchor, video)
    better = results("b", [0.05, 0.1, 0.2, 0.4], [28, 31, 34, 37])
    better.results["lpips"] = anchor.results["lpips"]
    found = compare(anchor, better, measure="lpips")
    assert found.bd_rate == pytest.approx(-50, abs=1e-6)
    assert "lpips counts with its sign turned" in found.notes


def test_intervals_are_over_pictures():
    anchor, test = with_rows("a", 1.0, "abcdefgh"), with_rows("t", 0.9, "abcdefgh", seed=1)
    found = compare(anchor, test, num_draws=200)
    low, high = found.interval
    assert low < found.bd_rate < high
    assert -13 < low < high < -7
    assert -13 < found.median < -7
    assert compare(anchor, test, num_draws=200).interval == (low, high)
    assert compare(load("kodak:vtm"), load("kodak:hm"), num_draws=5).interval is None
    assert compare(anchor, test, measure="psnr", num_draws=200).interval == (low, high)
    one = with_rows("one", 1.0, "a")
    assert "no interval: there is one picture" in compare(one, one, num_draws=5).notes


def test_similarities_count_in_decibels():
    anchor = Results("a", results={"bpp": [0.1, 0.2, 0.4], "ms-ssim-rgb": [0.9, 0.95, 0.98]})
    assert curve_of(anchor, "ms-ssim").qualities == pytest.approx([10, 13.0103, 16.9897], abs=1e-4)
    with pytest.raises(ValueError, match="a has no psnr: it has ms-ssim-rgb"):
        curve_of(anchor, "psnr")


def test_curves_of_one_name_are_told_apart(tmp_path, capsys):
    for folder, scale in (("a", 1.0), ("b", 0.8)):
        for stem in ("x", folder):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{stem}.json").write_text(to_json(with_rows("same", scale)))
    paths = [str(tmp_path / name) for name in ("a/a.json", "b/b.json", "a/x.json", "b/x.json")]
    for pair, names in (
        (paths[:2], ("same (a)", "same (b)")),
        (paths[2:], (f"same ({p})" for p in paths[2:])),
    ):
        assert main(["bd", *pair, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)[0]
        assert (found["anchor"], found["test"]) == tuple(names)
    assert main(["bd", paths[0], paths[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["test"] == "same"


def test_the_command_prints_a_table(tmp_path, capsys):
    (tmp_path / "a.json").write_text(to_json(with_rows("first", 1.0)))
    (tmp_path / "b.json").write_text(to_json(with_rows("second", 0.8)))
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    assert main(["bd", *paths, "--bootstrap", "20"]) == 0
    out = capsys.readouterr().out
    assert "second  first    -20.0" in out
    assert "28." in out
    assert main(["bd", *paths, "kodak:vtm", "--json"]) == 1
    out, err = capsys.readouterr()
    fields = json.loads(out)
    assert fields[0]["bd_rate"] == pytest.approx(-20, abs=0.5)
    assert fields[1]["refused"] in err
    assert main(["bd", "--anchor", "kodak:vtm", "--anchor", "kodak:hm", "kodak:jpeg", "kodak:webp"]) == 0
    assert capsys.readouterr().out.count("WebP") == 2
    assert main(["bd", paths[0]]) == 2
    assert main(["bd", "kodak:none", paths[0]]) == 1
    assert "kodak:vtm" in capsys.readouterr().err
