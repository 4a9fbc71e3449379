"""Tables of densities that derived classes define: in torch, from the likelihoods that `forward` gives."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs import coding

__all__ = [
    "NotProbedError",
    "conditional_table",
    "factorized_table",
    "is_overridden",
    "mixture_table",
    "table_of_masses",
    "without_probing",
]

_Masses = Callable[[Tensor], Tensor]
"""From symbols (L,), float, to their probabilities, (rows, L)."""

_MAX_MAGNITUDE = 1 << 13
_ENTRIES_AT_ONCE = 1 << 22
# Supports that are tried: where masses are above so many of the smallest frequency.
_CUTS = (2.0, 1.0, 0.5, 0.25, 0.125, 0.06, 0.03, 0.01, 1e-3, 1e-5)
_UNKNOWN_ESCAPE_BITS = 60.0
"""What is taken for the cost of a value beyond all that is looked at."""
_SAME = 0.01
"""Less is rounding, more another symbol or value."""
_SIDE = 64
"""Latents that are a multiple of it high and wide suit all that asks for an even size."""


class Density(Protocol):
    """What is asked of an `EntropyModel`, besides its methods' likelihoods."""

    @property
    def tail_mass(self) -> float:
        """Probability that may be outside of a table."""

    @property
    def entropy_coder_precision(self) -> int:
        """Bits of the frequencies' sum."""

    @property
    def has_own_quantizer(self) -> bool:
        """Whether symbols are what a method of the derived class makes of values."""


class ConditionalDensity(Density, Protocol):
    """Of a `GaussianConditional`."""

    def effective_scale_table(self) -> Tensor:
        """The scales, one a row."""


class FactorizedDensity(Density, Protocol):
    """Of an `EntropyBottleneck`."""

    @property
    def channels(self) -> int:
        """One row each."""


class NotProbedError(ValueError):
    """Methods of a derived class cannot be asked for the likelihoods of symbols."""


def is_overridden(model: object, *names: str) -> bool:
    """Whether code outside of lcrs defines one of these methods of `model`: its class, or an assignment."""
    own = getattr(model, "__dict__", {})
    return any(name in own or not _owner(type(model), name).startswith("lcrs.") for name in names)


def _owner(cls: type, name: str) -> str:
    for base in cls.__mro__:
        if name in vars(base):
            method = vars(base)[name]  # perhaps assigned to a class of lcrs
            method = getattr(method, "__func__", method)
            return str(method.__module__ if isinstance(method, FunctionType) else base.__module__)
    return "lcrs."


def conditional_table(
    model: ConditionalDensity, inherited: Callable[[Any, Tensor, Tensor], Tensor] | None = None
) -> coding.CdfTable:
    """The table of a conditional density, a row for each of the scales.

    Args:
        model: Has the density.
        inherited: Gives likelihoods of values and scales, in place of what `model` has overridden.

    Raises:
        NotProbedError: its methods cannot be asked for the likelihoods of symbols.
    """
    scales = model.effective_scale_table()
    changes = _Changes(model)

    def measured(double: Any, symbols: Tensor) -> Tensor:
        shape = (1, len(scales), 1, len(symbols))
        values = symbols.expand(shape).contiguous()
        means = torch.zeros_like(values)  # some subtract them without a look
        spread = scales.to(symbols).reshape(1, -1, 1, 1).expand(shape).contiguous()
        if inherited is not None:
            return inherited(double, values, spread).reshape(shape)[0, :, 0]
        if model.has_own_quantizer:
            values = double._values_of(values.int(), means, symbols.dtype)
        if model.has_own_quantizer or is_overridden(double, "forward"):
            told = accepted(double.forward, training=False)
            found = _around(double, double.forward, values, spread, means, **told)
            likelihoods = _likelihoods_in(found)
            changes.note(found, values)
        else:
            name = "likelihood" if is_overridden(double, "likelihood") else "_likelihood"
            likelihoods = _around(getattr(double, name), getattr(double, name), values, spread, means)
        masses: Tensor = likelihoods.reshape(shape)[0, :, 0]
        return masses

    return table_of_masses(
        _in_double(model, measured),
        len(scales),
        model.tail_mass,
        _precision(model),
        is_complete=model.has_own_quantizer and inherited is None,
    )


def _around(
    called: Callable[..., Any],
    declared: Callable[..., Any],
    values: Tensor,
    scales: Tensor,
    means: Tensor,
    **told: Any,
) -> Any:
    """`called` for `values`, `scales` and `means`, as the parameters of `declared` want them."""
    by_name = accepted(declared, means=means)
    needed = [
        parameter
        for parameter in inspect.signature(declared).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if len(needed) == 3 and needed[2].name != "means":
        return called(values, scales, means, **told)
    return called(values, scales, **by_name, **told)


def factorized_table(
    model: FactorizedDensity, step: float = 1.0, *, by_likelihood: bool = False
) -> coding.CdfTable:
    """The table of a density of its own for each channel, around the medians, for multiples of `step`.

    Args:
        model: Has the density.
        step: Of quantisation.
        by_likelihood: Asks `_likelihood` even if `forward` is overridden too.

    Raises:
        NotProbedError: its methods cannot be asked for the likelihoods of symbols.
    """
    changes = _Changes(model)

    def measured(double: Any, symbols: Tensor) -> Tensor:
        medians = double._get_medians().reshape(-1, 1, 1).to(symbols)
        values = medians + step * symbols
        is_plain = by_likelihood or not model.has_own_quantizer
        if not is_plain:
            values = double._values_of(symbols.int().expand_as(values), medians, symbols.dtype)
        if not is_plain or (not by_likelihood and is_overridden(double, "forward")):
            told = accepted(double.forward, training=False) | ({} if step == 1 else {"qs": step})

            def asked(latent: Tensor) -> Any:
                found = double(latent, **told)
                changes.note(found, latent)
                return found

            return _asked_as_latent(asked, values[:, 0])
        told = {} if step == 1 else {"step": step}
        found = double._likelihood(values, **told)
        likelihoods = found[0] if isinstance(found, tuple) else found
        masses: Tensor = likelihoods.reshape(len(medians), -1)
        return masses

    return table_of_masses(
        _in_double(model, measured),
        model.channels,
        model.tail_mass,
        _precision(model),
        is_complete=model.has_own_quantizer and not by_likelihood,
    )


def _asked_as_latent(forward: Callable[[Tensor], Any], values: Tensor) -> Tensor:
    """Likelihoods that `forward` gives for `values`, both (C, L): in one row, or else in sides of 64 each."""
    count = values.shape[1]
    try:
        return _likelihoods_in(forward(values[None, :, None])).reshape(values.shape)
    except Exception:
        more = -count % _SIDE**2
        padded = torch.cat((values, values[:, -1:].expand(-1, more)), 1).reshape(1, len(values), _SIDE, -1)
        return _likelihoods_in(forward(padded)).reshape(len(values), -1)[:, :count]


class _Changes:
    """Says once that a `forward` of its own makes other values of those that `quantize` and coding have."""

    def __init__(self, model: object) -> None:
        self._name = type(model).__name__
        self._looks = is_overridden(model, "forward")

    def note(self, found: Any, values: Tensor) -> None:
        """Looks at what `forward` gave for quantised `values`."""
        if not self._looks:
            return
        outputs = (
            [found[0]] if not isinstance(found, Mapping) else [found[k] for k in found if k != "likelihoods"]
        )
        same_shape = [x for x in outputs if isinstance(x, Tensor) and x.shape == values.shape]
        if same_shape and not any(bool(((x - values).abs() < _SAME).all()) for x in same_shape):
            self._looks = False
            warnings.warn(
                f"forward of {self._name} changes values that are quantised already, so that "
                "decompress gives others: quantize(), or compress() and decompress(), of its own would say",
                stacklevel=2,
            )


def _likelihoods_in(found: Any) -> Tensor:
    """The likelihoods in what a `forward` gives: the second of two, or what is called so in a dict."""
    likelihoods: Tensor = found["likelihoods"] if isinstance(found, Mapping) else found[1]
    return likelihoods


def without_probing(
    model: Density, table: Callable[[], coding.CdfTable], *others: Callable[[], coding.CdfTable]
) -> coding.CdfTable:
    """`table()`, or where methods of `model` cannot be asked, with a warning, the first of `others` that can.

    Raises:
        NotProbedError: none can.
    """
    try:
        return table()
    except NotProbedError as error:
        for other in others:
            try:
                found = other()
            except (NotProbedError, AttributeError):  # a constructor of its own may have left parameters out
                continue
            warnings.warn(
                f"{error}: it codes with the table that its other methods give, as in CompressAI, and files "
                "may be larger than its likelihoods say",
                stacklevel=2,
            )
            return found
        raise


def mixture_table(model: Density, parameters: NDArray[np.float32], abs_max: int) -> coding.CdfTable:
    """The table of mixtures, for the integers from `-abs_max` to `abs_max`, as `coding.mixture_table`.

    Args:
        model: Has the density of a component.
        parameters: Scales, means and weights of the components, (3, components, rows).
        abs_max: The largest magnitude.
    """

    def measured(double: Any, symbols: Tensor) -> Tensor:
        scales, means, weights = (
            torch.from_numpy(parameters).to(symbols).unsqueeze(-1).expand(-1, -1, -1, len(symbols))
        )
        likelihoods = double._likelihood(symbols.expand_as(scales), scales.contiguous(), means.contiguous())
        mixed: Tensor = (weights * likelihoods).sum(0)
        return mixed

    found = _in_double(model, measured)(torch.arange(-abs_max, abs_max + 1, dtype=torch.float64))
    rows = [_quantized(row, 0.0, _precision(model)) for row in found.numpy()]
    return _table(rows, [-abs_max] * len(rows), _precision(model))


def _precision(model: Density) -> int:
    return int(model.entropy_coder_precision)


def _in_double(model: Any, masses: Callable[[Any, Tensor], Tensor]) -> _Masses:
    """`masses` of a copy of `model`, in float64 where it can, else in float32."""
    plain = copy.deepcopy(model).to("cpu").float().eval()
    plain.use_likelihood_bound = False
    double = copy.deepcopy(plain).double()

    @torch.no_grad()
    def of(symbols: Tensor) -> Tensor:
        try:
            found = masses(double, symbols.double())
        except Exception:
            try:
                found = masses(plain, symbols.float())
            except Exception as error:  # of methods that are not ours: anything
                what = str(error).partition("\n")[0]
                raise NotProbedError(
                    f"{type(model).__name__} gives no likelihoods of symbols "
                    f"({type(error).__name__}{': ' if what else ''}{what})"
                ) from error
        return torch.nan_to_num(found.detach().double(), nan=0.0).clamp(0, 1)

    return of


def table_of_masses(
    masses: _Masses, num_rows: int, tail_mass: float, precision: int, *, is_complete: bool = False
) -> coding.CdfTable:
    """The integer table of probability masses.

    Rows end where it costs least: what is in the table has a frequency of at least 1, what is not costs an
    escape, whose digits take four bits for three in "ans" strings, and less where "lcrs" strings pack them.

    Args:
        masses: Gives probabilities.
        num_rows: Rows that it gives them for.
        tail_mass: Probability that may be outside of what is looked at.
        precision: Bits of the frequencies' sum.
        is_complete: Nothing is outside of what is looked at, though masses do not sum to 1: so it is where
            symbols are not a step of 1 apart.

    Raises:
        ValueError: a row has no mass, with its number.
    """
    magnitude, largest = 32, min(_MAX_MAGNITUDE, max(1024, _ENTRIES_AT_ONCE // (2 * num_rows)))
    while True:
        found = masses(torch.arange(-magnitude, magnitude + 1, dtype=torch.float64)).numpy()
        if magnitude >= largest or (found.sum(axis=1) >= 1 - tail_mass).all():
            break
        magnitude = min(4 * magnitude, largest)
    rows, offsets = [], []
    for number, row in enumerate(found):
        if not row.max() > _CUTS[-1] * 2.0**-precision:
            raise ValueError(f"row {number} has no probability from {-magnitude} to {magnitude}")
        row = row / row.sum() if is_complete else row
        first, cdf = min(_candidates(row, precision), key=lambda candidate: candidate[0])[1:]
        rows.append(cdf)
        offsets.append(first - magnitude)
    return _table(rows, offsets, precision)


def _candidates(row: NDArray[np.float64], precision: int) -> Iterator[tuple[float, int, NDArray[np.int32]]]:
    """Expected bits, first entry and cumulative frequencies of rows with several supports."""
    beyond = max(0.0, 1 - row.sum())
    below, above = _escape_bits(len(row))
    most, peak = (1 << precision) // 2, int(row.argmax())
    known: set[tuple[int, int]] = set()
    for cut in _CUTS:
        (held,) = np.nonzero(row > cut * 2.0**-precision)
        if not len(held):
            continue
        first, last = int(held[0]), int(held[-1]) + 1
        if last - first > most:
            first, last = max(first, peak - most // 2), min(last, peak + most // 2)
        if (first, last) in known:
            continue
        known.add((first, last))
        inside = row[first:last]
        tail = max(0.0, 1 - inside.sum())
        cdf = _quantized(inside, tail, precision)
        bits = precision - np.log2(np.diff(cdf).astype(np.float64))
        escapes = np.concatenate((row[:first][::-1], row[last:]))
        digits = np.concatenate((below[:first], above[: len(row) - last]))
        # sums of numpy's own: threads of a library for such short products wait for each other
        cost = (inside * bits[:-1]).sum() + (escapes * digits).sum()
        cost += tail * bits[-1] + beyond * _UNKNOWN_ESCAPE_BITS
        yield float(cost), first, cdf


@cache
def _escape_bits(length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What digits of the `length` nearest escapes below and above a row's support cost, the nearest first."""
    bits = 4 * np.maximum(1, np.ceil(np.log2(np.arange(2 * length) + 1.0) / 3))
    return bits[1::2], bits[::2]


def _quantized(inside: NDArray[np.float64], tail: float, precision: int) -> NDArray[np.int32]:
    """Cumulative frequencies of masses and of the escape, each of at least 1.

    The others share what is left, in proportion: that is the least expected cost.
    """
    total = float(1 << precision)
    masses = np.append(inside, tail)
    frequencies = masses * (total / masses.sum())
    for _ in range(8):
        small = frequencies <= 1
        rest = masses[~small].sum()
        frequencies = np.where(small, 1.0, masses * ((total - np.count_nonzero(small)) / max(rest, 1e-300)))
    pmf = (frequencies / total).astype(np.float32)
    return coding.pmf_to_quantized_cdf(pmf, precision).astype(np.int32)


def _table(rows: list[NDArray[np.int32]], offsets: list[int], precision: int) -> coding.CdfTable:
    lengths = np.array([len(row) for row in rows], np.int32)
    cdfs = np.zeros((len(rows), int(lengths.max(initial=0))), np.int32)
    for cdf, row in zip(cdfs, rows, strict=True):
        cdf[: len(row)] = row
    return coding.CdfTable(cdfs, lengths, np.array(offsets, np.int32), precision, heavy_tails=True)


def accepted(function: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """Those of `options` that `function` has parameters for."""
    known = inspect.signature(function).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    return {name: value for name, value in options.items() if takes_all or name in known}
