"""TCM, built from its public code, becomes a package that codes without torch.

Set LCRS_TCM to a checkout of github.com/jmliu206/LIC_TCM, and have `einops` installed; skipped otherwise.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from lcrs import coding, shims
from lcrs.layers.lowering import lower

tcm_package = pytest.importorskip("tcm_package")

FOLDER = os.environ.get("LCRS_TCM", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="set LCRS_TCM to a checkout of LIC_TCM")


@pytest.fixture(scope="module")
def tcm():
    """The published module; of timm it takes two names, one of which does nothing in eval mode."""
    pytest.importorskip("einops")
    layers = ModuleType("timm.models.layers")
    layers.trunc_normal_, layers.DropPath = nn.init.trunc_normal_, nn.Identity
    names = {name: ModuleType(name) for name in ("timm", "timm.models")} | {"timm.models.layers": layers}
    added = {name: module for name, module in names.items() if name not in sys.modules}
    sys.modules.update(added)
    sys.path.insert(0, str(Path(FOLDER) / "models"))
    shims.install()
    try:
        yield importlib.import_module("tcm")
    finally:
        shims.uninstall()
        sys.path.pop(0)
        for name in added:
            del sys.modules[name]


@pytest.fixture(scope="module")
def net(tcm):
    tcm_package.register(tcm)
    torch.manual_seed(1)
    with pytest.warns(DeprecationWarning, match="entropy_bottleneck_channels"):
        net = tcm.TCM(config=[1, 2, 1, 1, 2, 1], head_dim=[8, 16, 32, 32, 16, 8], N=32, M=320).eval()
    with torch.no_grad():  # symbols of some size, scales to match, and biases away from zero
        net.g_a[-1].weight *= 4
        for transform in net.cc_scale_transforms:
            transform[-1].bias += 1.5
        for name, parameter in net.named_parameters():
            if name.endswith("relative_position_params"):
                parameter.normal_(std=0.5)
    net.update()
    return net


@pytest.fixture(scope="module")
def path(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("tcm") / "tcm.lcrm"
    coding.write_package(path, *tcm_package.parts(net, "tcm"))
    return path


@pytest.mark.parametrize(
    ("name", "shape"),
    [("g_a", (3, 256, 128)), ("g_s", (320, 16, 8)), ("h_a", (320, 16, 24)), ("h_mean_s", (192, 4, 4))],
)
def test_transforms_compute_what_torch_computes(net, name, shape):
    module, x = getattr(net, name), torch.rand(1, *shape)
    lowered = lower(module, name)
    found = coding.Graph(lowered.json, lowered.tensors).run([x.numpy()])["y"]
    with torch.no_grad():
        wanted = module(x)
    assert np.abs(found - wanted.numpy()).max() <= 1e-5 * wanted.abs().max()


@pytest.fixture(scope="module")
def picture():
    x, y = np.meshgrid(np.arange(330), np.arange(270))
    planes = [128 + 100 * np.sin(x / 17 + k) * np.cos(y / (9 + k)) for k in range(3)]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def test_files_decode_to_what_forward_gives(net, path, picture):
    package = coding.Package.from_file(path)
    data = package.compress(picture)
    restored = package.decompress(data)
    padded = np.pad(picture, ((0, 384 - 270), (0, 384 - 330), (0, 0)), mode="edge")
    with torch.no_grad():
        out = net(torch.from_numpy(padded).permute(2, 0, 1)[None] / 255)
    wanted = 255 * out["x_hat"][0].clamp(0, 1).permute(1, 2, 0).numpy()[:270, :330]
    # a symbol between two whole numbers falls to either side, and takes those after it along
    assert (np.abs(restored - wanted) > 0.51).mean() <= 0.01
    assert restored.std() > 20
    bits = sum(float(-likelihoods.log2().sum()) for likelihoods in out["likelihoods"].values())
    # weights are random: scales are those of no distribution, and tables have every eighth of an octave
    assert abs(8 * len(data) - bits) <= 0.03 * bits


CODE = """
import hashlib, sys
import numpy as np
from lcrs import coding
package = coding.Package.from_file(sys.argv[1])
picture = np.load(sys.argv[2])
data = package.compress(picture)
restored = package.decompress(data)
assert "torch" not in sys.modules
print(hashlib.sha256(data).hexdigest(), hashlib.sha256(restored.tobytes()).hexdigest())
"""


def test_every_path_and_number_of_threads_codes_alike_without_torch(path, picture, fresh_python, tmp_path):
    np.save(tmp_path / "picture.npy", picture)
    runs = [
        (simd, threads) for simd in coding.simd_paths() if simd != "scalar" for threads in ("1", "2", "5")
    ]
    found = {
        fresh_python(CODE, str(path), str(tmp_path / "picture.npy"), LCRS_SIMD=simd, LCRS_NUM_THREADS=threads)
        for simd, threads in runs
    }
    assert len(found) == 1
