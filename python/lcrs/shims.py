"""Code that imports CompressAI, run with lcrs in its place.

Where the code is yours, replace `compressai` by `lcrs` in its imports. Where it is not, call `install` before
it is imported, or run it by::

    python -m lcrs.shims train.py --epochs 2
    python -m lcrs.shims -m somebodys.package --help

Every `compressai.x.y` is then the module `lcrs.x.y` itself, so that classes are the same by either name.
Processes that are started anew (`spawn`) have to call `install` themselves. A whole model that was pickled
with CompressAI is to be made anew: `type(net).from_state_dict(net.state_dict())`.
"""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["install", "main", "uninstall"]

_USAGE = "usage: python -m lcrs.shims [-m] SCRIPT_OR_MODULE [ARGUMENT ...]"


class _Alias(MetaPathFinder, Loader):
    """Finds `name` and what is below it where lcrs has it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._specs: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.name and not fullname.startswith(f"{self.name}."):
            return None
        ours = "lcrs" + fullname.removeprefix(self.name)
        if importlib.util.find_spec(ours) is None:
            raise ModuleNotFoundError(f"lcrs has no {ours}, imported as {fullname}", name=fullname)
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module("lcrs" + spec.name.removeprefix(self.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its own description back, which importing has overwritten; it has run already."""
        assert module.__spec__ is not None
        module.__spec__ = self._specs.pop(module.__spec__.name)


def install(name: str = "compressai") -> None:
    """From now on imports of `name` and what is below it give lcrs and its modules.

    Raises:
        ImportError: something else is imported under this name already.
    """
    if any(isinstance(finder, _Alias) and finder.name == name for finder in sys.meta_path):
        return
    if name in sys.modules and sys.modules[name] is not sys.modules.get("lcrs"):
        raise ImportError(f"{name} is imported already, from {getattr(sys.modules[name], '__file__', '?')}")
    sys.meta_path.insert(0, _Alias(name))


def uninstall(name: str = "compressai") -> None:
    """Undoes `install`; what was imported stays where it is in use."""
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if not (isinstance(finder, _Alias) and finder.name == name)
    ]
    for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        if sys.modules[key].__name__.split(".")[0] == "lcrs":
            del sys.modules[key]


def main(argv: Sequence[str]) -> None:
    """Runs a script, or a module after `-m`, with its arguments and with lcrs in CompressAI's place."""
    is_module = argv[:1] == ["-m"]
    target = argv[is_module:][:1]
    if not target or target[0] in ("-h", "--help"):
        sys.exit(f"{_USAGE}\n\n{__doc__}" if target else _USAGE)
    install()
    sys.argv = list(argv[is_module:])
    if is_module:
        sys.path[0] = str(Path.cwd())
        name = target[0]
        runpy.run_module(
            f"lcrs{name.removeprefix('compressai')}" if _is_peers(name) else name, None, "__main__", True
        )
    else:
        if not Path(target[0]).is_file():
            sys.exit(f"lcrs.shims: error: there is no script {target[0]}")
        sys.path[0] = str(Path(target[0]).resolve().parent)
        runpy.run_path(target[0], run_name="__main__")


def _is_peers(name: str) -> bool:
    return name.split(".")[0] == "compressai"


if __name__ == "__main__":
    main(sys.argv[1:])
