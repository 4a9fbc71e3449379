"""Codes the positions of a few samples, by a network or as half-precision numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lcrs.entropy_models import EntropyBottleneck
from lcrs.errors import CorruptError
from lcrs.layers.pointcloud.hrtzxf2022 import EdgeConv, normed_pair
from lcrs.models.strings import check_strings

__all__ = ["XyzsLatentCodec"]

_BYTES = np.dtype(">f2")


class XyzsLatentCodec(nn.Module):
    """Positions (B, 3, M) as latents.

    He et al., "Density-preserving deep point cloud compression", CVPR 2022, section 3.1.

    Args:
        dim: Channels of the latent.
        hidden_dim: Channels inside.
        k: Neighbours, for "edge_conv".
        ngroups: Groups of the normalisations.
        mode: "learned", or "float16": 48 bits a position.
        conv_mode: Of a learned codec: "mlp" or "edge_conv".

    Raises:
        ValueError: An unknown mode.
    """

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        k: int,
        ngroups: int,
        mode: str = "learned",
        conv_mode: str = "mlp",
    ) -> None:
        super().__init__()
        self.mode = mode
        if mode == "float16":
            self.placeholder = nn.Parameter(torch.empty(0))  # which tells the device
            return
        if mode != "learned":
            raise ValueError(f"mode is {mode!r}; it must be learned or float16")
        if conv_mode == "edge_conv":
            self.analysis: nn.Module = EdgeConv(3, dim, hidden_dim, k)
            self.synthesis: nn.Module = EdgeConv(dim, 3, hidden_dim, k)
        elif conv_mode == "mlp":
            self.analysis = normed_pair(nn.Conv1d, (3, hidden_dim, dim), ngroups)
            self.synthesis = normed_pair(nn.Conv1d, (dim, hidden_dim, 3), ngroups)
        else:
            raise ValueError(f"conv_mode is {conv_mode!r}; it must be mlp or edge_conv")
        self.entropy_bottleneck = EntropyBottleneck(dim)

    def forward(self, latent_xyzs: Tensor) -> dict[str, Any]:
        """Maps positions (B, 3, M) to `y_hat`, of the same shape, and `likelihoods["y"]`."""
        if self.mode == "float16":
            likelihoods = torch.full_like(latent_xyzs, 2.0**-16)
            return {"likelihoods": {"y": likelihoods}, "y_hat": self._rounded(latent_xyzs)}
        z_hat, likelihoods = self.entropy_bottleneck(self.analysis(latent_xyzs))
        return {"likelihoods": {"y": likelihoods}, "y_hat": self.synthesis(z_hat)}

    def compress(self, latent_xyzs: Tensor) -> dict[str, Any]:
        """Codes positions (B, 3, M).

        Returns:
            `strings`, a list with one list of a string for each item; `shape`, (M,); `y_hat`, what the
            decoder gets.

        Raises:
            ValueError: A number is not finite, or too large for half precision.
        """
        shape = tuple(latent_xyzs.shape[2:])
        if self.mode == "float16":
            y_hat = self._rounded(latent_xyzs)
            if not bool(y_hat.isfinite().all()):
                raise ValueError(
                    f"a position is beyond {np.finfo(np.float16).max}, which half precision ends with"
                )
            items = y_hat.cpu().numpy().astype(_BYTES)
            return {"strings": [[item.tobytes() for item in items]], "shape": shape, "y_hat": y_hat}
        z = self.analysis(latent_xyzs)
        strings = self.entropy_bottleneck.compress(z)
        z_hat = self.entropy_bottleneck.restore(z).to(z.device)
        return {"strings": [strings], "shape": shape, "y_hat": self.synthesis(z_hat)}

    def decompress(self, strings: Sequence[Sequence[bytes]], shape: Sequence[int]) -> dict[str, Any]:
        """Decodes what `compress` wrote: `y_hat` (B, 3, M).

        Raises:
            LcrsError: A string is damaged, or was written by another model.
            ValueError: The number of strings is wrong.
        """
        check_strings(strings, 1)
        if self.mode == "learned":
            return {"y_hat": self.synthesis(self.entropy_bottleneck.decompress(strings[0], shape))}
        (points,) = shape
        size = 3 * points * _BYTES.itemsize
        for i, string in enumerate(strings[0]):
            if len(string) != size:
                raise CorruptError(
                    f"item {i}: {points} positions take {size} bytes, the string has {len(string)}"
                )
        items = np.frombuffer(b"".join(strings[0]), _BYTES).reshape(-1, 3, points)
        return {"y_hat": torch.from_numpy(items.astype(np.float32)).to(self.placeholder.device)}

    @staticmethod
    def _rounded(latent_xyzs: Tensor) -> Tensor:
        return latent_xyzs.half().float()
