"""Turning a model into a package description and its tensors, from which files are coded without torch.

A model says in `package_parts` what it consists of: coding graphs, a tree that says how latents are coded,
and the tables of its entropy models. `pack` joins that with the model's name and card, and
`lcrs.coding.write_package` writes the result.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import (
    EntropyBottleneck,
    EntropyBottleneckVbr,
    EntropyModel,
    GaussianConditional,
)
from lcrs.entropy_models.own_densities import is_overridden
from lcrs.errors import NotPortableError
from lcrs.layers.agreement import check_calls
from lcrs.layers.lowering import LoweredGraph
from lcrs.models.constructor import Unsayable, config_of
from lcrs.models.packing_samples import check_samples
from lcrs.models.twins import check_derived
from lcrs.registry import MODELS

__all__ = [
    "NUMERICS",
    "PACKAGE_VERSION",
    "Packable",
    "PackageParts",
    "Tables",
    "architecture_of",
    "hyperprior_node",
    "pack",
]

PACKAGE_VERSION = 1
NUMERICS = "f32-fma/1"
"""The arithmetic of the exact engine, which a package's digests cover."""


@dataclass(frozen=True)
class PackageParts:
    """What a model consists of.

    Attributes:
        graphs: Coding graphs by name: `g_a`, `g_s` and those that `codec` names.
        codec: The tree of latent codecs.
        tensors: What `codec` names: tables, medians, thresholds.
        strides: Picture samples for one sample of each latent, along a side.
        pad: Pictures are padded right and below to a multiple of it; None for a model of something else,
            whose description has no `strides`, `pad` and `levels`.
        levels: Number of levels of a variable rate; None for a fixed one.
    """

    graphs: Mapping[str, LoweredGraph]
    codec: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]
    strides: Mapping[str, int] = field(default_factory=dict)
    pad: int | None = None
    levels: int | None = None


class Packable(Protocol):
    """A model that can be packed.

    Its `config` are constructor arguments as JSON values; without one those are taken that it was made with.
    """

    def package_parts(self, **options: Any) -> PackageParts:
        """What the model consists of; models of a variable rate take `options`."""
        ...


@dataclass
class Tables:
    """Collects the tensors of a codec tree while its nodes are written.

    Attributes:
        tensors: What was collected so far, by name.
    """

    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def factorized(self, place: str, model: EntropyBottleneck) -> dict[str, Any]:
        """Members `table` and `medians` of the node at `place` that codes with `model`."""
        self._checked(place, model)
        return {
            "table": self._table(place, model.integer_table()),
            "medians": self._parameter(f"{place}.medians", model._get_medians()[:, 0, 0]),
        }

    def density(self, place: str, model: EntropyBottleneckVbr, step: str) -> dict[str, Any]:
        """The node at `place` that codes with `model`, in steps that graph `step` gives."""
        if model.has_own_density:
            raise NotPortableError(
                f"{type(model).__name__} at {place!r} is not portable: its density is its own"
            )
        layers = []
        for i, (weight, bias, factor) in enumerate(model._layers()):
            node = {"weight": self._parameter(f"{place}.{i}.weight", weight)}
            node["bias"] = self._parameter(f"{place}.{i}.bias", bias.squeeze(-1))
            if factor is not None:
                node["factor"] = self._parameter(f"{place}.{i}.factor", factor.squeeze(-1))
            layers.append(node)
        return {
            "type": "density",
            "layers": layers,
            "medians": self._parameter(f"{place}.medians", model.quantiles[:, 0, 1]),
            "tail_mass": model.tail_mass,
            "step": step,
        }

    def _checked(self, place: str, model: EntropyModel) -> None:
        """Refuses what a package cannot say: it quantises by rounding, and picks rows by scales.

        Raises:
            NotPortableError: a derived class does otherwise.
        """
        if model.has_own_quantizer or is_overridden(model, "build_indexes"):
            raise NotPortableError(
                f"{type(model).__name__} at {place!r} is not portable: it quantises by a rule of its own, "
                "and a package rounds"
            )

    def _parameter(self, name: str, parameter: Tensor) -> str:
        return self._tensor(name, parameter.detach().float().cpu().contiguous().numpy())

    def gaussian(
        self,
        place: str,
        model: GaussianConditional,
        *,
        means: bool,
        domain: str = "linear",
        nearest: bool = False,
    ) -> dict[str, Any]:
        """Members `table`, `thresholds`, `domain` and `means` of the node at `place` that codes with `model`.

        Args:
            place: Prefix of the tensors' names.
            model: Has the table.
            means: Whether the graph that gives scales gives means too.
            domain: "linear" for scales, "log" for their logarithms.
            nearest: A scale picks the row whose scale is nearest in ratio, which costs a quarter of the
                excess rate of the smallest row above it, CompressAI's choice.

        Raises:
            ValueError: another domain.
        """
        if domain not in ("linear", "log"):
            raise ValueError(f"domain is {domain!r}, must be 'linear' or 'log'")
        self._checked(place, model)
        scales = model.effective_scale_table().numpy()
        thresholds = coding.thresholds(scales, nearest=nearest, log=domain == "log")
        # A scale below the bound counts as the bound: rows below that of the bound are never used.
        limits = coding.thresholds(scales, nearest=nearest)
        first = int(np.count_nonzero(limits < np.float32(model.least_scale)))
        thresholds = thresholds[first:]
        return {
            "table": self._table(place, model.integer_table(), first),
            "thresholds": self._tensor(f"{place}.thresholds", thresholds),
            "domain": domain,
            "means": means,
        }

    def _table(self, place: str, table: coding.CdfTable, first: int = 0) -> dict[str, Any]:
        """The node of `table` from row `first` on."""
        return {
            "cdf": self._tensor(f"{place}.cdf", np.ascontiguousarray(table.cdfs[first:])),
            "lengths": self._tensor(f"{place}.lengths", np.ascontiguousarray(table.lengths[first:])),
            "offsets": self._tensor(f"{place}.offsets", np.ascontiguousarray(table.offsets[first:])),
            "precision": table.precision,
        }

    def _tensor(self, name: str, array: NDArray[Any]) -> str:
        _add(self.tensors, name, array)
        return name


def hyperprior_node(hyper: Mapping[str, Any], y: Mapping[str, Any]) -> dict[str, Any]:
    """The root of a codec tree: z as `hyper` says, then y as the node `y` says, given graph "h_s" of z."""
    return {"type": "hyperprior", "analysis": "h_a", "synthesis": "h_s", "hyper": hyper, "y": y}


def pack(
    model: Packable,
    name: str,
    card: Mapping[str, Any] | None = None,
    *,
    samples: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The package of `model`.

    Args:
        model: Any that says what it consists of, as all of `lcrs.models` and those derived from
            `lcrs.models.CompressionModel` do.
        name: What files will call it.
        card: Free-form: training data, licences, steps, results.
        samples: Of a model for arrays, not pictures: `type` (NumPy's name), `channels`, and the range from
            `minimum` to `maximum`, which is 0 to 1 for `g_a` and `g_s`.
        **options: For a model of variable rate: as its `package_parts` takes them.

    Returns:
        The description, without digests, and the tensors, as `lcrs.coding.write_package` takes them.

    Raises:
        NotPortableError: the model says of no package what is in it, or a part of it does not lower, or not
            to what it does in a small example; or it takes other than three channels and there are no
            `samples`.
        ValueError: the name is that of lossless files, the model takes no such option, `samples` lack
            something or do not fit it, or two parts give one name to different tensors.
    """
    if name == coding.LOSSLESS_NAME:
        raise ValueError(f"name is '{name}', which files without a model say: choose another one")
    if not hasattr(model, "package_parts"):
        raise NotPortableError(f"{type(model).__name__} has no package_parts: packages cannot say this model")
    architecture = architecture_of(type(model))
    _check_lowered(model, None if samples is None else samples.get("channels"))
    known = inspect.signature(model.package_parts).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"{architecture} takes no {option}: it is for models of variable rate (...-vbr)")
    parts = model.package_parts(**options)
    check_samples(samples, parts.graphs.get("g_a"))
    tensors: dict[str, NDArray[Any]] = {}
    for group in (*(graph.tensors for graph in parts.graphs.values()), parts.tensors):
        for key, array in group.items():
            _add(tensors, key, array)
    description = {
        "format": "lcrm",
        "version": PACKAGE_VERSION,
        "name": name,
        "architecture": architecture,
        "config": _checked_config(model),
        "numerics": NUMERICS,
        "graphs": {key: graph.description for key, graph in parts.graphs.items()},
        "codec": dict(parts.codec),
        "card": dict(card or {}),
    }
    if parts.pad is not None:
        description |= {"strides": dict(parts.strides), "pad": parts.pad, "levels": parts.levels}
    if samples is not None:
        description["samples"] = dict(samples)
    return description, tensors


def _check_lowered(model: Any, num_channels: int | None) -> None:
    """Compares what lowers in `model`, and what derived classes change, with `forward` on a small example.

    That is what `model.packing_example(generator)` gives, or else a random picture.

    Raises:
        NotPortableError: they differ; the message has the class and the place of what differs.
    """
    if not isinstance(model, nn.Module):
        return
    factor = getattr(model, "downsampling_factor", None) or 64
    channels: int = getattr(model, "in_channels", 3) if num_channels is None else num_channels
    generator = torch.Generator().manual_seed(0)
    example = getattr(model, "packing_example", None)
    x = example(generator) if example else torch.rand(1, channels, factor, 2 * factor, generator=generator)
    check_calls(model, x)
    like = next((p for p in model.parameters() if p.is_floating_point()), x)
    check_derived(model, x.to(like))


def _add(tensors: dict[str, NDArray[Any]], name: str, array: NDArray[Any]) -> None:
    known = tensors.setdefault(name, array)
    if known is not array and not (known.dtype == array.dtype and np.array_equal(known, array)):
        raise ValueError(f"two parts of the model call different tensors {name!r}")


def architecture_of(model_class: type) -> str:
    """The registered name of a class, or its own: a name in the registry is for those who make it anew."""
    names = (name for name, registered in MODELS.items() if registered is model_class)
    return next(names, model_class.__qualname__.rpartition(".")[2])


def _checked_config(model: Any) -> dict[str, Any]:
    config = config_of(model)
    for name, value in config.items():
        if isinstance(value, Unsayable):
            raise NotPortableError(
                f"{type(model).__name__} was made with {name}, a {value.type_name}, which JSON cannot say: "
                "define config, a property that returns the constructor's arguments as JSON values"
            )
    return config
