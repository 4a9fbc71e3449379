"""Result files: ours, CompressAI's, and what is none."""

from __future__ import annotations

import json
import math

import pytest

from lcrs.evaluate.results import SCHEMA, Results, means, read_results, results_of, to_json


def rows_of(*points):
    """Rows of (digest, setting, bpp, psnr)."""
    return [{"digest": d, "setting": s, "bpp": b, "psnr-rgb": p} for d, s, b, p in points]


def rowed(**fields):
    """A result of one row."""
    row = {"digest": "a", "setting": 1, "bpp": 1} | fields
    return {"results": {"bpp": [1]}, "pictures": [{"digest": "a"}], "rows": [row]}


def test_a_result_comes_back_as_it_was(tmp_path):
    rows = rows_of(("a", 1, 0.5, 30.0), ("a", 2, 1.0, math.inf))
    pictures = [{"name": "a.png", "digest": "a", "width": 3, "height": 2, "counted": True}]
    result = Results("x", "y", means(rows, frozenset("a")), {"rate": "bytes"}, pictures, rows, [])
    path = tmp_path / "x.json"
    path.write_text(to_json(result))
    back = read_results(path)
    assert back.results == {"setting": [1, 2], "bpp": [0.5, 1.0], "psnr-rgb": [30.0, None]}
    assert back.rows[1]["psnr-rgb"] is None
    assert (back.name, back.description, back.pictures, back.digests) == ("x", "y", pictures, {"a"})
    assert json.loads(path.read_text())["schema"] == SCHEMA


def test_means_are_over_pictures_that_have_all():
    rows = rows_of(("a", 2, 2.0, 40.0), ("b", 2, 4.0, 30.0), ("a", 1, 1.0, 20.0), ("c", 1, 9.0, 9.0))
    assert means(rows, frozenset("ab")) == {"setting": [2], "bpp": [3.0], "psnr-rgb": [35.0]}
    assert means(rows, frozenset("a"))["setting"] == [1, 2]
    assert means(rows, frozenset("abc")) == {}


def test_decibels_of_ms_ssim_are_those_of_the_mean():
    rows = [
        {"digest": d, "setting": 1, "bpp": 1.0, "ms-ssim-rgb": v, "ms-ssim-rgb-db": 0.0}
        for d, v in (("a", 0.9), ("b", 0.99))
    ]
    found = means(rows, frozenset("ab"))
    assert found["ms-ssim-rgb-db"] == [pytest.approx(-10 * math.log10(1 - 0.945))]


def test_published_curves_load(reference_data):
    paths = sorted((reference_data / "rd").glob("*.json"))
    assert len(paths) > 40
    for path in paths:
        found = read_results(path)
        assert found.name
        assert found.rate == "bpp"
        assert len(found.results["bpp"]) >= 2
        assert not found.digests


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "is of type list"),
        ({}, "no bpp, bpip or bitrate"),
        ({"results": {"psnr-rgb": [1]}}, "no bpp, bpip or bitrate"),
        ({"results": {"bpp": [1, 2], "psnr-rgb": [1]}}, r"results.psnr-rgb has 1 values, bpp has 2"),
        ({"results": {"bpp": [1, "x"]}}, r"results.bpp\[1\] is 'x'"),
        ({"results": {"bpp": [True]}}, "is True"),
        ({"results": {"bpp": 1}}, "rate that is no list"),
        ({"results": {"bpp": [1]}, "name": 3}, "name is of type int"),
        ({"results": {"bpp": [1]}, "rows": [1]}, "rows is no list of objects"),
        ({"results": {"bpp": [1]}, "rows": [{"digest": "a", "setting": 1}]}, r"rows\[0\]"),
        ({"results": {"bpp": [1]}, "pictures": [{"name": "a"}]}, r"pictures\[0\] has no digest"),
        ({"results": {"bpp": [10**400]}}, r"results.bpp\[0\] is of 1329 bits"),
        ({"results": {"bpp": [1e308]}}, r"results.bpp\[0\] is 1e\+308"),
        (rowed(digest=["a"]), r"rows\[0\] has no setting, or the digest of no picture"),
        (rowed(setting=[1]), r"rows\[0\].setting is \[1\]"),
        (rowed(bpp="x" * 99), r"rows\[0\]: bpp is 'xxx.*\.\.\.,"),
        (rowed(missing=3), r"rows\[0\].missing is 3"),
        ({**rowed(), "rows": [{"digest": "a", "setting": 1}]}, r"rows\[0\] has no bpp"),
        ({"schema": "lcrs-results/9", "results": {"bpp": [1]}}, "lcrs-results/9"),
    ],
)
def test_what_is_no_result_is_said_with_its_place(content, words, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=words) as raised:
        read_results(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said(data, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is no JSON file"):
        read_results(path)


def test_bare_results_take_the_name_of_their_file(tmp_path):
    path = tmp_path / "some.codec.json"
    path.write_text('{"bpp": [0.1, 0.2], "psnr-rgb": [30, NaN]}')
    found = read_results(path)
    assert (found.name, found.results["psnr-rgb"]) == ("some", [30, None])


def test_foreign_files_may_lack_what_is_no_number(tmp_path):
    path = tmp_path / "x.json"
    content = {"name": None, "description": None, "meta": None} | rowed(**{"psnr-rgb": math.inf})
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())  # with the mark that some editors write
    found = read_results(path)
    assert (found.name, found.description, found.meta) == ("x", "", {})
    assert (found.pictures[0]["name"], found.rows[0]["psnr-rgb"]) == ("a", None)


def test_video_has_a_bitrate():
    assert results_of({"results": {"bitrate": [100.0], "psnr-rgb": [30.0]}}, "x").rate == "bitrate"
