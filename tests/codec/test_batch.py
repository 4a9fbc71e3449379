"""Batches of rows: in this process, in a pool, and under a real local Ray of which a worker is killed."""

from __future__ import annotations

import io
import math
import multiprocessing
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import metrics
from lcrs.codec import batch


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def rows(photo, tmp_path, model_path):
    path = tmp_path / "c.png"
    path.write_bytes(png(photo[:40, :30]))
    pictures = [photo, png(photo[:50, :60]), str(path), photo[..., 0], b"no picture", None]
    return {"name": list("abcdef"), "image": pictures}


def test_every_row_comes_out_once(rows, photo):
    coded = batch.encode(rows, quality=40, model="tiny")
    assert coded["name"] == list("abcdef")
    assert "image" not in coded
    assert [bool(error) for error in coded["error"]] == [False] * 4 + [True] * 2
    assert coded["lcrs"][0] == lcrs.compress(photo, quality=40, model="tiny")
    assert coded["num_bytes"] == [len(data) for data in coded["lcrs"]]
    assert coded["lcrs"][4:] == [b"", b""]
    restored = batch.decode(coded, keep=True)
    assert np.array_equal(restored["image"][0], lcrs.decompress(coded["lcrs"][0]))
    assert [image is None for image in restored["image"]] == [False] * 4 + [True] * 2
    assert restored["error"] == coded["error"]  # what went wrong first is what is told
    as_files = batch.decode(coded, form="png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(as_files["image"][1]))), restored["image"][1])


def test_damaged_files_are_rows_with_an_error(rows):
    coded = batch.encode(rows, quality=40, model="tiny")
    coded["lcrs"][1] = coded["lcrs"][1][:-5]
    found = batch.decode(coded)
    assert found["error"][1].startswith("TruncatedError")
    assert found["error"][0] == ""


def test_measures(rows, photo):
    found = batch.evaluate(rows, quality=40, model="tiny", names=["psnr-rgb", "ms-ssim-rgb"])
    data = lcrs.compress(photo, quality=40, model="tiny")
    assert found["num_bytes"][0] == len(data)
    assert found["psnr-rgb"][0] == pytest.approx(metrics.psnr(photo, lcrs.decompress(data)))
    assert math.isnan(found["ms-ssim-rgb"][0])  # it is too small
    assert math.isnan(found["bpp"][4])
    assert all(time > 0 for time in found["encoding_time"][:4])


def test_a_model_is_measured_and_not_the_choice_of_a_file():
    flat = np.full((32, 32, 3), 90, np.uint8)
    rows = batch.evaluate({"image": [flat]}, names=("psnr-rgb",))
    assert np.isfinite(rows["psnr-rgb"][0])
    rows = batch.evaluate({"image": [flat]}, names=("psnr-rgb",), lossless=None)
    assert np.isinf(rows["psnr-rgb"][0])


def test_paths_are_read(tmp_path, photo):
    (tmp_path / "a.png").write_bytes(png(photo))
    found = batch.read_paths({"path": [tmp_path / "a.png", str(tmp_path / "none")]})
    assert found["image"] == [(tmp_path / "a.png").read_bytes(), b""]
    assert found["error"][1].startswith("FileNotFoundError")
    assert batch.read_paths({"path": []}) == {"path": [], "image": [], "error": []}


def test_wrong_columns_are_an_error_of_the_call():
    with pytest.raises(KeyError, match="there are name"):
        batch.encode({"name": ["a"]})
    with pytest.raises(ValueError, match="1, 2 rows"):
        batch.encode({"name": ["a"], "image": [b"", b""]})


def test_a_pool_of_processes_gives_the_same(rows, monkeypatch):
    parts = [{name: values[at : at + 2] for name, values in rows.items()} for at in (0, 2, 4)]
    work = partial(batch.encode, quality=40, model="tiny")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(work, parts)
    whole = work(rows)
    assert [data for part in found for data in part["lcrs"]] == whole["lcrs"]


NUM = 1000


def fatal_once(columns, marker):
    """Ends the worker that is given row 500, the first time."""
    if 500 in columns["id"]:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), 9)
    return batch.encode(columns, quality=30, model="tiny")


def start(ray, **options):
    """Starts Ray, which gives its own processes half a minute: too little on a busy machine."""
    for _ in range(5):
        try:
            return ray.init(**options)
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            ray.shutdown()
    pytest.skip("Ray does not start on so busy a machine")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # twenty seconds, but many minutes where others want the processors, too
@pytest.mark.filterwarnings("ignore")
def test_ray_data_loses_and_doubles_nothing_when_a_worker_is_killed(photo, tmp_path, model_path):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    rng = np.random.default_rng(5)
    places = rng.integers(0, (photo.shape[0] - 24, photo.shape[1] - 32), (NUM, 2))
    items = [{"id": at, "image": png(photo[r : r + 24, c : c + 32])} for at, (r, c) in enumerate(places)]
    items[7]["image"] = b"no picture"
    environment = {"env_vars": {"LCRS_MODEL_PATH": str(model_path), "PYTHONPATH": str(Path(__file__).parent)}}
    start(ray, num_cpus=3, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    try:
        data = ray.data.from_items(items).repartition(50)
        marker = str(tmp_path / "killed")
        coded = data.map_batches(fatal_once, fn_kwargs={"marker": marker}, batch_size=20)
        found = coded.take_all()
        measured = data.map_batches(
            batch.evaluate, fn_kwargs={"quality": 30, "model": "tiny", "names": ["psnr-rgb"]}, batch_size=50
        ).take_all()
    finally:
        ray.shutdown()
    assert Path(marker).exists()
    assert sorted(row["id"] for row in found) == list(range(NUM))
    for row in found:
        if row["id"] == 7:
            assert row["error"].startswith("PictureError")
        else:
            assert (
                row["lcrs"]
                == batch.encode({"image": [items[row["id"]]["image"]]}, quality=30, model="tiny")["lcrs"][0]
            )
    assert sorted(row["id"] for row in measured) == list(range(NUM))
    assert np.nanmin([row["psnr-rgb"] for row in measured]) > 20
