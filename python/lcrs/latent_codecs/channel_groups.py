"""Context between channels: groups of channels are coded one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lcrs.latent_codecs.base import LatentCodec, fit, single
from lcrs.latent_codecs.own import decode_part, encode_part, num_steps_of
from lcrs.latent_codecs.streams import SymbolReader, SymbolWriter
from lcrs.registry import register_module

__all__ = ["ChannelGroupsLatentCodec"]


@register_module("ChannelGroupsLatentCodec")
class ChannelGroupsLatentCodec(LatentCodec):
    """A latent whose groups of channels are coded in turn, each with those before it as context.

    Of Minnen and Singh, "Channel-wise autoregressive entropy models for learned image compression", ICIP
    2020, and with groups of different sizes of He et al., "ELIC", CVPR 2022.

    .. code-block:: none

        side_params ──────┬──────────────────┬──────────────────┬─────
                          │                  │    CC1           │    CC2
                          │               merge ◄──┴──┐      merge ◄──┴──┐
                          ▼                  ▼        │         ▼        │
        y, group 0 ──► codec y0 ──┬──►   codec y1 ──┬─┼──►  codec y2 ──► │ ...
                                  └─────────────────┴─┴── merge_y ───────┘

    `merge_y` (groups already known) and `merge_params` (context and `side_params`) concatenate; a derived
    class may override them, by concatenations of what they are given.

    A gain, and in the domain "log" its logarithm, has a number for each channel of `y`: (C, 1, 1) or
    (N, C, 1, 1), as for `CheckerboardLatentCodec`. Each codec is given its part.

    Args:
        latent_codec: Codecs "y0", "y1", ..., one for each group. Those that have a `compress` and a
            `decompress` only, no `encode`, have strings of their own.
        channel_context: Networks "y1", "y2", ..., from the groups before to context.
        side_networks: Networks "y0", "y1", ..., from what is merged to what the codec of the group is given;
            they are called with the level too, where there is one. By default the identity.
        groups: Numbers of channels of the groups.

    Raises:
        ValueError: A codec or a network is missing or too many, or a group has no channel.
    """

    def __init__(
        self,
        latent_codec: Mapping[str, LatentCodec] | None = None,
        channel_context: Mapping[str, nn.Module] | None = None,
        *,
        side_networks: Mapping[str, nn.Module] | None = None,
        groups: Sequence[int],
    ) -> None:
        super().__init__()
        self.groups = [int(size) for size in groups]
        if not self.groups or min(self.groups) < 1:
            raise ValueError(f"groups is {self.groups}; there must be groups of at least 1 channel")
        self.groups_acc = list(itertools.accumulate(self.groups, initial=0))
        codecs, contexts = dict(latent_codec or {}), dict(channel_context or {})
        names = [f"y{k}" for k in range(len(self.groups))]
        if set(codecs) != set(names) or set(contexts) != set(names[1:]):
            raise ValueError(
                f"{len(self.groups)} groups need codecs {names} and channel contexts {names[1:]}; "
                f"there are {sorted(codecs)} and {sorted(contexts)}"
            )
        sides = dict(side_networks or {})
        if sides and set(sides) != set(names):
            raise ValueError(
                f"{len(self.groups)} groups need side networks {names}; there are {sorted(sides)}"
            )
        self.channel_context = nn.ModuleDict(contexts)
        self.side_networks = nn.ModuleDict(sides)
        self.latent_codec = nn.ModuleDict(codecs)

    def __getitem__(self, key: str) -> nn.Module:
        return self.latent_codec[key]

    def forward(
        self,
        y: Tensor,
        side_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
        level: Tensor | None = None,
    ) -> dict[str, Any]:
        """The latent with quantisation modelled, and its likelihoods.

        Args:
            y: (N, C, H, W).
            side_params: (N, C', H, W) or larger; what is beyond `y` is cut off.
            gain: Inverse of the step of quantisation; None is 1.
            log_gain: Its logarithm, in the domain "log".
            level: Rate levels for the side networks, (N,).

        Returns:
            "y_hat" and "likelihoods" with "y", of the shape of `y`.
        """
        side_params = fit(side_params, y.shape[2:])
        steps = self._steps(gain, log_gain)
        y_hat: list[Tensor] = []
        likelihoods: list[Tensor] = []
        for k, group in enumerate(torch.split(y, self.groups, dim=1)):
            params = self._side(k, self._get_ctx_params(k, side_params, y_hat), level)
            out = self[f"y{k}"](group, params, **steps[k])
            y_hat.append(out["y_hat"])
            likelihoods.append(out["likelihoods"]["y"])
        return {"likelihoods": {"y": torch.cat(likelihoods, dim=1)}, "y_hat": torch.cat(y_hat, dim=1)}

    def encode(
        self,
        writer: SymbolWriter,
        y: Tensor,
        side_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
        level: float | None = None,
    ) -> dict[str, Any]:
        """Writes the groups; the shape is the list of theirs. There is one level for the batch."""
        side_params = single(fit(side_params, y.shape[2:]))
        steps = self._steps(gain, log_gain)
        y_hat: list[Tensor] = []
        shapes = []
        for k, group in enumerate(torch.split(single(y), self.groups, dim=1)):
            merged = self._get_ctx_params(k, side_params, y_hat, self._network)
            params = self._exact_side(k, merged, level)
            out = encode_part(writer, self[f"y{k}"], group, params, **steps[k])
            y_hat.append(out["y_hat"])
            shapes.append(out["shape"])
        return {"shape": shapes, "y_hat": torch.cat(y_hat, dim=1)}

    def decode(
        self,
        reader: SymbolReader,
        shape: Sequence[Sequence[int]],
        side_params: Tensor,
        gain: Tensor | None = None,
        log_gain: Tensor | None = None,
        level: float | None = None,
    ) -> dict[str, Any]:
        """Reads groups of these shapes."""
        if len(shape) != len(self.groups):
            raise ValueError(f"there are {len(shape)} shapes for {len(self.groups)} groups")
        side_params = single(fit(side_params, _spatial(shape[0])))
        steps = self._steps(gain, log_gain)
        y_hat: list[Tensor] = []
        for k, group_shape in enumerate(shape):
            merged = self._get_ctx_params(
                k, side_params, y_hat, lambda name, x: self._network(name, x, reader.exact)
            )
            params = self._exact_side(k, merged, level, reader.exact)
            y_hat.append(decode_part(reader, self[f"y{k}"], group_shape, params, **steps[k])["y_hat"])
        return {"y_hat": torch.cat(y_hat, dim=1)}

    def _num_steps(self) -> tuple[int, int]:
        steps = [num_steps_of(codec) for codec in self.latent_codec.values()]
        return sum(shared for shared, _ in steps), sum(own for _, own in steps)

    def _steps(self, gain: Tensor | None, log_gain: Tensor | None) -> list[dict[str, Tensor]]:
        """What there is of gain and logarithm, for each group."""
        given = {"gain": gain, "log_gain": log_gain}
        parts = {
            name: torch.split(value, self.groups, dim=-3)
            for name, value in given.items()
            if value is not None
        }
        return [{name: part[k] for name, part in parts.items()} for k in range(len(self.groups))]

    def _side(self, k: int, merged: Tensor, level: Tensor | None) -> Tensor:
        """What the codec of group `k` is given, in torch."""
        if not self.side_networks:
            return merged
        side: Tensor = self.side_networks[f"y{k}"](merged, *(() if level is None else (level,)))
        return side

    def _exact_side(self, k: int, merged: Tensor, level: float | None, exact: bool = True) -> Tensor:
        """The same for coding."""
        return self._network(f"side_networks.y{k}", merged, exact, level) if self.side_networks else merged

    def merge_y(self, *args: Tensor) -> Tensor:
        """The groups that are known, as the channel context sees them."""
        return torch.cat(args, dim=1)

    def merge_params(self, *args: Tensor) -> Tensor:
        """Context and `side_params`, as the codec of a group sees them."""
        return torch.cat(args, dim=1)

    def _get_ctx_params(
        self,
        k: int,
        side_params: Tensor,
        y_hat: Sequence[Tensor],
        run: Callable[[str, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """What is merged for group `k`; `run(name, x)` applies a network, by default in torch."""
        if k == 0:
            return side_params
        known = self.merge_y(*y_hat[:k])
        context = self.channel_context[f"y{k}"](known) if run is None else run(f"channel_context.y{k}", known)
        return self.merge_params(context, side_params)


def _spatial(shape: Any) -> Sequence[int]:
    """(H, W) of a group, from what its codec says of sizes."""
    if isinstance(shape, Mapping):
        return _spatial(shape["y"])
    return _spatial(shape[0]) if isinstance(shape[0], Sequence) else shape[-2:]
