"""What all compression models share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lcrs import coding
from lcrs.entropy_models import (
    EntropyBottleneck,
    EntropyModel,
    GaussianConditional,
    StreamKind,
    check_stream_kind,
    default_stream_kind,
)
from lcrs.latent_codecs import LatentCodec
from lcrs.latent_codecs.own import report_own
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.foreign import coding_scope
from lcrs.models.constructor import recorded, signature_of_constructor
from lcrs.models.deriving import derived_parts
from lcrs.models.packing import PackageParts
from lcrs.models.pictures import check_floating, crop_to, pad_to_multiple, restored_picture

# CompressAI's users import these from here.
from lcrs.models.utils import remap_old_keys, update_registered_buffers  # noqa: F401

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "SCALES_LEVELS",
    "SCALES_MAX",
    "SCALES_MIN",
    "CompressionModel",
    "PictureModel",
    "SimpleVAECompressionModel",
    "get_scale_table",
]

SCALES_MIN = 0.11
SCALES_MAX = 256
SCALES_LEVELS = 64


def get_scale_table(min: float = SCALES_MIN, max: float = SCALES_MAX, levels: int = SCALES_LEVELS) -> Tensor:
    """Scales for the rows of a Gaussian table: `levels` of them from `min` to `max`, evenly spaced in log.

    The same on every machine; by default the 64 that CompressAI has.

    Returns:
        float32 (levels,).
    """
    return torch.from_numpy(coding.scale_table(min, max, levels))


class CompressionModel(nn.Module):
    """Base of the models: tables, auxiliary loss and stream kind of all entropy models inside.

    Args:
        entropy_bottleneck_channels: Deprecated: gives the model an `entropy_bottleneck` of so many channels.
        init_weights: Deprecated and without effect.
    """

    def __init__(
        self, entropy_bottleneck_channels: int | None = None, init_weights: bool | None = None
    ) -> None:
        super().__init__()
        self._entropy_coder = default_stream_kind()
        if entropy_bottleneck_channels is not None:
            warnings.warn(
                "entropy_bottleneck_channels is deprecated: create an EntropyBottleneck in your model",
                DeprecationWarning,
                stacklevel=2,
            )
            self.entropy_bottleneck = EntropyBottleneck(entropy_bottleneck_channels)
        if init_weights is not None:
            warnings.warn("init_weights is deprecated and has no effect", DeprecationWarning, stacklevel=2)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):  # whose arguments Python would take from `__new__`
            cls.__signature__ = signature_of_constructor(cls)  # type: ignore[attr-defined]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keeps what the constructor is given, as far as JSON can say it, for `lcrs.models.packing.pack`."""
        model = super().__new__(cls)
        given = [recorded(value) for value in args], {key: recorded(value) for key, value in kwargs.items()}
        vars(model)["_constructor_arguments"] = given
        return model

    def _entropy_models(self) -> Iterator[EntropyModel]:
        return (module for module in self.modules() if isinstance(module, EntropyModel))

    @property
    def entropy_coder(self) -> StreamKind:
        """Stream kind that `compress` writes and `decompress` reads: "lcrs", or "ans" for CompressAI's."""
        return self._entropy_coder

    @entropy_coder.setter
    def entropy_coder(self, kind: str) -> None:
        self._entropy_coder = check_stream_kind(kind)
        for model in self._entropy_models():
            model.entropy_coder = self._entropy_coder

    def package_parts(self) -> PackageParts:
        """Graphs and tables for coding without torch, told by the usual names of a model's parts.

        See `lcrs.models.deriving.derived_parts`. Models with parts of other names define it themselves.

        Raises:
            NotPortableError: pieces are missing, or one has no form in a package.
        """
        return derived_parts(self)

    def aux_loss(self) -> Tensor:
        """Sum of the entropy bottlenecks' auxiliary losses; zero if there is none.

        Training needs it no more: tails are found when tables are made.
        """
        device = next((p.device for p in self.parameters()), None)
        losses = [module.loss() for module in self.modules() if isinstance(module, EntropyBottleneck)]
        return sum(losses, torch.zeros((), device=device))

    def update(
        self,
        scale_table: Sequence[float] | Tensor | None = None,
        force: bool = False,
        update_quantiles: bool = False,
    ) -> bool:
        """Fill the table buffers of all entropy models, as state dicts have them. Never needed before coding.

        Args:
            scale_table: Scales for the Gaussian models; by default `get_scale_table()`.
            force: Fills buffers also when they hold the tables of the present parameters already.
            update_quantiles: Finds the quantiles of the entropy bottlenecks by bisection first.

        Returns:
            Whether any buffer was filled.
        """
        scales = get_scale_table() if scale_table is None else scale_table
        updated = False
        for model in self._entropy_models():
            if isinstance(model, EntropyBottleneck):
                # A derived class may know the older argument only.
                options = {"update_quantiles": True} if update_quantiles else {}
                updated |= bool(model.update(force=force, **options))
            elif isinstance(model, GaussianConditional):
                updated |= bool(model.update_scale_table(scales, force=force))
        return updated


CompressionModel.__signature__ = signature_of_constructor(CompressionModel)  # type: ignore[attr-defined]


class PictureModel(CompressionModel):
    """Base of models that code a latent of pictures: what `compress` and `decompress` have in common.

    .. code-block:: none

        x ── pad ── g_a ── y ── coded ── y_hat ── g_s ── crop ── x_hat

    A derived class sets `g_a` and `g_s`, defines `_encode_latent` and `_decode_latent`, and sets
    `downsampling_factor` where pictures of any size are to be padded to a multiple of it, by replication
    right and below, and cropped again. One for arrays sets `in_channels`, what `g_a` takes and `g_s` gives.

    On the CPU the networks run on the exact engine there, if they lower: the same picture gives the same
    strings, and strings the same picture, on every machine. `forward` is torch's.
    """

    g_a: nn.Module
    g_s: nn.Module
    downsampling_factor: int | None = None
    in_channels: int = 3

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._networks: dict[str, ExactNetwork] = {}

    def _padded(self, x: Tensor) -> Tensor:
        check_floating(x)
        factor = self.downsampling_factor
        return x if factor is None else pad_to_multiple(x, factor)

    def _transformed(self, name: str, x: Tensor) -> Tensor:
        """The network `name` applied to `x`, for coding."""
        network = self._networks.setdefault(name, ExactNetwork())
        return network.run_where_possible(getattr(self, name), x, name)

    def _encode_latent(self, y: Tensor) -> dict[str, Any]:
        """Must be overridden: codes `y`; returns `strings`, `shape` and what else the model reports."""
        raise NotImplementedError(f"{type(self).__name__} codes no latent")

    def _decode_latent(self, strings: Sequence[Sequence[bytes]], shape: Any) -> Tensor:
        """Must be overridden: the latent that `_encode_latent` coded, on any device."""
        raise NotImplementedError(f"{type(self).__name__} decodes no latent")

    @coding_scope()
    @torch.no_grad()
    def compress(self, x: Tensor) -> dict[str, Any]:
        """Codes pictures.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).

        Returns:
            `strings`: lists with a string for each picture; `shape`: what `decompress` has to know of the
            latent's size; `size`: (H, W) of the picture.

        Raises:
            ValueError: a value is not finite, or sizes do not fit.
        """
        return {**self._encode_latent(self._transformed("g_a", self._padded(x))), "size": x.shape[2:]}

    @coding_scope()
    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Sequence[bytes]], shape: Any, size: Sequence[int] | None = None
    ) -> dict[str, Any]:
        """Restores what `compress` wrote.

        With `entropy_coder = "ans"` CompressAI's strings are tried too. Where its entropy parameters came
        from torch, a string that the exact parameters do not decode is tried with torch's; what comes out is
        right, or an error.

        Args:
            strings: As `compress` returned them.
            shape: As `compress` returned it.
            size: (H, W) of the picture, to crop to; None leaves the padding on.

        Returns:
            `x_hat` in [0, 1], (N, 3, H, W).

        Raises:
            LcrsError: a string is damaged or belongs to another model.
            ValueError: the number of strings is wrong, or sizes do not fit.
        """
        y_hat = self._decode_latent(strings, shape)
        device = next((p.device for p in self.g_s.parameters()), y_hat.device)
        return {"x_hat": restored_picture(self._transformed("g_s", y_hat.to(device)), size, self.g_s)}


class SimpleVAECompressionModel(PictureModel):
    """Base of models that are an analysis, a latent codec and a synthesis.

    .. code-block:: none

        x ── g_a ── y ── latent_codec ── y_hat ── g_s ── x_hat

    A derived class sets `g_a`, `g_s` and `latent_codec`, and `downsampling_factor` as in `PictureModel`.
    `compress` returns the latent codec's `y_hat` too.
    """

    latent_codec: LatentCodec

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Restores pictures and measures their rate.

        Args:
            x: Pictures in [0, 1], (N, 3, H, W).

        Returns:
            `x_hat`, not clamped, and the latent codec's `likelihoods`.
        """
        out = self.latent_codec(self.g_a(self._padded(x)))
        x_hat = self.g_s(out["y_hat"])
        if self.downsampling_factor is not None:
            x_hat = crop_to(x_hat, x.shape[-2:])
        return {"x_hat": x_hat, "likelihoods": out["likelihoods"]}

    def _encode_latent(self, y: Tensor) -> dict[str, Any]:
        report_own(self.latent_codec)
        return self.latent_codec.compress(y)

    def _decode_latent(self, strings: Sequence[Sequence[bytes]], shape: Any) -> Tensor:
        report_own(self.latent_codec)
        y_hat: Tensor = self.latent_codec.decompress(strings, shape)["y_hat"]
        return y_hat
