"""Latent codecs that code by themselves: with a `compress` and a `decompress`, but no `encode`.

Inside another codec their strings are carried as they are, beside the one that the others share.
"""

from __future__ import annotations

import itertools
from typing import Any

from torch import Tensor, nn

from lcrs.entropy_models.own_densities import is_overridden
from lcrs.latent_codecs.base import LatentCodec, single
from lcrs.latent_codecs.derived import warn_of_forward
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers.foreign import report
from lcrs.layers.module_state import overrides_below

__all__ = ["codes_by_itself", "decode_part", "encode_part", "num_steps_of", "report_own"]


def codes_by_itself(codec: nn.Module) -> bool:
    """Whether `codec` has strings of its own: its `compress` says more than its `encode`, or it has none."""
    if not isinstance(codec, LatentCodec):
        return True
    cls = type(codec)
    if cls.encode is LatentCodec.encode:
        return True
    return overrides_below(cls, "compress", "encode") or overrides_below(cls, "decompress", "decode")


def num_steps_of(codec: nn.Module) -> tuple[int, int]:
    """Steps of `codec` that share a string, and those that it codes by itself."""
    if codes_by_itself(codec):
        return 0, 1
    assert isinstance(codec, LatentCodec)
    return codec._num_steps()


def report_own(codec: nn.Module) -> None:
    """Says, as `lcrs.portability` has it, that nobody knows what `codec` depends on, if not lcrs codes it."""
    if codes_by_itself(codec) and is_overridden(codec, "compress", "decompress"):
        report(codec, f"{type(codec).__name__} is not portable: its compress is its own")


def encode_part(
    writer: SymbolWriter, codec: nn.Module, y: Tensor, *args: Any, **kwargs: Any
) -> dict[str, Any]:
    """`codec.encode`, or `compress` where it codes by itself; `y_hat` is on the CPU."""
    if not codes_by_itself(codec):
        assert isinstance(codec, LatentCodec)
        warn_of_forward(codec, y, *args, **kwargs)
        return codec.encode(writer, y, *args, **kwargs)
    report_own(codec)
    out: dict[str, Any] = codec.compress(*_there(codec, y, *args), **kwargs)  # type: ignore[operator]
    writer.carry(out["strings"])
    return {**out, "y_hat": single(out["y_hat"])}


def decode_part(
    reader: SymbolReader, codec: nn.Module, shape: Any, *args: Any, **kwargs: Any
) -> dict[str, Any]:
    """`codec.decode`, or `decompress` where it codes by itself; `y_hat` is on the CPU."""
    if not codes_by_itself(codec):
        assert isinstance(codec, LatentCodec)
        return codec.decode(reader, shape, *args, **kwargs)
    report_own(codec)
    out: dict[str, Any] = codec.decompress(reader.carried(), shape, *_there(codec, *args), **kwargs)  # type: ignore[operator]
    return {**out, "y_hat": single(out["y_hat"])}


def _there(codec: nn.Module, *args: Any) -> list[Any]:
    """`args` on the device of `codec`."""
    like = next(itertools.chain(codec.parameters(), codec.buffers()), None)
    if like is None:
        return list(args)
    return [value.to(like.device) if isinstance(value, Tensor) else value for value in args]
