"""What `make wheels` and `make sdist` left in `dist`, in environments that have nothing else."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
PHOTO = ROOT / "tests" / "data" / "photo.png"

WHEEL_BYTES = 32_000_000
"""23 million of it are the shipped models."""
SDIST_BYTES = 64_000_000
NATIVE_BYTES = 6_000_000

SYSTEMS = {"linux": "manylinux", "darwin": "macosx", "win32": "win_"}
"""What names of wheels call a system."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def wheels() -> list[Path]:
    return sorted(DIST.glob("lcrs-*.whl"))


def wheel_of_this_machine() -> Path:
    system = SYSTEMS.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    found = [path for path in wheels() if system in path.name and path.stem.endswith(machine)]
    if not found:
        pytest.skip("no wheel for this machine in dist: make wheels")
    return found[-1]


def pythons() -> list[str]:
    """Every Python from 3.10 that is at hand: on the path, pyenv's, or the one that runs this."""
    versions = Path.home() / ".pyenv" / "versions"
    candidates = [shutil.which(f"python3.{minor}") for minor in range(10, 20)]
    candidates += [str(path / "bin" / "python") for path in sorted(versions.glob("3.*")) if path.is_dir()]
    candidates.append(sys.executable)
    found = {}
    for path in filter(None, candidates):
        command = [path, "-c", "import sys, venv; print(sys.version_info[:2], sys.implementation.name)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        numbers = re.fullmatch(r"\(3, (\d+)\) cpython\n", done.stdout)
        if done.returncode == 0 and numbers and int(numbers[1]) >= 10:
            found.setdefault(int(numbers[1]), path)
    return [found[minor] for minor in sorted(found)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(PHOTO, folder / "photo.png")
    data = lcrs.compress(PHOTO, quality=40)
    (folder / "expected.lcrs").write_bytes(data)
    return folder, lcrs.decompress(data)


def check_installed(python: Path, folder: Path, pixels: np.ndarray, name: str) -> None:
    """Runs the main job with what is installed beside `python`: the same bytes and pixels as here."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LCRS_", "PYTHON"))}
    outputs = folder / f"{name}.lcrs", folder / f"{name}.png"
    for arguments in (
        ["encode", "photo.png", "-o", outputs[0], "-q", "40", "--force"],
        ["decode", "expected.lcrs", "-o", outputs[1], "--force"],
    ):
        command = [python, "-m", "lcrs", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert outputs[0].read_bytes() == (folder / "expected.lcrs").read_bytes()
    with Image.open(outputs[1]) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


# To look for them takes a second, in every worker.
PYTHONS = pythons() if os.environ.get("LCRS_TEST_SLOW") else [sys.executable]


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: re.sub(r".*(3\.\d+).*", r"\1", path))
def test_the_wheel_works_in_a_bare_environment(python, expected, tmp_path):
    wheel = wheel_of_this_machine()
    subprocess.run([python, "-m", "venv", tmp_path / "env"], check=True)
    inside = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [inside, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", str(wheel)]
    subprocess.run(install, check=True)
    check_installed(inside, *expected, name="bare")


@pytest.mark.parametrize("wheel", wheels(), ids=lambda path: path.name)
def test_wheels_are_small_and_whole(wheel):
    assert wheel.stat().st_size < WHEEL_BYTES
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    (native,) = (size for name, size in sizes.items() if "/_lcrs." in name and not name.endswith(".pyi"))
    assert native < NATIVE_BYTES
    for name in ("lcrs/py.typed", "lcrs/_lcrs.pyi", "lcrs/zoo/weights/photo-2.lcrm"):
        assert name in sizes
    assert not [name for name in sizes if name.startswith(("tests", "benches")) or "__pycache__" in name]
    assert "abi3" in wheel.name


def test_the_source_distribution_builds_without_a_network(expected, tmp_path):
    found = sorted(DIST.glob("lcrs-*.tar.gz"))
    if not found or shutil.which("cargo") is None:
        pytest.skip("no source distribution in dist: make sdist")
    assert found[-1].stat().st_size < SDIST_BYTES
    with tarfile.open(found[-1]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("lcrs-*")
    assert (source / "vendor" / "pyo3").is_dir()
    offline = {"CARGO_NET_OFFLINE": "true", "CARGO_HOME": str(tmp_path / "cargo"), "PIP_NO_INDEX": "1"}
    offline |= {"CARGO_TARGET_DIR": str(tmp_path / "target")}
    rustup = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
    env = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", env], check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*build, "--wheel-dir", tmp_path / "built", source], env=os.environ | rustup | offline, check=True
    )
    (wheel,) = (tmp_path / "built").glob("*.whl")
    target = tmp_path / "site"
    unpack = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel]
    subprocess.run(unpack, env=os.environ | offline, check=True)
    folder, pixels = expected
    (folder / "lcrs").symlink_to(target / "lcrs")  # what lies in the working folder comes first
    check_installed(Path(sys.executable), folder, pixels, name="source")
