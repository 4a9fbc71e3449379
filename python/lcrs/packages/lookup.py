"""Which package is meant by a name, and keeping what has been loaded."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lcrs.coding import LOSSLESS_NAME, CloudPackage, Package, codes_clouds
from lcrs.errors import LcrsError, MissingModelError, ModelWarning
from lcrs.packages.index import SUFFIX, Entry, entries
from lcrs.packages.shipped import WEIGHTS

__all__ = [
    "DEFAULT_MODEL",
    "load_any_package",
    "load_cloud_package",
    "load_cloud_packages",
    "load_package",
    "load_packages",
    "missing",
    "package_names",
    "packages_at_hand",
]

DEFAULT_MODEL = "photo-2"
"""The model that `lcrs.compress` uses when told nothing."""

_SHIPPED = WEIGHTS


def load_package(model: str | os.PathLike[str] | Package) -> Package:
    """The package called `model`, or in the file `model`; a `Package` is returned as it is.

    A name is that inside a package, whatever its file is called. It is looked for in the folders of
    `LCRS_MODEL_PATH`, then among the packages that ship with lcrs. If none has it, it may be that of a
    file, in these folders or here. Loaded packages are kept until their file changes.

    Warns:
        ModelWarning: if several packages have the name, or one cannot be loaded and another one is.

    Raises:
        MissingModelError: there is none.
        LcrsError: the file is damaged, or no package.
    """
    return _of_pictures(load_any_package(model))


def load_cloud_package(model: str | os.PathLike[str] | CloudPackage) -> CloudPackage:
    """`load_package` for point clouds; a `CloudPackage` is returned as it is."""
    return _of_clouds(load_any_package(model))


def _of_pictures(package: Package | CloudPackage) -> Package:
    if isinstance(package, CloudPackage):
        raise ValueError(f"model '{package.name}' codes point clouds, not pictures")
    return package


def _of_clouds(package: Package | CloudPackage) -> CloudPackage:
    if isinstance(package, Package):
        raise ValueError(f"model '{package.name}' codes pictures, not point clouds")
    return package


def load_any_package(model: object) -> Package | CloudPackage:
    """`load_package` for pictures or point clouds, whichever the package is for."""
    if isinstance(model, Package | CloudPackage):
        return model
    if not isinstance(model, (str, os.PathLike)):
        given = type(model).__qualname__
        msg = f"model is a {given}; a name, an .lcrm file, a package or a torch module is needed"
        raise TypeError(msg)
    text = os.fspath(model)
    if text.endswith(SUFFIX) or os.sep in text or "/" in text or not isinstance(model, str):
        return _load(_existing(model))
    known = packages_at_hand()
    named = [entry for entry in known if entry.name == text]
    candidates = [entry for entry in known if entry in named or _is_damaged(entry, text)]
    _tell_conflicts(text, known, named)
    for package in _load_in_turn(candidates):
        return package
    if text != DEFAULT_MODEL:
        for entry in known:
            if entry.path.stem == text:
                return _load(entry.path)
    return _load(_existing(model))


def load_cloud_packages(fields: dict[str, Any]) -> Iterator[CloudPackage]:
    """`load_packages` for files of point clouds."""
    return (package for package in _candidates(fields) if isinstance(package, CloudPackage))


def load_packages(fields: dict[str, Any]) -> Iterator[Package]:
    """The packages that may have written a file of these fields (`lcrs.coding.info`), best first.

    Different ones may share a name: those of the file's digests come first, then those of its name only,
    which say what is different.

    Warns:
        ModelWarning: if one cannot be loaded and another one is.

    Raises:
        LcrsError: one is damaged, and there is no other.
    """
    return (package for package in _candidates(fields) if isinstance(package, Package))


def _candidates(fields: dict[str, Any]) -> Iterator[Package | CloudPackage]:
    known, name = packages_at_hand(), fields["model"]
    candidates = sorted(
        (entry for entry in known if entry.fits(fields) or entry.name == name or _is_damaged(entry, name)),
        key=lambda entry: (not _is_damaged(entry, name), not entry.fits(fields), entry.name != name),
    )
    return _load_in_turn(candidates)


def packages_at_hand() -> list[Entry]:
    """All packages in the folders of `LCRS_MODEL_PATH` and among those that ship with lcrs."""
    return entries(_folders())


def package_names() -> list[str]:
    """The names of all packages at hand."""
    return sorted({entry.name for entry in packages_at_hand() if entry.name is not None})


def missing(model: str | os.PathLike[str] | Package | CloudPackage) -> MissingModelError:
    """The error for a model that is nowhere: where it was looked for, what is there, what helps."""
    text = model.name if isinstance(model, Package | CloudPackage) else os.fspath(model)
    if text.endswith(SUFFIX):
        return MissingModelError(f"there is no model package {text}")
    if text == LOSSLESS_NAME:
        msg = "'lossless' is no model: lossless=True, or --lossless, keeps a picture to the bit without one"
        return MissingModelError(msg)
    searched, names = " or ".join(map(str, _folders())), ", ".join(package_names()) or "none"
    return MissingModelError(
        f"there is no model '{text}' in {searched} (at hand: {names}): pass model=FILE for its package, "
        f"or name its folder in LCRS_MODEL_PATH"
    )


def _folders() -> list[Path]:
    listed = os.environ.get("LCRS_MODEL_PATH", "").split(os.pathsep)
    return [*(Path(folder) for folder in listed if folder), _SHIPPED]


def _existing(model: str | os.PathLike[str]) -> Path:
    """The file `model`, which may be damaged or a folder: loading it says so."""
    if not os.fspath(model) or not os.path.lexists(model):
        raise missing(model)
    return Path(model)


def _is_damaged(entry: Entry, name: str) -> bool:
    """Whether a file has a name and should hold a package of that name, but does not say so."""
    return entry.name is None and entry.path.stem == name


def _tell_conflicts(name: str, known: list[Entry], named: list[Entry]) -> None:
    """Warns of what looks like the model of a name and is not the one that is used."""
    for entry in named[1:]:
        if entry.digests != named[0].digests:
            msg = f"two models are called '{name}': {named[0].path} is used, not {entry.path}"
            warnings.warn(msg, ModelWarning, stacklevel=3)
    for entry in known:
        if entry.path.stem == name and entry.name not in {name, None} and (named or name == DEFAULT_MODEL):
            msg = f"{entry.path} holds model '{entry.name}': it is not used as '{name}'"
            warnings.warn(msg, ModelWarning, stacklevel=3)


def _load_in_turn(candidates: list[Entry]) -> Iterator[Package | CloudPackage]:
    """Each package that can be loaded. Of the others is told, if only by the error when there are no more."""
    failed: LcrsError | None = None
    for entry in candidates:
        try:
            package = _load(entry.path)
        except LcrsError as error:
            failed = failed or error
            continue
        if failed is not None:
            warnings.warn(f"{failed}; {entry.path} is used instead", ModelWarning, stacklevel=3)
        yield package
        failed = None
    if failed is not None:
        raise failed


def _load(path: Path) -> Package | CloudPackage:
    status = path.stat()
    return _load_version(str(path.resolve()), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _load_version(path: str, _mtime_ns: int, _size: int) -> Package | CloudPackage:
    return CloudPackage.from_file(path) if codes_clouds(path) else Package.from_file(path)
