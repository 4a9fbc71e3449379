"""A model in torch on the command line: a checkpoint, and the class or function that makes its network."""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcrs.cli.arguments import require_torch
from lcrs.cli.messages import UsageError, collapsed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lcrs.coding import CloudPackage, Package

__all__ = ["add_import", "any_model_of", "check_import", "model_of"]


def add_import(parser: argparse._ActionsContainer) -> None:
    """`--import MODULE:CLASS`."""
    parser.add_argument(
        "--import",
        metavar="MODULE:CLASS",
        dest="import_",
        help="the class of a model of your own: --model is then its checkpoint, and torch codes "
        "if no package can say it",
    )


def check_import(arguments: argparse.Namespace) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError: they do not.
        OSError: torch is needed and not installed.
    """
    if arguments.import_ is None:
        if getattr(arguments, "allow_not_portable", False):
            raise UsageError("--allow-not-portable is for a model of your own: --import MODULE:CLASS")
        return
    if arguments.model is None:
        raise UsageError("--import needs the checkpoint: --model FILE")
    module, _, name = arguments.import_.partition(":")
    if not module or not name:
        raise UsageError(f"--import is '{arguments.import_}', MODULE:CLASS is needed")
    require_torch("--import")


def model_of(arguments: argparse.Namespace) -> Package | nn.Module | None:
    """What `--model` and `--import` name: a package, or a network that has none; None without them.

    Raises:
        MissingModelError: there is no such model or checkpoint.
        ValueError: the checkpoint, the module or the class are not what they should be.
    """
    if arguments.model is None:
        return None
    if arguments.import_ is None:
        from lcrs import codec

        return codec.load_package(arguments.model)
    return _network(arguments.model, arguments.import_)


def any_model_of(arguments: argparse.Namespace) -> Package | CloudPackage | nn.Module | None:
    """`model_of`, where a package may be of point clouds, too."""
    if arguments.model is None or arguments.import_ is not None:
        return model_of(arguments)
    from lcrs.packages import load_any_package

    return load_any_package(arguments.model)


@lru_cache(maxsize=1)
def _network(checkpoint: str, named: str) -> Package | nn.Module:
    from lcrs.codec.torch_model import package_of
    from lcrs.errors import NotPortableError
    from lcrs.zoo.state_dicts import read_state_dict

    make = _imported(named)
    state_dict = read_state_dict(checkpoint)
    try:
        net = _made(make, state_dict).eval()
    except Exception as error:  # a class that nobody here knows fails in its own way
        msg = f"{checkpoint} is no checkpoint of {named}: {collapsed(str(error))}"
        raise ValueError(msg) from error
    try:
        return package_of(net)
    except NotPortableError:
        return net


def _imported(named: str) -> type[nn.Module]:
    """The class; modules of the present folder count, as for `python -m`."""
    module_name, _, name = named.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever running a module ends in
        msg = f"--import {named}: {type(error).__name__}: {collapsed(str(error))}"
        raise ValueError(msg) from error
    if not callable(found):
        msg = f"--import {named} is of type {type(found).__name__}, a class is needed"
        raise ValueError(msg)
    made: type[nn.Module] = found
    return made


def _made(make: type[nn.Module], state_dict: dict[str, Tensor]) -> nn.Module:
    """The network of a checkpoint: by the class's `from_state_dict`, or made without arguments and filled."""
    from inspect import Parameter, signature

    needs_more = any(
        parameter.default is Parameter.empty
        and parameter.kind
        in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        for parameter in signature(make).parameters.values()
    )
    if hasattr(make, "from_state_dict"):
        try:
            made: nn.Module = make.from_state_dict(state_dict)
            return made
        except TypeError:  # an inherited one, of a class with other arguments
            if needs_more:
                raise
    elif needs_more:
        raise ValueError("it takes arguments: name a function without any, which returns the network")
    net = make()
    net.load_state_dict(state_dict)
    return net
