"""Which file holds a model, and keeping what has been loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from lcrs.coding import Package
from lcrs.errors import MissingModelError

__all__ = ["DEFAULT_MODEL", "find_packages", "load_package", "load_packages", "missing", "package_names"]

DEFAULT_MODEL = "photo"
"""The model that `lcrs.compress` uses when told nothing."""

SUFFIX = ".lcrm"
_SHIPPED = Path(__file__).parents[1] / "zoo" / "weights"
# A name comes from a file, perhaps a hostile one: it must not lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def load_package(model: str | os.PathLike[str] | Package) -> Package:
    """The package called ``model``, or in the file ``model``; a `Package` is returned as it is.

    A name is looked for in the folders of ``LCRS_MODEL_PATH``, then among those that ship with lcrs, and last
    as a file of that name. Loaded packages are kept until their file changes.

    Raises:
        MissingModelError: if there is none.
        LcrsError: if the file is damaged, or no package.
    """
    if isinstance(model, Package):
        return model
    for path in find_packages(model):
        return _load(path)
    if os.path.lexists(model):
        return _load(Path(model))
    raise missing(model)


def find_packages(model: str | os.PathLike[str]) -> Iterator[Path]:
    """The files that ``model`` may mean, in the order in which they are tried."""
    text = os.fspath(model)
    if text.endswith(SUFFIX) or os.sep in text or "/" in text or not isinstance(model, str):
        candidates = [Path(text)]
    elif _NAME.fullmatch(text):
        candidates = [folder / f"{text}{SUFFIX}" for folder in _folders()]
    else:
        candidates = []
    return (path for path in candidates if path.is_file())


def load_packages(model: str) -> Iterator[Package]:
    """Every package of the name ``model``, best first: different ones may share a name."""
    return (_load(path) for path in find_packages(model))


def package_names() -> list[str]:
    """The names of all packages at hand."""
    return sorted({path.stem for folder in _folders() for path in folder.glob(f"*{SUFFIX}")})


def _folders() -> list[Path]:
    listed = os.environ.get("LCRS_MODEL_PATH", "").split(os.pathsep)
    return [*(Path(folder) for folder in listed if folder), _SHIPPED]


def _load(path: Path) -> Package:
    status = path.stat()
    return _load_version(str(path.resolve()), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _load_version(path: str, _mtime_ns: int, _size: int) -> Package:
    return Package.from_file(path)


def missing(model: str | os.PathLike[str] | Package) -> MissingModelError:
    """The error for a model that is nowhere, with the names of those that are here."""
    names = ", ".join(package_names()) or "none"
    text = model.name if isinstance(model, Package) else os.fspath(model)
    if text.endswith(SUFFIX):
        return MissingModelError(f"there is no model package {text}")
    return MissingModelError(
        f"there is no model '{text}' here (at hand: {names}; LCRS_MODEL_PATH names folders with more)"
    )
