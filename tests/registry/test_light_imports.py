"""Importing the packages does not drag in what few of their users need."""

import pytest

PACKAGES = [
    "datasets",
    "entropy_models",
    "latent_codecs",
    "layers",
    "losses",
    "models",
    "ops",
    "optimizers",
    "registry",
    "registry.torch",
    "transforms",
    "typing",
    "zoo",
    "zoo.image",
    "zoo.video",
]
HEAVY = ["torchvision", "torch_geometric", "pandas", "matplotlib", "scipy", "pytorch_msssim", "requests"]


@pytest.fixture
def traps(tmp_path):
    """A folder in which each heavy package is there, and fails when it is imported."""
    folder = tmp_path / "traps"
    folder.mkdir()
    for name in HEAVY:
        (folder / f"{name}.py").write_text(f"raise AssertionError('{name} was imported')")
    return folder


def test_heavy_packages_stay_out(fresh_torch, traps):
    imports = ", ".join(f"lcrs.{package}" for package in PACKAGES)
    code = f"""
import {imports}
from lcrs.registry import DATASETS, MODELS
from lcrs.zoo import models
MODELS["mbt2018"](2, 3)
print(len(models) > 10, "ImageFolder" in DATASETS)
"""
    assert fresh_torch(code, PYTHONPATH=str(traps)) == "True True"


def test_the_traps_would_be_seen(fresh_torch, traps):
    code = """
from lcrs.losses import RateDistortionLoss
try:
    RateDistortionLoss(metric="ms-ssim")
except AssertionError as error:
    print(error)
"""
    assert fresh_torch(code, PYTHONPATH=str(traps)) == "pytorch_msssim was imported"
