"""Code that imports CompressAI, run with lcrs in its place.

Where the code is yours, replace `compressai` by `lcrs` in its imports. Where it is not, call `install` before
it is imported, or run it by::

    python -m lcrs.shims train.py --epochs 2
    python -m lcrs.shims --entropy-coder lcrs -m somebodys.package --help

Every `compressai.x.y` is then the module `lcrs.x.y` itself, so that classes are the same by either name. A
changed copy of CompressAI beside the script is found and named; what it has beyond lcrs comes from it. Run
this way models write CompressAI's strings ("ans"), as the code expects, unless `--entropy-coder` is given,
and of pictures that RGB of 8 bits cannot hold data sets give what CompressAI's give, with a warning.
Processes that are started anew (`spawn`) have to call `install` themselves. A whole model that was pickled
with CompressAI is to be made anew: `type(net).from_state_dict(net.state_dict())`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from lcrs.changed_copy import Copy, find_copy

__all__ = ["install", "main", "uninstall"]

_USAGE = "usage: python -m lcrs.shims [--entropy-coder {ans,lcrs}] [-m] SCRIPT_OR_MODULE [ARGUMENT ...]"


class _Alias(MetaPathFinder, Loader):
    """Finds `name` and what is below it where lcrs has it, and else in a copy of the user's."""

    def __init__(self, name: str, copy: Path | None) -> None:
        self.name = name
        self.copy = None if copy is None else Copy(copy, name)
        self._specs: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname.startswith("lcrs.") and self.copy is not None:
            return self._extended_spec(self.copy, fullname, path, target)
        if fullname != self.name and not fullname.startswith(f"{self.name}."):
            return None
        ours = "lcrs" + fullname.removeprefix(self.name)
        if _has(ours):
            return importlib.util.spec_from_loader(fullname, self)
        spec = None if self.copy is None else self.copy.spec(fullname)
        if spec is None:
            raise ModuleNotFoundError(f"lcrs has no {ours}, imported as {fullname}", name=fullname)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module("lcrs" + spec.name.removeprefix(self.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module its own description back, which importing has overwritten; it has run already."""
        assert module.__spec__ is not None
        name = module.__spec__.name
        module.__spec__ = self._specs.pop(name)

    def _extended_spec(self, copy: Copy, fullname: str, path: Any, target: Any) -> ModuleSpec | None:
        """How lcrs's own module is loaded, however it is come by, so that it has what the copy has on top."""
        name = self.name + fullname.removeprefix("lcrs")
        if copy.spec(name) is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Extending(spec.loader, copy, name)
        return spec

    def extend_imported(self) -> None:
        """Extends the modules of lcrs that are imported already by what the copy has."""
        for name, module in list(sys.modules.items()):
            if self.copy is not None and name.split(".")[0] == "lcrs":
                self.copy.extend(module, self.name + name.removeprefix("lcrs"))


class _Extending(Loader):
    """Loads a module as `loader` does, and then extends it by the copy's names."""

    def __init__(self, loader: Loader, copy: Copy, name: str) -> None:
        self.loader, self.copy, self.name = loader, copy, name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.copy.extend(module, self.name)


def _has(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # not even what is above it
        return False


def install(name: str = "compressai", copy: str | os.PathLike[str] | None = None) -> None:
    """From now on imports of `name` and what is below it give lcrs and its modules.

    Args:
        name: What is imported.
        copy: The folder of a changed copy of CompressAI's sources. Modules that it has and lcrs has not, and
            names that lcrs's modules of the same path have not, are taken from it; all else is lcrs's.

    Raises:
        ImportError: something else is imported under this name already.
    """
    if any(isinstance(finder, _Alias) and finder.name == name for finder in sys.meta_path):
        return
    if name in sys.modules and sys.modules[name] is not sys.modules.get("lcrs"):
        raise ImportError(f"{name} is imported already, from {getattr(sys.modules[name], '__file__', '?')}")
    finder = _Alias(name, None if copy is None else Path(copy))
    sys.meta_path.insert(0, finder)
    finder.extend_imported()


def uninstall(name: str = "compressai") -> None:
    """Undoes `install`; what was imported stays where it is in use."""
    for finder in sys.meta_path:
        if isinstance(finder, _Alias) and finder.name == name and finder.copy is not None:
            finder.copy.withdraw()
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if not (isinstance(finder, _Alias) and finder.name == name)
    ]
    for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        if sys.modules[key].__name__.split(".")[0] == "lcrs":
            del sys.modules[key]


def main(argv: Sequence[str]) -> None:
    """Runs a script, or a module after `-m`, with its arguments and with lcrs in CompressAI's place."""
    arguments = list(argv)
    kind = _taken(arguments, "--entropy-coder")
    is_module = arguments[:1] == ["-m"]
    target = arguments[is_module:][:1]
    if not target or target[0] in ("-h", "--help"):
        sys.exit(f"{_USAGE}\n\n{__doc__}" if target else _USAGE)
    from lcrs.coding.default_kind import set_entropy_coder
    from lcrs.pictures.leniency import set_lenient

    set_lenient(True)
    try:
        set_entropy_coder(kind or "ans")
    except ValueError as error:
        sys.exit(f"lcrs.shims: error: {error}")
    sys.argv = arguments[is_module:]
    if not is_module and not Path(target[0]).is_file():
        sys.exit(f"lcrs.shims: error: there is no script {target[0]}")
    folder = Path.cwd() if is_module else Path(target[0]).resolve().parent
    copy = find_copy((folder, Path.cwd()))
    if copy is not None:
        print(f"lcrs.shims: note: {Copy(copy, 'compressai').summary()}", file=sys.stderr)
    install(copy=copy)
    sys.path[0] = str(folder)
    if is_module:
        name = target[0]
        runpy.run_module(
            f"lcrs{name.removeprefix('compressai')}" if _is_of_compressai(name) else name,
            None,
            "__main__",
            True,
        )
    else:
        runpy.run_path(target[0], run_name="__main__")


def _taken(arguments: list[str], option: str) -> str | None:
    """The value of a leading option, which is taken out of `arguments`; None if it is not there."""
    if arguments[:1] == [option] and len(arguments) > 1:
        value = arguments[1]
        del arguments[:2]
        return value
    if arguments and arguments[0].startswith(f"{option}="):
        return arguments.pop(0).partition("=")[2]
    return None


def _is_of_compressai(name: str) -> bool:
    return name.split(".")[0] == "compressai"


if __name__ == "__main__":
    # By the module that the script gets if it imports this one, so that both know what is installed.
    importlib.import_module("lcrs.shims").main(sys.argv[1:])
