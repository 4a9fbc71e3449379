"""Importing lcrs is cheap, and coding never brings torch along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lcrs
from lcrs import coding


def test_importing_loads_neither_numpy_nor_torch(fresh_python) -> None:
    code = "import lcrs, sys; print({'numpy', 'torch', 'PIL'} & set(sys.modules))"
    assert fresh_python(code) == "set()"


def test_the_torch_free_parts_load_no_torch(fresh_python) -> None:
    code = """
import sys
import lcrs, lcrs.coding, lcrs.codec, lcrs.cli, lcrs.ans, lcrs._CXX
from lcrs.cli import decode, encode, info
lcrs.compress, lcrs.decompress, lcrs.info, lcrs.__version__
print([name for name in sys.modules if name.split(".")[0] == "torch"])
"""
    assert fresh_python(code) == "[]"


def test_the_command_line_loads_only_what_it_needs(fresh_python) -> None:
    code = """
import sys
from lcrs.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print({"numpy", "PIL", "lcrs.codec", "lcrs.coding"} & set(sys.modules), file=sys.stderr)
assert not {"numpy", "PIL", "lcrs.codec", "lcrs.coding"} & set(sys.modules)
"""
    assert "encode" in fresh_python(code)


def test_the_command_line_needs_no_numpy(fresh_python, model_path, photo, tmp_path) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    code = """
import sys
from lcrs.cli import main
assert main(["encode", "a.png", "-o", "a.lcrs", "--model", "tiny", "-q", "30"]) == 0
assert main(["decode", "a.lcrs", "-o", "b.png"]) == 0
assert main(["info", "a.lcrs", "--json"]) == 0
assert "numpy" not in sys.modules
for name in [name for name in sys.modules if name.startswith("PIL")]:
    del sys.modules[name]
assert main(["decode", "a.lcrs", "-o", "b.ppm"]) == 0
assert not [name for name in sys.modules if name.startswith("PIL")]
"""
    assert '"width": 122' in fresh_python(code)
    with Image.open(tmp_path / "b.png") as image:
        restored = np.asarray(image)
    np.testing.assert_array_equal(restored, lcrs.decompress(lcrs.compress(photo, quality=30, model="tiny")))


def test_what_needs_torch_says_how_to_get_it(fresh_python) -> None:
    code = """
import sys
sys.modules["torch"] = None
import importlib
import lcrs
for part in sys.argv[1:]:
    try:
        if part == "zoo.mbt2018":
            lcrs.zoo.mbt2018
        importlib.import_module(f"lcrs.{part}")
    except ModuleNotFoundError as error:
        print(part, error.name, error)
"""
    parts = [
        "datasets", "entropy_models", "latent_codecs", "layers.gdn", "losses", "metrics.tensors",
        "models.google", "ops", "optimizers", "train.loop", "transforms", "typing", "utils.update_model",
        "zoo.mbt2018",
    ]  # fmt: skip
    reason = "torch this part of lcrs needs torch: pip install '.[torch]' in its sources"
    assert fresh_python(code, *parts).splitlines() == [f"{part} {reason}" for part in parts]


@pytest.mark.slow
def test_torchs_compiler_is_left_alone(python_with_torch, tmp_path) -> None:
    """It takes as long to load as torch itself."""
    code = """
import sys
import lcrs.models, lcrs.zoo, lcrs.train, lcrs.losses, lcrs.datasets, lcrs.packages, lcrs.shims
print([name for name in sys.modules if name in ("torch._dynamo", "torch._inductor", "sympy")])
"""
    done = python_with_torch.run("-c", code, cwd=tmp_path, has_compiler=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.slow
def test_every_part_loads_when_it_is_named(fresh_torch) -> None:
    own = {"__init__", "__main__", "_CXX", "_lcrs", "changed_copy", "copied_names", "moved_modules"}
    own |= {"needs_torch"}
    parts = {path.stem for path in Path(lcrs.__file__).parent.iterdir() if path.suffix in ("", ".py")} - own
    parts = sorted(part for part in parts if part != "__pycache__")
    code = (
        f"import lcrs; print([name for name in {parts} if getattr(lcrs, name).__name__ != f'lcrs.{{name}}'])"
    )
    assert len(parts) > 20
    assert fresh_torch(code) == "[]"


def test_every_public_name_is_there() -> None:
    for module in (lcrs, coding):
        for name in module.__all__:
            assert getattr(module, name) is not None
        assert set(module.__all__) <= set(dir(module))
