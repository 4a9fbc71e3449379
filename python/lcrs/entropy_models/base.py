"""What all entropy models share: quantisation, tables, coding of symbols under tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lcrs import coding
from lcrs.coding.default_kind import get_entropy_coder, kind_of
from lcrs.entropy_models.entropy_coder import EntropyCoder
from lcrs.entropy_models.inherited import InheritedTableMethods
from lcrs.entropy_models.own_densities import accepted, is_overridden
from lcrs.entropy_models.tables import TABLE_BUFFERS, resize_buffers
from lcrs.entropy_models.verified import decode_verified, encode_verified
from lcrs.errors import LcrsError
from lcrs.layers.foreign import coding_scope, is_verified, note_coded, report
from lcrs.layers.module_state import methods_key, structure_of
from lcrs.layers.provenance import report_handed
from lcrs.ops import LowerBound
from lcrs.ops.cache import KeyedCache, fingerprint

__all__ = ["EntropyModel", "StreamKind", "check_stream_kind", "default_stream_kind"]

StreamKind: TypeAlias = Literal["lcrs", "ans"]
"""The native stream, and CompressAI's."""

_OF_TABLES = frozenset({*TABLE_BUFFERS, "_filled_for", "_filled_step", "_tables_arrived", "_seen_buffers"})
"""Attributes that follow from tables, not tables from them."""

_OF_DENSITIES = (
    *("forward", "likelihood", "_likelihood", "_standardized_cumulative"),
    *("_logits_cumulative", "_layers", "quantize", "dequantize"),
)
"""Methods that tables come from, where a derived class has them otherwise."""


def check_stream_kind(name: str) -> StreamKind:
    """The stream kind that `name` stands for, which is a coder as well.

    Raises:
        ValueError: it stands for none.
    """
    return cast(StreamKind, EntropyCoder(kind_of(name)))


def default_stream_kind() -> StreamKind:
    """Stream kind that models write unless told otherwise: as `lcrs.set_entropy_coder` has it."""
    return check_stream_kind(get_entropy_coder())


class EntropyModel(InheritedTableMethods, nn.Module):
    """Base of the entropy models: quantises, and codes symbols under integer tables.

    The table (`cdf_table`) is derived from the parameters when it is needed, by `lcrs.coding` and never by
    torch, and kept outside the state dict, keyed by a hash of the parameters. The buffers `_quantized_cdf`,
    `_cdf_length` and `_offset` are CompressAI's: `update`, loading a state dict or anything else fills them,
    and then they win until a parameter changes.

    A derived class that changes the density has a table of its likelihoods, from torch's numbers: such a
    table is not portable (`lcrs.portability`) unless `update` has put it into the buffers. One that changes
    `quantize` or `dequantize` is coded by these.

    Args:
        likelihood_bound: Likelihoods are bounded from below by it, which keeps the rate and its gradient
            finite; 0 means no bound.
        entropy_coder: Stream kind that `compress` writes and `decompress` reads: "lcrs" (the default when
            None) or "ans", CompressAI's format.
        entropy_coder_precision: Bits of the tables' probabilities, 1 to 16. With fewer than 16 "ans" strings
            spend the rest on every symbol, as CompressAI's do; "lcrs" strings do not.

    Raises:
        ValueError: another precision, or an unknown stream kind.
    """

    # Without an annotation, which older TorchScript cannot read.
    __jit_unused_properties__ = frozenset(
        {"entropy_coder", "_is_filled", "has_own_density", "has_own_quantizer"}
    )

    if TYPE_CHECKING:  # TorchScript cannot read what stands here as strings
        _offset: Tensor
        _quantized_cdf: Tensor
        _cdf_length: Tensor

    def __init__(
        self,
        likelihood_bound: float = 1e-9,
        entropy_coder: str | None = None,
        entropy_coder_precision: int = 16,
    ) -> None:
        super().__init__()
        if not 1 <= entropy_coder_precision <= 16:
            raise ValueError(f"entropy_coder_precision is {entropy_coder_precision}, must be from 1 to 16")
        self._entropy_coder = check_stream_kind(entropy_coder or get_entropy_coder())
        self.entropy_coder_precision = int(entropy_coder_precision)
        self.use_likelihood_bound = likelihood_bound > 0
        if self.use_likelihood_bound:
            self.likelihood_lower_bound = LowerBound(likelihood_bound)
        for name in TABLE_BUFFERS:
            self.register_buffer(name, torch.empty(0, dtype=torch.int32))
        self._tables: KeyedCache[coding.CdfTable] = KeyedCache()
        self._filled_for: bytes | None = None
        self._tables_arrived = False
        self._seen_buffers: bytes | None = None
        self.register_load_state_dict_post_hook(_bind_loaded_tables)  # type: ignore[no-untyped-call]

    @property
    def entropy_coder(self) -> StreamKind:
        """The stream kind; the string has CompressAI's coder methods too, see `EntropyCoder`."""
        return self._entropy_coder

    @entropy_coder.setter
    def entropy_coder(self, kind: str) -> None:
        self._entropy_coder = check_stream_kind(kind)

    @property
    def offset(self) -> Tensor:
        """First symbol of each row of the filled table, int32 (rows,); empty before `update` or loading."""
        return self._offset

    @property
    def quantized_cdf(self) -> Tensor:
        """The filled table, int32 (rows, width); empty before `update` or loading."""
        return self._quantized_cdf

    @property
    def cdf_length(self) -> Tensor:
        """Entries in use in each row of the filled table, int32 (rows,); empty before `update` or loading."""
        return self._cdf_length

    def forward(self, *args: Any) -> Any:
        """Must be overridden: (inputs, ...) to (outputs, likelihoods)."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def quantize(self, inputs: Tensor, mode: str, means: Tensor | None = None) -> Tensor:
        """Quantise `inputs`, any shape; rounding is half to even.

        Args:
            inputs: Values.
            mode: "noise" adds U(-1/2, 1/2) and takes no heed of `means`; "dequantize" rounds around `means`;
                "symbols" gives the int32 symbols of that.
            means: Broadcast against `inputs`; None is zero.

        Raises:
            ValueError: another mode.
        """
        if mode == "noise":
            return inputs + torch.empty_like(inputs).uniform_(-0.5, 0.5)
        if mode not in ("dequantize", "symbols"):
            raise ValueError(f"mode is '{mode}', must be 'noise', 'dequantize' or 'symbols'")
        outputs = torch.round(inputs if means is None else inputs - means)
        if mode == "symbols":
            return outputs.int()
        return outputs if means is None else outputs + means

    @staticmethod
    def dequantize(inputs: Tensor, means: Tensor | None = None, dtype: torch.dtype = torch.float) -> Tensor:
        """Values of the symbols `inputs`: with `means` added, in their dtype; else in `dtype`."""
        return inputs.type(dtype) if means is None else inputs.type_as(means) + means

    def _quantize(self, inputs: Tensor, mode: str, means: Tensor | None = None) -> Tensor:
        warnings.warn("_quantize is deprecated: use quantize", stacklevel=2)
        return self.quantize(inputs, mode, means)

    @classmethod
    def _dequantize(cls, inputs: Tensor, means: Tensor | None = None) -> Tensor:
        warnings.warn("_dequantize is deprecated: use dequantize", stacklevel=2)
        return cls.dequantize(inputs, means)

    def _as_given(self, outputs: Tensor, dtype: torch.dtype) -> Tensor:
        """Quantised `outputs` for inputs of type `dtype`: of that type in a model that has been moved to it.

        A model in float32 gives float32 for half precision too, inside autocast for one.
        """
        own = torch.float32
        for tensor in (*self.parameters(), *self.buffers()):  # a loop, which torch 2.2 can trace
            if tensor.is_floating_point():
                own = tensor.dtype
                break
        return outputs.to(torch.promote_types(dtype, own))

    def _check_floating(self, inputs: Tensor) -> None:
        """Raises `ValueError` for pictures as they come from files."""
        if inputs.dtype == torch.uint8:
            raise ValueError("inputs are of type torch.uint8, must be floating point")

    def _bounded(self, likelihood: Tensor) -> Tensor:
        if self.use_likelihood_bound:
            likelihood = self.likelihood_lower_bound(likelihood)
        return likelihood

    # --- tables ---

    def _table_parameters(self) -> Iterable[Tensor]:
        """What the table depends on; the buffers, in a model that fills them by itself."""
        return (self._quantized_cdf, self._cdf_length, self._offset)

    def _derive_table(self) -> coding.CdfTable:
        """The table of the present parameters."""
        if not self._quantized_cdf.numel():
            raise ValueError(f"{type(self).__name__} derives no table, and its buffers are empty")
        return self._filled_table()

    def _parameters_key(self) -> bytes:
        """A key that differs when the table of the present parameters does."""
        if not self.has_own_density:
            return fingerprint(self._table_parameters())
        facts, tensors = structure_of(self, skip=_OF_TABLES)
        facts += methods_key(type(self), _OF_DENSITIES)
        return fingerprint((*self._table_parameters(), *tensors)) + repr(facts).encode()

    @property
    def has_own_density(self) -> bool:
        """Whether a derived class has changed the density, so that tables come from its likelihoods."""
        return False

    @property
    def has_own_quantizer(self) -> bool:
        """Whether a derived class has changed what symbols are, or their values."""
        return is_overridden(self, "quantize", "dequantize")

    def cdf_table(self) -> coding.CdfTable:
        """The table to code with: the filled one if it is for the present parameters, else theirs.

        Raises:
            NotPortableError: it comes from torch, and `lcrs.portability` requires others.
            ValueError: the parameters, or the filled buffers, make no valid table.
        """
        self.report_density()
        return self.integer_table()

    def report_density(self) -> None:
        """Says, as `lcrs.portability` has it, that tables come from torch, if they do."""
        if self.has_own_density and not self._is_filled:
            report(
                self,
                f"{type(self).__name__} is not portable: its density is its own, and the table of that comes "
                "from torch",
                more="update() puts the table into the state dict, with which strings decode everywhere.",
            )

    def integer_table(self) -> coding.CdfTable:
        """The same as `cdf_table`, for what carries it along: wherever it comes from."""
        self._notice_buffers()
        parameters = self._parameters_key()
        if self._filled_for == parameters:
            return self._filled_table()
        return self._tables.get(b"derived" + parameters, self._derive_table)

    def _notice_buffers(self) -> None:
        """Takes a table that was put into the buffers by others for that of the present parameters."""
        if self._seen_buffers is None and not self._cdf_length.numel():
            return
        present = self._filled_key()
        if present != self._seen_buffers:
            self._seen_buffers = present
            self._filled_for = self._parameters_key() if self._cdf_length.numel() else None

    def _filled_table(self) -> coding.CdfTable:
        """The table that the buffers hold."""
        buffers = (self._quantized_cdf, self._cdf_length, self._offset)

        def build() -> coding.CdfTable:
            # Copies: a storage that NumPy has seen can be resized no more.
            cdfs, lengths, offsets = (buffer.cpu().int().clone().numpy() for buffer in buffers)
            return coding.CdfTable(
                cdfs, lengths, offsets, self.entropy_coder_precision, heavy_tails=self.has_own_density
            )

        return self._tables.get(self._filled_key(), build)

    @property
    def _is_filled(self) -> bool:
        """True if the buffers hold the table of the present parameters."""
        self._notice_buffers()
        return self._filled_for is not None and self._filled_for == self._parameters_key()

    def _fill(self, table: coding.CdfTable) -> None:
        """Put `table` into the buffers, as the one that belongs to the present parameters."""
        device = self._offset.device
        # Cloned: a storage of NumPy's could be resized no more.
        self._quantized_cdf = torch.from_numpy(np.array(table.cdfs)).clone().to(device)
        self._cdf_length = torch.from_numpy(np.array(table.lengths)).clone().to(device)
        self._offset = torch.from_numpy(np.array(table.offsets)).clone().to(device)
        self._filled_for, self._seen_buffers = self._parameters_key(), self._filled_key()
        self._tables.get(self._seen_buffers, lambda: table)

    def _filled_key(self) -> bytes:
        return b"filled" + fingerprint((self._quantized_cdf, self._cdf_length, self._offset))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        resize_buffers(self, TABLE_BUFFERS, state_dict, prefix)
        self._tables_arrived = all(prefix + name in state_dict for name in TABLE_BUFFERS)
        super()._load_from_state_dict(state_dict, prefix, *args)
        missing_keys = args[2]  # after the metadata and `strict`
        # Tables are derived where there are none, and the other buffers are as the constructor made them.
        missing_keys[:] = [key for key in missing_keys if key.removeprefix(prefix) not in self._buffers]

    def __getstate__(self) -> dict[str, Any]:
        # Fingerprints last for the process.
        return {**self.__dict__, "_filled_for": b"" if self._is_filled else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._seen_buffers = self._filled_key()
        if self._filled_for is not None:
            self._filled_for = self._parameters_key()

    # --- coding ---

    @coding_scope()
    def compress(self, inputs: Tensor, indexes: Tensor, means: Tensor | None = None) -> list[bytes]:
        """Code the symbols `round(inputs - means)`, one string for each entry of the batch.

        Symbols go row, column, channel in a "lcrs" stream and channel, row, column in an "ans" stream.

        Args:
            inputs: Values (N, C, ...); at least two dimensions.
            indexes: Row of the table for each value, int32, same shape.
            means: Broadcast against `inputs`; None is zero.

        Returns:
            N strings.

        Raises:
            ValueError: shapes differ, a value is not finite or too large, or an index is outside the table.
        """
        is_handed = report_handed(self, indexes, means)
        return self._encode(inputs, indexes, means, self.cdf_table(), is_handed=is_handed)

    def _encode(
        self,
        inputs: Tensor,
        indexes: Tensor,
        means: Tensor | None,
        table: coding.CdfTable,
        *,
        is_handed: bool = False,
    ) -> list[bytes]:
        self._check_floating(inputs)
        if inputs.dim() < 2:
            raise ValueError(f"inputs have shape {tuple(inputs.shape)}, must have at least 2 dimensions")
        if inputs.shape != indexes.shape:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}, indexes {tuple(indexes.shape)}; must be equal"
            )
        given = means
        if self.has_own_quantizer:
            inputs, means = torch.from_numpy(self.symbols_of(inputs, means)).float(), None
        if (is_handed or is_verified()) and self.entropy_coder == "lcrs":
            symbols = coding.quantize(_plain(_single(inputs)), _whole(means, inputs.shape))
            strings = encode_verified(
                symbols,
                _plain(_indexes(indexes)),
                table,
                _whole(given, inputs.shape),
                alone=not is_verified(),
            )
            note_coded(lambda: coding.dequantize(symbols, _whole(means, inputs.shape)), is_encoding=True)
            return strings
        note_coded(lambda: _restored(inputs, means), is_encoding=True)
        return coding.encode_latents(
            _plain(_single(inputs)),
            _field(_indexes(indexes), inputs.shape),
            table,
            means=None if means is None else _field(_single(means), inputs.shape),
            kind=self.entropy_coder,
        )

    @coding_scope()
    def decompress(
        self,
        strings: Sequence[bytes],
        indexes: Tensor,
        dtype: torch.dtype = torch.float,
        means: Tensor | None = None,
    ) -> Tensor:
        """Decode what `compress` wrote.

        Args:
            strings: N strings.
            indexes: As given to `compress`, (N, C, ...).
            dtype: Of the result, unless `means` are given, whose it is then.
            means: As given to `compress`.

        Returns:
            The values, shape and device of `indexes`.

        Raises:
            ValueError: the number of strings is not N.
            LcrsError: a string is damaged, or was written with another table.
        """
        report_handed(self, indexes, means)
        return self._decode(strings, indexes, dtype, means, self.cdf_table())

    def _decode(
        self,
        strings: Sequence[bytes],
        indexes: Tensor,
        dtype: torch.dtype,
        means: Tensor | None,
        table: coding.CdfTable,
    ) -> Tensor:
        if isinstance(strings, bytes | str) or len(strings) != indexes.shape[0]:
            raise ValueError(f"got {len(strings)} strings for a batch of {indexes.shape[0]}")
        if indexes.dim() < 2:
            raise ValueError(f"indexes have shape {tuple(indexes.shape)}, must have at least 2 dimensions")
        given, own_means = means, None
        if self.has_own_quantizer:
            own_means, means = means, None
        if is_verified() and self.entropy_coder == "lcrs":
            symbols = decode_verified(strings, _plain(_indexes(indexes)), table, _whole(given, indexes.shape))
            values = coding.dequantize(symbols, _whole(means, indexes.shape))
        else:
            values = self._decode_plain(strings, indexes, means, table)
        note_coded(lambda: values, is_encoding=False)
        dtype = dtype if means is None else means.dtype
        if own_means is not None or self.has_own_quantizer:
            coded = torch.from_numpy(values).int().to(indexes.device)
            return self._values_of(coded, own_means, dtype)
        return torch.from_numpy(values).to(device=indexes.device, dtype=dtype)

    def _decode_plain(
        self, strings: Sequence[bytes], indexes: Tensor, means: Tensor | None, table: coding.CdfTable
    ) -> NDArray[np.float32]:
        """Values of strings that have no checksum, or one that a model's own code brought about."""
        try:
            return coding.decode_latents(
                strings,
                indexes.shape,
                _field(_indexes(indexes), indexes.shape),
                table,
                means=None if means is None else _field(_single(means), indexes.shape),
                kind=self.entropy_coder,
            )
        except LcrsError:
            if self.entropy_coder != "lcrs":
                raise
            with suppress(LcrsError):
                symbols = decode_verified(strings, _plain(_indexes(indexes)), table, alone=True)
                return coding.dequantize(symbols, _whole(means, indexes.shape))
            raise

    def restore(self, inputs: Tensor, means: Tensor | None = None) -> Tensor:
        """What `decompress` will make of `inputs` (N, C, ...), to the bit: float32 on the CPU.

        Raises:
            ValueError: a value is not finite or too large.
        """
        if self.has_own_quantizer:
            centres = None if means is None else means.expand(inputs.shape)
            return self.values_of(self.symbols_of(inputs, means), centres)
        return torch.from_numpy(_restored(inputs, means))

    # --- quantisation by a derived class ---

    def symbols_of(self, inputs: Tensor, means: Tensor | None = None) -> NDArray[np.int32]:
        """Symbols of `inputs` around `means` (broadcast; None is zero), as an int32 array of their shape.

        Raises:
            ValueError: a value is not finite or too large.
        """
        if not self.has_own_quantizer:
            return coding.quantize(_plain(_single(inputs)), _whole(means, inputs.shape))
        if means is not None:
            means = means.detach().to(inputs).expand(inputs.shape)
        symbols = self.quantize(inputs.detach(), "symbols", means)
        return coding.quantize(_plain(_single(symbols)), None)

    def values_of(self, symbols: Any, means: Tensor | None = None) -> Tensor:
        """Values of `symbols`, an int32 array, as `decompress` gives them: float32 on the CPU."""
        if not self.has_own_quantizer:
            return torch.from_numpy(coding.dequantize(symbols, _whole(means, symbols.shape)))
        centres = None if means is None else _single(means).expand(symbols.shape)
        return self._values_of(torch.from_numpy(symbols), centres, torch.float32)

    def _values_of(self, symbols: Tensor, means: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Values of int32 `symbols`: as `dequantize` has them, or what `quantize` makes of that.

        `forward` gives what `quantize` makes of a value; where that depends on the symbol alone, it is the
        same for the value that the symbol stands for.
        """
        told = accepted(self.dequantize, means=means, dtype=dtype)
        values: Tensor = self.dequantize(symbols, **told)
        if is_overridden(self, "dequantize"):
            return values
        seen = self.quantize(values, "dequantize", means)
        same = self.quantize(seen, "symbols", means) == symbols
        return seen if bool(same.all()) else values


def _restored(inputs: Tensor, means: Tensor | None) -> Any:
    centres = _whole(means, inputs.shape)
    return coding.dequantize(coding.quantize(_plain(_single(inputs)), centres), centres)


def _single(tensor: Tensor) -> Tensor:
    return tensor.detach().to(device="cpu", dtype=torch.float32)


def _indexes(indexes: Tensor) -> Tensor:
    return indexes.detach().to(device="cpu", dtype=torch.int32)


def _whole(means: Tensor | None, shape: torch.Size) -> Any:
    """Means of `shape` as an array, or None."""
    return None if means is None else _plain(_single(means).expand(shape))


def _plain(tensor: Tensor) -> Any:
    """A CPU tensor as a contiguous array."""
    return tensor.contiguous().numpy()


def _field(tensor: Tensor, shape: torch.Size) -> Any:
    """`tensor`, broadcast to `shape` (N, C, ...), as an array; (C,) if it differs between channels only."""
    whole = tensor.expand(shape)
    steps = zip(whole.shape, whole.stride(), strict=True)
    if whole.numel() and all(dim == 1 or size == 1 or step == 0 for dim, (size, step) in enumerate(steps)):
        first = whole[0]
        while first.dim() > 1:
            first = first[..., 0]
        return _plain(first)
    return _plain(whole)


def _bind_loaded_tables(module: nn.Module, _incompatible_keys: Any) -> None:
    """After loading: tables that came with the parameters belong to them."""
    assert isinstance(module, EntropyModel)
    if module._tables_arrived:
        filled = module._cdf_length.numel() > 0
        module._filled_for = module._parameters_key() if filled else None
        module._seen_buffers = module._filled_key()
    module._tables_arrived = False
