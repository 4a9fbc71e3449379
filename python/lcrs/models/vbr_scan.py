"""The serial scan of the variable-rate model with context.

Unlike in `RasterScanLatentCodec`, what the context sees has reconstruction offsets, which depend on each
value's standard deviation; so both networks run at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lcrs import coding
from lcrs.latent_codecs.stepwise import one_by_one, wavefront
from lcrs.layers.lowering import GraphBuilder, lower

if TYPE_CHECKING:
    from lcrs.models.vbr import JointAutoregressiveHierarchicalPriorsVbr

__all__ = ["VbrScan"]


class VbrScan:
    """One pass over a batch of latents.

    Args:
        net: The model.
        params: What `h_s` gave, (N, 2 M, H, W).
        scale: Scale of the latent, (1,).
        exact: Runs the networks on the exact engine, for coding: float32 on the CPU, no gradient.
    """

    def __init__(
        self,
        net: JointAutoregressiveHierarchicalPriorsVbr,
        params: Tensor,
        scale: Tensor,
        exact: bool = False,
    ) -> None:
        self.net = net
        self.kernel_size = net.context_prediction.kernel_size[0]
        self.padding = self.kernel_size // 2
        self.exact = exact
        self.params, self.scale = (t.detach().cpu().float() if exact else t for t in (params, scale))
        self.size = params.shape[-2:]
        self.num_channels = net.context_prediction.in_channels
        self.padded = F.pad(
            self.params.new_zeros(params.shape[0], self.num_channels, *self.size), [self.padding] * 4
        )
        if exact:
            self._context_graph = _context_graph(net, self._exact_shift())
            offsets = lower(net.QuantABCD, "QuantABCD")
            self._offsets_graph = coding.Graph(offsets.json, offsets.tensors)

    @property
    def y_hat(self) -> Tensor:
        """The latent, (N, M, H, W), zero where it is not known yet."""
        height, width = self.size
        pad = self.padding
        return self.padded[..., pad : pad + height, pad : pad + width]

    def quantize(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y_hat (straight-through), scales and means of `y`, all (N, M, H, W)."""
        gaussians = torch.zeros_like(self.params)
        for rows, columns in wavefront(self.size[0], self.size[1], self.kernel_size):
            scales, means = self._parameters(rows, columns)
            values = self.net._reconstruct(y[..., rows, columns], scales, means, self.scale)
            self._put(rows, columns, values)
            gaussians = gaussians.clone()  # autograd keeps what it was
            gaussians[..., rows, columns] = torch.cat((scales, means), 1)
        scales, means = gaussians.chunk(2, 1)
        return self.y_hat, scales, means

    def encode(self, y: Tensor) -> list[bytes]:
        """Strings of `y`: by steps of the wavefront, or by places for kind "ans"; then by channels."""
        y, conditional = y.detach().cpu().float(), self.net.gaussian_conditional
        height, width = self.size
        symbols = np.empty((y.shape[0], height * width, self.num_channels), np.int32)
        indexes = np.empty_like(symbols)
        done = 0
        for rows, columns in wavefront(height, width, self.kernel_size):
            scales, means = self._parameters(rows, columns)
            centred = (y[..., rows, columns] - means) * self.scale
            step_symbols = coding.quantize(centred.contiguous().numpy())
            self._put(rows, columns, self._values(step_symbols, scales, means))
            if conditional.entropy_coder == "ans":
                places: NDArray[np.int64] = (rows * width + columns).numpy()
            else:
                places = np.arange(done, done + len(rows))
            symbols[:, places] = np.moveaxis(step_symbols, 1, -1)
            indexes[:, places] = np.moveaxis(self._rows(scales), 1, -1)
            done += len(rows)
        return coding.encode_batch(symbols, indexes, conditional.cdf_table(), kind=conditional.entropy_coder)

    def decode(self, strings: Sequence[bytes]) -> Tensor:
        """The latent that `encode` coded."""
        conditional = self.net.gaussian_conditional
        table, kind = conditional.cdf_table(), conditional.entropy_coder
        height, width = self.size
        decoders = [coding.Decoder(string, kind) for string in strings]
        steps: Iterable[tuple[Tensor, Tensor]] = (
            one_by_one(height, width) if kind == "ans" else wavefront(height, width, self.kernel_size)
        )
        for rows, columns in steps:
            scales, means = self._parameters(rows, columns)
            by_place = np.ascontiguousarray(np.moveaxis(self._rows(scales), 1, -1))
            pulled = [decoder.pull(item, table) for decoder, item in zip(decoders, by_place, strict=True)]
            symbols = np.ascontiguousarray(np.moveaxis(np.stack(pulled), -1, 1))
            self._put(rows, columns, self._values(symbols, scales, means))
        for decoder in decoders:
            decoder.finish()
        return self.y_hat

    def _put(self, rows: Tensor, columns: Tensor, values: Tensor) -> None:
        """Enter the `values` (N, M, P) of P places."""
        self.padded = (
            self.padded.clone() if self.padded.requires_grad or values.requires_grad else self.padded
        )
        self.padded[..., rows + self.padding, columns + self.padding] = values

    def _parameters(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and means of P places, each (N, M, P)."""
        net, above = self.net, self.padding + 1
        taps = (columns[:, None] + torch.arange(self.kernel_size)).reshape(-1)
        lines = torch.arange(above)[:, None] + rows.repeat_interleave(self.kernel_size)
        patches = self.padded[..., lines, taps]  # side by side: (N, M, k // 2 + 1, P k)
        params = self.params[..., rows, columns].unsqueeze(2)
        if self.exact:
            inputs = [patches.contiguous().numpy(), params.contiguous().numpy()]
            gaussian = torch.from_numpy(self._context_graph.run(inputs)["y"])
        else:
            context = net.context_prediction
            weight = (context.weight * context.mask)[:, :, :above]
            seen = F.conv2d(patches, weight, context.bias, stride=(above, self.kernel_size))
            if net.scl2ctx:
                seen = seen + net.scale_to_context(self.scale.reshape(1, 1)).reshape(1, -1, 1, 1)
            gaussian = net.entropy_parameters(torch.cat((params, seen), dim=1))
        scales, means = gaussian.squeeze(2).chunk(2, 1)
        return scales, means

    def _rows(self, scales: Tensor) -> NDArray[np.int32]:
        """Rows of the table, (N, M, P)."""
        return self.net.gaussian_conditional.build_indexes(scales * self.scale).cpu().numpy()

    def _values(self, symbols: NDArray[np.int32], scales: Tensor, means: Tensor) -> Tensor:
        """Values of `symbols`, all (N, M, P); every operation rounded by itself."""
        plain = torch.from_numpy(coding.dequantize(symbols))
        if not self.exact:
            return self.net._with_offsets(plain.to(scales.device), scales, means, self.scale)
        if not self.net.no_quantoffset:
            bound = self.net.gaussian_conditional.lower_bound_scale.bound.item()
            deviations = torch.clamp(scales * self.scale, min=bound)
            features = torch.stack((deviations, self.scale.expand_as(deviations)), dim=1)  # (N, 2, M, P)
            offsets = -torch.from_numpy(self._offsets_graph.run([features.contiguous().numpy()])["y"])[:, 0]
            plain = plain + torch.sign(plain) * torch.where(plain == 0, torch.zeros_like(offsets), offsets)
        return plain / self.scale + means

    def _exact_shift(self) -> Tensor | None:
        """What the scale adds to the context, (2 M,)."""
        if not self.net.scl2ctx:
            return None
        graph = lower(self.net.scale_to_context, "scale_to_context")
        run = coding.Graph(graph.json, graph.tensors).run([self.scale.reshape(1, 1, 1, 1).numpy()])
        return torch.from_numpy(run["y"]).reshape(-1)


def _context_graph(net: JointAutoregressiveHierarchicalPriorsVbr, shift: Tensor | None) -> coding.Graph:
    """Context and entropy parameters at places side by side, without the kernel's rows below its centre."""
    context, above = net.context_prediction, net.context_prediction.kernel_size[0] // 2 + 1
    graph = GraphBuilder()
    patches, params = graph.input("patches"), graph.input("params")
    with graph.at("context_prediction"):
        seen = graph.op(
            "conv2d",
            patches,
            weight=graph.tensor("weight", (context.weight * context.mask)[:, :, :above]),
            bias=None if context.bias is None else graph.tensor("bias", context.bias),
            stride=(above, context.kernel_size[1]),
            padding=(0, 0),
            groups=1,
        )
        if shift is not None:
            seen = graph.op("add", seen, graph.op("constant", tensor=graph.tensor("shift", shift)))
    merged = graph.op("concat", params, seen)
    lowered = graph.finish({"y": graph.call(net.entropy_parameters, merged, "entropy_parameters")})
    return coding.Graph(lowered.json, lowered.tensors)
