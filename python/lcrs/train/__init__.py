"""The training engine: recipes, and what turns a folder of pictures into a model package.

`run(config)` trains; `load_recipe` and `checked` make configurations; `lcrs train` is the same on the command
line. Importing this is cheap: torch comes with what needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lcrs.train.config import Config, ConfigError, checked
    from lcrs.train.loop import Result, TrainingError, run
    from lcrs.train.recipes import load_recipe, recipe_names

__all__ = [
    "Config",
    "ConfigError",
    "Result",
    "TrainingError",
    "checked",
    "load_recipe",
    "recipe_names",
    "run",
]

_HOMES = {
    "config": ("Config", "ConfigError", "checked"),
    "recipes": ("load_recipe", "recipe_names"),
    "loop": ("Result", "TrainingError", "run"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Loads what is asked for, and torch only with what needs it (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lcrs.train' has no attribute '{name}'")
    return getattr(importlib.import_module(f"lcrs.train.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
