"""Importing the packages does not drag in what few of their users need."""

import subprocess
import sys

PACKAGES = [
    "ops",
    "layers",
    "losses",
    "optimizers",
    "datasets",
    "transforms",
    "latent_codecs",
    "registry",
    "typing",
]
HEAVY = ["torchvision", "torch_geometric", "pandas", "matplotlib", "scipy", "pytorch_msssim"]


def test_heavy_packages_stay_out():
    imports = ", ".join(f"lcrs.{package}" for package in PACKAGES)
    code = f"import sys, {imports}; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
