"""Attention within windows of a map, and the blocks of Swin transformers made of it.

Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows", ICCV 2021; in codecs
Zou et al., "The devil is in the details: window-based attention for image compression", CVPR 2022, and Liu
et al., "Learned image compression with mixed transformer-CNN architectures", CVPR 2023.

Maps are (N, C, H, W) throughout; parameters have the names and shapes of the published blocks, so that their
checkpoints load. A window at a side of the map has only what lies inside, so any size goes. For shifted
windows that is what rolling the map and masking what was rolled does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lcrs.layers.torch_layers import pair

if TYPE_CHECKING:
    from lcrs.layers.lowering import GraphBuilder, Value

__all__ = ["Mlp", "SwinBlock", "WindowAttention", "lower_window_attention", "window_attention"]


def window_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    window: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
    heads: int,
    scale: float,
    bias: Tensor | None = None,
) -> Tensor:
    """The operation `window_attention` of coding graphs.

    Args:
        query: (N, C, H, W); each head takes its share of the channels.
        key: As `query`.
        value: (N, C', H, W).
        window: Height and width of windows.
        shift: Their first boundaries, below their sides.
        heads: Number of heads, which divides C and C'.
        scale: What products of queries and keys are multiplied by.
        bias: (heads, 2 height - 1, 2 width - 1): what is added for each distance of query and key, from
            `1 - height` and `1 - width` on.

    Returns:
        (N, C', H, W).
    """
    (height, width), size = window, query.shape[2:]
    before = [(side - first) % side for side, first in zip(window, shift, strict=True)]
    after = [-(n + b) % side for n, b, side in zip(size, before, window, strict=True)]
    margins = (before[1], after[1], before[0], after[0])

    def tokens(x: Tensor) -> Tensor:
        """(N, windows, heads, places, channels)."""
        x = F.pad(x, margins)
        n, channels, rows, columns = x.shape
        x = x.reshape(n, heads, channels // heads, rows // height, height, columns // width, width)
        x = x.permute(0, 3, 5, 1, 4, 6, 2)
        return x.reshape(n, -1, heads, height * width, channels // heads)

    logits = tokens(query) @ tokens(key).transpose(-2, -1) * scale
    if bias is not None:
        y = torch.arange(height, device=bias.device).repeat_interleave(width)
        x = torch.arange(width, device=bias.device).repeat(height)
        rows, columns = y[:, None] - y + height - 1, x[:, None] - x + width - 1
        logits = logits + bias[:, rows, columns]
    if any(margins):
        inside = F.pad(query.new_ones(1, heads, *size), margins)
        grid = [n // side for n, side in zip(inside.shape[2:], window, strict=True)]
        inside = inside[:, :1].reshape(grid[0], height, grid[1], width).transpose(1, 2)
        logits = logits.masked_fill(inside.reshape(-1, 1, 1, height * width) == 0, float("-inf"))
    result = logits.softmax(dim=-1) @ tokens(value)
    rows_, columns_ = (n + b + a for n, b, a in zip(size, before, after, strict=True))
    result = result.reshape(len(query), rows_ // height, columns_ // width, heads, height, width, -1)
    result = result.permute(0, 3, 6, 1, 4, 2, 5).reshape(len(query), -1, rows_, columns_)
    return result[:, :, before[0] : before[0] + size[0], before[1] : before[1] + size[1]]


def lower_window_attention(
    graph: GraphBuilder,
    x: Value,
    qkv: nn.Linear,
    *,
    window: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
    heads: int,
    scale: float,
    bias: Tensor | None = None,
    cyclic: bool = False,
    name: str = "qkv",
) -> Value:
    """Appends attention within windows of `x` to a graph, for modules whose `lower` you write.

    Args:
        graph: The graph under construction.
        x: A map.
        qkv: Gives queries, keys and values of equally many channels, in this order.
        window: As in `window_attention`.
        shift: As there.
        heads: As there.
        scale: As there.
        bias: As there.
        cyclic: Whether windows at a side go on at the opposite one, as where a map is rolled but not masked.
            Sides must then be multiples of the window's.
        name: What `qkv` is called in its module.

    Returns:
        A map of a third of the outputs of `qkv`; the projection is yours to append.
    """
    before, after = [side - first for side, first in zip(window, shift, strict=True)], list(shift)
    if cyclic:
        x, shift = graph.op("pad", x, mode="circular", before=before, after=after), (0, 0)
    count = qkv.out_features // 3
    parts = []
    for i, part in enumerate(("query", "key", "value")):
        share = slice(i * count, (i + 1) * count)
        with graph.at(name):
            parts.append(
                graph.op(
                    "conv2d",
                    x,
                    weight=graph.tensor(f"{part}.weight", qkv.weight[share, :, None, None]),
                    bias=None if qkv.bias is None else graph.tensor(f"{part}.bias", qkv.bias[share]),
                    stride=(1, 1),
                    padding=(0, 0),
                    groups=1,
                )
            )
    tensor = None if bias is None else graph.tensor(f"{name}.relative_bias", bias)
    geometry = {"window": window, "shift": shift, "heads": heads, "scale": float(scale)}
    y = graph.op("window_attention", *parts, **geometry, bias=tensor)
    return graph.op("crop", y, before=before, after=after) if cyclic else y


class WindowAttention(nn.Module):
    """Multi-head attention within windows, with a bias for each distance.

    Args:
        dim: Number of channels in and out.
        window_size: Side of a window, or height and width.
        num_heads: Number of heads, which divides `dim`.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_scale: What products of queries and keys are multiplied by; by default
            `(dim / num_heads) ** -0.5`.
        shift_size: Where windows begin, below their sides; half of `window_size` in every other block.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        dim: int,
        window_size: int | tuple[int, int] = 8,
        num_heads: int = 8,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        shift_size: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim is {dim}, must be a multiple of num_heads, {num_heads}")
        self.dim = dim
        self.window_size = height, width = pair(window_size)
        self.shift_size = pair(shift_size)
        if not all(0 <= first < side for first, side in zip(self.shift_size, self.window_size, strict=True)):
            raise ValueError(f"shift_size is {shift_size}, must be 0 or above and below {window_size}")
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5 if qk_scale is None else qk_scale
        distances = (2 * height - 1) * (2 * width - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(distances, num_heads))
        y = torch.arange(height).repeat_interleave(width)
        x = torch.arange(width).repeat(height)
        index = (y[:, None] - y + height - 1) * (2 * width - 1) + x[:, None] - x + width - 1
        self.register_buffer("relative_position_index", index)  # in published checkpoints
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        qkv = _on_channels(self.qkv, x).chunk(3, dim=1)
        y = window_attention(
            *qkv,
            window=self.window_size,
            shift=self.shift_size,
            heads=self.num_heads,
            scale=self.scale,
            bias=self._bias(),
        )
        return _on_channels(self.proj, y)

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the attention to a coding graph."""
        y = lower_window_attention(
            graph,
            x,
            self.qkv,
            window=self.window_size,
            shift=self.shift_size,
            heads=self.num_heads,
            scale=self.scale,
            bias=self._bias(),
        )
        return graph.call(self.proj, y, "proj")

    def _bias(self) -> Tensor:
        height, width = self.window_size
        return self.relative_position_bias_table.T.reshape(-1, 2 * height - 1, 2 * width - 1)

    def extra_repr(self) -> str:
        """Geometry, for printing."""
        return (
            f"dim={self.dim}, window_size={self.window_size}, num_heads={self.num_heads}, "
            f"scale={self.scale:g}, shift_size={self.shift_size}"
        )


class Mlp(nn.Module):
    """Two layers for each position.

    Args:
        in_features: Number of channels in.
        hidden_features: Number of channels between; by default as many as go in.
        out_features: Number of channels out; by default as many as go in.
        act_layer: What makes the activation between them.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int | None = None,
        out_features: int | None = None,
        act_layer: Callable[[], nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        hidden = hidden_features or in_features
        self.fc1 = nn.Linear(in_features, hidden)
        self.act = act_layer()
        self.fc2 = nn.Linear(hidden, out_features or in_features)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, C', H, W)."""
        return _on_channels(self.fc2, self.act(_on_channels(self.fc1, x)))

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the layers to a coding graph."""
        for name in ("fc1", "act", "fc2"):
            x = graph.call(getattr(self, name), x, name)
        return x


class SwinBlock(nn.Module):
    """`x + attention(norm(x))`, and then `x + mlp(norm(x))`.

    Args:
        dim: Number of channels in and out.
        num_heads: Number of heads, which divides `dim`.
        window_size: Side of a window, or height and width.
        shift_size: Where windows begin, below their sides.
        mlp_ratio: Channels inside the second half for one outside.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_scale: As in `WindowAttention`.
        act_layer: What makes the activation.
        norm_layer: What makes a normalisation of so many channels, which come last.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int | tuple[int, int] = 8,
        shift_size: int | tuple[int, int] = 0,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        act_layer: Callable[[], nn.Module] = nn.GELU,
        norm_layer: Callable[[int], nn.Module] = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = WindowAttention(dim, window_size, num_heads, qkv_bias, qk_scale, shift_size)
        self.norm2 = norm_layer(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), act_layer=act_layer)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same shape."""
        x = x + self.attn(_on_channels(self.norm1, x))
        y: Tensor = x + self.mlp(_on_channels(self.norm2, x))
        return y

    def lower(self, graph: GraphBuilder, x: Value) -> Value:
        """Adds the block to a coding graph."""
        x = graph.op("add", x, graph.call(self.attn, graph.call(self.norm1, x, "norm1"), "attn"))
        return graph.op("add", x, graph.call(self.mlp, graph.call(self.norm2, x, "norm2"), "mlp"))


def _on_channels(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer of the last dimension, applied to the channels of a map."""
    y: Tensor = layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return y
