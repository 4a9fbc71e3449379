"""Drawings, and the page of HTML in a real browser."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lcrs.cli import main
from lcrs.evaluate.curves import load
from lcrs.evaluate.report import page

pytestmark = pytest.mark.usefixtures("bjontegaard")
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
NAME = '</script><b id="planted">&.png'.replace("/", "_")


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory, photo, tiny_models):
    """Two result files with restored pictures, one of them of a name that tries to be HTML."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "in").mkdir()
    big = np.tile(photo, (3, 3, 1))
    Image.fromarray(big).save(folder / "in" / NAME)
    Image.fromarray(big[:200, :180]).save(folder / "in" / "b.png")
    options = ["in", "--quiet", "--save"]
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("LCRS_MODEL_PATH", str(tiny_models))
        assert main(["eval", "tiny", *options, "saved-a", "-q", "10,40,70,100", "--json", "a.json"]) == 0
        assert main(["bench", "webp", *options, "saved-b", "-q", "1,30,60,90", "--json", "b.json"]) == 0
    return folder


@pytest.fixture
def measured(measured_once, tmp_path, monkeypatch):
    """A copy of them, which is the present folder."""
    shutil.copytree(measured_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dom(path, tmp_path, *options):
    """The page as the browser has it after its scripts, and what it printed."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", *options]
    done = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_the_page_works_in_a_browser(measured, capsys):
    words = ["report", "a.json", "b.json", "kodak:vtm", "-o", "page.html", "--originals", "in"]
    assert main([*words, "--title", "A <title> & more"]) == 0
    assert not capsys.readouterr().err
    html, printed = dom(measured / "page.html", measured)
    assert "Uncaught" not in printed
    assert "CONSOLE" not in printed
    assert "<h1>A &lt;title&gt; &amp; more</h1>" in html
    assert '<b id="planted">' not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert html.count("<polyline") == 3
    assert html.count("<circle") == 4 + 4 + 8
    table = re.search(r'<table id="rows">.*?</table>', html, re.DOTALL).group()
    assert table.count("<tr>") == 1 + 16
    differences = re.search(r'<table id="differences">.*?</table>', html, re.DOTALL).group()
    assert "refused" in differences  # VTM is over other pictures
    assert html.count('class="compare"') == 4
    assert html.count("data:image/png") >= 6
    assert "kodak" in html


def test_the_page_needs_nothing_from_elsewhere(measured):
    assert main(["report", "a.json", "b.json", "-o", "page.html", "--originals", "in"]) == 0
    text = (measured / "page.html").read_text()
    assert not re.search(r'(src|href)\s*=\s*["\']', text.replace('alt: "original"', ""))
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|<link", text)
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    assert [curve["name"] for curve in data["curves"]] == ["tiny", "WebP"]
    ours = data["differences"]["psnr-rgb"][0][1]
    assert main(["bd", "a.json", "b.json", "--json"]) == 0
    assert ours["num_pictures"] == 2
    crops = data["crops"]
    assert {crop["picture"] for crop in crops} == {NAME, "b.png"}
    rows = [row for row in data["rows"] if row["codec"] == "WebP" and row["picture"] == crops[0]["picture"]]
    nearest = min(rows, key=lambda row: abs(row["bpp"] - 0.25))
    assert f"setting {nearest['setting']}: " in crops[0]["crops"][1]["caption"]


def test_other_pictures_are_not_shown(measured, photo, capsys):
    Image.fromarray(photo).save(measured / "in" / "b.png")
    assert main(["report", "a.json", "-o", "page.html", "--originals", "in"]) == 0
    assert "another picture" in capsys.readouterr().err
    assert main(["report", "a.json", "-o", "without.html"]) == 0
    assert "no pictures: --originals FOLDER" in capsys.readouterr().err


def test_names_do_not_disturb_the_page():
    curves = [load("kodak:vtm"), load("kodak:jpeg"), load("kodak:webp")]
    names = ("\u0645\u0631 </script>", "x" * 5000, "a\u202eb\x1b[31m$_{c}$ @TITLE@")
    curves = [replace(results, name=name) for results, name in zip(curves, names, strict=True)]
    text = page(curves, title="@DATA@ <b>")
    assert text.count("<h1>@DATA@ &lt;b&gt;</h1>") == 1
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    first, second, third = (curve["name"] for curve in data["curves"])
    assert first == "\u2068\u0645\u0631 </script>\u2069"
    assert (len(second), second[-1]) == (64, "\u2026")
    assert third == "a\ufffdb\ufffd[31m$_{c}$ @TITLE@"
    pytest.importorskip("matplotlib")
    from lcrs.evaluate.plotting import draw

    figure, lacking = draw([*curves, *curves, *curves, *curves])
    assert not lacking
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12
    figure.savefig(io.BytesIO(), format="svg")  # a name is no formula


def test_published_curves_alone_make_a_page():
    text = page([load("kodak:vtm"), load("kodak:jpeg")])
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    assert data["rows"] == []
    assert data["crops"] == []
    assert data["differences"]["psnr-rgb"][0][1]["bd_rate"] > 150


# Each kind and each format once; how a curve is drawn and how a figure is written know nothing of each other.
@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        pytest.param(kind, ending, marks=[pytest.mark.slow] * ((kind == "rate-time") != (ending == "svg")))
        for kind in ("rd", "rate-time")
        for ending in ("png", "svg", "pdf")
    ],
)
def test_drawings(kind, ending, measured, capsys):
    pytest.importorskip("matplotlib")
    curves = {"rd": ["a.json", "kodak:vtm"], "rate-time": ["a.json", "b.json"]}[kind]
    target = measured / f"{kind}.{ending}"
    assert main(["plot", *curves, "-o", str(target), "--kind", kind, "--title", "T"]) == 0
    begin = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert target.read_bytes().startswith(begin)
    assert target.stat().st_size > 4000
    assert main(["plot", "a.json", "-o", str(target)]) == 1
    assert "--force" in capsys.readouterr().err


def test_what_is_drawn_is_what_was_measured(measured):
    pytest.importorskip("matplotlib")
    from lcrs.evaluate.plotting import draw

    results = load(measured / "a.json")
    figure, lacking = draw([results, load("kodak:vtm")], measure="ms-ssim", axes=(0, 9, 5, 40))
    assert not lacking
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), results.results["bpp"])
    np.testing.assert_allclose(line.get_ydata(), results.results["ms-ssim-rgb-db"])
    assert figure.axes[0].get_xlim() == (0, 9)
    figure, lacking = draw([results, load("kodak:vtm")], kind="rate-complexity")
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[pytest.approx(0)]]
    assert "VTM has no complexity" in lacking[0]
    with pytest.raises(ValueError, match="nothing can be drawn: VTM has no times"):
        draw([load("kodak:vtm")], kind="rate-time")


def test_a_curve_of_two_points_is_drawn(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    (tmp_path / "two.json").write_text('{"results": {"bpp": [0.2, 0.4], "psnr-rgb": [30, 33]}}')
    path = str(tmp_path / "two.json")
    assert main(["plot", path, "kodak:vtm", "-o", str(tmp_path / "a.svg")]) == 0
    assert main(["bd", "kodak:vtm", path, "--same-pictures"]) == 1
    assert "2 points" in capsys.readouterr().err
    assert main(["plot", path, "-o", str(tmp_path / "a.gif")]) == 2
