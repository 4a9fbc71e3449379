"""The fully factorised prior: one learned density for each channel.

Balle, Minnen, Singh, Hwang and Johnston, "Variational image compression with a scale hyperprior", ICLR 2018,
appendix 6.1.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs import coding
from lcrs.entropy_models.base import EntropyModel
from lcrs.entropy_models.compressai_tables import compressai_table
from lcrs.entropy_models.fitting_tables import fitting_table
from lcrs.entropy_models.inherited import InheritedBottleneckMethods
from lcrs.entropy_models.own_densities import factorized_table, is_overridden, without_probing
from lcrs.errors import LcrsError

__all__ = ["EntropyBottleneck"]


class EntropyBottleneck(InheritedBottleneckMethods, EntropyModel):
    """Entropy model of a latent whose channels are independent and each follow a learned density.

    The cumulative density of a channel is a sigmoid of a small monotone network ("logits") with parameters
    `matrices`, `biases` and `factors`. `quantiles` holds for each channel the lower tail, the median, around
    which values are rounded, and the upper tail. The median stays where the parameter has it; tables that are
    derived on demand find their tails by bisection, so that training needs no auxiliary loss.

    Likelihoods are computed in float32 (float64 for float64 inputs), inside autocast as well, and with the
    sigmoid's symmetry, which keeps the upper tail as precise as the lower one.

    Args:
        channels: Number of channels C.
        *args: As `EntropyModel`.
        tail_mass: Probability outside the tails, which symbols beyond the table share.
        init_scale: Spread of the initial density.
        filters: Widths of the hidden layers of the logits' network.
        **kwargs: As `EntropyModel`.
    """

    if TYPE_CHECKING:  # TorchScript cannot read what stands here as strings
        target: Tensor

    def __init__(
        self,
        channels: int,
        *args: Any,
        tail_mass: float = 1e-9,
        init_scale: float = 10,
        filters: Sequence[int] = (3, 3, 3, 3),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.channels = int(channels)
        self.filters = tuple(int(f) for f in filters)
        self.init_scale = float(init_scale)
        self.tail_mass = float(tail_mass)
        widths = (1, *self.filters, 1)
        scale = self.init_scale ** (1 / (len(self.filters) + 1))
        for i, (width, next_width) in enumerate(itertools.pairwise(widths)):
            initial = float(np.log(np.expm1(1 / scale / next_width)))
            matrix = torch.full((channels, next_width, width), initial)
            bias = torch.empty(channels, next_width, 1).uniform_(-0.5, 0.5)
            factor = torch.zeros(channels, next_width, 1) if i < len(self.filters) else None
            self._register_layer(i, matrix, bias, factor)
        initial_quantiles = torch.tensor([-self.init_scale, 0.0, self.init_scale])
        self.quantiles = nn.Parameter(initial_quantiles.repeat(channels, 1, 1))
        logit = float(np.log(2 / self.tail_mass - 1))
        self.register_buffer("target", torch.tensor([-logit, 0.0, logit]))

    def _register_layer(self, i: int, matrix: Tensor, bias: Tensor, factor: Tensor | None) -> None:
        """Make the initial values of layer `i` of the logits' network parameters."""
        if i == 0:
            self.matrices, self.biases, self.factors = (nn.ParameterList() for _ in range(3))
        self.matrices.append(nn.Parameter(matrix))
        self.biases.append(nn.Parameter(bias))
        if factor is not None:
            self.factors.append(nn.Parameter(factor))

    def _layers(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Matrix, bias and factor (None for the last) of each layer of the logits' network."""
        # As torch 2.2 can trace it: neither zip_longest nor strict.
        return zip(self.matrices, self.biases, [*self.factors, None])  # noqa: B905

    def _get_medians(self) -> Tensor:
        """Medians (C, 1, 1), without gradient."""
        return self.quantiles[:, :, 1:2].detach()

    # --- likelihoods ---

    def _logits_cumulative(self, inputs: Tensor, stop_gradient: bool = False) -> Tensor:
        """Logits of the cumulative densities at `inputs`, both (C, 1, L).

        `stop_gradient` leaves the densities' parameters out of the gradient.
        """
        logits = inputs
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            # TorchScript unrolls such a loop only over the lists themselves.
            for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases)):  # noqa: B905
                if stop_gradient:
                    matrix, bias = matrix.detach(), bias.detach()
                logits = torch.matmul(F.softplus(matrix), logits) + bias
                for j, factor in enumerate(self.factors):
                    if i == j:
                        if stop_gradient:
                            factor = factor.detach()
                        logits = logits + torch.tanh(factor) * torch.tanh(logits)
            return logits
        for matrix, bias, factor in self._layers():
            if stop_gradient:
                matrix, bias = matrix.detach(), bias.detach()
                factor = None if factor is None else factor.detach()
            logits = torch.matmul(F.softplus(matrix.to(inputs.dtype)), logits) + bias.to(inputs.dtype)
            if factor is not None:
                logits = logits + torch.tanh(factor.to(inputs.dtype)) * torch.tanh(logits)
        return logits

    def _likelihood(
        self, inputs: Tensor, stop_gradient: bool = False, step: Tensor | float = 1.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probability of `[x - step/2, x + step/2]`, and the logits at both ends; all (C, 1, L)."""
        half = 0.5
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            half = 0.5 * step  # type: ignore[assignment]
        lower = self._logits_cumulative(inputs - half, stop_gradient)
        upper = self._logits_cumulative(inputs + half, stop_gradient)
        # sigmoid(u) - sigmoid(l) == sigmoid(-l) - sigmoid(-u): take the pair whose members are both small.
        sign = torch.where((lower + upper).detach() > 0, -1.0, 1.0).to(inputs.dtype)
        likelihood = sign * (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower))
        return likelihood, lower, upper

    def forward(self, x: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Quantise `x` and measure the likelihood of the result.

        Args:
            x: Latent (N, C, ...).
            training: Adds noise instead of rounding; by default when the module is in training mode.

        Returns:
            The quantised latent, float32 or wider, but of the type of `x` in a model of that type; and its
            likelihoods, float32 or wider. Both have the shape of `x`.
        """
        mode = "noise" if (self.training if training is None else training) else "dequantize"
        dtype = torch.promote_types(x.dtype, torch.float32)
        by_channel = x.to(dtype).transpose(0, 1).contiguous()  # (C, N, ...): noise in CompressAI's order
        values = by_channel.reshape(self.channels, 1, -1)
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            outputs, likelihood = self._measured(values, mode)
        else:
            self._check_floating(x)
            with torch.autocast(device_type=x.device.type, enabled=False):
                outputs, likelihood = self._measured(values, mode)
            outputs = self._as_given(outputs, x.dtype)
        return (
            outputs.reshape(by_channel.shape).transpose(0, 1).contiguous(),
            likelihood.reshape(by_channel.shape).transpose(0, 1).contiguous(),
        )

    def _measured(self, values: Tensor, mode: str) -> tuple[Tensor, Tensor]:
        """`values` (C, 1, L), quantised, and their likelihoods."""
        outputs = self.quantize(values, mode, self._get_medians().to(values.dtype))
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            likelihood = self._likelihood(outputs)[0]
        else:
            found: Any = self._likelihood(outputs)  # a derived class may give likelihoods alone
            likelihood = found[0] if isinstance(found, tuple) else found
        return outputs, self._bounded(likelihood)

    def loss(self) -> Tensor:
        """Auxiliary loss that pulls `quantiles` to the tails and the median; gradient to `quantiles` only.

        Kept for those who use it: only the medians still matter when tables are derived on demand.
        """
        logits = self._logits_cumulative(self.quantiles, stop_gradient=True)
        return torch.abs(logits - self.target).sum()

    # --- tables ---

    def _table_parameters(self) -> Iterable[Tensor]:
        if self.has_own_density:
            return (self.quantiles,)
        layers = (p for layer in self._layers() for p in layer if p is not None)
        return (*layers, self.quantiles)

    def _parameter_arrays(self) -> dict[str, Any]:
        """Arguments of `coding.factorized_table` for the present parameters."""

        def arrays(parameters: Iterable[Tensor]) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
            return [p.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy() for p in parameters]

        matrices, biases, factors = zip(*self._layers(), strict=True)
        return {
            "matrices": arrays(matrices),
            "biases": arrays(biases),
            "factors": arrays(factors[:-1]),
            "quantiles": arrays([self.quantiles])[0],
            "precision": self.entropy_coder_precision,
        }

    @property
    def has_own_density(self) -> bool:
        """Whether a derived class has changed the density, or how likelihoods come from it."""
        names = ("forward", "_likelihood", "_logits_cumulative", "_layers")
        return is_overridden(self, *names) or self.has_own_quantizer

    def _derive_table(self) -> coding.CdfTable:
        return self._table_for(1.0, "bisection")

    def _table_for(self, step: float, tails: Literal["quantiles", "bisection"]) -> coding.CdfTable:
        """The table of the multiples of `step` around the medians."""
        if not self.has_own_density:
            return self._parametric_table(step, tails)
        others: list[Callable[[], coding.CdfTable]] = [lambda: self._parametric_table(step, tails)]
        if is_overridden(self, "_likelihood", "_logits_cumulative", "_layers"):
            others.insert(0, lambda: factorized_table(self, step, by_likelihood=True))
        return without_probing(self, lambda: factorized_table(self, step), *others)

    def _parametric_table(self, step: float, tails: Literal["quantiles", "bisection"]) -> coding.CdfTable:
        """The table of the parameters, in exact arithmetic."""
        arrays = self._parameter_arrays()

        def made(precision: int) -> coding.CdfTable:
            return coding.factorized_table(
                **{**arrays, "precision": precision}, tail_mass=self.tail_mass, tails=tails, step=step
            )

        return fitting_table(made, self.entropy_coder_precision)

    def update(self, force: bool = False, update_quantiles: bool = False) -> bool:
        """Fill the table buffers from the parameters, with the tails that `quantiles` has. Never needed.

        Args:
            force: Fills them also when they hold the table of the present parameters already.
            update_quantiles: Finds tails and medians by bisection first and stores them in `quantiles`.

        Returns:
            Whether the buffers were filled.
        """
        if self._is_filled and not force:
            return False
        if update_quantiles:
            self._update_quantiles()
        self._fill(self._table_for(1.0, "quantiles"))
        return True

    @torch.no_grad()
    def _update_quantiles(self, search_radius: float = 1e5, rtol: float = 1e-4, atol: float = 1e-3) -> None:
        """Solve `logits(quantiles) = target` by bisection, in float64."""
        target = self.target.to(torch.float64).expand(self.channels, 1, 3)
        low = torch.full_like(target, -search_radius)
        high = torch.full_like(target, search_radius)
        for _ in range(64):
            middle = (low + high) / 2
            below = self._logits_cumulative(middle) < target
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
            if bool(((high - low) <= atol + rtol * middle.abs()).all()):
                break
        self.quantiles.copy_(((low + high) / 2).to(self.quantiles.dtype))

    # --- coding ---

    def _indexes(self, shape: Sequence[int]) -> Tensor:
        """The channel number at each place of a latent of `shape` (N, C, ...), int32, same device."""
        column = torch.arange(shape[1], dtype=torch.int32, device=self.quantiles.device)
        return column.reshape(1, -1, *[1] * (len(shape) - 2)).expand(*shape)

    def _spatial_medians(self, num_dims: int) -> Tensor:
        """Medians as (1, C, 1, ...) with `num_dims` dimensions."""
        return self._get_medians().reshape(1, -1, *[1] * (num_dims - 2))

    def compress(self, x: Tensor) -> list[bytes]:  # type: ignore[override]
        """Code the latent `x` (N, C, ...), rounded around the medians; one string for each batch entry.

        Raises:
            ValueError: `x` has another number of channels, or a value that is not finite or too large.
        """
        self._check_channels(x)
        return super().compress(x, self._indexes(x.shape), self._spatial_medians(x.dim()))

    def _check_channels(self, x: Tensor) -> None:
        if x.dim() < 2 or x.shape[1] != self.channels:
            raise ValueError(f"x has shape {tuple(x.shape)}, must be (N, {self.channels}, ...)")

    def decompress(self, strings: Sequence[bytes], size: Sequence[int]) -> Tensor:  # type: ignore[override]
        """Decode what `compress` wrote.

        Args:
            strings: N strings.
            size: Spatial sizes of the latent, what follows (N, C).

        "ans" strings that the table does not decode are tried with the one that CompressAI's `update` makes
        on this machine; a checkpoint that was never updated has no other.

        Returns:
            The rounded latent `(N, C, *size)`, on the module's device, float32 or wider.
        """
        shape = (len(strings), self.channels, *size)
        dtype = torch.promote_types(self.quantiles.dtype, torch.float32)
        medians = self._spatial_medians(len(shape)).to(dtype)
        return super().decompress(strings, self._indexes(shape), dtype, medians)

    def _decode(
        self,
        strings: Sequence[bytes],
        indexes: Tensor,
        dtype: torch.dtype,
        means: Tensor | None,
        table: coding.CdfTable,
        step: float = 1.0,
    ) -> Tensor:
        """As in `EntropyModel`; "ans" strings that `table` does not decode are tried with CompressAI's."""
        try:
            return super()._decode(strings, indexes, dtype, means, table)
        except LcrsError as error:
            if self.entropy_coder != "ans":
                raise
            try:
                return super()._decode(strings, indexes, dtype, means, compressai_table(self, step))
            except ValueError:
                raise error from None

    def restore(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """What `decompress` will make of the latent `x` (N, C, ...), to the bit: float32 on the CPU."""
        return super().restore(x, self._spatial_medians(x.dim()))

    # --- loading ---

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for old, new in list(_renamed_keys(state_dict, prefix)):
            state_dict[new] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _renamed_keys(state_dict: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Keys of older checkpoints (`_matrix0`, `_matrices.0`) below `prefix`, and what they are called now."""
    plural = {"matrix": "matrices", "bias": "biases", "factor": "factors"}
    for key in state_dict:
        if key.startswith(prefix):
            match = re.fullmatch(
                r"_(?:(matrix|bias|factor)|(matrices|biases|factors)\.)(\d+)", key[len(prefix) :]
            )
            if match:
                yield key, f"{prefix}{match[2] or plural[match[1]]}.{match[3]}"
