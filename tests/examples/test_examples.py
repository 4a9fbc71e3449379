"""The scripts in `examples` do what they say, and the notebook runs from its first cell to its last."""

import io
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# run by a test of its own, or, the demonstration, by `make demo`
ELSEWHERE = {"decode_service.py", "demo.py"}


@pytest.mark.parametrize("name", sorted({path.name for path in EXAMPLES.glob("*.py")} - ELSEWHERE))
def test_scripts_run(name, tmp_path, python_with_torch):
    result = python_with_torch.run(EXAMPLES / name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    assert not result.stderr
    if name == "own_layer.py":
        assert result.stdout.rstrip().endswith("two: True")
        assert (tmp_path / "gated.lcrm").exists()


@pytest.fixture
def service():
    command = [sys.executable, EXAMPLES / "decode_service.py", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()


def answer(address: str, body: bytes) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, data=body, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_service_decodes_and_refuses(service, photo):
    data = lcrs.compress(photo, quality=20)
    status, body = answer(service, data)
    assert status == 200
    with Image.open(io.BytesIO(body)) as restored:
        np.testing.assert_array_equal(np.asarray(restored), lcrs.decompress(data))
    for bad in (data[:-1], b"no file", b""):
        status, body = answer(service, bad)
        assert status == 422
        assert body.count(b"\n") == 1


def test_the_rust_example_decodes(tmp_path, photo):
    program = next(
        (path for path in sorted((ROOT / "target").glob("*/examples/decode")) if path.is_file()), None
    )
    if program is None:
        pytest.skip("the example is not built: cargo build -p lcrs-codec --example decode")
    shutil.copy(ROOT / "python" / "lcrs" / "zoo" / "weights" / "photo-2.lcrm", tmp_path)
    data = lcrs.compress(photo, quality=30)
    (tmp_path / "a.lcrs").write_bytes(data)
    subprocess.run([program, "photo-2.lcrm", "a.lcrs", "a.ppm"], cwd=tmp_path, check=True)
    with Image.open(tmp_path / "a.ppm") as restored:
        np.testing.assert_array_equal(np.asarray(restored), lcrs.decompress(data))


def test_the_notebook_runs(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    with Image.open(ROOT / "tests" / "data" / "photo.png") as photo:
        photo.crop((100, 100, 356, 292)).save(tmp_path / "photo.png")
    notebook = nbformat.read(EXAMPLES / "first_steps.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # what ran where is not committed
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    texts = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "the same: True" in "".join(texts)
