"""Blocks of transformers in published codecs, built from their public code, lower to what they compute.

Set LCRS_STF to a checkout of github.com/Googolxx/STF and LCRS_FTIC to one of
github.com/qingshi9974/ICLR2024-FTIC, and have `einops` installed; skipped otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from public_code import imported
from torch import Tensor, nn

from lcrs import coding
from lcrs.layers.lowering import GraphBuilder, Value, lower, register_lowering
from lcrs.layers.windows import lower_window_attention

pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid")


def check(module: nn.Module, channels: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    for name, parameter in module.named_parameters():  # away from initial values that hide mistakes
        if "norm" not in name:
            parameter.data = (
                torch.randn(parameter.shape, generator=generator) / max(parameter.shape[-1], 4) ** 0.5
            )
    x = torch.randn(2, channels, *size, generator=generator)
    lowered = lower(module.eval(), "net")
    found = coding.Graph(lowered.json, lowered.tensors).run([x.numpy()])["y"]
    with torch.no_grad():
        wanted = module(x).numpy()
    assert np.abs(found - wanted).max() <= 2e-5 * np.abs(wanted).max()


def bias_of(attention: Any) -> Tensor:
    height, width = attention.window_size
    table: Tensor = attention.relative_position_bias_table
    return table.T.reshape(-1, 2 * height - 1, 2 * width - 1)


@pytest.mark.parametrize("shift", [0, 2, 4])
def test_stf(shift: int) -> None:
    with imported("LCRS_STF", "compressai/layers/win_attention.py") as stf:

        @register_lowering(stf.WinBasedAttention)
        def attention(graph: GraphBuilder, module: Any, x: Value) -> Value:
            side, shift = module.window_size, module.shift_size
            geometry = {"window": (side, side), "shift": (shift, shift), "heads": module.num_heads}
            inner = module.attn
            with graph.at("attn"):
                y = lower_window_attention(
                    graph, x, inner.qkv, **geometry, scale=inner.scale, bias=bias_of(inner)
                )
                y = graph.call(inner.proj, y, "proj")
            return graph.op("add", x, y)

        check(stf.WinBasedAttention(24, num_heads=3, window_size=8, shift_size=shift), 24, (16, 24))


def register_ftic(ftic: Any) -> None:
    @register_lowering(ftic.Swin_FDWA)
    def attention(graph: GraphBuilder, module: Any, x: Value) -> Value:
        normed = graph.call(module.norm1, x, "norm1")
        count = module.dim // module.branch_num
        parts = []
        for i, branch in enumerate(module.attns):
            rows = [k * module.dim + i * count + c for k in range(3) for c in range(count)]
            qkv = nn.Linear(module.dim, 3 * count, bias=module.qkv.bias is not None)
            qkv.weight.data = module.qkv.weight[rows]
            if module.qkv.bias is not None:
                qkv.bias.data = module.qkv.bias[rows]
            shift = [side // 2 if module.shift_size else 0 for side in branch.window_size]
            geometry = {"window": tuple(branch.window_size), "shift": tuple(shift), "heads": branch.num_heads}
            parts.append(
                lower_window_attention(
                    graph,
                    normed,
                    qkv,
                    **geometry,
                    scale=branch.scale,
                    bias=bias_of(branch),
                    cyclic=bool(module.shift_size),
                    name=f"attns.{i}",
                )
            )
        x = graph.op("add", x, graph.call(module.proj, graph.op("concat", *parts), "proj"))
        y = graph.call(module.ffn, graph.call(module.norm2, x, "norm2"), "ffn")
        return graph.op("add", x, graph.call(module.fm, y, "fm"))

    @register_lowering(ftic.WindowFrequencyModulation)
    def modulation(graph: GraphBuilder, module: Any, x: Value) -> Value:
        """Of each channel of a window a linear map: a 1x1 convolution of unshuffled pixels."""
        side = module.window_size
        windows = torch.eye(side * side).reshape(-1, side, side, 1)
        weight = torch.view_as_complex(module.complex_weight.detach())
        spectrum = torch.fft.rfft2(windows, dim=(1, 2), norm="ortho") * weight
        maps = torch.fft.irfft2(spectrum, s=(side, side), dim=(1, 2), norm="ortho")
        maps = maps.reshape(side * side, side * side, -1).permute(2, 1, 0)  # channel, to, from
        x = graph.op("pixel_unshuffle", x, factor=side)
        x = graph.op(
            "conv2d",
            x,
            weight=graph.tensor("weight", maps.reshape(-1, side * side, 1, 1)),
            stride=(1, 1),
            padding=(0, 0),
            groups=len(maps),
        )
        return graph.op("pixel_shuffle", x, factor=side)

    @register_lowering(ftic.FAT_Block)
    def block(graph: GraphBuilder, module: Any, x: Value) -> Value:
        y = graph.call(module.trans_block, graph.call(module.conv1_1, x, "conv1_1"), "trans_block")
        return graph.op("add", x, graph.call(module.conv1_2, y, "conv1_2"))


@pytest.mark.parametrize("kind", ["W", "SW"])
def test_ftic(kind: str) -> None:
    with imported("LCRS_FTIC", "models", "flic") as ftic:
        register_ftic(ftic)
        check(ftic.FAT_Block(16, 8, window_size=8, window_size_fm=4, drop_path=0, type=kind), 16, (32, 16))
