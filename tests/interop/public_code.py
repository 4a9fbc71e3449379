"""Public code in a folder that an environment variable names, imported with lcrs in CompressAI's place."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn

from lcrs import shims


@contextmanager
def imported(variable: str, path: str, package: str | None = None) -> Iterator[ModuleType]:
    """The module at `path` below the folder that `variable` names; skips the test without it.

    Of packages that it imports and that compute nothing here, stand-ins have the names that are needed.

    Args:
        variable: Of the environment.
        path: Of the file, or of the folder of the package that it is in.
        package: The name of the module in that package.
    """
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"set {variable}")
    pytest.importorskip("einops")
    before = set(sys.modules)
    for name, members in _stand_ins().items():
        if name not in sys.modules:
            sys.modules[name] = module = ModuleType(name)
            vars(module).update(members)
    shims.install()
    name = f"public_{variable.lower()}"
    file = Path(folder) / path
    try:
        if package is None:
            yield _load(name, file, None)
        else:
            outer = ModuleType(name)
            outer.__path__ = [str(file)]
            sys.modules[name] = outer
            yield importlib.import_module(f"{name}.{package}")
    finally:
        shims.uninstall()
        for added in set(sys.modules) - before:
            if added.split(".")[0] in (name, *(stand_in.split(".")[0] for stand_in in _stand_ins())):
                del sys.modules[added]


def _load(name: str, file: Path, folder: list[str] | None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folder)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _stand_ins() -> dict[str, dict[str, object]]:
    """In eval mode nothing of this computes."""
    timm = {
        "trunc_normal_": nn.init.trunc_normal_,
        "DropPath": nn.Identity,
        "to_2tuple": lambda side: (side, side),
    }
    coders = {"RangeEncoder": None, "RangeDecoder": None}
    names = {"timm": {}, "timm.models": {}, "timm.models.layers": timm, "range_coder": coders}
    if importlib.util.find_spec("scipy") is None:
        names |= {"scipy": {}, "scipy.stats": {}}
    return names
