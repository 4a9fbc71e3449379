"""Entropy models whose step of quantisation varies.

Kamisli, Racape and Choi, "Variable-rate learned image compression with multi-objective optimization and
quantization-reconstruction offsets", DCC 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models.base import EntropyModel
from lcrs.entropy_models.entropy_bottleneck import EntropyBottleneck
from lcrs.layers.foreign import coding_scope
from lcrs.ops import quantize_ste

__all__ = ["EntropyBottleneckVbr", "EntropyModelVbr"]


class EntropyModelVbr(EntropyModel):
    """`EntropyModel` that quantises with a given step."""

    def quantize_variable(
        self, inputs: Tensor, mode: str, means: Tensor | None = None, qs: Tensor | float | None = None
    ) -> Tensor:
        """Quantise `inputs`, any shape, with step `qs`; rounding is half to even.

        Args:
            inputs: Values.
            mode: "noise" adds U(-qs/2, qs/2) and takes no heed of `means`; "ste" and "dequantize" round to
                `means` plus a multiple of `qs`, "ste" with the gradient passed straight through; "symbols"
                gives the int32 multiples.
            means: Broadcast against `inputs`; None is zero.
            qs: Step; None is 1.

        Raises:
            ValueError: another mode.
        """
        step = 1.0 if qs is None else qs
        if mode == "noise":
            return inputs + torch.empty_like(inputs).uniform_(-0.5, 0.5) * step
        if mode not in ("ste", "dequantize", "symbols"):
            raise ValueError(f"mode is {mode!r}, must be 'noise', 'ste', 'dequantize' or 'symbols'")
        scaled = (inputs if means is None else inputs - means) / step
        if mode == "symbols":
            return torch.round(scaled).int()
        outputs = (quantize_ste(scaled) if mode == "ste" else torch.round(scaled)) * step
        return outputs if means is None else outputs + means

    @staticmethod
    def dequantize_variable(
        inputs: Tensor,
        means: Tensor | None = None,
        dtype: torch.dtype = torch.float,
        qs: Tensor | float | None = None,
    ) -> Tensor:
        """Values of the symbols `inputs`: `inputs * qs + means`, in the dtype of `means` or else `dtype`."""
        outputs = inputs.type(dtype if means is None else means.dtype) * (1.0 if qs is None else qs)
        return outputs if means is None else outputs + means


class EntropyBottleneckVbr(EntropyBottleneck, EntropyModelVbr):
    """`EntropyBottleneck` whose values are quantised with a step that is given for each call.

    The likelihood of a value is the probability of the interval of that step around it, with gradients to the
    density and to the step. (CompressAI's takes an interval of length 1, without gradient.)

    Tables depend on the step. They are derived for the step in use; filled ones are used only with the step
    that they were filled for. Arguments are those of `EntropyBottleneck`; in the state dict the parameters
    have CompressAI's older names (`_matrix0`).
    """

    def __init__(self, channels: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(channels, *args, **kwargs)
        self._filled_step: float | None = 1.0

    # --- parameters ---

    def _register_layer(self, i: int, matrix: Tensor, bias: Tensor, factor: Tensor | None) -> None:
        self.register_parameter(f"_matrix{i}", nn.Parameter(matrix))
        self.register_parameter(f"_bias{i}", nn.Parameter(bias))
        if factor is not None:
            self.register_parameter(f"_factor{i}", nn.Parameter(factor))

    def _layers(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        for i in range(len(self.filters) + 1):
            yield getattr(self, f"_matrix{i}"), getattr(self, f"_bias{i}"), getattr(self, f"_factor{i}", None)

    # --- likelihoods ---

    def forward(
        self,
        x: Tensor,
        training: bool | None = None,
        qs: Tensor | float | None = None,
        ste: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Quantise `x` with step `qs` and measure the likelihood of the result.

        Args:
            x: Latent (N, C, ...).
            training: Adds noise instead of rounding; by default when the module is in training mode.
            qs: Step, a 0-d tensor or a number; None is 1.
            ste: Returns the latent rounded (straight-through), whatever the likelihood was measured on.

        Returns:
            The quantised latent and its likelihoods, as `EntropyBottleneck`.
        """
        self._check_floating(x)
        training = self.training if training is None else training
        dtype = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(device_type=x.device.type, enabled=False):
            by_channel = x.to(dtype).transpose(0, 1).contiguous()
            values = by_channel.reshape(self.channels, 1, -1)
            medians = self._get_medians().to(dtype)
            outputs = self.quantize_variable(values, "noise" if training else "dequantize", medians, qs)
            likelihood = self._bounded(self._likelihood(outputs, step=1.0 if qs is None else qs)[0])
            if ste:
                outputs = self.quantize_variable(values, "ste", medians, qs)
        shape = by_channel.shape
        outputs = self._as_given(outputs, x.dtype)
        return (
            outputs.reshape(shape).transpose(0, 1).contiguous(),
            likelihood.reshape(shape).transpose(0, 1).contiguous(),
        )

    # --- tables ---

    def update(self, force: bool = False, update_quantiles: bool = False) -> bool:
        """Fill the table buffers for step 1; as in `EntropyBottleneck`."""
        return self.update_variable(force, 1.0, update_quantiles)

    def update_variable(
        self, force: bool = False, qs: Tensor | float = 1.0, update_quantiles: bool = False
    ) -> bool:
        """Fill the table buffers for step `qs`; as `EntropyBottleneck.update`. Never needed."""
        step = _checked_step(qs)
        if self._is_filled and step == self._filled_step and not force:
            return False
        if update_quantiles:
            self._update_quantiles()
        self._fill(self._table_for(step, "quantiles"))
        self._filled_step = step
        return True

    def cdf_table(self, qs: Tensor | float | None = None) -> coding.CdfTable:
        """The table to code with at step `qs` (None: 1): the filled one if it is for that, else its own.

        Loaded buffers do not say what step they are for; only "ans" strings trust them.

        Raises:
            ValueError: the step is not positive and finite, or the parameters make no valid table.
        """
        step = _checked_step(qs)
        self._notice_buffers()
        parameters = self._parameters_key()
        if self._filled_for == parameters and (
            step == self._filled_step or (self._filled_step is None and self.entropy_coder == "ans")
        ):
            return self._filled_table()
        self.report_density()
        key = b"derived" + parameters + str(step).encode()
        return self._tables.get(key, lambda: self._table_for(step, "bisection"))

    # --- coding ---

    @coding_scope()
    def compress(self, x: Tensor, qs: Tensor | float | None = None) -> list[bytes]:  # type: ignore[override]
        """Code the latent `x` (N, C, ...), quantised with step `qs`; as `EntropyBottleneck.compress`."""
        self._check_channels(x)
        return self._encode(self._scaled(x, qs), self._indexes(x.shape), None, self.cdf_table(qs))

    @coding_scope()
    def decompress(  # type: ignore[override]
        self, strings: Sequence[bytes], size: Sequence[int], qs: Tensor | float | None = None
    ) -> Tensor:
        """Decode what `compress` wrote with the same `qs`; as `EntropyBottleneck.decompress`."""
        shape = (len(strings), self.channels, *size)
        table = self.cdf_table(qs)
        step = _checked_step(qs)
        symbols = self._decode(strings, self._indexes(shape), torch.float32, None, table, step)
        dtype = torch.promote_types(self.quantiles.dtype, torch.float32)
        return self._unscaled(symbols.cpu(), qs).to(device=self.quantiles.device, dtype=dtype)

    def restore(self, x: Tensor, qs: Tensor | float | None = None) -> Tensor:
        """What `decompress` will make of the latent `x` (N, C, ...), to the bit: float32 on the CPU."""
        symbols = coding.quantize(self._scaled(x, qs).contiguous().numpy())
        return self._unscaled(torch.from_numpy(coding.dequantize(symbols)), qs)

    def _scaled(self, x: Tensor, qs: Tensor | float | None) -> Tensor:
        """Distance from the medians in steps: float32 on the CPU, every operation rounded by itself."""
        medians = self._spatial_medians(x.dim()).float().cpu()
        return (x.detach().float().cpu() - medians) / _checked_step(qs)

    def _unscaled(self, symbols: Tensor, qs: Tensor | float | None) -> Tensor:
        return symbols * _checked_step(qs) + self._spatial_medians(symbols.dim()).float().cpu()

    # --- loading ---

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for old, new in list(_older_keys(state_dict, prefix)):
            state_dict[new] = state_dict.pop(old)
        EntropyModel._load_from_state_dict(self, state_dict, prefix, *args)
        if self._tables_arrived:
            self._filled_step = None


def _checked_step(qs: Tensor | float | None) -> float:
    """`qs` as a number that float32 has; None is 1."""
    step = 1.0 if qs is None else float(torch.as_tensor(qs).detach().float())
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"qs is {step}, must be positive and finite")
    return step


def _older_keys(state_dict: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Keys as `EntropyBottleneck` has them (`matrices.0`) below `prefix`, and their names here."""
    singular = {"matrices": "_matrix", "biases": "_bias", "factors": "_factor"}
    for key in state_dict:
        if key.startswith(prefix):
            name, _, number = key[len(prefix) :].lstrip("_").partition(".")
            if name in singular and number.isdigit():
                yield key, f"{prefix}{singular[name]}{number}"
