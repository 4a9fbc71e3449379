"""The conditional Gaussian prior.

Balle, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR 2018,
section 3; with means as in Minnen, Balle and Toderici, "Joint autoregressive and hierarchical priors for
learned image compression", NeurIPS 2018.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lcrs import coding
from lcrs.entropy_models.base import EntropyModel
from lcrs.entropy_models.fitting_tables import fitting_table
from lcrs.entropy_models.inherited import standard_quantile
from lcrs.entropy_models.own_densities import conditional_table, is_overridden, without_probing
from lcrs.entropy_models.tables import resize_buffers
from lcrs.layers.provenance import report_handed, with_mark_of
from lcrs.ops import LowerBound

__all__ = ["GaussianConditional"]


class GaussianConditional(EntropyModel):
    """Entropy model of a latent whose values are Gaussian, with means and scales given for each.

    Likelihoods are computed in float32 (float64 for float64 inputs), inside autocast as well. For coding, a
    scale picks the row of the smallest table scale that is not below it; without a scale table of its own the
    model codes with the default one (64 scales from 0.11 to 256).

    Args:
        scale_table: Ascending positive scales of the table's rows, or None.
        *args: As `EntropyModel`.
        scale_bound: Scales are bounded from below by it; None takes the first scale of the table.
        tail_mass: Probability outside the tails, which symbols beyond the table share.
        **kwargs: As `EntropyModel`.

    Raises:
        ValueError: the table is empty, not ascending or not positive; or no scale bound can be had.
    """

    if TYPE_CHECKING:  # TorchScript cannot read what stands here as strings
        scale_table: Tensor
        scale_bound: Tensor

    tail_mass = 1e-9  # of derived classes that skip this constructor

    __jit_unused_properties__ = EntropyModel.__jit_unused_properties__ | {"least_scale"}

    def __init__(
        self,
        scale_table: Sequence[float] | Tensor | None,
        *args: Any,
        scale_bound: float | None = 0.11,
        tail_mass: float = 1e-9,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        table = torch.empty(0) if scale_table is None else self._prepare_scale_table(scale_table)
        if scale_bound is None and table.numel() == 0:
            raise ValueError("scale_bound is None and there is no scale_table to take it from")
        bound = float(table[0]) if scale_bound is None else float(scale_bound)
        if not bound > 0:
            raise ValueError(f"scale_bound is {bound}, must be positive")
        self.tail_mass = float(tail_mass)
        self.lower_bound_scale = LowerBound(bound)
        self.register_buffer("scale_table", table)
        self.register_buffer("scale_bound", torch.tensor([bound]))

    @staticmethod
    def _prepare_scale_table(scale_table: Sequence[float] | Tensor) -> Tensor:
        if not isinstance(scale_table, Sequence | Tensor):
            raise ValueError(f"scale_table is {scale_table!r}, must be a list of numbers, or None")
        scales = [float(scale) for scale in scale_table]
        if not scales:
            raise ValueError("scale_table is empty")
        for position, scale in enumerate(scales):
            if not (scale > 0 and math.isfinite(scale)):
                raise ValueError(f"scale_table has {scale} at {position}, must be positive and finite")
            if position and scale <= scales[position - 1]:
                raise ValueError(
                    f"scale_table has {scale} at {position} after {scales[position - 1]}, must ascend"
                )
        return torch.tensor(scales)

    @property
    def least_scale(self) -> float:
        """What scales are bounded from below by; 0 without a bound."""
        bound = getattr(self, "lower_bound_scale", None)
        return 0.0 if bound is None else float(bound.bound.item())

    # --- likelihoods ---

    def _standardized_cumulative(self, inputs: Tensor) -> Tensor:
        """Cumulative standard normal, by erfc: precise where it is small."""
        return 0.5 * torch.erfc(-(2**-0.5) * inputs)

    @staticmethod
    def _standardized_quantile(quantile: Any) -> Any:
        """The inverse of `_standardized_cumulative`, in float64, of a number, an array or a tensor."""
        return standard_quantile(quantile)

    def _likelihood(self, inputs: Tensor, scales: Tensor, means: Tensor | None = None) -> Tensor:
        """Probability of `[x - 1/2, x + 1/2]`."""
        values = torch.abs(inputs if means is None else inputs - means)
        scales = self.lower_bound_scale(scales)
        upper = self._standardized_cumulative((0.5 - values) / scales)
        lower = self._standardized_cumulative((-0.5 - values) / scales)
        return upper - lower

    def forward(
        self, inputs: Tensor, scales: Tensor, means: Tensor | None = None, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Quantise `inputs` and measure the likelihood of the result.

        Args:
            inputs: Latent, any shape.
            scales: Standard deviations, same shape.
            means: Means, same shape; None is zero.
            training: Adds noise instead of rounding; by default when the module is in training mode.

        Returns:
            The quantised latent, float32 or wider, but of the type of `inputs` in a model of that type; and
            its likelihoods, float32 or wider.
        """
        mode = "noise" if (self.training if training is None else training) else "dequantize"
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            outputs = self.quantize(inputs.to(dtype), mode, means)
            return outputs, self._bounded(self._likelihood(outputs, scales, means))
        self._check_floating(inputs)
        with torch.autocast(device_type=inputs.device.type, enabled=False):
            means = None if means is None else means.to(dtype)
            outputs = self.quantize(inputs.to(dtype), mode, means)
        return self._as_given(outputs, inputs.dtype), self.likelihood(outputs, scales, means)

    def likelihood(self, outputs: Tensor, scales: Tensor, means: Tensor | None = None) -> Tensor:
        """Bounded likelihoods of quantised `outputs`; as `forward`, which quantises first."""
        dtype = torch.promote_types(outputs.dtype, torch.float32)
        with torch.autocast(device_type=outputs.device.type, enabled=False):
            means = None if means is None else means.to(dtype)
            return self._bounded(self._likelihood(outputs.to(dtype), scales.to(dtype), means))

    # --- tables ---

    def effective_scale_table(self) -> Tensor:
        """Scales of the table's rows, float32 (rows,) on the CPU: the model's own, or the default ones."""
        if getattr(self, "scale_table", torch.empty(0)).numel():
            return self.scale_table.detach().to(device="cpu", dtype=torch.float32)
        return torch.from_numpy(coding.default_scale_table())

    def _table_parameters(self) -> Iterable[Tensor]:
        return (self.effective_scale_table(),)

    @property
    def has_own_density(self) -> bool:
        """Whether a derived class has changed the density, or how likelihoods come from it."""
        names = ("forward", "likelihood", "_likelihood", "_standardized_cumulative")
        return is_overridden(self, *names) or self.has_own_quantizer

    def _derive_table(self) -> coding.CdfTable:
        scales = self.effective_scale_table().numpy().tobytes()

        def gaussian() -> coding.CdfTable:
            return _gaussian_table(scales, self.tail_mass, self.entropy_coder_precision)

        if not self.has_own_density:
            return gaussian()
        others = [gaussian]
        if is_overridden(self, "_standardized_cumulative"):
            others.insert(0, lambda: conditional_table(self, GaussianConditional._likelihood))
        return without_probing(self, lambda: conditional_table(self), *others)

    def update_scale_table(self, scale_table: Sequence[float] | Tensor, force: bool = False) -> bool:
        """Take over `scale_table` and fill the table buffers. Never needed.

        Args:
            scale_table: Ascending positive scales of the table's rows.
            force: Does so also when the buffers hold the table of the present scales already.

        Returns:
            Whether the buffers were filled.
        """
        if self._is_filled and not force:
            return False
        self.scale_table = self._prepare_scale_table(scale_table).to(self.scale_table.device)
        self.update()
        return True

    def update(self) -> None:
        """Fill the table buffers from the scale table. Never needed."""
        if not self.scale_table.numel():
            self.scale_table = self.effective_scale_table().to(self.scale_table.device)
        self._fill(self._derive_table())

    # --- coding ---

    def build_indexes(self, scales: Tensor) -> Tensor:
        """Row of the table for each scale: the smallest table scale that is not below it, or the last row.

        Args:
            scales: Standard deviations, any shape.

        Returns:
            int32, shape and device of `scales`.

        Raises:
            NotPortableError: code of a model calls this with what torch computed, and `lcrs.portability`
                requires exact scales.
            ValueError: a scale is NaN.
        """
        report_handed(self, scales)
        plain = scales.detach().to(device="cpu", dtype=torch.float32).contiguous()
        indexes = torch.from_numpy(coding.indexes(plain.numpy(), self.thresholds()))
        return with_mark_of(indexes.to(scales.device), scales)

    def thresholds(self, *, nearest: bool = False, log: bool = False) -> NDArray[np.float32]:
        """Scales above which the next row begins, for `coding.indexes`: float32 (rows - 1,), read-only.

        A scale below the bound picks the row that the bound would: all pass the rows before it.

        Args:
            nearest: A scale picks the row whose scale is nearest in ratio, not the smallest above it.
            log: Gives the logarithms, for scales that are logarithms themselves.
        """
        scales = self.effective_scale_table().numpy().tobytes()
        return _thresholds(scales, self.least_scale, nearest, log)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        resize_buffers(self, ("scale_table",), state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


@functools.lru_cache(maxsize=16)
def _thresholds(scales: bytes, bound: float, nearest: bool, log: bool) -> NDArray[np.float32]:
    """`GaussianConditional.thresholds` of float32 `scales`."""
    table = np.frombuffer(scales, np.float32)
    limits = coding.thresholds(table, nearest=nearest, log=log)
    limits[coding.thresholds(table, nearest=nearest) < np.float32(bound)] = -np.inf
    limits.flags.writeable = False
    return limits


@functools.lru_cache(maxsize=16)
def _gaussian_table(scales: bytes, tail_mass: float, precision: int) -> coding.CdfTable:
    """The table of float32 `scales`, shared by all models that have the same: most have the default ones."""
    table = np.frombuffer(scales, np.float32)
    return fitting_table(lambda bits: coding.gaussian_table(table, tail_mass, bits), precision)
