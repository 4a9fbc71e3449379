"""Recipes: configurations in files, shipped ones beside this module, and what is said on top of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lcrs.train.config import Config, ConfigError, checked, text_keys
from lcrs.train.published import published_lmbda, published_sizes
from lcrs.train.toml_text import dump, loads, value_of

__all__ = ["flat", "load_recipe", "override", "recipe_names", "recipe_path", "recipe_text", "shown"]

_FOLDER = Path(__file__).parent
_TEXTS = frozenset(text_keys())


def recipe_names() -> list[str]:
    """Names of the shipped recipes, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def recipe_path(recipe: str | Path) -> Path:
    """The file of a recipe: a shipped one by its name, or any path.

    Raises:
        ConfigError: there is none.
    """
    shipped = _FOLDER / f"{recipe}.toml"
    if shipped.is_file() and shipped.parent == _FOLDER:
        return shipped
    path = Path(recipe)
    if path.is_file():
        return path
    names = recipe_names()
    near = difflib.get_close_matches(str(recipe), names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"there is no recipe {str(recipe)!r}{hint} (a .toml file, or one of {', '.join(names)})"
    )


def recipe_text(recipe: str | Path) -> str:
    """The file of a recipe as it is, comments included."""
    return recipe_path(recipe).read_text(encoding="utf-8")


def load_recipe(
    recipe: str | Path, settings: Iterable[str] | Mapping[str, Any] = (), *, on_cuda: bool | None = None
) -> Config:
    """The whole configuration of a run.

    Args:
        recipe: Name of a shipped recipe, or a file.
        settings: What is to be other: texts "key=value", or a mapping from dotted keys, as "data.train".
            Of a key that is given twice the last counts.
        on_cuda: Whether the table `cuda` of the recipe counts; by default if the run would be there.

    Raises:
        ConfigError: there is no such recipe or key, or a value is not legal.
    """
    path = recipe_path(recipe)
    try:
        values = loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    pairs = settings.items() if isinstance(settings, Mapping) else map(_pair, settings)
    said = dict(pairs)
    for_cuda = values.pop("cuda", {})
    if for_cuda and (_is_cuda(str(said.get("device", "auto"))) if on_cuda is None else on_cuda):
        for key, value in flat(for_cuda).items():
            override(values, key, value)
    if said.get("model.import") is not None:
        # A network of one's own comes in place of the recipe's, and what that says of sizes and lambda goes.
        for key in ("name", "sizes", "begin"):
            values.get("model", {}).pop(key, None)
        values.pop("quality", None)
    for key, value in said.items():
        override(values, key, value)
    values.setdefault("recipe", path.stem)
    values.setdefault("output", f"runs/{values['recipe']}")
    return checked(_with_published(values))


def override(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets a dotted key; a mapping for a whole part replaces what it names and leaves the rest.

    Raises:
        ConfigError: on the way to the key lies something that has no keys.
    """
    *groups, last = key.split(".")
    place: Any = values
    for group in groups:
        place = place.setdefault(group, {}) if isinstance(place, dict) else _element(place, group, key)
        if not isinstance(place, dict | list):
            raise ConfigError(f"{key} is set, but {group} is {place!r} and has no keys")
    if isinstance(place, list):
        raise ConfigError(f"{key}: {last} is no key")
    if isinstance(value, Mapping) and isinstance(place.get(last), dict):
        for inner, part in value.items():
            override(place[last], inner, part)
    else:
        place[last] = value
    if last == "name" and groups == ["model"] and value is not None:
        place.pop("import", None)


def shown(config: Config, name: str | None = None) -> str:
    """The whole configuration as TOML; what is not set is there as a comment.

    Args:
        config: Of a run.
        name: Of the file of its recipe, without the ending. What follows from that is a comment, too: a copy
            under another name is a recipe of its own, with a folder of its own.
    """
    values = config.model_dump(mode="json", by_alias=True)
    recipe, output = values["recipe"], values["output"]
    if output == f"runs/{recipe}":
        values["output"] = None
    if recipe == name:
        values["recipe"] = None
    notes = {
        "recipe": f"the name of this file says it ({recipe})",
        "output": f"runs/ and the name of the recipe ({output})",
        "steps": "minutes end the run", "minutes": "steps end the run", "threads": "torch's choice",
        "quality": "sizes and lambda are as below", "start": "weights begin at random",
        "data.train": "give data.train=FOLDER", "data.tune": "split off from data.train",
        "model.name": "model.import says the network", "model.import": "model.name says the network",
        "loss.lmbda": "the model's own, by level", "loss.target_bpp": "lambda stays",
        "loss.lpips_backbone": "only for lpips", "optimizer.aux_lr": "quantiles stay",
        "loop.ema": "no average", "validation.every": "minutes say when",
        "validation.minutes": "every says when",
    }  # fmt: skip
    if config.loss.metric == "none":  # what is coded without loss
        notes["data.train"] = notes["data.tune"] = "clouds are generated"
    elif config.loss.metric == "chamfer":
        notes["data.train"] = "clouds are generated; or give data.train=FOLDER"
    return dump(values, notes)


def _pair(text: str) -> tuple[str, Any]:
    key, mark, value = (part.strip() for part in text.partition("="))
    if not mark or not key:
        hint = f"; did you mean data.train={text}?" if Path(text).exists() and text else ""
        raise ConfigError(f"{text!r} is no key=value{hint}")
    return key, value_of(value, is_text=key in _TEXTS)


def _element(place: list[Any], group: str, key: str) -> Any:
    if not (group.isdecimal() and int(group) < len(place)):
        raise ConfigError(f"{key}: {group} is none of 0 to {len(place) - 1}")
    return place[int(group)]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted keys; lists as they are."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found.update(flat(value, f"{prefix}{key}.") if inner else {prefix + key: value})
    return found


def _is_cuda(device: str) -> bool:
    """Whether a run on `device` is on CUDA; asks torch only if it has to."""
    if device != "auto":
        return device.startswith("cuda")
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available()


def _with_published(values: dict[str, Any]) -> dict[str, Any]:
    """Fills in the sizes and the lambda of a quality, where they are not given."""
    quality, model = values.get("quality"), values.get("model")
    if not isinstance(quality, int) or not isinstance(model, dict):
        return values
    sizes, loss = model.get("sizes", {}), values.get("loss", {})
    if not (isinstance(sizes, dict) and isinstance(loss, dict)):
        return values
    if isinstance(model.get("name"), str):
        model = {**model, "sizes": {**published_sizes(model["name"], quality), **sizes}}
    loss = dict(loss)
    metric = loss.get("metric", "mse")
    lmbda = published_lmbda(model.get("name"), metric, quality)
    if loss.get("lmbda") is None and lmbda is not None:
        loss["lmbda"] = lmbda
    return {**values, "model": model, "loss": loss}
