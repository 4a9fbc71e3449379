"""Fixtures shared by all tests: reference data, small tables, and a tiny model package made without torch."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Tensors of tests are small, workers have a processor each: more threads would wait for each other. What
# is about threads says how many; with LCRS_TEST_SLOW there are as many as lcrs takes by itself.
# Numpy asks when it is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if not os.environ.get("LCRS_TEST_SLOW"):
    os.environ.setdefault("LCRS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from python_with_torch import PythonWithTorch

# `fast` is the default; LCRS_HYPOTHESIS=slow looks longer.
settings.register_profile(
    "fast", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "slow", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("LCRS_HYPOTHESIS") or "fast")

gc.disable()  # until all tests are collected: nothing of it goes away before
DATA = Path(__file__).parent / "data"


def runs_slow(config: pytest.Config) -> bool:
    """Whether slow tests are asked for."""
    marks = config.getoption("-m")
    return bool(os.environ.get("LCRS_TEST_SLOW")) or ("slow" in marks and "not slow" not in marks)


def pytest_report_header(config: pytest.Config) -> str:
    """Says what is left out."""
    return f"slow tests: {'run' if runs_slow(config) else 'left out, make test-slow runs them'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out slow tests unless asked for by LCRS_TEST_SLOW=1 or ``-m slow``."""
    if not runs_slow(config):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_collection_finish() -> None:
    """Has the collector of garbage begin, but pass over what is there for good, modules and thousands of
    tests, and look less often: a network of tests is thousands of objects.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def pytest_runtest_setup() -> None:
    """Has each test of torch draw the same numbers, whatever ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)  # that of devices is left: it takes long


def find_reference_data() -> Path | None:
    """The folder of larger reference data: LCRS_REFERENCE_DIR, or beside the checkout; None without it."""
    named = os.environ.get("LCRS_REFERENCE_DIR")
    candidates = [Path(named)] if named else [p / "shared" / "reference" for p in Path(__file__).parents[2:5]]
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of larger reference data; tests that need it are skipped without it."""
    path = find_reference_data()
    if path is None:
        pytest.skip("no reference data: set LCRS_REFERENCE_DIR")
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The committed fixtures."""
    return DATA


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A part of a photo, uint8 (83, 122, 3): no side is a multiple of anything that matters."""
    from PIL import Image

    with Image.open(DATA / "photo.png") as image:
        return np.asarray(image.convert("RGB").crop((200, 100, 322, 183)))


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of a tiny model called ``tiny``."""
    import tiny_package

    folder = tmp_path_factory.mktemp("models")
    tiny_package.write(folder / "tiny.lcrm")
    return folder


@pytest.fixture
def model_path(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, with LCRS_MODEL_PATH naming it."""
    monkeypatch.setenv("LCRS_MODEL_PATH", str(tiny_models))
    return tiny_models


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., str]:
    """Runs a piece of Python in a new process and returns what it printed; keyword arguments set its
    environment.
    """

    def run(code: str, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            env=os.environ | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def python_with_torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonWithTorch]:
    """Runs command lines of Python in new processes where torch is loaded already."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.getbasetemp()
    runner = PythonWithTorch(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    yield runner
    runner.close()


@pytest.fixture
def fresh_torch(tmp_path: Path, python_with_torch: PythonWithTorch) -> Callable[..., str]:
    """As ``fresh_python``, for code that needs torch: a new process that begins with torch alone."""

    def run(code: str, *arguments: str, **environment: str) -> str:
        done = python_with_torch.run("-c", code, *arguments, cwd=tmp_path, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
