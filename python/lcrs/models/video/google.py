"""Scale-space flow: motion that may also blur.

Agustsson, Minnen, Johnston, Balle, Hwang and Toderici, "Scale-space flow for end-to-end optimized video
compression", CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

# CompressAI's users import these from here.
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional  # noqa: F401
from lcrs.layers import QReLU  # noqa: F401
from lcrs.models.base import CompressionModel
from lcrs.models.pictures import crop_to, pad_to_multiple
from lcrs.models.scale_space import (  # noqa: F401
    gaussian_blur,
    gaussian_kernel2d,
    gaussian_volume,
    meshgrid2d,
    warp_volume,
)
from lcrs.models.utils import conv, deconv
from lcrs.models.video.hyperprior import LatentHyperprior
from lcrs.ops import quantize_ste  # noqa: F401
from lcrs.registry import register_model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ScaleSpaceFlow"]

_NUM_INNER = 128
_NUM_LATENT = 192


def _encoder(in_channels: int) -> nn.Sequential:
    """To a latent at a 16th of the sides."""
    return nn.Sequential(
        conv(in_channels, _NUM_INNER), nn.ReLU(inplace=True),
        conv(_NUM_INNER, _NUM_INNER), nn.ReLU(inplace=True),
        conv(_NUM_INNER, _NUM_INNER), nn.ReLU(inplace=True),
        conv(_NUM_INNER, _NUM_LATENT),
    )  # fmt: skip


def _decoder(out_channels: int, in_channels: int = _NUM_LATENT) -> nn.Sequential:
    """From a latent to 16 times its sides."""
    return nn.Sequential(
        deconv(in_channels, _NUM_INNER), nn.ReLU(inplace=True),
        deconv(_NUM_INNER, _NUM_INNER), nn.ReLU(inplace=True),
        deconv(_NUM_INNER, _NUM_INNER), nn.ReLU(inplace=True),
        deconv(_NUM_INNER, out_channels),
    )  # fmt: skip


@register_model("ssf2020")
class ScaleSpaceFlow(CompressionModel):
    """Video: a first frame coded by itself, each further one by motion from the one before and a residual.

    .. code-block:: none

        x_cur, x_ref ── motion_encoder ── y_motion ── motion_hyperprior ── y_motion_hat ──┬─────────────┐
                                                                                          │             │
                                   x_ref ── scale space, warped by flow and scale ◄── motion_decoder    │
                                                          │                                             │
        x_cur ──(-)◄────────────────────────────────── x_pred                                           │
                 │                                        │                                             │
                 └── res_encoder ── y_res ── res_hyperprior ── y_res_hat ──┬── res_decoder ◄────────────┘
                                                          │                │
                                               x_hat ◄───(+)◄──────────────┘

    Frames are (N, 3, H, W) in [0, 1], of any size: sides are padded to a multiple of 128 inside, by
    replication right and below, and cropped again. Symbols decode everywhere: what they depend on is computed
    on the exact engine. The frames themselves come from torch, whose sums differ between machines, and a
    difference stays until the next first frame.

    Args:
        num_levels: Blurs of the scale space.
        sigma0: Standard deviation of one blur, in samples.
        scale_field_shift: Of no effect, as in CompressAI.
    """

    def __init__(self, num_levels: int = 5, sigma0: float = 1.5, scale_field_shift: float = 1.0) -> None:
        super().__init__()
        self.img_encoder, self.img_decoder = _encoder(3), _decoder(3)
        self.img_hyperprior = LatentHyperprior()
        self.res_encoder, self.res_decoder = _encoder(3), _decoder(3, in_channels=2 * _NUM_LATENT)
        self.res_hyperprior = LatentHyperprior()
        self.motion_encoder, self.motion_decoder = _encoder(2 * 3), _decoder(2 + 1)
        self.motion_hyperprior = LatentHyperprior()
        self.sigma0 = sigma0
        self.num_levels = num_levels
        self.scale_field_shift = scale_field_shift

    @property
    def downsampling_factor(self) -> int:
        """Picture samples for one sample of z, along a side."""
        return 128

    gaussian_volume = staticmethod(gaussian_volume)

    def warp_volume(
        self, volume: Tensor, flow: Tensor, scale_field: Tensor, padding_mode: str = "border"
    ) -> Tensor:
        """As `lcrs.models.scale_space.warp_volume`."""
        return warp_volume(volume, flow, scale_field, padding_mode)

    def forward(self, frames: Sequence[Tensor]) -> dict[str, Any]:
        """Restores frames and measures their rate.

        Args:
            frames: At least one, in order of time, all of one shape.

        Returns:
            `x_hat`: as many frames, not clamped; `likelihoods`: for the first frame {"keyframe": {"y", "z"}},
            for others {"motion": {"y", "z"}, "residual": {"y", "z"}}.

        Raises:
            RuntimeError: `frames` is no list of frames.
        """
        padded = self._padded(frames)
        x_ref, rates = self.forward_keyframe(padded[0])
        restored, likelihoods = [x_ref], [rates]
        x_ref = x_ref.detach()  # section 4 of the paper: the first frame learns from itself only
        for x_cur in padded[1:]:
            x_ref, rates = self.forward_inter(x_cur, x_ref)
            restored.append(x_ref)
            likelihoods.append(rates)
        size = frames[0].shape[-2:]
        return {"x_hat": [crop_to(x_hat, size) for x_hat in restored], "likelihoods": likelihoods}

    def forward_keyframe(self, x: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """A first frame, sides divisible by 128: restored, and its likelihoods."""
        y_hat, likelihoods = self.img_hyperprior(self.img_encoder(x))
        return self.img_decoder(y_hat), {"keyframe": likelihoods}

    def forward_inter(self, x_cur: Tensor, x_ref: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """A frame after `x_ref`, sides divisible by 128: restored, and its likelihoods."""
        y_motion = self.motion_encoder(torch.cat((x_cur, x_ref), dim=1))
        y_motion_hat, motion = self.motion_hyperprior(y_motion)
        x_pred = self.forward_prediction(x_ref, self.motion_decoder(y_motion_hat))
        y_res_hat, residual = self.res_hyperprior(self.res_encoder(x_cur - x_pred))
        return self._corrected(x_pred, y_res_hat, y_motion_hat), {"motion": motion, "residual": residual}

    def forward_prediction(self, x_ref: Tensor, motion_info: Tensor) -> Tensor:
        """`x_ref` warped: `motion_info` (N, 3, H, W) is flow (2 channels) and scale, as `warp_volume`."""
        flow, scale_field = motion_info.chunk(2, dim=1)
        volume = self.gaussian_volume(x_ref, self.sigma0, self.num_levels)
        return self.warp_volume(volume, flow, scale_field)

    def _corrected(self, x_pred: Tensor, y_res_hat: Tensor, y_motion_hat: Tensor) -> Tensor:
        x_res_hat: Tensor = self.res_decoder(torch.cat((y_res_hat, y_motion_hat), dim=1))
        return x_pred + x_res_hat

    def _padded(self, frames: Sequence[Tensor]) -> list[Tensor]:
        if not isinstance(frames, list | tuple) or not frames:
            raise RuntimeError(f"frames is a {type(frames).__name__}, must be a list of at least one frame")
        shapes = {tuple(x.shape) for x in frames}
        if len(shapes) > 1:
            raise ValueError(f"frames have shapes {sorted(shapes)}, must have one")
        return [pad_to_multiple(x, self.downsampling_factor) for x in frames]

    def aux_loss(self) -> list[Tensor]:  # type: ignore[override]
        """Auxiliary losses of the three hyperpriors, as a list: first frames, residuals, motion."""
        return [
            part.aux_loss() for part in (self.img_hyperprior, self.res_hyperprior, self.motion_hyperprior)
        ]

    # --- coding ---

    @torch.no_grad()
    def compress(self, frames: Sequence[Tensor]) -> tuple[list[Any], list[Any]]:
        """Codes frames.

        Args:
            frames: As for `forward`.

        Returns:
            Two lists with an entry for each frame, as CompressAI has it. Strings: [strings of y, strings of
            z] for the first, {"motion": ..., "residual": ...} of these for others. Shapes, (H, W) of z: one
            for the first, {"motion", "residual"} for others.

        Raises:
            RuntimeError: `frames` is no list of frames.
        """
        padded = self._padded(frames)
        x_ref, out = self.encode_keyframe(padded[0])
        outs = [out]
        for x_cur in padded[1:]:
            x_ref, out = self.encode_inter(x_cur, x_ref)
            outs.append(out)
        return [out["strings"] for out in outs], [out["shape"] for out in outs]

    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Any], shapes: Sequence[Any], size: Sequence[int] | None = None
    ) -> list[Tensor]:
        """Restores what `compress` wrote.

        Args:
            strings: As `compress` returned them.
            shapes: As `compress` returned them.
            size: (H, W) of the frames, to crop to; None leaves the padding on.

        Returns:
            Frames, not clamped.

        Raises:
            LcrsError: a string is damaged or belongs to another model.
            RuntimeError: `strings` and `shapes` are no lists of equal length, at least 1.
        """
        if not (isinstance(strings, list | tuple) and isinstance(shapes, list | tuple)):
            raise RuntimeError("strings and shapes must be lists, with an entry for each frame")
        if len(strings) != len(shapes) or not strings:
            raise RuntimeError(f"got {len(strings)} strings and {len(shapes)} shapes, must be equal, above 0")
        frames = [self.decode_keyframe(strings[0], shapes[0])]
        for part, shape in zip(strings[1:], shapes[1:], strict=True):
            frames.append(self.decode_inter(frames[-1], part, shape))
        return frames if size is None else [crop_to(x_hat, size) for x_hat in frames]

    @torch.no_grad()
    def encode_keyframe(self, x: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Codes a first frame, sides divisible by 128: restored, and its `strings` and `shape`."""
        y_hat, out = self.img_hyperprior.compress(self.img_encoder(x))
        return self.img_decoder(y_hat), out

    @torch.no_grad()
    def decode_keyframe(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> Tensor:
        """The frame that `encode_keyframe` coded."""
        x_hat: Tensor = self.img_decoder(self.img_hyperprior.decompress(strings, shape))
        return x_hat

    @torch.no_grad()
    def encode_inter(self, x_cur: Tensor, x_ref: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Codes a frame after `x_ref`, sides divisible by 128: restored, and its `strings` and `shape`."""
        y_motion = self.motion_encoder(torch.cat((x_cur, x_ref), dim=1))
        y_motion_hat, motion = self.motion_hyperprior.compress(y_motion)
        x_pred = self.forward_prediction(x_ref, self.motion_decoder(y_motion_hat))
        y_res_hat, residual = self.res_hyperprior.compress(self.res_encoder(x_cur - x_pred))
        parts = {"motion": motion, "residual": residual}
        out = {key: {name: part[key] for name, part in parts.items()} for key in ("strings", "shape")}
        return self._corrected(x_pred, y_res_hat, y_motion_hat), out

    @torch.no_grad()
    def decode_inter(self, x_ref: Tensor, strings: Mapping[str, Any], shapes: Mapping[str, Any]) -> Tensor:
        """The frame after `x_ref` that `encode_inter` coded."""
        y_motion_hat = self.motion_hyperprior.decompress(strings["motion"], shapes["motion"])
        x_pred = self.forward_prediction(x_ref, self.motion_decoder(y_motion_hat))
        y_res_hat = self.res_hyperprior.decompress(strings["residual"], shapes["residual"])
        return self._corrected(x_pred, y_res_hat, y_motion_hat)

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> Self:
        """The model with these parameters; there is one size."""
        net = cls()
        net.load_state_dict(state_dict)
        return net
