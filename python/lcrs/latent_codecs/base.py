"""What all latent codecs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyModel
from lcrs.entropy_models.base import StreamKind, default_stream_kind
from lcrs.errors import LcrsError, NotPortableError
from lcrs.latent_codecs.derived import warn_of_forward
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.foreign import coding_scope, is_verified
from lcrs.layers.provenance import report_handed, with_mark_of

__all__ = ["LatentCodec", "fit", "single"]


class LatentCodec(nn.Module):
    """Base of the latent codecs.

    A codec defines `forward`, and `encode` and `decode`, which pass symbols to a writer and from a reader;
    `compress` and `decompress` follow from these. One that defines `compress` and `decompress` itself works
    inside others too: its strings are carried as they are. Networks that decide probabilities run on the
    exact engine there, so that strings decode alike everywhere; where one has no exact form it runs in torch,
    as `lcrs.portability` has it, and its strings are verified. What such a network is given must be exact
    too: `params` of another codec's `compress`, say, not of its `forward`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._exact_networks: dict[str, ExactNetwork] = {}

    def forward(self, y: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Must be overridden: the latent `y` (N, C, ...) as training sees it, and likelihoods."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def encode(self, writer: SymbolWriter, y: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Must be overridden: writes `y`; returns `shape`, and `y_hat` on the CPU."""
        raise NotImplementedError(f"{type(self).__name__} defines no encode")

    def decode(self, reader: SymbolReader, shape: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Must be overridden: reads what `encode` wrote; returns `y_hat` on the CPU."""
        raise NotImplementedError(f"{type(self).__name__} defines no decode")

    @coding_scope()
    @torch.no_grad()
    def compress(self, y: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Codes `y`, (N, C, ...).

        Args:
            y: The latent.
            *args: As for `forward`.
            **kwargs: As for `forward`.

        Returns:
            "strings": lists with one string for each of N; "shape": what `decompress` needs to know of sizes;
            "y_hat": what `decompress` will return.

        Raises:
            NotPortableError: A network has no form on the exact engine, or code of a model calls this with
                what torch computed, and `lcrs.portability` requires exact arithmetic.
            ValueError: A value is not finite or too large, or sizes do not fit.
        """
        is_handed = report_handed(self, *_spatial(*args, *kwargs.values()))
        return self.compress_handed(is_handed, y, *args, **kwargs)

    @torch.no_grad()
    def compress_handed(self, is_handed: bool, y: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As `compress`, for callers who know whether code outside of lcrs gives what torch computed."""
        warn_of_forward(self, y, *args, **kwargs)
        writer = SymbolWriter(self.stream_kind, y.shape[0], is_handed=is_handed)
        out = self.encode(writer, y, *args, **kwargs)
        return {"strings": writer.finish(), **_moved(out, y.device)}

    @coding_scope()
    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Sequence[bytes]], shape: Any, *args: Any, exact: bool = True, **kwargs: Any
    ) -> dict[str, Any]:
        """Decodes what `compress` wrote.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            *args: As for `compress`, the latent left out.
            exact: Runs networks on the exact engine. False is for CompressAI's strings, which came about with
                torch's sums: it decodes them where this machine's sums are the same.
            **kwargs: As for `compress`.

        Returns:
            "y_hat", equal to that of `compress` to the bit, on the codec's device.

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong, or sizes do not fit.
        """
        is_handed = report_handed(self, *_spatial(*args, *kwargs.values()))
        return self.decompress_handed(is_handed, strings, shape, *args, exact=exact, **kwargs)

    @torch.no_grad()
    def decompress_handed(
        self,
        is_handed: bool,
        strings: Sequence[Sequence[bytes]],
        shape: Any,
        *args: Any,
        exact: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """As `decompress`, for callers who know whether code outside of lcrs gives what torch computed."""
        kind = self.stream_kind
        num_steps, num_own = self._num_steps()

        def decoded(is_handed: bool) -> dict[str, Any]:
            reader = SymbolReader(
                strings, kind, exact, num_steps=num_steps, num_own=num_own, is_handed=is_handed
            )
            out = self.decode(reader, shape, *args, **kwargs)
            reader.finish()
            return _moved(out, self.device)

        try:
            return decoded(is_handed)
        except NotPortableError:
            raise
        except LcrsError:
            if kind == "lcrs" and not is_verified():  # the other side may be one that has seen it otherwise
                with suppress(LcrsError):
                    return decoded(not is_handed)
            raise

    def _num_steps(self) -> tuple[int, int]:
        """Steps of the codec, and how many more of those inside code by themselves."""
        return 1, 0

    @property
    def stream_kind(self) -> StreamKind:
        """The kind of stream that the entropy models inside are set to: "lcrs" or "ans"; else the default.

        Raises:
            ValueError: They differ.
        """
        kinds = {module.entropy_coder for module in self.modules() if isinstance(module, EntropyModel)}
        if not kinds:
            return default_stream_kind()
        if len(kinds) != 1:
            raise ValueError(
                f"the entropy models in {type(self).__name__} have stream kinds {sorted(kinds)}, must be one"
            )
        return kinds.pop()

    @property
    def device(self) -> torch.device:
        """Where parameters and buffers are."""
        tensors = (*self.parameters(), *self.buffers())
        return tensors[0].device if tensors else torch.device("cpu")

    def _network(
        self,
        name: str,
        x: Tensor,
        exact: bool = True,
        level: float | None = None,
        *,
        features_last: bool = False,
    ) -> Tensor:
        """Applies the network `name`, a dotted path from here, to `x`: float32 on the CPU, no gradient.

        A network that depends on a rate level is told it; one of linear layers says `features_last`.
        """
        module = self.get_submodule(name)
        if isinstance(module, nn.Identity):
            return single(x)
        if not exact:
            x = x.to(self.device)
            at = () if level is None else (torch.full((x.shape[0],), level, device=x.device),)
            return single(module(x, *at))
        network = self._exact_networks.setdefault(name, ExactNetwork())
        options = {"features_last": True} if features_last else {}
        return network.run(module, x, name, level, **options)

    def _fast_network(self, name: str, x: Tensor) -> Tensor:
        """Applies a network that decides no probability, for coding: by the exact engine or by torch."""
        network = self._exact_networks.setdefault(name, ExactNetwork())
        return network.run_where_possible(self.get_submodule(name), x, name)


def single(x: Tensor) -> Tensor:
    """`x` without gradient, as contiguous float32 on the CPU."""
    return x.detach().to(device="cpu", dtype=torch.float32).contiguous()


def fit(params: Tensor, size: Sequence[int]) -> Tensor:
    """The top left part of `params`, (N, C, ...), that goes with a latent of spatial `size`.

    Side information at a fraction of the latent's resolution covers a little more than the latent where its
    sides are not divisible.

    Raises:
        ValueError: `params` is smaller than that.
    """
    if params.dim() != len(size) + 2 or any(
        have < want for have, want in zip(params.shape[2:], size, strict=True)
    ):
        raise ValueError(f"params have shape {tuple(params.shape)}; the latent is {tuple(size)}")
    for dim, length in enumerate(size):
        params = params.narrow(dim + 2, 0, length)
    return params


def _moved(out: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {
        key: with_mark_of(value.to(device), value) if isinstance(value, Tensor) else value
        for key, value in out.items()
    }


def _spatial(*arguments: Any) -> Iterator[Tensor]:
    """Those of `arguments` that differ from place to place, as parameters from networks do."""
    for value in arguments:
        if isinstance(value, Tensor) and value.dim() > 3 and max(value.shape[2:]) > 1:
            yield value
