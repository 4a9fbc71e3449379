"""``lcrs doctor``: every kind of trouble is told from every other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import lcrs
import tiny_package
from lcrs.cli import main
from lcrs.errors import DesyncError, LimitError
from lcrs.evaluate import diagnosis
from lcrs.evaluate.diagnosis import diagnose


@pytest.fixture
def file(tmp_path, photo, model_path):
    path = tmp_path / "a.lcrs"
    path.write_bytes(lcrs.compress(photo, quality=60, model="tiny"))
    return path


def changed(path, at, value=None):
    data = bytearray(path.read_bytes())
    data[at] = data[at] ^ 1 if value is None else value
    other = path.with_name("other.lcrs")
    other.write_bytes(data)
    return other


def test_a_healthy_file(file):
    found = diagnose(file)
    assert (found.verdict, found.is_well) == ("healthy", True)
    assert found.facts["model"] == "tiny"


def test_flipped_bytes_are_told(file):
    verdicts = {}
    size = file.stat().st_size
    for at in [*range(min(size, 100)), *range(100, size, 37)]:
        verdicts.setdefault(diagnose(changed(file, at)).verdict, []).append(at)
    assert "healthy" not in verdicts
    assert verdicts.pop("old-format") == [4]
    assert diagnose(changed(file, 4, 7)).verdict == "newer-format"
    assert set(verdicts) <= {"damaged", "truncated"}
    for num_bytes in range(0, size, 41):
        (cut := file.with_name("cut.lcrs")).write_bytes(file.read_bytes()[:num_bytes])
        assert diagnose(cut).verdict == "truncated"
    (joined := file.with_name("joined.lcrs")).write_bytes(2 * file.read_bytes())
    found = diagnose(joined)
    assert (found.verdict, "take off" in found.advice) == ("damaged", True)
    data = file.read_bytes()
    assert b"\n" in data
    file.write_bytes(data.replace(b"\n", b"\r\n"))
    found = diagnose(file)
    assert (found.verdict, "in binary mode" in found.advice) == ("damaged", True)


def test_models_that_are_not_here_or_not_the_same(file, tmp_path, monkeypatch):
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path / "none"))
    found = diagnose(file)
    assert found.verdict == "missing-model"
    assert "LCRS_MODEL_PATH" in found.advice
    (tmp_path / "others").mkdir()
    tiny_package.write(tmp_path / "others" / "tiny.lcrm", "tiny", seed=5)
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tmp_path / "others"))
    found = diagnose(file)
    assert found.verdict == "wrong-model"
    assert lcrs.info(file)["entropy_digest"] in found.advice
    assert diagnose(file, model=str(tmp_path / "others" / "tiny.lcrm")).verdict == "wrong-model"


@pytest.mark.parametrize(
    ("data", "verdict", "words"),
    [
        (b"", "truncated", "empty"),
        (b"\x89PNG\r\n\x1a\n....", "foreign", "PNG"),
        (b"RIFF1234WEBPVP8 ", "foreign", "WebP"),
        (b"PK\x03\x04....", "foreign", "zip"),
        (b"<!DOCTYPE html>", "foreign", "HTML"),
        (b"\x0cLCS\x01\x03", "damaged", "0c 4c 43 53"),
        (b"?LCS\x01\x03", "damaged", "text mode"),
        (b"\x8cLC", "truncated", "8c 4c 43"),
        (bytes(500), "damaged", "zero"),
        (b"BM\x00\x00\x00\x00", "foreign", "BMP"),
        (b"\x00\x00\x00\x0cjP  \r\n", "foreign", "JPEG 2000"),
        (b"\x80\x05....", "foreign", "pickle"),
        (b"jExDUwEDBA==", "foreign", "base64 -d"),
        (b"\x00\x12\x33\x01\x02\x03\x04", "foreign", "nothing that is known"),
    ],
)
def test_foreign_files(data, verdict, words, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(data)
    found = diagnose(path)
    assert found.verdict == verdict
    assert words in found.words + found.advice
    assert found.advice


def test_packages(tiny_models, tmp_path):
    whole = tiny_models / "tiny.lcrm"
    assert diagnose(whole).verdict == "package"
    (tmp_path / "cut.lcrm").write_bytes(whole.read_bytes()[:-100])
    assert diagnose(tmp_path / "cut.lcrm").verdict == "damaged"


def test_a_weak_model_is_no_damage(tmp_path, photo, rng, model_path):
    noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "noise.lcrs"
    path.write_bytes(lcrs.compress(noise, quality=0, model="tiny"))
    found = diagnose(path, original=noise)
    assert found.verdict == "weak-model"
    assert found.is_well
    assert found.facts["is_what_the_model_makes"]
    assert found.facts["measured"]["psnr-rgb"] < 25
    other = diagnose(path, original=np.ascontiguousarray(noise[::-1]))
    assert "other pixels" in other.words


def test_a_desynchronised_stream(file, monkeypatch):
    def wrong(*_, **__):
        raise DesyncError("the state at the end is 5")

    monkeypatch.setattr(diagnosis.codec, "decompress", wrong)
    found = diagnose(file)
    assert found.verdict == "desync"
    assert "report it" in found.advice


def test_files_that_are_not_portable(tmp_path, photo):
    torch = pytest.importorskip("torch")
    from lcrs.models import FactorizedPrior

    class Own(FactorizedPrior):
        def compress(self, x):
            return super().compress(x * 1.0)

    torch.manual_seed(0)
    net = Own(8, 12).eval()
    net.update()
    path = tmp_path / "own.lcrs"
    path.write_bytes(lcrs.compress(photo, model=net, allow_not_portable=True))
    found = diagnose(path)
    assert found.verdict == ("not-portable" if not found.facts["portable"] else "missing-model")
    assert diagnose(path, model=net).verdict == "healthy"


def test_limits(file, monkeypatch):
    for limit, option in (("max_pixels", "--max-pixels"), ("max_bytes", "--max-bytes")):
        found = diagnose(file, **{limit: 10})
        assert (found.verdict, found.advice) == ("too-large", f"if you trust it, raise {option}")

    def claims(data, **limits):
        raise LimitError("picture of 70000 x 1, at most 65535 a side are allowed (max_side)")

    monkeypatch.setattr(diagnosis.codec, "info", claims)
    assert "raise" not in diagnose(file).advice  # there is no such option


def test_the_command(file, tmp_path, photo, capsys):
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert main(["doctor", str(file), "--original", str(tmp_path / "a.png")]) == 0
    assert "healthy" in capsys.readouterr().out
    assert main(["doctor", str(changed(file, 70)), str(tmp_path / "none"), str(file), "--json"]) == 1
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["verdict"] for line in lines] == ["damaged", "healthy"]
    assert "none" in err
