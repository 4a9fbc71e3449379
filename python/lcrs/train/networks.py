"""The network of a run: made by name or import, begun at random or from a checkpoint."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import lcrs.models  # noqa: F401
from lcrs.models.constructor import signature_of_constructor
from lcrs.registry import MODELS
from lcrs.train.checkpoints import fill_averages, of_run
from lcrs.train.config import Config, ConfigError, ModelConfig
from lcrs.zoo.state_dicts import read_checkpoint, state_dict_in

__all__ = ["CpuTwin", "architecture_of_run", "load_start", "make_network"]


def make_network(config: ModelConfig) -> nn.Module:
    """The network that a configuration names.

    Raises:
        ConfigError: there is no such name or module, or its constructor does not take these sizes.
    """
    make = _class_of(config)
    what = config.import_ or config.name
    try:
        net = make(**config.sizes)
    except (TypeError, ValueError) as error:
        takes = f"; it takes {', '.join(names)}" if (names := _arguments_of(make)) else ""
        msg = f"{what} cannot be made with model.sizes = {config.sizes}: {error}{takes}"
        raise ConfigError(msg) from error
    if not isinstance(net, nn.Module):
        raise ConfigError(f"{what} gives a {type(net).__name__}, a torch.nn.Module is needed")
    return net


def _arguments_of(make: Any) -> list[str]:
    """What a class or function can be told by name; of base classes, too, where it hands on `**kwargs`."""
    names: dict[str, None] = {}
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    is_class = isinstance(make, type)
    for signature in map(signature_of_constructor, make.__mro__) if is_class else [inspect.signature(make)]:
        names |= {p.name: None for p in signature.parameters.values() if p.kind in by_name}
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values()):
            break
    return list(names)


def _class_of(config: ModelConfig) -> Any:
    if config.import_ is None:
        name = str(config.name)
        if name not in MODELS:
            near = difflib.get_close_matches(name, list(MODELS), n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"model.name is {name!r}{hint} (registered: {', '.join(MODELS)})")
        return MODELS[name]
    module_name, _, attribute = config.import_.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # modules of the present folder count, as for `python -m`
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever running a module ends in
        raise ConfigError(f"model.import={config.import_}: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigError(f"model.import={config.import_} is a {type(found).__name__}, a class is needed")
    return found


class CpuTwin:
    """A network of a run once more, on the CPU and in evaluation mode: hooks and devices of the run's own are
    not in the way of coding.

    Args:
        config: Of the network, which is made when it is first asked for, and takes no random number.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self._net: nn.Module | None = None

    def of(self, net: nn.Module) -> nn.Module:
        """The twin, with the present weights of `net`."""
        if self._net is None:
            with torch.random.fork_rng(devices=[]):
                self._net = make_network(self.config).eval()
        self._net.load_state_dict({key: value.detach().cpu() for key, value in net.state_dict().items()})
        return self._net


def architecture_of_run(config: ModelConfig) -> dict[str, str]:
    """What `model.pt` says of where the network is from."""
    return {"architecture": config.name} if config.name else {"import": str(config.import_)}


def load_start(net: nn.Module, config: Config) -> str:
    """Fills the network with the weights that `start` names; returns what they were.

    Raises:
        ConfigError: there is no such checkpoint, or it does not fit the network.
    """
    start = str(config.start)
    if start == "published":
        return _load_published(net, config)
    path = Path(start)
    if path.is_dir():
        path = path / "model.pt"
    if not path.is_file():
        raise ConfigError(f"start={start}: there is no {path}; a checkpoint, a run's folder or 'published'")
    content = read_checkpoint(path)
    saved = of_run(content, path)
    _fill(net, state_dict_in(content, path) if saved is None else saved["state"]["model"], str(path))
    if saved is not None:
        fill_averages(net, saved)
    return str(path)


def _load_published(net: nn.Module, config: Config) -> str:
    from lcrs.zoo.building import build
    from lcrs.zoo.checkpoints import ARCHITECTURES, VIDEO_ARCHITECTURES

    name, quality = config.model.name, config.quality
    entry = {**ARCHITECTURES, **VIDEO_ARCHITECTURES}.get(str(name))
    if entry is None or quality is None:
        raise ConfigError("start=published needs a model of the zoo and a quality")
    metric = config.loss.metric if config.loss.metric in entry.weights else "mse"
    published = build(entry, metric, quality, pretrained=True)
    _fill(net, published.state_dict(), f"published {name}, quality {quality}, {metric}")
    return f"published {name}, quality {quality}, {metric}"


def _fill(net: nn.Module, state: dict[str, Tensor], where: str) -> None:
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"{where} does not fit the network of this run: {reason}") from error
    with torch.no_grad():
        if not all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point()):
            raise ConfigError(f"{where} has weights that are not finite")
