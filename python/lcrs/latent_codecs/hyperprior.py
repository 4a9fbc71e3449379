"""A latent coded with the help of side information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lcrs.entropy_models.own_densities import is_overridden
from lcrs.errors import DesyncError, LcrsError
from lcrs.latent_codecs.base import LatentCodec
from lcrs.latent_codecs.derived import warn_of_forward
from lcrs.latent_codecs.gaussian_conditional import GaussianConditionalLatentCodec
from lcrs.latent_codecs.hyper import HyperLatentCodec
from lcrs.latent_codecs.own import codes_by_itself, report_own
from lcrs.latent_codecs.streams import batch_size_of
from lcrs.layers.foreign import coding_scope
from lcrs.registry import register_module

__all__ = ["HyperpriorLatentCodec"]


@register_module("HyperpriorLatentCodec")
class HyperpriorLatentCodec(LatentCodec):
    """A codec for `y` that is given parameters by a codec of side information.

    Of Balle et al., "Variational image compression with a scale hyperprior", ICLR 2018, section 3.

    .. code-block:: none

                 ┌──────────┐
            ┌─►──┤  hyper   ├──►─┐
            │    └──────────┘    │ params
            │                 ┌──┴───┐
        y ──┴───────►─────────┤  y   ├───►── y_hat
                              └──────┘

    Args:
        latent_codec: The codecs "y" and "hyper". By default "y" is a `GaussianConditionalLatentCodec()` and
            "hyper" a `HyperLatentCodec` with `kwargs`.
        **kwargs: Arguments of the default "hyper", such as `channels`, `h_a` and `h_s`.

    Raises:
        ValueError: `latent_codec` has another key, or a "hyper" and there are `kwargs` too.
    """

    _default_hyper: type[LatentCodec] = HyperLatentCodec

    def __init__(self, latent_codec: Mapping[str, LatentCodec] | None = None, **kwargs: Any) -> None:
        super().__init__()
        codecs = dict(latent_codec or {})
        if not codecs.keys() <= {"y", "hyper"}:
            raise ValueError(f'latent_codec is for {sorted(codecs)}; it must be for "y" and "hyper"')
        if kwargs and "hyper" in codecs:
            raise ValueError(f"{sorted(kwargs)} are for the default hyper codec, but one is given")
        self.y = codecs["y"] if "y" in codecs else GaussianConditionalLatentCodec()
        self.hyper = codecs["hyper"] if "hyper" in codecs else self._default_hyper(**kwargs)

    @property
    def latent_codec(self) -> dict[str, LatentCodec]:
        """The codecs by name."""
        return {"y": self.y, "hyper": self.hyper}

    def __getitem__(self, key: str) -> LatentCodec:
        return self.latent_codec[key]

    def forward(self, y: Tensor) -> dict[str, Any]:
        """Maps `y`, (N, C, H, W), to "y_hat" of its shape and "likelihoods" of "y" and "z"."""
        hyper_out = self.hyper(y)
        y_out = self.y(y, hyper_out["params"])
        return _joined(y_out, hyper_out)

    @coding_scope()
    @torch.no_grad()
    def compress(self, y: Tensor) -> dict[str, Any]:
        """Codes `y`, (N, C, H, W).

        Returns:
            "strings": those of the codec "y", then those of "hyper"; "shape": those of both by name; "y_hat".
        """
        warn_of_forward(self, y)
        report_own(self.hyper)
        hyper_out = self.hyper.compress(y)
        if len(hyper_out["strings"]) != 1:
            raise ValueError(f"the codec hyper gives {len(hyper_out['strings'])} lists of strings, must be 1")
        report_own(self.y)
        y_out = self.y.compress(y, hyper_out["params"])
        return {
            "strings": [*y_out["strings"], *hyper_out["strings"]],
            "shape": {"y": y_out["shape"], "hyper": hyper_out["shape"]},
            "y_hat": y_out["y_hat"],
        }

    @coding_scope()
    @torch.no_grad()
    def decompress(  # type: ignore[override]
        self, strings: Sequence[Sequence[bytes]], shape: Mapping[str, Any], *, exact: bool = True
    ) -> dict[str, Any]:
        """Decodes what `compress` wrote.

        Strings of kind "ans" that do not decode this way are taken for CompressAI's and tried with torch's
        sums, picture by picture. The coder's final state tells whether a way is right.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            exact: As for `LatentCodec.decompress`.

        Returns:
            "y_hat".

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong, or sizes do not fit.
        """
        return decode_any(
            self.stream_kind, strings, lambda part, way: self._decompress(part, shape, way), exact
        )

    def _decompress(
        self, strings: Sequence[Sequence[bytes]], shape: Mapping[str, Any], exact: bool
    ) -> dict[str, Any]:
        report_own(self.hyper)
        hyper_out = self.hyper.decompress(strings[-1:], shape["hyper"], **_way(self.hyper, exact))
        report_own(self.y)
        way = _way(self.y, exact)
        y_out = self.y.decompress(strings[:-1], shape["y"], hyper_out["params"], **way)
        return {"y_hat": y_out["y_hat"]}


def decode_any(
    kind: str, strings: Sequence[Sequence[bytes]], decode: Any, exact: bool = True
) -> dict[str, Any]:
    """Calls `decode(strings, exact)`; where that fails on "ans" strings, picture by picture, either way.

    Raises:
        DesyncError: Neither way decodes a picture's strings.
        LcrsError: There is one way, and it does not.
    """
    batch_size = batch_size_of(strings)
    try:
        return dict(decode(strings, exact))
    except LcrsError:
        if kind != "ans" or not exact:
            raise
    outs = []
    for i in range(batch_size):
        item = [[latent[i]] for latent in strings]
        try:
            outs.append(decode(item, True))
        except LcrsError as exact_error:
            try:
                outs.append(decode(item, False))
            except LcrsError as error:
                raise DesyncError(
                    f"the strings of picture {i} decode neither with exact parameters ({exact_error}) "
                    f"nor with torch's ({error})"
                ) from error
    return {key: torch.cat([out[key] for out in outs]) for key in outs[0]}


def _way(codec: LatentCodec, exact: bool) -> dict[str, bool]:
    """How `codec` is told to take torch's sums; one that codes by itself takes no such word."""
    return (
        {} if exact or (codes_by_itself(codec) and is_overridden(codec, "decompress")) else {"exact": False}
    )


def _joined(y_out: dict[str, Any], hyper_out: dict[str, Any]) -> dict[str, Any]:
    likelihoods = {"y": y_out["likelihoods"]["y"], "z": hyper_out["likelihoods"]["z"]}
    return {"likelihoods": likelihoods, "y_hat": y_out["y_hat"]}
