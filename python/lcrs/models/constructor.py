"""What a model was constructed with, for those who make it anew from a configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Unsayable", "config_of", "recorded", "signature_of_constructor"]


@dataclass(frozen=True)
class Unsayable:
    """Stands for an argument that is no JSON value.

    Attributes:
        type_name: What it is.
    """

    type_name: str


def recorded(value: Any) -> Any:
    """A copy of a JSON value, tuples as lists; `Unsayable` for anything else: nothing is kept alive."""
    if value is None or isinstance(value, bool | int | float | str | Unsayable):
        return value
    copies: Any
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        copies = {key: recorded(item) for key, item in value.items()}
        items = list(copies.values())
    elif isinstance(value, list | tuple):
        copies = items = [recorded(item) for item in value]
    else:
        return Unsayable(type(value).__name__)
    return next((item for item in items if isinstance(item, Unsayable)), copies)


def signature_of_constructor(model_class: type) -> inspect.Signature:
    """What a class is called with, told by its `__init__`."""
    parameters = list(inspect.signature(model_class.__init__).parameters.values())  # type: ignore[misc]
    return inspect.Signature(parameters[1:])


def config_of(model: Any) -> dict[str, Any]:
    """Arguments that make a model of this class again: its `config`, or what its constructor was given.

    A `config` that is inherited from above the class whose constructor runs does not know that one's
    arguments, and does not count.

    Returns:
        By name; `Unsayable` where an argument is no JSON value.
    """
    if "config" in vars(model):
        return dict(model.config)
    order = type(model).__mro__
    of_config, of_constructor = (
        next((k for k, base in enumerate(order) if name in vars(base)), len(order))
        for name in ("config", "__init__")
    )
    if of_config <= of_constructor:
        return dict(model.config)
    args, kwargs = vars(model).get("_constructor_arguments", ((), {}))
    signature = inspect.signature(type(model).__init__)
    bound = signature.bind(model, *args, **kwargs)
    bound.apply_defaults()
    config: dict[str, Any] = {}
    for name, parameter in list(signature.parameters.items())[1:]:
        value = bound.arguments[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            config.update(value)
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            config[name] = recorded(value)
        elif value:
            config[name] = Unsayable("tuple of arguments without a name")
    return config
